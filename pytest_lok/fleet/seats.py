"""What a command needs -> the place that it gets, as far as this driver and the places know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pytest_lok.core.remote import Placement
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.port import FleetPlace
from pytest_lok.fleet.pulse import Pulse
from pytest_lok.version import __version__

_AGAIN = 0.5  # seconds after which a place that was full is asked again


class Seats:
    """How much of each place is taken by commands of this driver, and which were full of others' just now.

    The places themselves admit: what stands here only keeps this driver from asking in vain.
    """

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._taken: dict[str, list[Placement]] = {}
        self._full_until: dict[str, float] = {}
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, placement: Placement) -> AsyncIterator[FleetPlace]:
        """Wait for room at a place that fits, and hold it; StepUnableError where no place fits at all."""
        place = await self._take(placement)
        try:
            yield place
        finally:
            self._taken[place.name].remove(placement)
            self._changed.set()

    def note_full(self, place: FleetPlace) -> None:
        """Note that others have what this driver took for free."""
        self._full_until[place.name] = asyncio.get_running_loop().time() + _AGAIN

    async def _take(self, placement: Placement) -> FleetPlace:
        """The place that has the most cores left, of those with room."""
        while True:
            self._changed.clear()
            if not (fitting := self._fitting(placement)):
                await self._pulse.refresh()
                fitting = self._fitting(placement)
            if not fitting:
                raise StepUnableError(
                    no_place(placement, self._pulse.places, self._pulse.trouble),
                    hint="`on` and `needs` of the step say what it needs",
                )
            now = asyncio.get_running_loop().time()
            open_ = [place for place in fitting if self._full_until.get(place.name, 0.0) <= now]
            free = [place for place in open_ if fits(placement, self._left(place))]
            if free:
                best = max(free, key=lambda place: self._left(place).cores)
                self._taken.setdefault(best.name, []).append(placement)
                return best
            # a place of others tells nobody when it has room again
            try:
                async with asyncio.timeout(None if len(open_) == len(fitting) else _AGAIN):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _fitting(self, placement: Placement) -> list[FleetPlace]:
        return [place for place in self._pulse.places if fits(placement, place)]

    def _left(self, place: FleetPlace) -> FleetPlace:
        held = self._taken.get(place.name, [])
        return replace(
            place,
            cores=place.cores - sum(one.cores for one in held),
            memory=place.memory - sum(one.memory for one in held),
        )


def fits(placement: Placement, place: FleetPlace) -> bool:
    """Whether a command may run at a place that is idle, and of the driver's version."""
    labelled = not placement.on or placement.on in place.labels or placement.on == place.name
    roomy = placement.cores <= place.cores and placement.memory <= place.memory
    return labelled and roomy and place.version == __version__


def no_place(placement: Placement, places: Sequence[FleetPlace], trouble: str = "") -> str:
    """Why a command cannot be placed: what it needs, and what there is."""
    wanted = [f"{placement.cores:g} cores", f"{placement.memory / 1e9:g} GB"]
    needs = " and ".join(wanted if placement.memory else wanted[:1])
    label = f" labelled {placement.on!r}" if placement.on else ""
    if not places:
        why = f" ({trouble})" if trouble else ""
        return f"no place of the fleet answers{why}, and a place{label} with {needs} is needed"
    return f"no place{label} has {needs}; there are: {'; '.join(described(place) for place in places)}"


def described(place: FleetPlace) -> str:
    """A place in a few words: what it has, what it is called, and why nothing of this driver goes there."""
    words = f"{place.name}: {place.cores:g} cores, {place.memory / 1e9:.1f} GB"
    if others := [label for label in place.labels if label != place.name]:
        words += f", {' '.join(others)}"
    if place.version != __version__:
        words += f", pytest-lok {place.version} (here: {__version__})"
    return words
