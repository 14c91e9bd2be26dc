"""Edits as transactions: write all of them or none, also when the process is killed in between.

Before the first write the originals and a manifest go into a journal outside the tree. A transaction is
committed at the moment its manifest is removed. A manifest that is still there when the next run or
transaction begins belongs to a process that died, and is undone first.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import StepUnableError
from pytest_lok.locks import SharedLock
from pytest_lok.workspace.run_lock import FileRunLock

if TYPE_CHECKING:
    from pytest_lok.core.edits.edits import FileChange

NOT_UNDONE = "not-undone"
"""The directory of journals whose edits could not be undone: kept for people, never read again."""

_POLL = 0.02
"""Seconds between two tries to get the lock of a transaction."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One file of a manifest. ``saved`` names the original in the journal, None = there was no file."""

    file: str
    saved: str | None
    mode: int
    modified: int  # ns
    temporary: str
    new_directories: tuple[str, ...]


def state_of(root: Path, state: Path) -> Path:
    """The directory of what lok remembers of the workspace at ``root``, which may not be there."""
    # one directory per workspace, whose path may hold any character
    return state / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


class Files:
    """The files of one workspace. ``state`` is a private directory outside the tree, made when needed."""

    def __init__(self, root: str | Path, state: str | Path) -> None:
        self._root = Path(root).resolve()
        self._state = state_of(self._root, Path(state))
        self._lock = self._state / "lock"

    def run_lock(self, *, alone: bool) -> FileRunLock:
        """The lock of one run; see ``engine.ports.Workspace``."""
        return FileRunLock(self._state, alone=alone, prepare=self._recover_unless_busy)

    def read(self, path: str) -> bytes | None:
        """The bytes of a regular file, None where there is none; see ``engine.ports.Workspace``."""
        try:
            with open_without_links(self._root, path) as handle:
                return _content(handle) if stat.S_ISREG(os.fstat(handle).st_mode) else None
        except FileNotFoundError:
            return None

    def put(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Write one file outside of transactions, in the place of the one that may be there.

        StepUnableError where that cannot be, or where the path leads through a link.
        """
        temporary = f".{PurePosixPath(path).name[:100]}.{os.urandom(6).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o777 if executable else 0o666
        try:
            for folder in [*reversed(PurePosixPath(path).parents)][1:]:
                with _parent(self._root, str(folder)) as (above, name), suppress(FileExistsError):
                    os.mkdir(name, dir_fd=above)
            with _parent(self._root, path) as (directory, name):
                try:
                    with os.fdopen(os.open(temporary, flags, mode, dir_fd=directory), "wb") as file:
                        file.write(content)
                    os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                except BaseException:
                    with suppress(FileNotFoundError):
                        os.unlink(temporary, dir_fd=directory)
                    raise
        except OSError as error:
            raise StepUnableError(f"{path} cannot be written: {error.strerror or error}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FileTransaction]:
        """Edits, one transaction at a time across processes; see ``engine.ports.Workspace``."""
        self._prepare()
        lock = SharedLock(self._lock)
        try:
            while not lock.try_acquire(alone=True):  # noqa: ASYNC110 - another process has it
                await asyncio.sleep(_POLL)
            self._recover()
            begun = FileTransaction(self._root, self._state / os.urandom(8).hex())
            try:
                yield begun
            finally:
                begun.close()
        finally:
            lock.release()

    def _prepare(self) -> None:
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StepUnableError(
                f"the directory for edit journals cannot be made: {error}",
                hint="make it writable, or point XDG_STATE_HOME at a directory that is",
            ) from error

    def _recover_unless_busy(self) -> bool:
        """Undo what was left half done; False while another process holds the lock of the edits."""
        if self._journals():
            lock = SharedLock(self._lock)
            try:
                if not lock.try_acquire(alone=True):
                    return False
                self._recover()
            finally:
                lock.release()
        return True

    def _recover(self) -> None:
        """Undo what processes that died left half done. The caller holds the lock.

        StepUnableError names everything that could not be undone, once all journals are read.
        """
        troubles: list[StepUnableError] = []
        for journal in self._journals():
            try:
                FileTransaction(self._root, journal).close()
            except StepUnableError as trouble:
                troubles.append(trouble)
        if troubles:
            message = "; ".join(trouble.message for trouble in troubles)
            raise StepUnableError(f"of a run that was killed, {message}", hint=troubles[0].hint)

    def _journals(self) -> list[Path]:
        return sorted(path for path in self._state.iterdir() if path.is_dir() and path.name != NOT_UNDONE)


class FileTransaction:
    """An ``engine.ports.Transaction`` over real files; ``close`` undoes what was not committed."""

    def __init__(self, root: Path, journal: Path) -> None:
        self._root = root
        self._journal = journal
        self._manifest = journal / "manifest.json"

    def read(self, path: str) -> bytes | None:
        """A regular file's bytes, reached through no symbolic link; ValueError says why not."""
        try:
            with open_without_links(self._root, path) as handle:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise ValueError("is no regular file")
                # replacing one name of a file leaves its other names with the old content
                if status.st_nlink > 1:
                    raise ValueError("is a hard link, so another file would have to change with it")
                return _content(handle)
        except FileNotFoundError:
            return None

    def write(self, changes: Sequence[FileChange]) -> None:
        """Journal the originals, then replace the files one by one."""
        try:
            entries = self._save(changes)
            # the journal is on the disk by now, so `close` can undo whatever comes to pass from here on
            for entry, change in zip(entries, changes, strict=True):
                for made in entry.new_directories:
                    with _parent(self._root, made) as (directory, name):
                        os.mkdir(name, dir_fd=directory)
                self._replace(entry, change.after, entry.mode)
        except OSError as error:
            raise StepUnableError(
                f"an edited file cannot be written: {error}",
                hint="free some space, or correct the permissions",
            ) from error
        except ValueError as error:
            raise StepUnableError(str(error)) from error

    def commit(self) -> None:
        """Make the edits final: nothing is undone from here on."""
        self._manifest.unlink(missing_ok=True)
        _sync(self._journal)

    def close(self) -> None:
        """Undo what was written and not committed, then remove the journal.

        StepUnableError says which files could not be restored, and where their originals are.
        """
        # without a manifest nothing was written, or all of it was committed
        if self._manifest.exists():
            try:
                troubles = self._undo(_entries(self._manifest.read_bytes()))
            except (ValueError, TypeError, KeyError, RecursionError, OSError) as error:
                troubles = [f"the list of the edited files is broken ({error})"]
            if troubles:
                raise self._set_aside(troubles)
            self._manifest.unlink()
        import shutil

        shutil.rmtree(self._journal, ignore_errors=True)

    def _set_aside(self, troubles: Sequence[str]) -> StepUnableError:
        """Move the journal to where no run reads it again."""
        # another try would fail alike, at the start of every run from now on
        aside = self._journal.parent / NOT_UNDONE / self._journal.name
        try:
            aside.parent.mkdir(mode=0o700, exist_ok=True)
            self._journal.rename(aside)
        except OSError:
            aside = self._journal
        return StepUnableError(
            f"edits could not be undone: {'; '.join(troubles)}. What is known of the originals is in {aside}",
            hint="compare the files with that, then run again",
        )

    def _save(self, changes: Sequence[FileChange]) -> list[_Entry]:
        """Write everything that an undo needs to the disk, before the first edit."""
        self._journal.mkdir(mode=0o700)
        entries = []
        known: set[str] = set()
        for number, change in enumerate(changes):
            # somebody may have written to the file while the answer was being checked
            if self.read(change.file) != change.before:
                raise ValueError(f"{change.file} changed while its edits were being checked")
            saved, mode, modified = None, 0o666 & ~_umask(self._journal), 0
            if change.before is not None:
                saved = f"{number}.original"
                _write_new(self._journal / saved, change.before)
                status = (self._root / change.file).lstat()
                mode, modified = stat.S_IMODE(status.st_mode), status.st_mtime_ns
            # made once, by the first edit that needs it
            fresh = tuple(d for d in self._missing_directories(change.file) if d not in known)
            known.update(fresh)
            name = PurePosixPath(change.file).name
            entries.append(
                _Entry(
                    file=change.file,
                    saved=saved,
                    mode=mode,
                    modified=modified,
                    temporary=f".{name[:100]}.{os.urandom(6).hex()}",
                    new_directories=fresh,
                )
            )
        _write_new(self._journal / "manifest.new", json.dumps([asdict(e) for e in entries]).encode())
        (self._journal / "manifest.new").rename(self._manifest)
        _sync(self._journal)
        return entries

    def _undo(self, entries: Sequence[_Entry]) -> list[str]:
        """Restore every file that can be restored; returns the others, each with the reason."""
        troubles: list[str] = []
        for entry in reversed(entries):
            try:
                self._restore(entry)
            except (OSError, ValueError) as error:
                troubles.append(f"{entry.file}: {getattr(error, 'strerror', None) or error}")
        for entry in reversed(entries):
            for made in reversed(entry.new_directories):
                with suppress(OSError):  # something else has put a file there meanwhile
                    (self._root / made).rmdir()
        return troubles

    def _restore(self, entry: _Entry) -> None:
        with suppress(FileNotFoundError), _parent(self._root, entry.file) as (directory, name):
            # the temporary is what a crash in the middle of `_replace` leaves
            with suppress(FileNotFoundError):
                os.unlink(entry.temporary, dir_fd=directory)
            if entry.saved is None:
                os.unlink(name, dir_fd=directory)
        if entry.saved is not None:
            self._replace(entry, (self._journal / entry.saved).read_bytes(), entry.mode)
            with _parent(self._root, entry.file) as (directory, name):
                # build tools go by the time of a file, so an undone edit must not make them run
                times = (entry.modified, entry.modified)
                os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)

    def _replace(self, entry: _Entry, content: bytes, mode: int) -> None:
        """Replace a file atomically: a reader sees the old file or the new one."""
        with _parent(self._root, entry.file) as (directory, name):
            # beside the target: a rename is atomic only within one file system
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(entry.temporary, flags, 0o600, dir_fd=directory), "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            os.replace(entry.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _missing_directories(self, path: str) -> list[str]:
        """The directories on the way to a path that do not exist, outermost first."""
        parents = [str(parent) for parent in reversed(PurePosixPath(path).parents)][1:]
        return [parent for parent in parents if not (self._root / parent).exists()]


@contextmanager
def _parent(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """The directory that a path lies in, opened component by component so that no link is followed."""
    *directories, name = path.split("/")
    # a check before the open would leave a gap in which a directory becomes a link
    handle = os.open(root, _DIRECTORY)
    try:
        for component in directories:
            deeper = os.open(component, _DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = deeper
        yield handle, name
    finally:
        os.close(handle)


@contextmanager
def open_without_links(root: Path, path: str) -> Iterator[int]:
    """A file opened through no symbolic link; ValueError says why a file that is there cannot be."""
    # O_NONBLOCK, because opening a FIFO would wait for a writer
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with _parent(root, path) as (directory, name):
            handle = os.open(name, flags, dir_fd=directory)
        try:
            yield handle
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise
    except NotADirectoryError:
        raise ValueError("leads through a symbolic link, or something else that is no directory") from None
    except OSError as error:
        # O_NOFOLLOW says so of a link
        link = error.errno == errno.ELOOP
        why = "is reached through a symbolic link" if link else f"cannot be read: {error.strerror}"
        raise ValueError(why) from None


def _content(handle: int) -> bytes:
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read()


def _entries(manifest: bytes) -> list[_Entry]:
    """The entries that ``_save`` has written; ValueError, TypeError or KeyError for anything else."""
    raw = json.loads(manifest)
    if not isinstance(raw, list):
        raise ValueError("it is no list")
    return [_Entry(**{**entry, "new_directories": tuple(entry["new_directories"])}) for entry in raw]


def _umask(directory: Path) -> int:
    """The file mode mask of the process, found without changing the mask for other threads."""
    probe = directory / "mask"
    probe.touch(0o666)
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    return 0o666 & ~mode


def _write_new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, _DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
