"""Writing files so that a reader sees all of the new content, or none."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from pytest_lok.errors import LokError, UsageError

_SHOWN = 100  # characters of a path in a message
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
"""The streams of this process, by the paths that lead to them."""


def write_atomically(path: Path, data: bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """Write a file, in the place of the one that may be there; OSError if that is not possible.

    ``mode`` are its permissions, None = those of any new file. A link is replaced, not followed.
    ``durable`` = the file is on the disk before it takes that place, and then its new name is too.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            # the umask has taken some of the mode away
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk; OSError if the disk refuses."""
    directory = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def followed(path: Path) -> Path:
    """Where a file would be written, every link followed; OSError where links lead in a circle."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


def existing_path(base: Path, written: str) -> Path:
    """What a path that a person wrote leads to, every link followed; UsageError where that is nothing.

    ``base`` is where a relative one begins. Circles of links and names that are too long lead nowhere, too.
    """
    try:
        return Path(os.path.realpath(base / written, strict=True))
    except FileNotFoundError:
        why = f"there is no {_shown(written)} in {base}"
    except (OSError, ValueError) as failure:
        why = f"{_shown(written)} leads nowhere: {getattr(failure, 'strerror', None) or failure}"
    raise UsageError(why)


def _shown(written: str) -> str:
    return repr(written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…")


def is_device(path: Path) -> bool:
    """Whether the path is something to write into, and no file that may be replaced (/dev/stdout, a pipe)."""
    # a stream may lead to a file (`lok … > log`), which is not ours to replace
    return str(path) in _STREAMS or (path.exists() and not stat.S_ISREG(path.stat().st_mode))


def write_output(path: Path, text: str) -> None:
    """Write the file that a user named; LokError if that is not possible.

    A link is followed. A file that is there keeps its permissions. A device or a pipe is written to directly.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if (stream := _STREAMS.get(str(path))) is not None:
            # opened anew, a file would be written from its start
            with os.fdopen(os.dup(stream), "wb") as opened:
                opened.write(data)
            return
        # named pipes are written to: replacing them would break their readers
        if is_device(path):
            path.write_bytes(data)
            return
        target = followed(path)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        write_atomically(target, data, mode=mode)
    except OSError as failure:
        raise LokError(f"cannot write {path}: {failure.strerror or failure}") from failure
