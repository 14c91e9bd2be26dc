"""How many commands, and how many questions to a backend, run at once in this process."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import field
from weakref import WeakKeyDictionary

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import BackendError, BackendFault

_STRAIN = (BackendFault.RATE_LIMIT, BackendFault.OVERLOAD)
_MINUTE = 60.0


@dataclass(slots=True)
class FifoQueue:
    """A semaphore for one event loop that serves in order, with a limit that each user brings along.

    ``limit()`` is called whenever a slot becomes free, for it may change meanwhile.
    """

    in_use: int = 0
    _waiters: deque[tuple[asyncio.Future[None], Callable[[], float]]] = field(default_factory=deque)

    def try_acquire(self, limit: Callable[[], float]) -> bool:
        """Acquire a slot if fewer than ``limit()`` are in use and nobody waits; never waits itself."""
        if self._waiters or self.in_use >= limit():
            return False
        self.in_use += 1
        return True

    async def acquire(self, limit: Callable[[], float]) -> None:
        """Acquire a slot, after everybody who waits already."""
        if self.try_acquire(limit):
            return
        ticket = asyncio.get_running_loop().create_future()
        self._waiters.append((ticket, limit))
        try:
            await ticket
        except asyncio.CancelledError:
            if (
                ticket.done() and not ticket.cancelled()
                # the slot came just now, and nobody would give it back
            ):
                self.release()
            raise

    @asynccontextmanager
    async def slot(self, limit: float) -> AsyncIterator[None]:
        """``async with slot(limit):`` holds a slot."""
        await self.acquire(lambda: limit)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Give a slot back, and hand it to whoever waits first."""
        self.in_use -= 1
        while self._waiters and self.in_use < self._waiters[0][1]():
            ticket, _ = self._waiters.popleft()
            if not ticket.done():
                self.in_use += 1
                ticket.set_result(None)

    @contextmanager
    def released(self) -> Iterator[None]:
        """``with released():`` lends the slot of somebody who only waits for others that need one each."""
        self.release()
        try:
            yield
        finally:
            self.in_use += 1


class ConcurrencyLimiter:
    """Limits the questions to one backend: ``limit`` at once on an event loop, the others wait in order.

    0 = no limit. The limit adapts as TCP's window does (AIMD): a rate limit or an overload halves
    ``capacity``, never below one; after as many successes as there are slots it grows by one, up to
    ``limit``. At most ``per_minute`` questions begin within a minute; 0 = any number. ``parent``
    is a wider limit that these questions count against too.
    """

    def __init__(
        self,
        limit: int = 0,
        *,
        per_minute: int = 0,
        parent: ConcurrencyLimiter | None = None,
    ) -> None:
        self._limit = float(limit or math.inf)
        self._capacity = self._limit
        self._halvings = 0
        self._recent_starts: deque[float] | None = deque(maxlen=per_minute) if per_minute else None
        self._parent = parent
        # A future belongs to one loop, a backend's limit to the process.
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, FifoQueue] = WeakKeyDictionary()

    @property
    def capacity(self) -> float:
        """How many questions may run at once at this moment; ``math.inf`` = any number."""
        return self._capacity if math.isinf(self._capacity) else float(int(self._capacity))

    @property
    def is_busy(self) -> bool:
        """Whether a question would have to wait now, on the running loop."""
        queue = self._queues.get(asyncio.get_running_loop())
        full = queue is not None and queue.in_use >= self.capacity
        return full or (self._parent is not None and self._parent.is_busy)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """``async with slot():`` asks one question.

        A BackendError of overload that leaves it halves the capacity.
        """
        async with AsyncExitStack() as stack:
            if self._parent is not None:
                await stack.enter_async_context(self._parent.slot())
            queue = self._queues.setdefault(asyncio.get_running_loop(), FifoQueue())
            await queue.acquire(lambda: self.capacity)
            stack.callback(queue.release)
            await self._wait_for_rate()
            # Noted before the question: refusals of questions that were under way together count once.
            halvings = self._halvings
            try:
                yield
            except BackendError as failure:
                if failure.kind in _STRAIN and halvings == self._halvings:
                    self._halve_capacity(queue)
                raise
            else:
                self._capacity = min(self._limit, self._capacity + 1 / self._capacity)

    def _halve_capacity(self, queue: FifoQueue) -> None:
        self._halvings += 1
        self._capacity = float(max(1, int(min(self._capacity, queue.in_use)) // 2))

    async def _wait_for_rate(self) -> None:
        """Wait until fewer than ``per_minute`` have begun within the last minute."""
        if self._recent_starts is None:
            return
        now = begins = asyncio.get_running_loop().time()
        if len(self._recent_starts) == self._recent_starts.maxlen:
            begins = max(now, self._recent_starts[0] + _MINUTE)
        self._recent_starts.append(begins)
        if begins > now:
            await asyncio.sleep(begins - now)
