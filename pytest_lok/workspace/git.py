"""A work tree -> the files of a change as they were and as they are, byte for byte.

What is compared with must not be the change's own choice, so it never comes from a file of the tree.
Nor do attributes, filters, index flags or any configuration decide what changed: the bytes of blobs are
held against the bytes of files.
"""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pytest_lok.core.findings.bases import base_of, is_id, upstream_names
from pytest_lok.engine.ports import CommandRunner, Comparison, FileVersions
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import asked, blobs, looked, with_crlf
from pytest_lok.workspace.sides import (
    Entries,
    FileSide,
    TreeEntry,
    blob_id,
    is_plain,
    listed_side,
    versions,
    worktree_side,
)

_TOGETHER = 500  # paths that one process is asked about
_WHERE = "set LOK_BASE to the branch or commit that the change is compared with"
_WHOLE = 'fetch the whole history (actions/checkout: "fetch-depth: 0")'


class JudgedTree(enum.Enum):
    """What of a tree is judged."""

    FILES = enum.auto()  # as they are, committed or not
    STAGED = enum.auto()  # what `git commit` is about to commit
    COMMITTED = enum.auto()  # what `git push` is about to push


class Git:
    """The repository the workspace at ``root`` lies in, as its root or below.

    ``shell`` runs commands at ``root``. ``bases`` are what may be compared with, see ``core.bases.base_of``;
    the first that exists is. ``ci``: what is judged is in commits, whatever else lies around.
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
        self._bases = tuple(bases)
        self._judged = judged
        self._ci = ci

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """See ``engine.ports.Workspace``: from where HEAD left the base to the files as they are now."""
        base, start, head = await self._fork()
        plain = [path for path in paths if is_plain(path)]
        files = await self._files(start, head, plain) if plain else {}
        for path in {*paths} - {*plain}:
            files[path] = FileVersions(path=path, unknown="is no path in the workspace")
        unchanged = all(file.before == file.after for file in files.values())
        same = start == head and (self._ci or (unchanged and await self._is_clean(head)))
        return Comparison(base=f"{base} ({start[:12]})", files=files, same=same)

    async def file_names(self) -> frozenset[str]:
        """See ``engine.ports.Workspace``."""
        head = await self._head()
        try:
            _, start, _ = await self._fork()
        except StepUnableError:  # what the base had besides is not known, and what is there is
            start = head
        before = await self._git("ls-tree", "-r", "-z", "--name-only", start)
        now = await self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return frozenset(os.fsdecode(name) for name in (before + now).split(b"\0") if name)

    async def text_at_base(self, path: str) -> str | None:
        """See ``engine.ports.Workspace``: a file as it is on the base now."""
        _, commit = await self._base(await self._head())
        side = listed_side(path, await self._tree(commit, [path]))
        content = side.filled(await blobs(self._shell, {side.oid} - {""}))
        if why := content.other or content.lost:
            raise StepUnableError(f"{path} cannot be read on the base: it {why}", hint=_WHOLE)
        return None if content.content is None else content.content.decode("utf-8", "replace")

    # --- what is compared with

    async def _head(self) -> str:
        """The commit of HEAD, in a repository whose work tree this is."""
        said = await self._git("rev-parse", "--show-prefix", "--show-toplevel", "HEAD^{commit}")
        *lines, head = os.fsdecode(said).removesuffix("\n").split("\n")
        splits = [("\n".join(lines[:at]), "\n".join(lines[at:])) for at in range(1, len(lines))]
        if not any(_is_same(Path(top, prefix), self._root) for prefix, top in splits):
            hint = "run lok in a checkout of its own"
            raise StepUnableError(f"the work tree of this repository is not at {self._root}", hint=hint)
        if not is_id(head):
            raise StepUnableError("HEAD is no commit yet", hint="commit something")
        return head

    async def _fork(self) -> tuple[str, str, str]:
        """What is compared with, the commit where HEAD left it, and the one of HEAD."""
        head = await self._head()
        base, commit = await self._base(head)
        fork = await self._git("merge-base", commit, head, fine=(0, 1))
        if not fork:
            raise StepUnableError(f"HEAD and {base} have no common commit", hint=_WHOLE)
        return base, fork.decode().split()[0], head

    async def _base(self, head: str) -> tuple[str, str]:
        """The first base that exists, and its commit."""
        wanted = [base_of(said) for said in self._bases]
        names = frozenset[str]().union(*(base.names for base in wanted))
        if len(wanted) > 1:  # nobody has said which
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
                        await self._agreed(name, commit, refs)
                    return base.said, commit
        tags = [base.tag for base in wanted if base.tag in refs]
        hint = f"LOK_BASE={tags[0]} is the tag; {_WHERE}" if tags else f"{_WHERE}, or {_WHOLE}"
        tried = ", ".join(self._bases)
        raise StepUnableError(f"there is nothing to compare the change with (tried: {tried})", hint=hint)

    async def _agreed(self, name: str, commit: str, refs: Mapping[str, str]) -> None:
        """That what a branch of ``origin`` is a fork of, where that is known, holds the same."""
        rival = next((each for each in upstream_names(name) if each in refs), "")
        if rival and await self._commit(rival, refs[rival], "") != commit:
            hint = f"write the one that the change goes to, LOK_BASE={rival} for example"
            raise StepUnableError(f"{name} and {rival} differ, and `origin` may be a fork", hint=hint)

    async def _refs(self, names: frozenset[str]) -> dict[str, str]:
        """The objects of those that exist. ``rev-parse`` would find others that only end alike."""
        looked = sorted(name for name in names if name.startswith("refs/"))
        if not looked:
            return {}
        listed = await self._git("for-each-ref", "--format=%(objectname) %(refname)", *looked)
        found = (os.fsdecode(line).split(" ", 1) for line in listed.splitlines())
        return {name: oid for oid, name in found if name in names}

    async def _commit(self, name: str, oid: str, way: str) -> str:
        wanted = f"{oid}{way}^{{commit}}"
        found = await self._git("rev-parse", "--verify", "--quiet", wanted, fine=(0, 1, 128))
        if not found:
            raise StepUnableError(f"{name}{way} is no commit of this clone", hint=_WHOLE)
        return found.decode().strip()

    async def _is_clean(self, head: str) -> bool:
        """Whether what is judged is the commit itself; a file that git does not know makes no difference."""
        if self._judged is JudgedTree.COMMITTED:
            return True
        staged = await self._git("diff-index", "--cached", "--raw", "-z", "--ignore-submodules", head, "--")
        return not staged and (self._judged is JudgedTree.STAGED or not await self._is_edited())

    async def _is_edited(self) -> bool:
        """Whether a tracked file holds other bytes than the index has of it."""
        raw = await looked(self._shell, "diff-files", "-z", "--raw", "--ignore-submodules", "--relative")
        fields = [os.fsdecode(field) for field in raw.split(b"\0")]
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            mode, now, oid, _, kind = about.removeprefix(":").split()
            content = worktree_side(self._root, path).content
            if kind != "M" or mode != now or content is None or blob_id(content, len(oid)) != oid:
                return True
        return False

    # --- files

    async def _files(self, start: str, head: str, paths: Sequence[str]) -> dict[str, FileVersions]:
        """Both sides of each file: in the commit ``start``, and as it is judged."""
        began, committed, index = await asyncio.gather(
            self._tree(start, paths), self._tree(head, paths), self._index(paths)
        )
        sides = {path: (listed_side(path, began), *self._now(path, committed, index)) for path in paths}
        found = await blobs(self._shell, {side.oid for three in sides.values() for side in three} - {""})
        filled = {path: tuple(side.filled(found) for side in three) for path, three in sides.items()}
        wide = [path for path, (was, now, _) in filled.items() if now.has_more_crlf(was)]
        for path in await with_crlf(self._shell, start, wide) if wide else ():
            filled[path] = tuple(side.without_crlf() for side in filled[path])
        files = {path: versions(path, *three) for path, three in filled.items()}
        if any(file.mode_changed for file in files.values()) and not await self._has_modes():
            return {
                path: replace(
                    file, mode_changed=path in index and index[path].executable != filled[path][0].executable
                )
                for path, file in files.items()
            }
        return files

    def _now(self, path: str, head: Entries, index: Entries) -> tuple[FileSide, FileSide]:
        """What is judged of a file, and what it must be like for that to count."""
        committed, staged = listed_side(path, head), listed_side(path, index)
        if path not in index and committed.other:  # on the way to it
            return committed, committed
        if self._judged is JudgedTree.STAGED:
            return staged, staged
        side = worktree_side(self._root, path)
        if path in index and index[path].left_out and side == FileSide():
            side = staged
        return side, committed if self._judged is JudgedTree.COMMITTED else side

    async def _has_modes(self) -> bool:
        return (
            await self._git("config", "--type=bool", "--default=true", "core.fileMode")
        ).strip() == b"true"

    async def _tree(self, commit: str, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """The files at these paths in a commit, and the directories, links and submodules on the way."""
        ways = {str(way) for path in paths for way in (path, *PurePosixPath(path).parents)} - {"."}
        found = {}
        async for name, fields in self._listed(("ls-tree", "-t", "-z", commit), sorted(ways)):
            mode, _, oid = fields
            found[name] = TreeEntry(mode=mode, oid=oid)
        return found

    async def _index(self, paths: Iterable[str]) -> dict[str, TreeEntry]:
        """The files that are staged at these paths."""
        found = {}
        async for name, fields in self._listed(("ls-files", "-t", "-z", "--stage"), sorted(paths)):
            tag, mode, oid, _ = fields
            found[name] = TreeEntry(mode=mode, oid=oid, left_out=tag == "S")
        return {path: found[path] for path in paths if path in found}

    async def _listed(
        self, command: Sequence[str], paths: Sequence[str]
    ) -> AsyncIterator[tuple[str, list[str]]]:
        for at in range(0, len(paths), _TOGETHER):
            listed = await self._git(*command, "--", *paths[at : at + _TOGETHER])
            for line in filter(None, listed.split(b"\0")):
                fields, name = os.fsdecode(line).split("\t", 1)
                yield name, fields.split(" ")

    async def _git(self, *arguments: str, stdin: bytes = b"", fine: Sequence[int] = (0,)) -> bytes:
        return await asked(self._shell, *arguments, stdin=stdin, fine=fine)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False
