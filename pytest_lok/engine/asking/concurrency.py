"""How much happens at once in this process: steps, and questions to a backend, fewer when it says so."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pytest_lok.errors import BackendError, BackendFault

_STRAIN = (BackendFault.RATE_LIMIT, BackendFault.OVERLOAD)


@dataclass(slots=True)
class FifoQueue:
    """Those that are served on one event loop, and those that wait for it, in order.

    How many are served at once is said, and may change, by each of them.
    """

    busy: int = 0
    _waiting: deque[tuple[asyncio.Future[None], Callable[[], float]]] = field(default_factory=deque)

    def take(self, limit: Callable[[], float]) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self._waiting or self.busy >= limit():
            return False
        self.busy += 1
        return True

    async def enter(self, limit: Callable[[], float]) -> None:
        """Take a place, in turn."""
        if self.take(limit):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, limit))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place came, and nobody takes it
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back."""
        self.busy -= 1
        while self._waiting and self.busy < self._waiting[0][1]():
            turn, _ = self._waiting.popleft()
            if not turn.done():
                self.busy += 1
                turn.set_result(None)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The time in which somebody with a place does nothing but wait for others that need one each."""
        self.leave()
        try:
            yield
        finally:
            self.busy += 1


class ConcurrencyLimiter:
    """At most ``limit`` at once on an event loop (0 = any number), the others wait in order.

    A rate limit or an overload halves how many that are, never below one; each as many answers as
    there are places add one place again, up to ``limit``. At most ``per_minute`` begin in a ``minute``
    (in seconds), 0 = any number. ``among`` is a wider limit that these count against too.
    """

    def __init__(
        self,
        limit: int = 0,
        *,
        per_minute: int = 0,
        among: ConcurrencyLimiter | None = None,
        minute: float = 60.0,
    ) -> None:
        self._most = float(limit or math.inf)
        self._places = self._most
        self._halvings = 0
        self._begun: deque[float] | None = deque(maxlen=per_minute) if per_minute else None
        self._among = among
        self._minute = minute
        # A future belongs to one loop, a backend's limit to the process.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, FifoQueue] = WeakKeyDictionary()

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
            line = self._lines.setdefault(asyncio.get_running_loop(), FifoQueue())
            await line.enter(lambda: self.places)
            stack.callback(line.leave)
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

    def _halve(self, line: FifoQueue) -> None:
        self._halvings += 1
        self._places = float(max(1, int(min(self._places, line.busy)) // 2))

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
