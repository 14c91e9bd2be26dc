"""Cases -> a repository of their own in which each change is two commits; no file is checked out there."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import CommandRunner, CommandSpec
from pytest_lok.errors import CaseError, Problem, StepUnableError
from pytest_lok.workspace.cases.shelf import ShelvedCase, TreeFile
from pytest_lok.workspace.judged_trees import COMMITTER, make_repository
from pytest_lok.workspace.plumbing import git_output

_PLAIN = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"/._-+ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCommits:
    """The ids of the commits before and after a change."""

    base: str
    head: str


async def commit_cases(
    store: CommandRunner, folder: Path, cases: Sequence[ShelvedCase], clone: CommandRunner | None
) -> list[ChangeCommits]:
    """Make a repository in ``folder``, where ``store`` runs commands, with the changes of all cases.

    ``clone`` runs commands in the project, whose commits cases may name; None = it is in no repository.
    CaseError with every patch that does not apply, and every commit that is not there.
    """
    await _make(store, folder, clone if any(it.case.change.base for it in cases) else None)
    listed = await _import_trees(store, cases)
    problems: list[Problem] = []
    found = []
    for number, it in enumerate(cases):
        try:
            found.append(await _commits_of(store, folder, it, number, listed))
        except CaseError as wrong:
            problems += wrong.problems
    if not problems:
        problems = [*await _unchanged(store, cases, found)]
    if problems:
        raise CaseError(problems)
    return found


async def _unchanged(
    store: CommandRunner, cases: Sequence[ShelvedCase], found: Sequence[ChangeCommits]
) -> Iterator[Problem]:
    """The cases in which both sides are the same."""
    names = "".join(f"{commit}^{{tree}}\n" for it in found for commit in (it.base, it.head))
    said = await git_output(store, "cat-file", "--batch-check=%(objectname)", stdin=names.encode())
    trees = said.split()
    return (
        it.case.problem((_last_key(it),), "the change changes nothing", "both sides are the same")
        for it, base, head in zip(cases, trees[::2], trees[1::2], strict=True)
        if base == head
    )


def _last_key(it: ShelvedCase) -> str:
    return next(name for name in ("patch", "head", "after") if getattr(it.case.change, name))


async def _make(store: CommandRunner, folder: Path, clone: CommandRunner | None) -> None:
    if clone is not None:
        await make_repository(clone, store, folder / ".git")
    else:
        await git_output(store, "init", "-q", "--template=", str(folder))


async def _commits_of(
    store: CommandRunner, folder: Path, it: ShelvedCase, number: int, listed: Mapping[str, str]
) -> ChangeCommits:
    base = listed.get(_ref(number, "before")) or await _existing(store, it, "base")
    if it.patch is not None:
        head = await _patched(store, it, base, index=str(folder / f"{number}.index"))
    else:
        head = listed.get(_ref(number, "after")) or await _existing(store, it, "head")
    return ChangeCommits(base=base, head=head)


async def _existing(store: CommandRunner, it: ShelvedCase, key: str) -> str:
    commit: str = getattr(it.case.change, key)
    try:
        await git_output(store, "cat-file", "-e", f"{commit}^{{commit}}")
    except StepUnableError:
        hint = "cases name commits of the project's own repository; fetch the history"
        raise CaseError([it.case.problem((key,), "there is no such commit", hint)]) from None
    return commit


async def _patched(store: CommandRunner, it: ShelvedCase, base: str, *, index: str) -> str:
    await git_output(store, "read-tree", base, index=index)
    try:
        patch = it.patch or b""
        await git_output(store, "apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, index=index)
    except StepUnableError as refused:
        said = refused.message.removeprefix("git apply failed: ").removeprefix("error: ")
        hint = "make it anew with `git diff`"
        raise CaseError([it.case.problem(("patch",), f"the patch does not apply: {said}", hint)]) from None
    tree = (await git_output(store, "write-tree", index=index)).decode().strip()
    argv = ("git", "commit-tree", tree, "-p", base, "-m", "the change")
    done = await store.run(CommandSpec(argv=argv, env=COMMITTER))
    if done.exit_code:
        raise StepUnableError(f"a case cannot be committed: {done.stderr.strip()}")
    return done.stdout.strip()


# --- directories


def _ref(number: int, side: str) -> str:
    return f"refs/cases/{number}/{side}"


async def _import_trees(store: CommandRunner, cases: Sequence[ShelvedCase]) -> dict[str, str]:
    """Commit every directory of a case; the ids of the commits by the names of their refs."""
    stream = b"".join(_stream(cases))
    if not stream:
        return {}
    await git_output(store, "fast-import", "--quiet", stdin=stream)
    said = await git_output(store, "for-each-ref", "--format=%(refname) %(objectname)", "refs/cases")
    return dict(line.split(" ") for line in said.decode().splitlines())


def _stream(cases: Sequence[ShelvedCase]) -> Iterator[bytes]:
    """What `git fast-import` reads: each content once, then the commits."""
    blobs: dict[bytes, int] = {}
    for number, it in enumerate(cases):
        for side, tree in (("before", it.before), ("after", it.after)):
            if tree is None:
                continue
            for file in tree.values():
                if file.content not in blobs:
                    blobs[file.content] = len(blobs) + 1
                    yield b"blob\nmark :%d\n%s" % (blobs[file.content], _data(file.content))
            yield from _commit(
                _ref(number, side), tree, blobs, parent=side == "after" and _ref(number, "before")
            )


def _commit(
    ref: str, tree: Mapping[str, TreeFile], blobs: Mapping[bytes, int], *, parent: str | bool
) -> Iterator[bytes]:
    yield b"commit %s\ncommitter lok <lok@localhost> 0 +0000\n%s" % (ref.encode(), _data(b"x"))
    if parent:
        yield b"from %s\n" % str(parent).encode()
    yield b"deleteall\n"
    for path, file in tree.items():
        mode = b"100755" if file.executable else b"100644"
        yield b"M %s :%d %s\n" % (mode, blobs[file.content], _quoted(path))
    yield b"\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    return b'"%s"' % b"".join(bytes([it]) if it in _PLAIN else b"\\%03o" % it for it in os.fsencode(path))


# --- reading them


async def read_files(store: CommandRunner, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """The bytes of each file, by its commit and its path; None where there is no such file."""
    if not wanted:
        return []
    lines = b"".join(os.fsencode(f"{commit}:{path}\n") for commit, path in wanted)
    said, at = await git_output(store, "cat-file", "--batch", stdin=lines), 0
    found: list[bytes | None] = []
    for _ in wanted:
        end = said.index(b"\n", at)
        about = said[at:end]
        if about.endswith(b" missing"):
            found.append(None)
            at = end + 1
            continue
        kind, size = about.split(b" ")[-2:]
        content = said[end + 1 : end + 1 + int(size)]
        found.append(content if kind == b"blob" else None)
        at = end + 2 + int(size)
    return found
