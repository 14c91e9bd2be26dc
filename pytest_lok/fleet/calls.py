"""The four methods of a fleet as calls of a PlaceHost: an adapter only has to carry a call there and back."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from pytest_lok.engine.ports import CommandSpec
from pytest_lok.fleet.checkout import ShippedTree
from pytest_lok.fleet.host import PlaceHost
from pytest_lok.fleet.port import FleetPlace, Returned, Shipment


class HostCalls(ABC):
    """A FleetEngine whose places have a PlaceHost each; a subclass knows them, and carries the calls."""

    def __init__(self) -> None:
        self.driver = uuid.uuid4().hex

    @abstractmethod
    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        """See FleetEngine; each place is called with "hear", and answers with its version and what runs."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the connections, as in FleetEngine."""

    @abstractmethod
    async def call(self, place: FleetPlace, method: str, *arguments: Any) -> Any:
        """What ``answer`` gives at that place; PlaceLostError where nothing comes back."""

    async def ship(self, attempt: str, shipment: Shipment, place: FleetPlace) -> None:
        """Take room at a place and lay out the files there, as in FleetEngine."""
        snapshot = shipment.snapshot
        known = await self.call(place, "has", snapshot.commit)
        shipped = ShippedTree(
            commit=snapshot.commit,
            diff=snapshot.diff,
            tree=snapshot.tree,
            folder=snapshot.folder,
            pack=None if known else await snapshot.pack(),
        )
        await self.call(place, "ship", attempt, shipped, shipment.needs, dict(shipment.files), shipment.name)

    async def run(
        self, attempt: str, command: CommandSpec, place: FleetPlace, artifacts: Sequence[str]
    ) -> Returned:
        """Run a shipped attempt once, as in FleetEngine."""
        plain = replace(command, remote=None, env=dict(command.env))
        returned: Returned = await self.call(place, "run", attempt, plain, tuple(artifacts))
        return returned

    async def kill(self, attempt: str, place: FleetPlace) -> None:
        """End an attempt and wait for that, as in FleetEngine."""
        await self.call(place, "kill", attempt)


async def answer(host: PlaceHost, driver: str, method: str, arguments: Sequence[Any]) -> Any:
    """What a place answers to a call of ``HostCalls``; the errors of the place are raised."""
    match method:
        case "hear":
            return host.hear(driver, *arguments)
        case "has":
            return host.has(*arguments)
        case "ship":
            return await host.ship(driver, *arguments)
        case "run":
            return await host.run(*arguments)
        case "kill":
            return await host.kill(*arguments)
    raise ValueError(f"a place knows no call {method!r}")
