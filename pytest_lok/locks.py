"""Locks between processes. The system drops them when their owner dies. No method waits."""

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
    """A lock on a file, which any number of owners share or one owner holds alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def try_acquire(self, *, alone: bool) -> bool:
        """Take the lock; False if another owner is in the way. OSError where the file cannot be made."""
        # the descriptor stays open while the lock is held: closing it releases the lock
        if self._file < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_NB | (fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class NumberedLocks:
    """Any number of locks in one file, each known by its number.

    On Linux a lock belongs to the open file, so it does no harm to open and close the file elsewhere.
    On other systems a lock belongs to the process, which loses all of them when it closes any descriptor
    of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        # a forked child would hold the locks after the death of its parent
        ours = weakref.WeakMethod(self.close)
        os.register_at_fork(after_in_child=lambda: (close := ours()) and close())

    def try_acquire(self, number: int) -> bool:
        """Take the lock; False if another owner has it. An owner may take it again."""
        try:
            _lock(self._file, number)
        except BlockingIOError:
            return False
        except PermissionError:  # what some systems say instead
            return False
        return True

    def release(self, number: int) -> None:
        """Release the lock of that number."""
        _lock(self._file, number, fcntl.F_UNLCK)

    def close(self) -> None:
        """Release every lock; closing again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _lock(file: int, number: int, kind: int = fcntl.F_WRLCK) -> None:
    if sys.platform == "linux":
        region = struct.pack("hhqqi", kind, os.SEEK_SET, number, 1, 0)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, region)
            return
        except OSError as error:
            if error.errno != errno.EINVAL:  # what sandboxes that only look like Linux say
                raise
    # a system without locks of open files has those of processes
    how = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
    fcntl.lockf(file, how, 1, number)
