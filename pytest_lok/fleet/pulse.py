"""Who is there: the places hear of the driver again and again, and whoever is silent for too long is lost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, TypeVar

from pytest_lok.fleet.port import FleetEngine, FleetPlace, PlaceLostError

T = TypeVar("T")

_CONNECT = 30.0  # seconds until a fleet that nothing was heard of yet counts as silent


class Pulse:
    """The heartbeat of a driver, and the ``places`` that have answered the last beat.

    It beats between ``__aenter__`` and the last ``__aexit__``, five times a lease. A place that has answered
    no beat for a lease and ``grace`` is lost: what ran there under the lease has ended by then.
    ``trouble`` says why no place answered; "" = one did. ``given_up`` are attempts whose end nobody has
    confirmed: each beat tells the places to end them.
    """

    def __init__(self, engine: FleetEngine, lease: float) -> None:
        self._engine = engine
        self._interval = lease / 5
        self._patience = lease + lease / 5
        self._heard: dict[str, float] = {}
        self._watched: dict[asyncio.Future[None], str] = {}
        self._users = 0
        self._asking = asyncio.Lock()
        self._asked = -math.inf
        self._beat: asyncio.Task[None] | None = None
        self.given_up: set[str] = set()
        self.places: tuple[FleetPlace, ...] = ()
        self.trouble = ""

    async def __aenter__(self) -> None:
        """Beat from now on, if it does not yet."""
        self._users += 1
        if self._beat is None or self._beat.done():
            self._heard.clear()
            self._beat = asyncio.create_task(self._go_on())

    async def __aexit__(self, *_: object) -> None:
        """Beat no more, if nobody needs it any longer."""
        self._users -= 1
        if not self._users and self._beat is not None:
            self._beat.cancel()
            self._beat = None

    async def refresh(self) -> None:
        """Ask the fleet what places there are, or hear what another one is told who has asked later."""
        now = asyncio.get_running_loop().time
        asked = now()
        # a fleet that is not there is waited for once, not by each command in turn
        async with self._asking:
            if self._asked < asked:
                began = now()
                await self._look(_CONNECT)
                self._asked = began

    async def _look(self, within: float) -> None:
        """Ask the fleet what places there are; none where it does not answer ``within`` so many seconds."""
        try:
            async with asyncio.timeout(within):
                self.places = tuple(await self._engine.places(tuple(self.given_up)))
                self.trouble = ""
        except PlaceLostError as lost:
            self.places, self.trouble = (), lost.message
        except TimeoutError:
            self.places, self.trouble = (), "it is silent"
        now = asyncio.get_running_loop().time()
        self._heard |= {place.name: now for place in self.places}

    def forget(self, place: FleetPlace) -> None:
        """Count with a place no more, until it answers again."""
        self.places = tuple(other for other in self.places if other.name != place.name)

    async def guarded(self, place: FleetPlace, work: Coroutine[Any, Any, T]) -> T:
        """What comes of the work at a place; PlaceLostError as soon as that is silent for too long.

        What ends the heartbeat itself is raised too: nobody would notice a lost place from then on.
        """
        assert self._beat is not None  # noqa: S101 - whoever works is between enter and exit
        loop = asyncio.get_running_loop()
        self._heard.setdefault(place.name, loop.time())
        silent: asyncio.Future[None] = loop.create_future()
        self._watched[silent] = place.name
        doing = asyncio.ensure_future(work)
        try:
            waited: set[asyncio.Future[Any]] = {doing, silent, self._beat}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            if silent.done():
                raise PlaceLostError(f"nothing was heard of it for {self._patience:.0f} seconds")
            self._beat.result()
            raise RuntimeError("the heartbeat has ended")
        finally:
            del self._watched[silent]
            if not doing.done():
                doing.cancel()
                await asyncio.wait({doing}, timeout=self._interval)
            if doing.done() and not doing.cancelled():
                doing.exception()  # or asyncio says that nobody has looked

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._look(self._interval * 5)
            now = asyncio.get_running_loop().time()
            for silent, name in self._watched.items():
                if now - self._heard.get(name, now) > self._patience and not silent.done():
                    silent.set_result(None)
