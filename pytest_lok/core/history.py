"""When each step of a run began and ended, and what was attempted before its last attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """One attempt at a step, or at an item of it, after which another one followed; ``number`` counts from 1.

    ``delay`` is the pause before the next attempt, in seconds.
    """

    number: int
    reason: str
    delay: float = 0.0
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHistory:
    """When a step began and ended, in seconds since its run began; None = it did not, or nobody knows.

    ``retried`` are the attempts that failed and were followed by another one.
    """

    started: float | None = None
    ended: float | None = None
    retried: tuple[FailedAttempt, ...] = ()


class DigestsOnDemand(Mapping[str, str]):
    """Digests by name, which ``work`` makes of ``about`` when somebody looks: not every run is recorded."""

    __slots__ = ("_about", "_found", "_work")

    def __init__(self, work: Callable[[Any], Mapping[str, str]], about: object) -> None:
        self._work = work
        self._about = about
        self._found: Mapping[str, str] | None = None

    def _made(self) -> Mapping[str, str]:
        if self._found is None:
            self._found = self._work(self._about)
        return self._found

    def __getitem__(self, name: str) -> str:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What a resumed run made of a step: its result is kept, it ran again, or what it reads has changed.

    ``why`` continues the words of ``decision``: ``run again: it was an error``.
    """

    decision: Literal["kept", "again", "changed"]
    why: str

    @property
    def words(self) -> str:
        """``kept``, ``run again`` or ``changed``."""
        return "run again" if self.decision == "again" else self.decision

    @property
    def text(self) -> str:
        """``run again: it was an error``, in one line."""
        return f"{self.words}: {self.why}"
