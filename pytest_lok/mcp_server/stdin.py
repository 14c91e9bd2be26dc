"""Standard input as lines, for a server that has to end while nobody writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable

_CHUNK = 65536


class InputLines:
    """The lines of a descriptor, as an asynchronous iterator of the loop that runs when it is made.

    A thread waits for them, since asyncio waits for no regular file. The interpreter does not wait for that
    thread, so the program can end while the other side is silent. ``at_end`` is called on the loop as soon as
    the other side is gone, whoever takes the lines.
    """

    def __init__(self, descriptor: int, at_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._ready: list[bytes] = []
        threading.Thread(target=self._read, name="lok-stdin", daemon=True).start()

    def __aiter__(self) -> InputLines:
        """The iterator over lines is the reader itself."""
        return self

    async def __anext__(self) -> str:
        """The next line; what follows the last line break counts as one."""
        while not self._ready:
            chunk = await self._chunks.get()
            if not chunk:
                self._chunks.put_nowait(b"")
                if not self._rest:
                    raise StopAsyncIteration
                chunk = b"\n"
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._ready = lines[::-1]
        return self._ready.pop().decode("utf-8", "replace")

    def _read(self) -> None:
        chunk = b"-"
        # the loop may have ended, and then nobody reads what comes
        with contextlib.suppress(RuntimeError):
            while chunk:
                try:
                    chunk = os.read(self._descriptor, _CHUNK)
                except OSError:  # the terminal is gone
                    chunk = b""
                if not chunk:
                    self._loop.call_soon_threadsafe(self._at_end)
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
