"""A work tree -> a Snapshot: the files as they are, to the byte, for a command at another place.

A repository of our own stands between: the user's repository is only read, and neither its attributes nor
anybody's configuration say what a file holds.
"""

from __future__ import annotations

import asyncio
import functools
import os
import stat
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pytest_lok.core.remote import Snapshot
from pytest_lok.engine.ports import CommandRunner
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import git_output

MAX_DIFF = 256 * 1024 * 1024
"""Bytes of a diff that travel."""
ATTRIBUTES = "* -text -eol -ident -filter -working-tree-encoding\n"
"""The strongest attributes of a repository of ours: no file is converted on its way."""
OWN_CONFIG = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
"""Variables that keep git from reading a configuration that is not the repository's own."""

_LINKED = b"160000"
_NO_COMMIT = 128  # git's exit code where a name is none of an object
_DIFF = (
    "diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv",
    "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-r",
)  # fmt: skip


async def make_repository(shell: CommandRunner, place: Path, kind: str, *objects: Path) -> None:
    """Make a bare repository of ours at ``place``, which also reads the objects in the given directories."""
    made = ("init", "-q", "--bare", "--template=", f"--object-format={kind}", str(place))
    await git_output(shell, *made, env=OWN_CONFIG)
    for folder, name, text in (
        ("info", "attributes", ATTRIBUTES),
        ("objects/info", "alternates", "".join(f"{path}\n" for path in objects)),
    ):
        (place / folder).mkdir(exist_ok=True)
        (place / folder / name).write_bytes(os.fsencode(text))


async def snapshot(root: Path, shell: CommandRunner) -> Snapshot:
    """The files of the repository that ``root`` lies in, as they are now.

    ``shell`` runs commands at ``root``. StepUnableError without a commit, and where files cannot travel: in
    a submodule or a repository inside of this one, or in a diff of more than MAX_DIFF bytes.
    """
    git = functools.partial(git_output, shell)
    toplevel, place, about = await _together(
        git("rev-parse", "--show-toplevel"),
        git("rev-parse", "--git-path", "objects"),
        git("rev-parse", "--show-object-format", "HEAD^{commit}", "HEAD^{tree}", ok_codes=(0, _NO_COMMIT)),
    )
    said, objects = (os.fsdecode(path).removesuffix("\n") for path in (toplevel, place))
    kind, commit, *trees = about.decode().split()
    if not trees:
        raise StepUnableError(
            "HEAD is no commit yet", hint="commit something: files travel as a commit and a diff"
        )
    top = Path(said)
    with tempfile.TemporaryDirectory(prefix="lok-snapshot-") as folder:
        own = Path(folder) / "own.git"
        names, _ = await _together(
            _names(shell, top), make_repository(shell, own, kind, (root / objects).resolve())
        )
        env = {**OWN_CONFIG, "GIT_DIR": str(own), "GIT_WORK_TREE": said, "GIT_INDEX_FILE": str(own / "index")}
        in_own = functools.partial(git_output, shell, "-C", said, env=env)
        await in_own("update-index", "--add", "--remove", "-z", "--stdin", stdin=names)
        tree = (await in_own("write-tree")).decode().strip()
        diff = b"" if [tree] == trees else await in_own(*_DIFF, commit, tree)
    if len(diff) > MAX_DIFF:
        size = f"{len(diff) // 1024**2} MiB"
        raise StepUnableError(
            f"the files that are not committed are too much to travel: {size}",
            hint="commit them, or let git ignore what no command reads",
        )
    return Snapshot(
        commit=commit,
        diff=diff,
        tree=tree,
        folder=_folder(root, top),
        pack=functools.partial(_pack, shell, commit),
    )


def _folder(root: Path, top: Path) -> str:
    """Where in the tree the workspace lies."""
    folder = root.resolve().relative_to(top.resolve()).as_posix()
    return "" if folder == "." else folder


async def _names(shell: CommandRunner, top: Path) -> bytes:
    """The files of the tree, each with a NUL behind it; StepUnableError where one of them cannot travel."""
    listing = functools.partial(git_output, shell, "-C", str(top), "ls-files", "-z")
    staged: bytes
    others: bytes
    staged, others = await _together(listing("--stage"), listing("--others", "--exclude-standard"))
    entries = [entry for entry in staged.split(b"\0") if entry]
    linked = [entry.split(b"\t", 1)[1] for entry in entries if entry.startswith(_LINKED)]
    linked += [name for name in others.split(b"\0") if name.endswith(b"/")]
    if linked:
        raise StepUnableError(
            f"a repository inside of this one cannot travel: {os.fsdecode(linked[0])}",
            hint="run the step here: take `on` and `needs` away",
        )
    tracked = dict.fromkeys(entry.split(b"\t", 1)[1] for entry in entries)
    folders = {top: True}
    there = (name for name in tracked if _is_file(top / os.fsdecode(name), folders))
    return b"".join(name + b"\0" for name in there) + others


def _is_file(path: Path, folders: dict[Path, bool]) -> bool:
    """Whether a tracked file is still one; its name may be a directory's by now, or lie behind a link.

    ``folders`` are those that were looked at already, each with whether it is one.
    """
    return _is_folder(path.parent, folders) and _kind(path) not in (0, stat.S_IFDIR)


def _is_folder(path: Path, folders: dict[Path, bool]) -> bool:
    if path not in folders:
        folders[path] = _is_folder(path.parent, folders) and _kind(path) == stat.S_IFDIR
    return folders[path]


def _kind(path: Path) -> int:
    """What kind of file it is; 0 = none."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0


async def _pack(shell: CommandRunner, commit: str) -> bytes:
    """The commit with its files, and without its history, as a pack."""
    listed = await git_output(shell, "rev-list", "--objects", "--no-walk", commit)
    oids = b"".join(line.split(b" ", 1)[0] + b"\n" for line in listed.splitlines())
    return await git_output(shell, "pack-objects", "--stdout", "-q", stdin=oids)


async def _together(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    """What comes of each; the first failure is raised when all have ended."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return list(ended)
