"""How many steps, items and runs there are at once, and for how long each of them may run."""

from __future__ import annotations

import math
from typing import Protocol

from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much runs at once, and for how long in seconds, where a workflow does not say.

    ``max_parallel`` holds for all runs of a process together. ``is_explicit``: a user has set it. Then steps
    and items of every kind count, and a workflow or a step can only ask for less. Otherwise only commands
    count, for every backend limits its own questions, and a workflow or a step may ask for more, for itself.
    ``raised_by`` is how hints spell what gives every attempt of the run more time.
    """

    max_parallel: int = 16
    timeout: float = 300.0
    is_explicit: bool = False
    raised_by: str = "LOK_TIMEOUT=10m"

    def parallel_for(self, wanted: int | None) -> float:
        """How many steps of a workflow (or items of a step) with ``max_parallel = wanted`` run at once.

        ``math.inf`` = any number; the commands among them still need a slot each.
        """
        own = self.max_parallel if self.is_explicit else math.inf
        return own if wanted is None else min(wanted, own)

    def total_for(self, wanted: int | None) -> int:
        """How many slots the process has for a workflow or a step that says ``wanted``."""
        return self.max_parallel if self.is_explicit else max(wanted or 0, self.max_parallel)


class RunLock(Protocol):
    """A lock of a workspace, for one run: shared with other runs, or held alone."""

    def try_acquire(self) -> bool:
        """Take the lock at once; False if another run is in the way, StepUnableError if nobody knows."""

    def release(self) -> None:
        """Let go of the lock. Idempotent."""
