"""A directory and patterns -> the files that come back, bounded."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from pytest_lok.core.remote import Artifact
from pytest_lok.errors import StepUnableError

MAX_FILES, MAX_BYTES = 1_000, 256 * 1024 * 1024
"""How many files of one command come back, and how much they hold together."""


def collect(folder: Path, patterns: Sequence[str]) -> dict[str, Artifact]:
    """The files below ``folder`` that match, by their path from there.

    StepUnableError where a pattern matches no file, where a match is a link or leads outside, and beyond the
    limits: a file that silently stays away would be missed by nobody but the next step.
    """
    found: dict[str, Artifact] = {}
    left, inside = MAX_BYTES, folder.resolve()
    for pattern in patterns:
        matches = [path for path in sorted(folder.glob(pattern)) if not path.is_dir() or path.is_symlink()]
        if not matches:
            raise StepUnableError(
                f"there is no file that matches {pattern!r}", hint="`artifacts` names what the command makes"
            )
        for path in matches:
            name = path.relative_to(folder).as_posix()
            if not stat.S_ISREG(path.lstat().st_mode) or not path.resolve().is_relative_to(inside):
                raise StepUnableError(
                    f"the artifact {name} is no file of its own", hint="links do not come back"
                )
            left -= path.lstat().st_size if name not in found else 0
            if left < 0 or len(found) >= MAX_FILES:
                raise StepUnableError(
                    f"the artifacts are too many: more than {MAX_FILES} files, or {MAX_BYTES // 1024**2} MiB"
                )
            found[name] = Artifact(path.read_bytes(), bool(path.lstat().st_mode & stat.S_IXUSR))
    return found
