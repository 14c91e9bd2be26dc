"""A repository and two commits -> the base as files, and the head as files in a repository of its own.

The head is data: no hook, filter, attribute, link or configuration of it, of the clone or of the user means
anything there. Its repository borrows the objects of the clone and writes nothing into that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_lok.core.findings.configuration import ChangedFile, decision_of
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import CommandRunner, CommandSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.plumbing import blobs, git_output

_CONFIG = f"""\
[core]
\tbare = false
\tsymlinks = false
\tfileMode = false
\tautocrlf = false
\thooksPath = {os.devnull}
\tattributesFile = {os.devnull}
\texcludesFile = {os.devnull}
\tfsmonitor = false
\tuntrackedCache = false
\tprotectHFS = true
\tprotectNTFS = true
[protocol]
\tallow = never
"""
# pictures, sound, films and fonts: of these a diff says that they differ, and of nothing else
_MEDIA = (
    *("avif", "bmp", "gif", "heic", "ico", "jpeg", "jpg", "png", "tif", "tiff", "webp"),
    *("aac", "flac", "m4a", "mp3", "ogg", "opus", "wav"),
    *("avi", "mkv", "mov", "mp4", "webm"),
    *("eot", "otf", "ttf", "woff", "woff2"),
)
# this file wins over every .gitattributes of a tree; without `diff` a NUL byte would hide a file in diffs
_ATTRIBUTES = "\n".join(
    (
        "* diff !merge !text !eol !crlf !filter !ident !working-tree-encoding !whitespace !export-subst",
        *(f"*.{ending} !diff" for ending in _MEDIA),
        "",
    )
)
FETCH_HISTORY = 'fetch the whole history (actions/checkout: "fetch-depth: 0")'
_BLOB_MODES = frozenset({"100644", "100755", "120000"})
COMMITTER = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "lok"), ("EMAIL", "lok@localhost"), ("DATE", "@0 +0000"))
}
"""The environment of git for commits that nobody keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTrees:
    """``base`` and ``head`` are directories with the files of both commits; ``start`` is where the head left.

    ``files`` are the changed ones that may decide about changes, with their contents. ``changed`` are the
    paths of all.
    """

    base: Path
    head: Path
    start: str
    head_commit: str
    files: tuple[ChangedFile, ...]
    changed: frozenset[str]


async def make_trees(
    clone: CommandRunner,
    private: CommandRunner,
    folder: Path,
    *,
    base: str,
    head: str,
    branches: Sequence[str] = (),
) -> JudgedTrees:
    """Write both trees below ``folder``, which has the empty directories ``base`` and ``head``.

    Arguments and errors are those of ``make_head``.
    """
    head = await make_head(clone, private, folder, base=base, head=head, branches=branches)
    start = await _fork(private, base, head)
    # links of the base are its own
    await git_output(private, "config", "core.symlinks", "true")
    await _write(private, base, f"{folder / 'base'}/", index=str(folder / "base.index"))
    await git_output(private, "config", "core.symlinks", "false")
    files, changed = await _changed_files(private, start, head)
    return JudgedTrees(
        base=folder / "base",
        head=folder / "head",
        start=start,
        head_commit=head,
        files=files,
        changed=changed,
    )


async def make_head(
    clone: CommandRunner,
    private: CommandRunner,
    folder: Path,
    *,
    base: str,
    head: str,
    branches: Sequence[str] = (),
) -> str:
    """Write the tree of the head into the empty directory ``head`` below ``folder``; the id of its commit.

    StepUnableError where git cannot. ``clone`` runs commands in the clone, ``private`` in ``head``. ``base``
    and ``head`` are ids of commits; ``head`` "" = what is staged in the clone. ``branches`` are names at
    ``origin`` that mean the base.
    """
    await make_repository(clone, private, folder / "head" / ".git")
    head = head or await _commit_of_index(clone, private, base)
    names = dict.fromkeys(("HEAD", "main", "master", *branches))
    said = "".join(f"update refs/remotes/origin/{name}\0{base}\0\0" for name in names)
    said += f"option no-deref\0update HEAD\0{head}\0\0"
    await git_output(private, "update-ref", "-z", "--stdin", stdin=os.fsencode(said))
    # its links become files that hold where they lead
    await _write(private, head, "", index="")
    return head


async def make_repository(clone: CommandRunner, private: CommandRunner, inside: Path) -> None:
    """A repository without a configuration of others, which reads the objects of the clone."""
    asked = (
        "--show-object-format",
        "--path-format=absolute",
        "--git-path",
        "objects",
        "--git-path",
        "shallow",
    )
    said = (await git_output(clone, "rev-parse", *asked)).removesuffix(b"\n").split(b"\n")
    if len(said) != 3:
        raise StepUnableError("the path of the clone has a line break", hint="move the clone")
    form, objects, shallow = said[0].decode(), said[1], said[2]
    await git_output(private, "init", "-q", "--template=", f"--object-format={form}")
    (inside / "info").mkdir(exist_ok=True)
    (inside / "info" / "attributes").write_text(_ATTRIBUTES)
    with (inside / "config").open("a") as config:
        config.write(_CONFIG)
    (inside / "objects" / "info" / "alternates").write_bytes(objects + b"\n")
    _copy_if_there(Path(os.fsdecode(shallow)), inside / "shallow")


def _copy_if_there(source: Path, to: Path) -> None:
    if source.is_file():
        to.write_bytes(source.read_bytes())


async def _commit_of_index(clone: CommandRunner, private: CommandRunner, base: str) -> str:
    """A commit of what is staged in the clone, in the private repository alone."""
    top = os.fsdecode(await git_output(clone, "rev-parse", "--show-toplevel")).removesuffix("\n")
    listed = await git_output(clone, "-C", top, "ls-files", "-z", "--stage")
    if any(entry.split(b" ", 2)[2][:1] != b"0" for entry in listed.split(b"\0") if entry):
        raise StepUnableError("files are not merged yet", hint="finish the merge, and stage the files")
    await git_output(private, "update-index", "-z", "--index-info", stdin=listed)
    tree = (await git_output(private, "write-tree")).decode().strip()
    argv = ("git", "commit-tree", tree, "-p", base, "-m", "what is staged")
    done = await private.run(CommandSpec(argv=argv, env=COMMITTER))
    if done.exit_code:
        raise StepUnableError(f"what is staged cannot be written down: {done.stderr.strip()}")
    return done.stdout.strip()


async def _fork(private: CommandRunner, base: str, head: str) -> str:
    found = await git_output(private, "merge-base", base, head, ok_codes=(0, 1))
    if not found:
        raise StepUnableError("the base and the head have no common commit", hint=FETCH_HISTORY)
    return found.decode().split()[0]


async def _write(private: CommandRunner, commit: str, prefix: str, *, index: str) -> None:
    """Write the files of a commit: no hook runs, no filter, and what is there already is an error."""
    into = (f"--prefix={prefix}",) if prefix else ()
    try:
        await git_output(private, "read-tree", commit, index=index)
        await git_output(private, "checkout-index", "--all", "--quiet", *into, index=index)
    except StepUnableError as why:
        hint = "a partial clone lacks files: git fetch --refetch --no-filter"
        raise StepUnableError(f"the files of {commit[:12]} cannot be had: {why.message}", hint=hint) from why


async def _changed_files(
    private: CommandRunner, start: str, head: str
) -> tuple[tuple[ChangedFile, ...], frozenset[str]]:
    """The changed files that may decide about changes, and the paths of all."""
    raw = await git_output(private, "diff-tree", "-r", "-z", "--raw", "--no-renames", start, head)
    fields = [os.fsdecode(field) for field in raw.split(b"\0")]
    listed: list[tuple[ChangedFile, str, str]] = []
    for about, path in zip(fields[::2], fields[1::2], strict=False):
        was, now, old, new, _ = about.removeprefix(":").split()
        modes = ["" if mode == "000000" else mode for mode in (was, now)]
        file = ChangedFile(path=path, mode_before=modes[0], mode_after=modes[1])
        if decision_of(file) is not None:
            listed.append((file, old, new))
    # what lies in a submodule is in another repository
    wanted = {
        oid
        for file, old, new in listed
        for mode, oid in ((file.mode_before, old), (file.mode_after, new))
        if mode in _BLOB_MODES
    }
    found = await blobs(private, wanted)
    contents = {oid: content for oid, content in found.items() if isinstance(content, bytes)}
    files = (replace(file, before=contents.get(old), after=contents.get(new)) for file, old, new in listed)
    return tuple(files), frozenset(fields[1::2])
