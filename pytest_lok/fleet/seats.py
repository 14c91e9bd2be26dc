"""What a command needs -> the place that it gets, as far as this driver and the places know."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pytest_lok.core.remote import Placement
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.port import FleetPlace
from pytest_lok.fleet.pulse import Pulse
from pytest_lok.version import __version__

_AGAIN = 0.5  # seconds after which a place that was full of others' commands is asked again
_LOOK = 5.0  # seconds after which who waits looks whether there are new places


class Seats:
    """How much of each place is taken by commands of this driver, and which were full of others' just now.

    The places themselves admit: what stands here only keeps this driver from asking in vain. Whoever waits is
    woken when it is its turn, one after the other, so that many who wait cost no more than few.
    """

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._taken: dict[str, list[Placement]] = {}
        self._used: dict[str, tuple[float, int]] = {}
        self._full_until: dict[str, float] = {}
        self._waiting: dict[asyncio.Future[None], Placement] = {}
        self._woken: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def taken(self, placement: Placement) -> AsyncIterator[FleetPlace]:
        """Wait for room at a place that fits, and hold it; StepUnableError where no place fits at all."""
        try:
            place = await self._take(placement)
        finally:
            self._wake()
        try:
            yield place
        finally:
            self._taken[place.name].remove(placement)
            self._count(place.name)
            self._wake()

    def note_full(self, place: FleetPlace) -> None:
        """Note that others have what this driver took for free."""
        self._full_until[place.name] = asyncio.get_running_loop().time() + _AGAIN

    async def _take(self, placement: Placement) -> FleetPlace:
        while True:
            if not self._fitting(placement):
                await self._pulse.refresh()
            if not self._fitting(placement):
                raise StepUnableError(
                    no_place(placement, self._pulse.places, self._pulse.trouble),
                    hint="`lok fleet status` shows the places",
                )
            if (best := self._free(placement)) is not None:
                self._taken.setdefault(best.name, []).append(placement)
                self._count(best.name)
                return best
            turn = asyncio.get_running_loop().create_future()
            self._waiting[turn] = placement
            # a place of others tells nobody when it has room again, and a new one does not either
            full = any(until > asyncio.get_running_loop().time() for until in self._full_until.values())
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN if full else _LOOK):
                        await turn
            finally:
                del self._waiting[turn]
                if self._woken is turn:
                    self._woken = None

    def _wake(self) -> None:
        """Wake the first of those who wait that would get a place now, or has none to wait for any more.

        It does the same when it has taken its place, or has failed.
        """
        if self._woken is not None:
            return
        in_vain: set[Placement] = set()
        for turn, placement in self._waiting.items():
            if turn.done() or placement in in_vain:  # done: it is cancelled, and has not noticed yet
                continue
            if self._free(placement) is not None or not self._fitting(placement):
                self._woken = turn
                turn.set_result(None)
                return
            in_vain.add(placement)

    def _count(self, name: str) -> None:
        held = self._taken[name]
        self._used[name] = (sum(one.cores for one in held), sum(one.memory for one in held))

    def _fitting(self, placement: Placement) -> list[FleetPlace]:
        return [place for place in self._pulse.places if fits(placement, place)]

    def _free(self, placement: Placement) -> FleetPlace | None:
        """The place that has the most cores left, of those with room; None = none has room now."""
        now = asyncio.get_running_loop().time()
        best, most = None, -1.0
        for place in self._fitting(placement):
            cores, memory = self._used.get(place.name, (0.0, 0))
            left = place.cores - cores
            roomy = placement.cores <= left and placement.memory <= place.memory - memory
            if roomy and left > most and self._full_until.get(place.name, 0.0) <= now:
                best, most = place, left
        return best


def fits(placement: Placement, place: FleetPlace) -> bool:
    """Whether a command may run at a place that is idle, and of the driver's version."""
    labelled = not placement.on or placement.on in place.labels or placement.on == place.name
    roomy = placement.cores <= place.cores and placement.memory <= place.memory
    return labelled and roomy and place.version == __version__


def no_place(placement: Placement, places: Sequence[FleetPlace], trouble: str = "") -> str:
    """Why a command cannot be placed: what it needs, and what there is."""
    wanted = [_cores(placement.cores), f"{placement.memory / 1e9:g} GB"]
    needs = " and ".join(wanted if placement.memory else wanted[:1])
    label = f" labelled {placement.on!r}" if placement.on else ""
    if not places:
        why = f" ({trouble})" if trouble else ""
        return f"no place of the fleet answers{why}, and a place{label} with {needs} is needed"
    return f"no place{label} has {needs}; there are: {'; '.join(described(place) for place in places)}"


def described(place: FleetPlace) -> str:
    """A place in a few words: what it has, what it is called, and why nothing of this driver goes there."""
    words = f"{place.name}: {_cores(place.cores)}, {place.memory / 1e9:.1f} GB"
    if others := [label for label in place.labels if label != place.name]:
        words += f", {' '.join(others)}"
    if place.version != __version__:
        words += f", pytest-lok {place.version} (here: {__version__})"
    return words


def _cores(number: float) -> str:
    return f"{number:g} {'core' if number == 1 else 'cores'}"
