"""Locks between processes, which the system drops when their owner dies, however it dies; none waits."""

from __future__ import annotations

import errno
import os
import struct
import sys
import weakref
from pathlib import Path

from pytest_lok.errors import PlatformError

try:
    import fcntl
except ImportError:
    raise PlatformError from None


class SharedLock:
    """A lock of one file, which any number of owners share or one has alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def try_acquire(self, *, alone: bool) -> bool:
        """Own it; False if that cannot be now. OSError where there is no place for the file."""
        if self._file < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_NB | (fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Own it no longer. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class NumberedLocks:
    """Locks with numbers in one file.

    Where the system has locks of an open file (Linux), whoever else opens and closes it does no harm.

    Elsewhere locks are a process's: closing any of its descriptors of this file drops them all.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # a forked child would hold them after its parent's death
        ours = weakref.WeakMethod(self.close)
        os.register_at_fork(after_in_child=lambda: (close := ours()) and close())

    def try_acquire(self, number: int) -> bool:
        """Own that number from now on; False if another does. Asking again is harmless."""
        try:
            _take(self._file, number)
        except BlockingIOError:
            return False
        except PermissionError:  # what some systems say instead
            return False
        return True

    def release(self, number: int) -> None:
        """Own that number no longer."""
        _take(self._file, number, fcntl.F_UNLCK)

    def close(self) -> None:
        """Give up every number. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _take(file: int, number: int, kind: int = fcntl.F_WRLCK) -> None:
    if sys.platform == "linux":
        place = struct.pack("hhqqi", kind, os.SEEK_SET, number, 1, 0)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, place)
            return
        except OSError as error:
            if error.errno != errno.EINVAL:  # what sandboxes that only look like Linux say
                raise
    how = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
    fcntl.lockf(file, how, 1, number)
