"""A path, in a listing of git's or in the work tree -> the file there, or why it cannot be compared."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import FileVersions
from pytest_lok.workspace.files import open_without_links

MAX_BYTES, MAX_TOTAL_BYTES = 32 * 1024 * 1024, 256 * 1024 * 1024
"""Limits of one file that is compared, and of all blobs together."""

TOO_LARGE = f"is larger than {MAX_BYTES // 1024 // 1024} MiB"
_SPECIAL = {"120000": "is reached through a symbolic link", "160000": "lies in a submodule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """What git lists at a path. ``skip_worktree`` = not in the work tree on purpose (sparse checkouts)."""

    mode: str
    oid: str
    skip_worktree: bool = False

    @property
    def special(self) -> str:
        """Why this is no file of the repository, "" = it may be one."""
        return _SPECIAL.get(self.mode, "")

    @property
    def executable(self) -> bool:
        """Whether the file has the executable mode."""
        return self.mode == "100755"


Entries: TypeAlias = Mapping[str, TreeEntry]
"""Entries by their paths, also of the directories on the way to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSide:
    """A file on one side of a change: its ``content``, or its ``oid`` while that is not read yet.

    Neither = there is no file. ``other`` says what is there instead, ``unavailable`` why the content cannot
    be had.
    """

    content: bytes | None = None
    oid: str = ""
    executable: bool = False
    other: str = ""
    unavailable: str = ""

    def with_content(self, blobs: Mapping[str, bytes | str]) -> FileSide:
        """This side with the content of its blob."""
        if not self.oid:
            return self
        found = blobs.get(self.oid, "cannot be read")
        return replace(self, unavailable=found) if isinstance(found, str) else replace(self, content=found)

    def has_more_crlf(self, was: FileSide) -> bool:
        """Whether every line ends in CRLF, and none did before."""
        here, there = self.content or b"", was.content or b"\r\n"
        return 0 < here.count(b"\n") == here.count(b"\r\n") and b"\r\n" not in there

    def without_crlf(self) -> FileSide:
        """This side as it is committed where a checkout writes CRLF."""
        return replace(self, content=self.content and self.content.replace(b"\r\n", b"\n"))


def is_workspace_path(path: str) -> bool:
    """Whether this is a path inside of the workspace, in the form that git and the system use."""
    try:
        parts = os.fsencode(path).split(b"/")
    except UnicodeEncodeError:
        return False
    return not {b"", b".", b".."} & {*parts} and all(b"\0" not in part and len(part) < 256 for part in parts)


def side_in_listing(path: str, entries: Entries) -> FileSide:
    """The file at a path of a listing; a link or submodule on the way is ``other``."""
    # git lists a link by its own name, and nothing below it
    for way in (path, *map(str, PurePosixPath(path).parents)):
        if way in entries and entries[way].special:
            return FileSide(other=entries[way].special)
    entry = entries.get(path)
    if entry is None or not entry.mode.startswith("100"):
        return FileSide()
    return FileSide(oid=entry.oid, executable=entry.executable)


def side_in_worktree(root: Path, path: str) -> FileSide:
    """The file at a path of the work tree, read through no link."""
    try:
        if not _is_there(root, path):
            return FileSide()
        with open_without_links(root, path) as handle:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return FileSide(other="is no regular file")
            if status.st_size > MAX_BYTES:
                return FileSide(unavailable=TOO_LARGE)
            with os.fdopen(handle, "rb", closefd=False) as file:
                # one byte more than allowed: the file may have grown since it was looked at
                content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return FileSide()
    except (OSError, ValueError) as error:
        return FileSide(other=str(error))
    if len(content) > MAX_BYTES:
        return FileSide(unavailable=TOO_LARGE)
    return FileSide(content=content, executable=bool(status.st_mode & stat.S_IXUSR))


def _is_there(root: Path, path: str) -> bool:
    """Whether a file is there; ValueError where the path leads out of this repository."""
    names = path.split("/")
    for at in range(1, len(names) + 1):
        way = root.joinpath(*names[:at])
        mode = way.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise ValueError(_SPECIAL["120000"])
        if not stat.S_ISDIR(mode):
            return at == len(names)
        # a repository inside of this one has its own history
        if os.path.lexists(way / ".git"):
            raise ValueError("lies in a repository of its own")
    return False


def file_versions(path: str, was: FileSide, now: FileSide, like: FileSide) -> FileVersions:
    """Both sides of a file; ``unknown`` where they cannot be compared, or ``now`` differs from ``like``."""
    unknown = was.unavailable or now.unavailable or now.other or (was.other if now.content is None else "")
    if not unknown and now.content != like.content:
        unknown = "is not what is committed: commit it, or restore it"
    if unknown:
        return FileVersions(path=path, unknown=unknown)
    # a file that is new or gone has no mode to compare
    changed = None not in (was.content, now.content) and was.executable != now.executable
    return FileVersions(path=path, before=was.content, after=now.content, mode_changed=changed)


def blob_id(content: bytes, length: int) -> str:
    """The object id of a file with this content, in as many hexadecimal digits as ``length`` says."""
    algorithm = hashlib.sha1 if length == 40 else hashlib.sha256
    return algorithm(b"blob %d\0" % len(content) + content).hexdigest()
