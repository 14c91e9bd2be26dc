"""A limit on how much happens at once, shared by whoever holds it."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary


class Slots:
    """At most ``limit`` at once on an event loop (``async with slots: …``); the others wait in order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # A semaphore belongs to one loop, a backend's limit to the process.
        self._semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    async def __aenter__(self) -> None:
        await self._semaphore().acquire()

    async def __aexit__(self, *_: object) -> None:
        self._semaphore().release()

    def _semaphore(self) -> asyncio.Semaphore:
        return self._semaphores.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._limit))
