"""An --each file -> its rows, each directory known by where it really is; nothing is fetched yet."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_lok.core.repositories import ListedRepository, read_repositories
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

_LONGEST = 4_000_000  # bytes; a file of more is no list, and a device has no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A repository of the list. ``root`` is where its directory really is; None = it is to be fetched."""

    repository: ListedRepository
    root: Path | None = None


def read_rows(file: Path) -> tuple[Row, ...]:
    """The rows in the order of the file; UsageError where it cannot be read, or any line of it is wrong.

    A directory that is not there is no mistake of the file: what is listed has a row in any case.
    """
    listed = read_repositories(_text(file), str(file))
    # what is read from a pipe lies nowhere
    base = file.parent if file.is_file() else Path.cwd()
    rows = tuple(Row(repository=it, root=_real(base, it)) for it in listed)
    first: dict[Path | tuple[int, int], int] = {}
    problems = [
        f"{file}:{row.repository.line}: the same directory as in line {earlier}"
        for row in rows
        if row.root is not None
        and (earlier := first.setdefault(_identity(row.root), row.repository.line)) != row.repository.line
    ]
    if problems:
        raise UsageError("\n    ".join(problems), hint="list each repository once")
    return rows


def _real(base: Path, listed: ListedRepository) -> Path | None:
    return Path(os.path.realpath(base / listed.path)) if listed.path else None


def _identity(root: Path) -> Path | tuple[int, int]:
    """The same for two spellings of one directory, also where its file system does not tell a from A."""
    try:
        found = root.stat()
    except OSError:
        return root
    return found.st_dev, found.st_ino


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LONGEST + 1)
    except OSError as failure:
        raise UsageError(
            f"the list of repositories cannot be read: {file}: {failure.strerror or failure}",
            hint="name a file with one path or URL@COMMIT a line",
        ) from failure
    if len(data) > _LONGEST:
        raise UsageError(f"{file} is no list of repositories: it has more than {_LONGEST:,} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise UsageError(f"{file}:{line}: this is no UTF-8", hint="save the file as UTF-8") from None
