"""Runs of one workspace, side by side or one alone, across processes: locks that die with their owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_lok.errors import StepUnableError
from pytest_lok.locks import SharedLock


class FileRunLock:
    """The lock of one run, an ``engine.ports.RunLock``: shared with other runs, or held ``alone``.

    ``prepare`` is called when the lock is held; where it returns False the lock is let go of again.
    """

    def __init__(self, directory: Path, *, alone: bool, prepare: Callable[[], bool] = lambda: True) -> None:
        self._lock = SharedLock(directory / "runs.lock")
        self._alone = alone
        self._prepare = prepare

    def try_acquire(self) -> bool:
        """Take the lock; a run that is not alone also begins where the lock file cannot be made."""
        try:
            if not self._lock.try_acquire(alone=self._alone):
                return False
        except OSError as error:
            # where no lock can be made nobody runs alone, so other runs may begin without one
            if self._alone:
                raise StepUnableError(
                    f"this workflow runs alone, and the lock for that cannot be made: {error}",
                    hint="make it writable, or point XDG_STATE_HOME at a directory that is",
                ) from error
            return True
        # while another transaction is going on nobody can tell what it will leave
        if self._prepare():
            return True
        self.release()
        return False

    def release(self) -> None:
        """Let other runs begin. Idempotent."""
        self._lock.release()


class NoLock:
    """The lock of a run inside a step of another run, which would wait for itself for ever."""

    def try_acquire(self) -> bool:
        """Always succeeds: the outer run holds the lock."""
        return True

    def release(self) -> None:
        """Nothing is held, so nothing is released."""
