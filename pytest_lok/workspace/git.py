"""A work tree -> the files of a change as they were and as they are, byte for byte.

The base must not be the change's own choice, so it never comes from a file of the tree. Attributes, filters,
index flags and configuration do not decide what changed either: the bytes of blobs are compared with the
bytes of files.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_lok.core.findings.bases import base_of, is_id, upstream_names
from pytest_lok.engine.ports import CommandRunner, Comparison, FileVersions
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import blobs, git_output, git_output_without_filters, with_crlf
from pytest_lok.workspace.sides import (
    Entries,
    FileSide,
    TreeEntry,
    blob_id,
    file_versions,
    is_workspace_path,
    side_in_listing,
    side_in_worktree,
)

if TYPE_CHECKING:
    from pytest_lok.core.remote import Snapshot

_MOST_FILES = 100_000  # of a directory that is in no repository
_PATHS_PER_CALL = 500  # paths that one process is asked about
_SET_BASE = "set LOK_BASE to the branch or commit that the change is compared with"
_FETCH_HISTORY = 'fetch the whole history (actions/checkout: "fetch-depth: 0")'


class JudgedTree(enum.Enum):
    """Which state of the tree is judged."""

    FILES = enum.auto()  # as they are, committed or not
    STAGED = enum.auto()  # what `git commit` is about to commit
    COMMITTED = enum.auto()  # what `git push` is about to push


class Git:
    """The repository that the workspace at ``root`` lies in, as its root or below.

    ``shell`` runs commands at ``root``. ``bases`` are the names that the change may be compared with, see
    ``core.findings.bases.base_of``; the first that exists counts. ``ci`` = only commits are judged, whatever
    else lies in the tree.
    """

    def __init__(
        self,
        root: str | Path,
        shell: CommandRunner,
        bases: Sequence[str],
        *,
        judged: JudgedTree = JudgedTree.FILES,
        ci: bool = False,
    ) -> None:
        self._root = Path(root)
        self._shell = shell
        self._git = functools.partial(git_output, shell)
        self._bases = tuple(bases)
        self._judged = judged
        self._ci = ci
        self.tree_names = functools.partial(_tree_names, self._root, self._git)

    async def snapshot(self) -> Snapshot:
        """See ``engine.remote.ports``: of the whole repository that the workspace lies in."""
        from pytest_lok.workspace.travel.snapshots import snapshot

        if not self._may_be_repository:
            raise StepUnableError(f"{self._root} is in no git repository", hint="files travel as a commit")
        return await snapshot(self._root, self._shell)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """See ``engine.ports.Workspace``: the files at the merge base, and as they are now."""
        base, start, head = await self._merge_base()
        plain = [path for path in paths if is_workspace_path(path)]
        files = await self._compared(start, head, plain) if plain else {}
        for path in {*paths} - {*plain}:
            files[path] = FileVersions(path=path, unknown="is no path in the workspace")
        unchanged = all(file.before == file.after for file in files.values())
        # in CI only commits are judged, so what lies in the tree besides makes no change
        same = start == head and (self._ci or (unchanged and await self._is_clean(head)))
        return Comparison(base=f"{base} ({start[:12]})", commit=start, files=files, same=same)

    async def commits(self) -> tuple[str, str]:
        """The commits of the base and of HEAD; see ``engine.ports.Workspace``. No process outside of git."""
        head = ""
        if not self._may_be_repository:
            return "", head
        try:
            head = await self._head()
            return (await self._merge_base())[1], head
        except StepUnableError:
            return "", head

    async def file_names(self) -> frozenset[str]:
        """The path of every file; see ``engine.ports.Workspace``."""
        # also asks whether this is the work tree of a repository at all
        head = await self._head()
        try:
            _, start, _ = await self._merge_base()
        except StepUnableError:  # without a base the files that are there are still known
            start = head
        before = await self._git("ls-tree", "-r", "-z", "--name-only", start)
        now = await self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return frozenset(os.fsdecode(name) for name in (before + now).split(b"\0") if name)

    async def text_at_base(self, path: str) -> str | None:
        """The text of a file on the base as that is now; see ``engine.ports.Workspace``."""
        _, commit = await self._base(await self._head())
        side = side_in_listing(path, await self._tree(commit, [path]))
        content = side.with_content(await blobs(self._shell, {side.oid} - {""}))
        if why := content.other or content.unavailable:
            raise StepUnableError(f"{path} cannot be read on the base: it {why}", hint=_FETCH_HISTORY)
        return None if content.content is None else content.content.decode("utf-8", "replace")

    async def named_commit(self) -> str:
        """The id of the commit that the first of the bases that exists means; StepUnableError without one."""
        _, commit = await self._base(await self._head())
        return commit

    # --- what is compared with

    @property
    def _may_be_repository(self) -> bool:
        return _may_be_in_repository(self._root)

    async def _head(self) -> str:
        """The commit of HEAD, in a repository whose work tree this is."""
        said = await self._git("rev-parse", "--show-prefix", "--show-toplevel", "HEAD^{commit}")
        *lines, head = os.fsdecode(said).removesuffix("\n").split("\n")
        # directories may have line breaks in their names, so each way to split is tried
        splits = [("\n".join(lines[:at]), "\n".join(lines[at:])) for at in range(1, len(lines))]
        if not any(_is_same_directory(Path(top, prefix), self._root) for prefix, top in splits):
            hint = "run lok in a checkout of its own"
            raise StepUnableError(f"the work tree of this repository is not at {self._root}", hint=hint)
        if not is_id(head):
            raise StepUnableError("HEAD is no commit yet", hint="commit something")
        return head

    async def _merge_base(self) -> tuple[str, str, str]:
        """The name of the base, the commit where HEAD left it, and the commit of HEAD."""
        head = await self._head()
        base, commit = await self._base(head)
        fork = await self._git("merge-base", commit, head, ok_codes=(0, 1))
        if not fork:
            raise StepUnableError(f"HEAD and {base} have no common commit", hint=_FETCH_HISTORY)
        return base, fork.decode().split()[0], head

    async def _base(self, head: str) -> tuple[str, str]:
        """The name of the first base that exists, and its commit."""
        wanted = [base_of(said) for said in self._bases]
        names = frozenset[str]().union(*(base.names for base in wanted))
        if len(wanted) > 1:  # nobody has said which branch: one of a fork could be taken
            names |= {rival for name in names for rival in upstream_names(name)}
        refs = await self._refs(names) | {name: name for name in names if is_id(name)} | {"HEAD": head}
        for base in wanted:
            for group in base.groups:
                known = {name: refs[name] for name in group if name in refs}
                commits = {await self._commit(name, oid, base.ancestry): name for name, oid in known.items()}
                if len(commits) > 1:
                    means = " and ".join(commits.values())
                    hint = "write the full name of the one that is meant, LOK_BASE=refs/..."
                    raise StepUnableError(f"{base.said} means {means}, which differ", hint=hint)
                for commit, name in commits.items():
                    if len(wanted) > 1:
                        await self._refuse_rival(name, commit, refs)
                    return base.said, commit
        # a tag is not taken for a branch of that name, only offered
        tags = [base.tag for base in wanted if base.tag in refs]
        hint = f"LOK_BASE={tags[0]} is the tag; {_SET_BASE}" if tags else f"{_SET_BASE}, or {_FETCH_HISTORY}"
        tried = ", ".join(self._bases)
        raise StepUnableError(f"there is nothing to compare the change with (tried: {tried})", hint=hint)

    async def _refuse_rival(self, name: str, commit: str, refs: Mapping[str, str]) -> None:
        """StepUnableError where a branch of ``origin`` and the branch it was forked from differ."""
        rival = next((each for each in upstream_names(name) if each in refs), "")
        if rival and await self._commit(rival, refs[rival], "") != commit:
            hint = f"write the one that the change goes to, LOK_BASE={rival} for example"
            raise StepUnableError(f"{name} and {rival} differ, and `origin` may be a fork", hint=hint)

    async def _refs(self, names: frozenset[str]) -> dict[str, str]:
        """The object of each ref that exists, by its full name."""
        looked = sorted(name for name in names if name.startswith("refs/"))
        if not looked:
            return {}
        # `rev-parse` would also find refs that only end alike
        listed = await self._git("for-each-ref", "--format=%(objectname) %(refname)", *looked)
        found = (os.fsdecode(line).split(" ", 1) for line in listed.splitlines())
        return {name: oid for oid, name in found if name in names}

    async def _commit(self, name: str, oid: str, way: str) -> str:
        wanted = f"{oid}{way}^{{commit}}"
        found = await self._git("rev-parse", "--verify", "--quiet", wanted, ok_codes=(0, 1, 128))
        if not found:
            raise StepUnableError(f"{name}{way} is no commit of this clone", hint=_FETCH_HISTORY)
        return found.decode().strip()

    async def _is_clean(self, head: str) -> bool:
        """Whether what is judged is the commit itself; untracked files make no difference."""
        if self._judged is JudgedTree.COMMITTED:
            return True
        staged = await self._git("diff-index", "--cached", "--raw", "-z", "--ignore-submodules", head, "--")
        return not staged and (self._judged is JudgedTree.STAGED or not await self._is_edited())

    async def _is_edited(self) -> bool:
        """Whether a tracked file holds other bytes than the index has."""
        # `diff-files` also lists files of which only the time has changed, so the bytes decide
        raw = await git_output_without_filters(
            self._shell, "diff-files", "-z", "--raw", "--ignore-submodules", "--relative"
        )
        fields = [os.fsdecode(field) for field in raw.split(b"\0")]
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            mode, now, oid, _, kind = about.removeprefix(":").split()
            content = side_in_worktree(self._root, path).content
            if kind != "M" or mode != now or content is None or blob_id(content, len(oid)) != oid:
                return True
        return False

    # --- files

    async def _compared(self, start: str, head: str, paths: Sequence[str]) -> dict[str, FileVersions]:
        """Both sides of each file: in the commit ``start``, and as judged."""
        began, committed, index = await asyncio.gather(
            self._tree(start, paths), self._tree(head, paths), self._index(paths)
        )
        sides = {
            path: (side_in_listing(path, began), *self._judged_side(path, committed, index)) for path in paths
        }
        found = await blobs(self._shell, {side.oid for three in sides.values() for side in three} - {""})
        filled = {path: tuple(side.with_content(found) for side in three) for path, three in sides.items()}
        # a checkout may write CRLF where the commit has LF; that is no change of a line
        wide = [path for path, (was, now, _) in filled.items() if now.has_more_crlf(was)]
        for path in await with_crlf(self._shell, start, wide) if wide else ():
            filled[path] = tuple(side.without_crlf() for side in filled[path])
        files = {path: file_versions(path, *three) for path, three in filled.items()}
        # on file systems without modes the work tree says nothing about them, and the index does
        if any(file.mode_changed for file in files.values()) and not await self._tracks_modes():
            return {
                path: replace(
                    file, mode_changed=path in index and index[path].executable != filled[path][0].executable
                )
                for path, file in files.items()
            }
        return files

    def _judged_side(self, path: str, head: Entries, index: Entries) -> tuple[FileSide, FileSide]:
        """The file as judged, and what it must be equal to for that to count."""
        committed, staged = side_in_listing(path, head), side_in_listing(path, index)
        if path not in index and committed.other:  # on the way to it
            return committed, committed
        if self._judged is JudgedTree.STAGED:
            return staged, staged
        side = side_in_worktree(self._root, path)
        # a sparse checkout leaves the file out, and the index still has it
        if path in index and index[path].skip_worktree and side == FileSide():
            side = staged
        return side, committed if self._judged is JudgedTree.COMMITTED else side

    async def _tracks_modes(self) -> bool:
        return (
            await self._git("config", "--type=bool", "--default=true", "core.fileMode")
        ).strip() == b"true"

    async def _tree(self, commit: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """What a commit has at these paths, and on the way to them: directories, links, submodules."""
        ways = {str(way) for path in paths for way in (path, *PurePosixPath(path).parents)} - {"."}
        found = {}
        async for name, fields in self._listing(("ls-tree", "-t", "-z", commit), sorted(ways)):
            mode, _, oid = fields
            found[name] = TreeEntry(mode=mode, oid=oid)
        return found

    async def _index(self, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """What is staged at these paths."""
        found = {}
        async for name, fields in self._listing(("ls-files", "-t", "-z", "--stage"), sorted(paths)):
            tag, mode, oid, _ = fields
            found[name] = TreeEntry(mode=mode, oid=oid, skip_worktree=tag == "S")
        return {path: found[path] for path in paths if path in found}

    async def _listing(
        self, command: Sequence[str], paths: Sequence[str]
    ) -> AsyncIterator[tuple[str, list[str]]]:
        for at in range(0, len(paths), _PATHS_PER_CALL):
            listed = await self._git(*command, "--", *paths[at : at + _PATHS_PER_CALL])
            for line in filter(None, listed.split(b"\0")):
                fields, name = os.fsdecode(line).split("\t", 1)
                yield name, fields.split(" ")


async def _tree_names(root: Path, git: Callable[..., Awaitable[bytes]]) -> frozenset[str]:
    """The paths of the files that are there; see ``engine.ports.Workspace``."""
    if not _may_be_in_repository(root):
        return await asyncio.to_thread(_visible_files, root)
    listed = await git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return await asyncio.to_thread(_existing, root, names)


def _may_be_in_repository(root: Path) -> bool:
    return any(os.path.lexists(folder / ".git") for folder in (root, *root.parents))


def _existing(root: Path, names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if os.path.lexists(root / name))


def _visible_files(root: Path) -> frozenset[str]:
    """The files below, without hidden ones and those in hidden directories; links are not followed."""
    found: list[str] = []
    for where, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            os.path.relpath(os.path.join(where, name), root)  # noqa: PTH118 - thousands of them
            for name in files
            if not name.startswith(".")
        ]
        if len(found) > _MOST_FILES:
            raise StepUnableError(
                f"there are more than {_MOST_FILES:,} files in {root}",
                hint="`git init` there, with a .gitignore",
            )
    return frozenset(found)


def _is_same_directory(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False
