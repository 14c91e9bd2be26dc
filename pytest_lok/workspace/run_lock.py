"""Runs of one workspace, side by side or one alone, across processes: locks that die with their owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_lok.errors import StepUnableError
from pytest_lok.locks import SharedLock


class FileRunLock:
    """One run's turn, an ``engine.ports.Turn``: shared with other runs, or ``alone``.

    It is not taken before ``prepare`` says so, which is asked while nobody else is alone.
    """

    def __init__(self, directory: Path, *, alone: bool, prepare: Callable[[], bool] = lambda: True) -> None:
        self._lock = SharedLock(directory / "turns.lock")
        self._alone = alone
        self._prepare = prepare

    def take(self) -> bool:
        """Try to begin; a run that is not alone also begins where there is no place for a lock."""
        try:
            if not self._lock.take(alone=self._alone):
                return False
        except OSError as error:
            if self._alone:
                raise StepUnableError(
                    f"this workflow runs alone, and the lock for that cannot be made: {error}",
                    hint="make it writable, or point XDG_STATE_HOME at a directory that is",
                ) from error
            return True
        if self._prepare():
            return True
        self.release()
        return False

    def release(self) -> None:
        """Let others begin. Idempotent."""
        self._lock.release()


class NoLock:
    """The turn of a run inside another run's step, which would wait for itself for ever."""

    def take(self) -> bool:
        """At once."""
        return True

    def release(self) -> None:
        """Nobody waits for it."""
