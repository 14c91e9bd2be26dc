"""The records of calls that make many runs: a directory for each call, and old calls go as a whole."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from pytest_lok.locks import NumberedLocks
from pytest_lok.store.frames import UnusableRecordError
from pytest_lok.store.runs import RunStore

KEPT = 500
"""How many records are kept besides those of the newest call, which are all kept."""
_LOCK = ".lock"
_DAY = 86_400


def call_folders(folder: Path) -> list[Path]:
    """The directories of the calls below a folder, the newest first; nothing behind a link."""
    if folder.is_symlink() or folder.parent.is_symlink():
        return []
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(found, reverse=True)


class RecordedCall:
    """The records of one call, which no other call removes before ``close``. ``root`` is as of RunStore.

    ``is_elsewhere``: the folder cannot be written to, so ``store`` is in a temporary directory, where
    `lok runs` does not find it.
    """

    def __init__(self, folder: Path, *, root: Path, days: float, kept: int = KEPT) -> None:
        seconds, nano = divmod(time.time_ns(), 1_000_000_000)
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{nano:09}-{os.urandom(3).hex()}"
        self._lock: NumberedLocks | None = None
        self.is_elsewhere = False
        try:
            self._lock = _begun(folder, name)
        except OSError:
            import tempfile

            self.is_elsewhere, folder = True, Path(tempfile.mkdtemp(prefix="lok-"))
        self.store = RunStore(folder / name, keep=1 << 30, days=0, root=root)
        with suppress(OSError):
            _prune(folder, root, days, kept, but=name)

    def close(self) -> None:
        """Let later calls remove these records, when their time has come. Idempotent."""
        if self._lock is not None:
            if not self.store.folder.exists():
                _lock_of(self.store.folder).unlink(missing_ok=True)
            self._lock.close()


def _begun(folder: Path, name: str) -> NumberedLocks:
    """Make the directory of a call and hold it; OSError where that is not possible."""
    if folder.is_symlink() or folder.parent.is_symlink():
        raise NotADirectoryError(str(folder))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# what workflows were asked and answered; remove it as you like\n*\n", "utf-8")
    lock = NumberedLocks(_lock_of(folder / name))
    lock.try_acquire(0)
    return lock


def _lock_of(call: Path) -> Path:
    # beside the directory: what lies in it is a record
    return call.with_name(f"{call.name}{_LOCK}")


def _prune(folder: Path, root: Path, days: float, most: int, *, but: str) -> None:
    """Remove old calls: those of which so many newer records are kept already, or that are too old."""
    kept, oldest = 0, time.time() - days * _DAY if days else 0.0
    for call in call_folders(folder):
        if call.name == but:
            continue
        store = RunStore(call, root=root)
        kept += len(store.names())
        if kept > most or call.stat().st_mtime < oldest:
            _remove(call, store)


def _remove(call: Path, store: RunStore) -> None:
    """Remove a call that nobody holds; what is not to be believed stays."""
    lock = NumberedLocks(_lock_of(call))
    try:
        if not lock.try_acquire(0):
            return
        for name in store.names():
            with suppress(OSError, UnusableRecordError):
                store.remove(name)
        if not store.names():
            with suppress(FileNotFoundError):
                (call / ".gitignore").unlink(missing_ok=True)
                call.rmdir()
            _lock_of(call).unlink(missing_ok=True)
    finally:
        lock.close()
