"""A work tree -> a digest that changes whenever anything in the tree changes that git sees."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from pytest_lok.engine.ports import CommandRunner
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import git_output, git_output_without_filters

MAX_FILES, MAX_BYTES = 5_000, 32 * 1024 * 1024
"""Limits of the changed and untracked files that are read; beyond them the state is unknown."""

_UNSEEN = "!"
_FIELDS = {"1": 8, "u": 10, "?": 1, _UNSEEN: 1}  # before the path, in `git status --porcelain=v2`
# of `git ls-files -v`: tracked, or not merged; others have `skip-worktree` (S) or `assume-unchanged` (h, s)
_SEEN = "HM"


class UnknownTreeError(Exception):
    """The state of the tree cannot be told."""


async def tree_state(shell: CommandRunner) -> str | None:
    """HEAD, the index, and the content of every changed and untracked file, as one digest.

    ``shell`` runs commands at the workspace's root. None where the state cannot be known: there is no
    git or no commit, a submodule or a nested repository has changes of its own, or there are more new
    files than the limits allow. Files that git ignores do not count; those that the index tells git not to
    look at do.
    """
    try:
        # the paths of `git status` are relative to the top of the repository
        top = os.fsdecode(await git_output(shell, "rev-parse", "--show-toplevel")).removesuffix("\n")
        status = await git_output_without_filters(
            shell, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all",
            "--ignore-submodules=none", "--no-renames",
        )  # fmt: skip
        entries = [entry for entry in os.fsdecode(status).split("\0") if entry]
        return _digest(Path(top), [*entries, *await _not_looked_at(shell, top)])
    except (UnknownTreeError, StepUnableError, OSError):
        return None


async def _not_looked_at(shell: CommandRunner, top: str) -> list[str]:
    """The files of the index that git takes for unchanged unseen, each as a line of their status."""
    listed = os.fsdecode(await git_output(shell, "-C", top, "ls-files", "-v", "-z"))
    return [f"{_UNSEEN} {entry[2:]}" for entry in listed.split("\0") if entry and entry[0] not in _SEEN]


def _digest(top: Path, lines: list[str]) -> str:
    entries = [line for line in lines if not line.startswith("# ")]
    head = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    # without a commit there is nothing that the files could be told from
    if head == "(initial)" or len(entries) > MAX_FILES:
        raise UnknownTreeError
    digest, left = hashlib.sha256(head.encode()), MAX_BYTES
    # lengths first, so that no two lists of files can spell the same bytes
    for entry in sorted(entries):
        content = _content(top / _path(entry), left)
        left -= len(content)
        digest.update(b"\0%d %d\0" % (len(os.fsencode(entry)), len(content)) + os.fsencode(entry) + content)
    return digest.hexdigest()


def _path(entry: str) -> str:
    kind = entry[0]
    fields = entry.split(" ", _FIELDS.get(kind, 0))
    if kind not in _FIELDS or (kind in "1u" and fields[2] != "N..."):  # a submodule
        raise UnknownTreeError
    return fields[-1]


def _content(path: Path, max_bytes: int) -> bytes:
    """The mode and content of a file, the target of a link, or nothing of a file that is gone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return b""
    if stat.S_ISLNK(found.st_mode):
        return os.fsencode(path.readlink())
    if not stat.S_ISREG(found.st_mode) or found.st_size > max_bytes:
        raise UnknownTreeError
    return oct(found.st_mode).encode() + path.read_bytes()
