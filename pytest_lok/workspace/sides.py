"""A path in a listing of git's, or in the work tree -> the file there, or why there is none to compare."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from pytest_lok.engine.ports import FileVersions
from pytest_lok.workspace.files import opened

MOST_BYTES, MOST_TOGETHER = 32 * 1024 * 1024, 256 * 1024 * 1024
"""Of a file that is compared, and of all that git has of such files."""

TOO_LARGE = f"is larger than {MOST_BYTES // 1024 // 1024} MiB"
_SPECIAL = {"120000": "is reached through a symbolic link", "160000": "lies in a submodule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """What git lists at a path. ``left_out``: it is not in the work tree on purpose (sparse checkouts)."""

    mode: str
    oid: str
    left_out: bool = False

    @property
    def special(self) -> str:
        """Why it holds no file of this repository, "" = it may."""
        return _SPECIAL.get(self.mode, "")

    @property
    def executable(self) -> bool:
        """Of a file."""
        return self.mode == "100755"


Entries: TypeAlias = Mapping[str, TreeEntry]
"""By path, also of what lies on the way to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSide:
    """A file on one side of a change: its ``content``, or ``oid`` where that is still to be read.

    Neither = there is none. ``other`` says what is there instead, ``lost`` why its content cannot be had.
    """

    content: bytes | None = None
    oid: str = ""
    executable: bool = False
    other: str = ""
    lost: str = ""

    def filled(self, blobs: Mapping[str, bytes | str]) -> FileSide:
        """With its content."""
        if not self.oid:
            return self
        found = blobs.get(self.oid, "cannot be read")
        return replace(self, lost=found) if isinstance(found, str) else replace(self, content=found)

    def has_more_crlf(self, was: FileSide) -> bool:
        """Whether all of its lines end in CRLF, and none did before."""
        here, there = self.content or b"", was.content or b"\r\n"
        return 0 < here.count(b"\n") == here.count(b"\r\n") and b"\r\n" not in there

    def without_crlf(self) -> FileSide:
        """As it is committed where a checkout writes CRLF."""
        return replace(self, content=self.content and self.content.replace(b"\r\n", b"\n"))


def is_plain(path: str) -> bool:
    """Whether it is the name of a file in the workspace, as git and the system know names."""
    try:
        parts = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        return False
    return not {b"", b".", b".."} & {*parts} and all(b"\0" not in part and len(part) < 256 for part in parts)


def listed_side(path: str, entries: Entries) -> FileSide:
    """The file as it is listed, with what is listed on the way to it."""
    for way in (path, *map(str, PurePosixPath(path).parents)):
        if way in entries and entries[way].special:
            return FileSide(other=entries[way].special)
    entry = entries.get(path)
    if entry is None or not entry.mode.startswith("100"):
        return FileSide()
    return FileSide(oid=entry.oid, executable=entry.executable)


def worktree_side(root: Path, path: str) -> FileSide:
    """The file as it is, read through no link."""
    try:
        if not _is_there(root, path):
            return FileSide()
        with opened(root, path) as handle:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return FileSide(other="is no regular file")
            if status.st_size > MOST_BYTES:
                return FileSide(lost=TOO_LARGE)
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return FileSide()
    except (OSError, ValueError) as error:
        return FileSide(other=str(error))
    if len(content) > MOST_BYTES:
        return FileSide(lost=TOO_LARGE)
    return FileSide(content=content, executable=bool(status.st_mode & stat.S_IXUSR))


def _is_there(root: Path, path: str) -> bool:
    """Whether something but a directory is there; ValueError where it is no business of this repository."""
    names = path.split("/")
    for at in range(1, len(names) + 1):
        way = root.joinpath(*names[:at])
        mode = way.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise ValueError(_SPECIAL["120000"])
        if not stat.S_ISDIR(mode):
            return at == len(names)
        if os.path.lexists(way / ".git"):
            raise ValueError("lies in a repository of its own")
    return False


def versions(path: str, was: FileSide, now: FileSide, like: FileSide) -> FileVersions:
    """Both sides, if what is ``now`` is ``like`` it must be. What takes the place of no file is new."""
    unknown = was.lost or now.lost or now.other or (was.other if now.content is None else "")
    if not unknown and now.content != like.content:
        unknown = "is not what is committed: commit it, or restore it"
    if unknown:
        return FileVersions(path=path, unknown=unknown)
    changed = None not in (was.content, now.content) and was.executable != now.executable
    return FileVersions(path=path, before=was.content, after=now.content, mode_changed=changed)


def blob_id(content: bytes, length: int) -> str:
    """What git calls a file of this content, in so many hexadecimal digits."""
    algorithm = hashlib.sha1 if length == 40 else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest()
