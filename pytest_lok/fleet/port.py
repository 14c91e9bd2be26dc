"""The four methods by which a fleet is reached, and the values that they exchange."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from pytest_lok.core.remote import Artifact, Placement, Snapshot
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import CommandSpec, Completed
from pytest_lok.errors import LokError
from pytest_lok.version import __version__

LEASE = 25.0
"""Seconds without a word of its driver after which a place ends the driver's commands."""


class PlaceLostError(LokError):
    """A place does not answer any more. What it was asked to do may have been done, or not."""


class PlaceBusyError(LokError):
    """A place has no room for an attempt now. Nothing was done of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlace:
    """Where commands can run. ``memory`` is in bytes; ``running`` are the attempts that run there now,
    and ``names`` what people call them, in the same order.

    ``version`` is that of pytest-lok there. ``address`` is what its engine calls it; "" = its name.
    """

    name: str
    cores: float
    memory: int
    labels: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    version: str = __version__
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What comes back of an attempt: how it ended, and the artifacts by their path in the workspace."""

    completed: Completed
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What an attempt needs before it can start: the files, and room for what its command takes.

    ``files`` are artifacts of other steps, which lie beside those of the snapshot. ``name`` tells people what
    it is.
    """

    snapshot: Snapshot
    needs: Placement = Placement()
    files: Mapping[str, Artifact] = field(default_factory=dict)
    name: str = ""


class FleetEngine(Protocol):
    """Reaches the places of a fleet: one file per kind of fleet, and one contract for all.

    ``attempt`` is an id that is used once. Each method raises PlaceLostError where the place does not answer,
    and StepUnableError where it cannot do what it is asked.
    """

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        """The places that are there now. Each hears by this that the driver is there.

        A place ends the attempts that are ``given_up``: their end was asked for, and nobody has confirmed it.
        """
        ...

    async def ship(self, attempt: str, shipment: Shipment, place: FleetPlace) -> None:
        """Take room at a place for one attempt, and lay out its files there.

        PlaceBusyError where there is no room now. Nothing of the workflow is run by it, so that another
        attempt may be shipped there or elsewhere.
        """
        ...

    async def run(
        self, attempt: str, command: CommandSpec, place: FleetPlace, artifacts: Sequence[str]
    ) -> Returned:
        """Start the command of an attempt that was shipped there, once, and wait for its end."""
        ...

    async def kill(self, attempt: str, place: FleetPlace) -> None:
        """End an attempt, with all that it has started. It has ended when this returns."""
        ...

    async def aclose(self) -> None:
        """Let go of the connections. The next call makes them anew."""
        ...
