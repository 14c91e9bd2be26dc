"""Files that others see whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from pytest_lok.errors import LokError


def write_atomically(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Put a file in the place of the one that may be there; OSError if it cannot be.

    ``mode`` are its permissions, None = those of any new file. A link is replaced, not followed.
    """
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(beside, flags, 0o666 if mode is None else mode)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def write_output(path: Path, text: str) -> None:
    """Write the file that a user named; LokError where that cannot be done.

    A link is followed, the permissions of a file that is there are kept, and a device or pipe is written to
    as it is.
    """
    target = path.resolve()
    data = text.encode("utf-8", "backslashreplace")
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is None or stat.S_ISREG(mode):
            write_atomically(target, data, mode=None if mode is None else stat.S_IMODE(mode))
        else:
            target.write_bytes(data)
    except OSError as failure:
        raise LokError(f"cannot write {path}: {failure.strerror or failure}") from failure
