"""Numbered locks in one file; the system drops them when their owner dies, however it dies."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_lok.errors import PlatformError

try:
    import fcntl
except ImportError:
    raise PlatformError from None


class Lock:
    """Each process opens the file once: closing any of its descriptors would drop all its locks."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, number: int) -> bool:
        """Own that number from now on; False if another process does. Asking again is harmless."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except BlockingIOError:
            return False
        except PermissionError:  # what some systems say instead
            return False
        return True

    def close(self) -> None:
        """Give up every number. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
