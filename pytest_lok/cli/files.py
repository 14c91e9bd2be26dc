"""Text -> a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from pytest_lok.errors import LokError


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all; LokError where that cannot be done."""
    try:
        _write(path, text.encode("utf-8", "backslashreplace"))
    except OSError as failure:
        raise LokError(f"cannot write {path}: {failure.strerror or failure}") from failure


def _write(path: Path, data: bytes) -> None:
    """Replace the file in one step, keeping its permissions; a device or pipe is written to as it is."""
    target = path.resolve()
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(data)
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), _new_file_mode() if mode is None else stat.S_IMODE(mode))
        os.replace(name, target)  # noqa: PTH105 - the name is a string
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - the name is a string
        raise


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _new_file_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
