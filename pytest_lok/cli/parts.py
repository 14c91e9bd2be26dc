"""``lok parts``: the files of a project, or a diff, as parts that fit into one question each."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.core.findings.prior import REVIEWED
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import existing_path
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.asking.diff import FileDiff
    from pytest_lok.core.asking.parts import Part

Git: TypeAlias = "Callable[..., str | None]"
"""Runs git in the project; see ``workspace.plumbing.git_text``."""

_LOCK_FILES = frozenset({
    "Cargo.lock", "Gemfile.lock", "Pipfile.lock", "bun.lock", "composer.lock", "flake.lock", "go.sum",
    "mix.lock", "npm-shrinkwrap.json", "package-lock.json", "pdm.lock", "pnpm-lock.yaml", "poetry.lock",
    "pubspec.lock", "uv.lock", "yarn.lock",
})  # fmt: skip
_NOT_ASCII = late_regex(r"[^\x20-\x7e]")
# What the change itself may say in .gitattributes or .gitmodules has no part in what is shown of it.
_DIFF = (
    *("-c", "core.quotePath=off", "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--text"),
    *("--ignore-submodules=none", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/"),
)
# a file that is renamed is two here: what is gone under one name is new under the other
_NAMES = ("diff", "-z", "--name-only", "--no-renames", "--ignore-submodules=none", "--relative")
_NOTHING = {
    "staged": ("nothing is staged", "git add, or review what is not: `lok diff --unstaged`"),
    "branch": (
        "this branch changes nothing",
        "change something, or name a range of commits",
    ),
    "uncommitted": ("nothing is uncommitted", "name a range, such as main..HEAD"),
}


def _parts(
    paths: tuple[str, ...],
    diff: bool,
    change: str,
    files: str,
    excluded: tuple[str, ...],
    allow_empty: bool,
    limit: int,
) -> int:
    from pytest_lok.core.asking.parts import Part, coverage, group_files, split_diff
    from pytest_lok.discovery import find_root
    from pytest_lok.workspace.plumbing import git_text

    call = Invocation.of(click.get_current_context())
    # names are those of the project, wherever in it this is called
    here = (call.options.directory or Path.cwd()).resolve()
    root = find_root(here)
    git: Git = functools.partial(git_text, root, call.environ)
    if bool(paths) + diff + bool(change) > 1:
        raise UsageError("PATH, --diff and --change exclude each other", hint="give one of them")
    skipped: list[tuple[str, str]] = []
    since = SinceReview.of(call, git, root) if change == "branch" else None
    if diff or change:
        read = _read(_change(call, git, root, change, skipped) if change else _standard_input(), files)
        if since is not None:
            read = [file for file in read if since.asks_about(file)]
        kept = [file for file in read if not _is_excluded(file.name, excluded, skipped)]
        parts, media = split_diff(kept, limit)
        skipped += [(name, "binary") for name in media]
    else:
        names = [it for it in _listed(git, root, here, paths) if not _is_excluded(it, excluded, skipped)]
        sizes, hidden = _look_at(git, root, names, skipped)
        parts = group_files(sizes, limit)
        parts += [Part(files=(name,), unreadable=why) for name, why in hidden]
    covered = coverage(parts, skipped) + (f"; {since.told}" if since else "")
    if not parts and not (skipped and allow_empty):
        hint = "--allow-empty gives `parts = []` then; the step that reviews needs a `when` about it"
        raise LokError(f"there is no text to review: {covered}", hint=hint if skipped else "")
    found = {
        "coverage": covered,
        "parts": [_document(part, bool(diff or change)) for part in parts],
        "skipped": [{"file": name, "why": why} for name, why in skipped],
    }
    if since is not None:
        found |= {"since": since.commit, "asked": sorted(since.changed)}
    call.deliver(_json(found))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceReview:
    """What of a change has changed since a commit that was reviewed; within a run lok says which one that is.

    ``changed`` are the files that are not as they were there, ``untouched`` the others of the change.
    """

    commit: str
    changed: frozenset[str]
    untouched: frozenset[str]

    @classmethod
    def of(cls, call: Invocation, git: Git, root: Path) -> SinceReview | None:
        """By the environment that a run gives its commands; None where the whole change is asked about."""
        from pytest_lok.core.findings.bases import is_id

        commit = call.environ.get(REVIEWED, "")
        if not is_id(commit):
            return None
        new = git("ls-files", "-z", "--others", "--exclude-standard") or ""
        changed, whole = (
            frozenset(filter(None, ((git(*_NAMES, start, "--") or "") + new).split("\0")))
            for start in (commit, _branch_start(call, root))
        )
        return cls(commit=commit, changed=changed, untouched=whole - changed)

    def asks_about(self, file: FileDiff) -> bool:
        """Whether a file of the change has changed since; so it counts where its name is not understood."""
        before = [
            line.partition(" from ")[2]
            for line in file.header.split("\n")
            if line.startswith(("rename from ", "copy from "))
        ]
        return not self.untouched.issuperset([file.name, *before])

    @property
    def told(self) -> str:
        """What is left out, for people."""
        return f"files that are as they were in {self.commit[:12]} were reviewed there"


def _read(text: str, count: str) -> list[FileDiff]:
    """The files of a diff; LokError if it is none, is cut, or has fewer files than ``count`` ("" = any)."""
    from pytest_lok.core.asking.diff import DiffError, read_diff

    try:
        # a prompt is text, so bytes that are none become marks
        found = read_diff(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    except DiffError as wrong:
        raise LokError(f"this is not a whole diff as git prints it: {wrong}") from wrong
    if count and not (count.isdigit() and int(count) <= len(found)):
        raise LokError(
            f"the diff has {len(found)} of {count} files, so it is not whole",
            hint="check the branch out, and review it here: lok security-review",
        )
    return found


def _is_excluded(name: str, patterns: Sequence[str], skipped: list[tuple[str, str]]) -> bool:
    """Whether a pattern of --exclude fits the path or one of its directories; then it is noted."""
    path = PurePosixPath(name)
    found = any(
        fnmatchcase(str(it), pattern.rstrip("/")) for it in (path, *path.parents) for pattern in patterns
    )
    if found:
        skipped.append((name, "excluded"))
    return found


def _json(document: object) -> str:
    """JSON as short as its texts: letters stand as they are, and what acts on a terminal is escaped.

    Escaping every letter would make a diff in another script several times as long, and too long for a step.
    """
    text = json.dumps(document, ensure_ascii=False)
    text = _NOT_ASCII.sub(lambda it: it[0] if it[0].isprintable() else json.dumps(it[0])[1:-1], text)
    return text.replace("##", "\\u0023\\u0023")


def _standard_input() -> str:
    # the locale may not be able to read what git prints
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if sys.stdin is not None else ""
    if not text.strip():
        raise LokError("the diff on standard input is empty: there is nothing to review")
    return text


def _change(call: Invocation, git: Git, root: Path, change: str, skipped: list[tuple[str, str]]) -> str:
    """The diff that ``change`` means: ``branch``, ``staged``, ``uncommitted``, or commits for `git diff`."""
    if change.startswith("-"):
        raise UsageError(f"{change!r} is no range of commits", hint="for example main..HEAD")
    what = {"staged": ("--cached",), "uncommitted": ("HEAD",)}.get(change, (change,))
    if change == "branch":
        what = (_branch_start(call, root),)
    # outside of a repository `git diff` compares two files
    if git("rev-parse", "--git-dir") is None:
        raise LokError(f"{root} is not in a git repository", hint="go to one, or name it: -d DIR")
    # paths are those of the project, which may be a part of the repository
    diff = git(*_DIFF, "--relative", *what, "--") or ""
    inside, everywhere = (
        (git("diff", "-z", "--name-only", option, *what, "--") or "").count("\0")
        for option in ("--relative", "--no-relative")
    )
    skipped += [("", "outside of the project")] * (everywhere - inside)
    if change in ("branch", "uncommitted"):
        diff += _new_files(git, root)
    if not diff.strip():
        usual = (f"{change} changes nothing", "name another range, such as main..HEAD")
        message, hint = _NOTHING.get(change, usual)
        raise LokError(message, hint=hint)
    return diff


def _new_files(git: Git, root: Path) -> str:
    """The files that git does not track yet and does not ignore, as a diff that adds them.

    LokError if one of them has no diff: a file that is left out would be a file that was not reviewed.
    """
    names = (git("ls-files", "-z", "--others", "--exclude-standard") or "").split("\0")
    return "".join(_new_file(git, root, name) for name in names if name)


def _new_file(git: Git, root: Path, name: str) -> str:
    path, file = name.rstrip("/"), root / name.rstrip("/")
    # of these two git compares what lies behind them, so they are told as a commit would tell them
    if name.isprintable() and file.is_symlink() and (target := str(file.readlink())).isprintable():
        body = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"
        return f"diff --git a/{path} b/{path}\nnew file mode 120000\n{body}"
    if name.isprintable() and name.endswith("/"):  # a repository inside of this one
        return f"diff --git a/{path} b/{path}\nnew file mode 160000\n"
    diff = git(*_DIFF, "--no-index", "--", os.devnull, name, ok_codes=(0, 1)) or ""
    if not diff.startswith("diff --git "):
        raise LokError(
            f"{name!r} is new and cannot be read", hint="check its permissions, or ignore it in git"
        )
    return diff


def _branch_start(call: Invocation, root: Path) -> str:
    """The commit at which this branch left what it is compared with; StepUnableError without one."""
    from pytest_lok.wiring.world import local_git

    # the settings have no say in it, so those of a change that nobody trusts are not even read
    return asyncio.run(local_git(root, call.environ).comparison([])).commit


def _document(part: Part, diff: bool) -> dict[str, object]:
    document: dict[str, object] = {"name": part.name, "files": part.files}
    if part.unreadable:
        # the engine makes an error of such an item
        document["unreadable"] = part.unreadable
    elif diff:
        document["text"] = part.text
    return document


def _listed(git: Git, root: Path, here: Path, paths: Sequence[str]) -> list[str]:
    """The files of git below these paths, tracked or new; without git, those with no hidden part."""
    wanted = [_inside(root, here, path) for path in paths or (".",)]
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *wanted)
    if listed is not None:
        return sorted({name for name in listed.split("\0") if name})
    found = [
        file
        for path in wanted
        for file in ([root / path] if (root / path).is_file() else (root / path).rglob("*"))
    ]
    names = [file.relative_to(root).as_posix() for file in found if file.is_file()]
    return sorted(
        {name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)}
    )


def _inside(root: Path, here: Path, path: str) -> str:
    """The path as the project names it; UsageError if it leads out of the project, or nowhere."""
    whole = existing_path(here, path)
    if not whole.is_relative_to(root):
        raise UsageError(
            f"{path} is outside of the project in {root}",
            hint=f"work there: `lok -d {path} …`, without the path",
        )
    return whole.relative_to(root).as_posix()


def _look_at(
    git: Git, root: Path, names: Sequence[str], skipped: list[tuple[str, str]]
) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    """The files to show with their sizes, and those that cannot be shown with why; the rest are skipped.

    A file that is here and cannot be shown is never skipped: the review is not whole without it.
    """
    from pytest_lok.core.asking.attachments import MAX_FILE_BYTES

    deleted = frozenset((git("ls-files", "-z", "--deleted") or "").split("\0"))
    sizes: list[tuple[str, int]] = []
    hidden: list[tuple[str, str]] = []
    for name in names:
        file = root / name
        size, why, unreadable = 0, "", ""
        if file.is_symlink():
            why = "link"
        elif not file.exists():
            why, unreadable = ("deleted", "") if name in deleted else ("", "it is not checked out")
        elif file.is_dir():
            unreadable = "it is a repository of its own"
        elif PurePosixPath(name).name in _LOCK_FILES:
            why = "lock file"
        else:
            size, why, unreadable = _size(file)
        if size > MAX_FILE_BYTES:
            unreadable = f"it has {size:,} bytes; the limit is {MAX_FILE_BYTES:,}"
        if why:
            skipped.append((name, why))
        elif unreadable:
            hidden.append((name, unreadable))
        else:
            sizes.append((name, size))
    return sizes, hidden


def _size(file: Path) -> tuple[int, str, str]:
    """The size in bytes, why the file is skipped, and why it cannot be shown; "" if it is or can."""
    from pytest_lok.core.asking.parts import is_media
    from pytest_lok.core.findings.encodings import is_binary

    try:
        content = file.read_bytes()
    except OSError as failure:
        return 0, "", f"it cannot be read: {failure.strerror}"
    if not content:
        return 0, "empty", ""
    if not is_binary(content):
        return len(content), "", ""
    return 0, *(("binary", "") if is_media(file.name) else ("", "it is binary"))


command = OptionsCommand(
    "parts",
    callback=_parts,
    params=[
        click.Argument(["paths"], nargs=-1, metavar="[PATH]..."),
        click.Option(["--diff"], is_flag=True, help="Part the diff on standard input instead."),
        click.Option(
            ["--files"],
            default="",
            metavar="N",
            help="How many files the diff on standard input must have; fewer are an error.",
        ),
        click.Option(
            ["--change"],
            default="",
            metavar="WHAT",
            help="Part a change instead: branch, staged, uncommitted, or a range such as main..HEAD.",
        ),
        click.Option(
            ["--exclude", "excluded"],
            multiple=True,
            metavar="GLOB",
            help="Skip these files or directories, such as vendor or *.min.js; repeat for several.",
        ),
        click.Option(["--allow-empty"], is_flag=True, help="It is no error if all files are skipped."),
        click.Option(
            ["--bytes", "limit"],
            type=click.IntRange(min=1_000),
            default=60_000,
            show_default=True,
            metavar="N",
            help="The size of a part; one large file is a part of its own.",
        ),
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Print the text files below PATH (default: all), or a diff, as parts for a
    step with `for_each`: a JSON document with `parts`, each with `name`, `files` and (of a diff) `text`, with
    `skipped`, and with `coverage` in one line. Skipped are
    empty files, pictures, fonts, sound, film and PDF, links, lock files (not in a diff), and what --exclude
    names.

    What no question can hold, another binary file or a hunk of more than 400,000 bytes, has no `text`: the
    question about it fails, and no review is whole without it.
    """,
)
