"""How much a backend is asked at once and per minute, by everybody in this process; less when it says so."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pytest_lok.errors import BackendError, BackendFault

_STRAIN = (BackendFault.RATE_LIMIT, BackendFault.OVERLOAD)


@dataclass(slots=True)
class _Line:
    """Those that are served on one event loop, and those that wait for it, in order."""

    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Slots:
    """At most ``limit`` at once on an event loop (0 = any number), the others wait in order.

    A rate limit or an overload halves how many that are, never below one; each as many answers as
    there are places add one place again, up to ``limit``. At most ``per_minute`` begin in a ``minute``
    (in seconds), 0 = any number. ``among`` is a wider limit that these count against too.
    """

    def __init__(
        self, limit: int = 0, *, per_minute: int = 0, among: Slots | None = None, minute: float = 60.0
    ) -> None:
        self._most = float(limit or math.inf)
        self._places = self._most
        self._halvings = 0
        self._begun: deque[float] | None = deque(maxlen=per_minute) if per_minute else None
        self._among = among
        self._minute = minute
        # A future belongs to one loop, a backend's limit to the process.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    @property
    def places(self) -> float:
        """How many are served at once now; ``math.inf`` = any number."""
        return self._places if math.isinf(self._places) else float(int(self._places))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """The time of one question; how it ends says whether the backend bears so many."""
        async with AsyncExitStack() as stack:
            if self._among is not None:
                await stack.enter_async_context(self._among.place())
            line = self._lines.setdefault(asyncio.get_running_loop(), _Line())
            await self._enter(line)
            stack.callback(self._leave, line)
            await self._keep_pace()
            halvings = self._halvings
            try:
                yield
            except BackendError as failure:
                # one wave of refusals, of questions that were under way together, counts once
                if failure.kind in _STRAIN and halvings == self._halvings:
                    self._halve(line)
                raise
            else:
                self._places = min(self._most, self._places + 1 / self._places)

    def _halve(self, line: _Line) -> None:
        self._halvings += 1
        self._places = float(max(1, int(min(self._places, line.busy)) // 2))

    async def _enter(self, line: _Line) -> None:
        if not line.waiting and line.busy < self.places:
            line.busy += 1
            return
        turn = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place came, and nobody takes it
                self._leave(line)
            raise

    def _leave(self, line: _Line) -> None:
        line.busy -= 1
        while line.waiting and line.busy < self.places:
            turn = line.waiting.popleft()
            if not turn.done():
                line.busy += 1
                turn.set_result(None)

    async def _keep_pace(self) -> None:
        """Wait until fewer than ``per_minute`` have begun within the last minute."""
        if self._begun is None:
            return
        now = begins = asyncio.get_running_loop().time()
        if len(self._begun) == self._begun.maxlen:
            begins = max(now, self._begun[0] + self._minute)
        self._begun.append(begins)
        if begins > now:
            await asyncio.sleep(begins - now)
