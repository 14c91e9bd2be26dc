"""A commit, a diff and the hash of both -> a directory with these files, and no others, for one command."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.core.remote import Artifact
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import git_output
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import OWN_CONFIG, make_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedTree:
    """A snapshot as it travels; ``pack`` None = the place has the commit already."""

    commit: str
    diff: bytes
    tree: str
    folder: str
    pack: bytes | None = None


class Checkouts:
    """The directories of a place, below ``base``, which belongs to it alone.

    A mirror keeps the objects of each commit that has come, and of each diff. The newest ``states`` of the
    files have a prepared repository each, as large as git's index. Every attempt has a directory of its own,
    made anew: nothing that another has left is in it.
    """

    def __init__(self, base: Path, git: LocalProcesses, *, states: int = 8) -> None:
        self._base = base
        self._git = git
        self._states = states
        self._prepared: dict[Path, None] = {}
        self._preparing = asyncio.Lock()

    def has(self, commit: str) -> bool:
        """Whether the objects of a commit are in the mirror."""
        return (self._mirror(commit) / "lok" / commit).exists()

    async def make(self, name: str, shipped: ShippedTree) -> Path:
        """The directory of one attempt; StepUnableError where its files are not the ones that were meant."""
        top = self._base / "work" / name
        top.mkdir(parents=True)
        try:
            # two attempts may bring the same
            async with self._preparing:
                await self._receive(shipped)
                shutil.copytree(await self._repository(shipped), top / ".git")
            await self._check(top / ".git", shipped)
            await self._in(top / ".git", "checkout-index", "--all", "--quiet", "-u", tree=top)
        except BaseException:
            self.remove(name)
            raise
        return top

    def remove(self, name: str) -> None:
        """Remove the directory of an attempt, whatever its command has left in it."""
        top = self._base / "work" / name
        shutil.rmtree(top, onerror=functools.partial(_unlock, top))

    async def _receive(self, shipped: ShippedTree) -> None:
        if self.has(shipped.commit):
            return
        mirror = self._mirror(shipped.commit)
        if shipped.pack is None:
            raise StepUnableError(f"the place does not have the commit {shipped.commit[:12]}")
        if not mirror.exists():
            making = self._base / f"making-{shipped.commit}"
            await make_repository(self._git, making, _kind(shipped.commit))
            if mirror.exists():
                shutil.rmtree(making)
            else:
                making.rename(mirror)
        await git_output(
            self._git, f"--git-dir={mirror}", "unpack-objects", "-q", stdin=shipped.pack, env=OWN_CONFIG
        )
        (mirror / "lok").mkdir(exist_ok=True)
        (mirror / "lok" / shipped.commit).touch()

    async def _repository(self, shipped: ShippedTree) -> Path:
        """A repository at the commit whose index holds the files; it is copied, and used by nobody."""
        made = self._base / "prepared" / f"{shipped.commit}-{shipped.tree}"
        if made not in self._prepared:
            objects = self._mirror(shipped.commit) / "objects"
            making = self._base / "preparing"
            shutil.rmtree(making, ignore_errors=True)
            await make_repository(self._git, making, _kind(shipped.commit), objects)
            (making / "shallow").write_text(f"{shipped.commit}\n")
            await self._in(making, "config", "core.bare", "false")
            await self._in(making, "update-ref", "--no-deref", "HEAD", shipped.commit)
            await self._in(making, "read-tree", shipped.commit)
            if shipped.diff:
                apply = ("apply", "--cached", "--binary", "--whitespace=nowarn", "-")
                await self._in(making, *apply, stdin=shipped.diff, objects=objects)
            await self._check(making, shipped)
            made.parent.mkdir(exist_ok=True)
            shutil.rmtree(made, ignore_errors=True)
            making.rename(made)
        self._prepared.pop(made, None)
        self._prepared[made] = None
        while len(self._prepared) > self._states:
            oldest = next(iter(self._prepared))
            del self._prepared[oldest]
            shutil.rmtree(oldest)
        return made

    async def _check(self, own: Path, shipped: ShippedTree) -> None:
        found = (await self._in(own, "write-tree")).decode().strip()
        if found != shipped.tree:
            raise StepUnableError(
                f"the files that came are not the ones that were sent: {found[:12]}, not {shipped.tree[:12]}",
                hint="is git of the same version at both places?",
            )

    async def _in(
        self,
        own: Path,
        *words: str,
        stdin: bytes = b"",
        tree: Path | None = None,
        objects: Path | None = None,
    ) -> bytes:
        """What git prints in a repository of ours; new objects go to ``objects`` if that is given."""
        env = {**OWN_CONFIG, "GIT_DIR": str(own), "GIT_INDEX_FILE": str(own / "index")}
        env["GIT_WORK_TREE"] = str(tree or own)
        if objects is not None:
            env["GIT_OBJECT_DIRECTORY"] = str(objects)
        return await git_output(self._git, "-C", str(tree or own), *words, env=env, stdin=stdin)

    def _mirror(self, commit: str) -> Path:
        return self._base / f"mirror-{_kind(commit)}.git"


def add_files(folder: Path, files: Mapping[str, Artifact]) -> None:
    """Write more files into a directory that was just made; none leaves it."""
    for name, made in files.items():
        path = folder / name
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise StepUnableError(f"the artifact {name!r} would lie outside of the workspace")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # a link there would lead elsewhere
        path.write_bytes(made.content)
        if made.executable:
            path.chmod(0o755)


def _kind(commit: str) -> str:
    return "sha256" if len(commit) == 64 else "sha1"


def _unlock(top: Path, _: object, name: str, __: object) -> None:
    """Remove what a command has made read-only; what cannot be removed all the same is left behind."""
    path = Path(name)
    if not path.is_relative_to(top) or path.is_symlink():
        return
    try:
        os.chmod(path.parent, 0o700)  # noqa: PTH101 - beside the functions of shutil
        if path.is_dir():
            os.chmod(path, 0o700)  # noqa: PTH101
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return
