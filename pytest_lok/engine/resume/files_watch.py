"""Which state of the files each step has read, as looks at them before and after it tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field

from pytest_lok.dataclass import dataclass


@dataclass(slots=True, kw_only=True)
class FilesWatch:
    """Looks at the files of one run. ``look`` gives a digest of all of them, "" = not known.

    Steps that end close to each other share a look, and none waits for it: ``tell`` gets the names of those
    for which it is known by now that the files were the same from their start to their end, and that state.
    """

    look: Callable[[], Awaitable[str]]
    tell: Callable[[tuple[str, ...], str], None]
    state: str = ""
    _looks: int = 0
    _same_since: int = 0
    _began: dict[str, int] = field(default_factory=dict)
    _ended: list[str] = field(default_factory=list)
    _first: asyncio.Task[str] | None = None
    _following: asyncio.Task[None] | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self, step: str) -> None:
        """Note that the step begins to read files; the first of all steps waits for a look at them."""
        if not self._looks:
            if self._first is None:
                self._first = asyncio.create_task(self.look_now())
            # whoever is cancelled while waiting must not take the look from the others
            await asyncio.shield(self._first)
        self._began[step] = self._looks

    async def look_now(self) -> str:
        """The state of the files now."""
        async with self._one_at_a_time:
            # where it was not known once, such as outside of a repository, nobody asks again
            if self._looks and not self.state:
                return ""
            state = await self.look()
            self._looks += 1
            # the number of the first look of those in a row that have seen the same
            if state != self.state or not state:
                self._same_since = self._looks
            self.state = state
        return state

    def unchanged_since(self, step: str) -> bool:
        """Whether every look since the step began has seen the same."""
        began = self._began.get(step)
        return began is not None and bool(self.state) and began >= self._same_since

    def end(self, step: str) -> None:
        """Note that the step has ended; the next look tells which state it has read."""
        self._ended.append(step)
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    async def settle(self) -> None:
        """Wait until it is known of each step that has ended."""
        if self._following is not None:
            await self._following

    async def close(self) -> None:
        """Stop looking at the files; looks under way are given up."""
        tasks = [task for task in (self._first, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while self._ended:
            # only a look that begins after the end of a step says what that step has read
            steps, self._ended = self._ended, []
            state = await self.look_now()
            known = tuple(step for step in steps if self.unchanged_since(step))
            if known:
                self.tell(known, state)
