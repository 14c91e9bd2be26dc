"""``lok parts``: the files of a project, or a diff, as parts that fit into one question each."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import LokError, UsageError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.asking.parts import Part

_LOCK_FILES = frozenset({
    "Cargo.lock", "Gemfile.lock", "Pipfile.lock", "bun.lock", "composer.lock", "flake.lock", "go.sum",
    "mix.lock", "npm-shrinkwrap.json", "package-lock.json", "pdm.lock", "pnpm-lock.yaml", "poetry.lock",
    "pubspec.lock", "uv.lock", "yarn.lock",
})  # fmt: skip
_NOT_ASCII = late_regex(r"[^\x20-\x7e]")
_DIFF = (
    *("-c", "core.quotePath=off", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"),
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color"),
)
_NOTHING = {
    "staged": ("nothing is staged", "git add, or review what is not: `lok diff --unstaged`"),
    "branch": ("this branch changes nothing", "commit or write something, or name a range of commits"),
    "uncommitted": ("nothing is uncommitted", "name a range, such as main..HEAD"),
}
_GENERATED = ("linguist-generated", "linguist-vendored")


def _parts(paths: tuple[str, ...], diff: bool, change: str, limit: int) -> int:
    from pytest_lok.core.asking.parts import coverage, group_files, split_diff

    call = Invocation.of(click.get_current_context())
    root = call.options.directory or Path.cwd()
    if bool(paths) + diff + bool(change) > 1:
        raise UsageError("PATH, --diff and --change exclude each other", hint="give one of them")
    skipped: list[tuple[str, str]]
    if diff or change:
        text = _change(call, root, change) if change else _standard_input()
        # a prompt is text, so bytes that are none become marks
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        parts, binary = split_diff(text, limit)
        skipped = [(name, "binary") for name in binary]
        shown = len({name for part in parts for name in part.files})
    else:
        sizes, skipped = _look_at(root, _listed(root, paths or (".",)))
        parts, shown = group_files(sizes, limit), len(sizes)
    covered = coverage(shown, parts, skipped)
    if not parts:
        raise LokError(f"there is no text to review: {covered}")
    found = {
        "coverage": covered,
        "parts": [_document(part, bool(diff or change)) for part in parts],
        "skipped": [{"file": name, "why": why} for name, why in skipped],
    }
    call.deliver(_json(found))
    return 0


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


def _change(call: Invocation, root: Path, change: str) -> str:
    """The diff that ``change`` means: ``branch``, ``staged``, ``uncommitted``, or commits for `git diff`."""
    if change.startswith("-"):
        raise UsageError(f"{change!r} is no range of commits", hint="for example main..HEAD")
    what = {"staged": ("--cached",), "uncommitted": ("HEAD",)}.get(change, (change,))
    if change == "branch":
        what = (_branch_start(call),)
    # outside of a repository `git diff` compares two files
    diff = _git(root, *_DIFF, *what, "--") if _git(root, "rev-parse", "--git-dir") is not None else None
    if diff is None:
        raise LokError(f"{root} is not in a git repository", hint="go to one, or name it: -d DIR")
    if not diff.strip():
        usual = (f"{change} changes nothing", "name another range, such as main..HEAD")
        message, hint = _NOTHING.get(change, usual)
        raise LokError(message, hint=hint)
    return diff


def _branch_start(call: Invocation) -> str:
    """The commit at which this branch left what it is compared with; StepUnableError without one."""
    workspace = call.project().world(shown=True).workspace
    return asyncio.run(workspace.comparison([])).commit


def _document(part: Part, diff: bool) -> dict[str, object]:
    document: dict[str, object] = {"name": part.name, "files": part.files}
    if diff and not part.too_large:
        document["text"] = part.text
    return document


def _listed(root: Path, paths: Sequence[str]) -> list[str]:
    """The files of git below these paths, tracked or new; without git, those with no hidden part."""
    for path in paths:
        if not (root / path).resolve().is_relative_to(root.resolve()):
            raise UsageError(
                f"{path} is outside of the project in {root}",
                hint=f"work there: `lok -d {path} …`, without the path",
            )
        if not (root / path).exists():
            raise UsageError(f"there is no {path} in {root}")
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths)
    if listed is not None:
        return sorted({name for name in listed.split("\0") if name})
    found = [
        file
        for path in paths
        for file in ([root / path] if (root / path).is_file() else (root / path).rglob("*"))
    ]
    names = [file.relative_to(root).as_posix() for file in found if file.is_file()]
    return sorted(
        {name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)}
    )


def _look_at(root: Path, names: Sequence[str]) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    """The text files with their sizes, and those that are skipped, each with why.

    A file that cannot be read is kept: the question about it says why, and the review is not whole.
    """
    generated = _generated(root, names)
    sizes: list[tuple[str, int]] = []
    skipped: list[tuple[str, str]] = []
    for name in names:
        file = root / name
        if file.is_symlink():
            skipped.append((name, "link"))
        elif not file.exists():
            skipped.append((name, "deleted"))
        elif file.is_dir():
            skipped.append((name, "repository of its own"))
        elif PurePosixPath(name).name in _LOCK_FILES:
            skipped.append((name, "lock file"))
        elif name in generated:
            skipped.append((name, "generated"))
        else:
            size, why = _size(file)
            if why:
                skipped.append((name, why))
            else:
                sizes.append((name, size))
    return sizes, skipped


def _size(file: Path) -> tuple[int, str]:
    """The size in bytes, and why the file is skipped, "" if it is not."""
    try:
        content = file.read_bytes()
    except OSError:
        return 0, ""
    if not content:
        return 0, "empty"
    return len(content), "binary" if b"\0" in content else ""


def _generated(root: Path, names: Sequence[str]) -> frozenset[str]:
    """The files that .gitattributes calls generated or vendored."""
    said = _git(root, "check-attr", "-z", "--stdin", *_GENERATED, stdin="\0".join(names))
    fields = (said or "").split("\0")
    triples = zip(fields[::3], fields[2::3], strict=False)
    return frozenset(name for name, value in triples if value in ("set", "true"))


def _git(root: Path, *arguments: str, stdin: str = "") -> str | None:
    """What git prints; None where there is no repository or no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    if done.returncode:
        if b"not a git repository" in done.stderr:
            return None
        raise LokError(f"git failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "surrogateescape")


command = OptionsCommand(
    "parts",
    callback=_parts,
    params=[
        click.Argument(["paths"], nargs=-1, metavar="[PATH]..."),
        click.Option(["--diff"], is_flag=True, help="Part the diff on standard input instead."),
        click.Option(
            ["--change"],
            default="",
            metavar="WHAT",
            help="Part a change instead: branch, staged, uncommitted, or a range such as main..HEAD.",
        ),
        click.Option(
            ["--bytes", "limit"],
            type=click.IntRange(min=1_000),
            default=60_000,
            show_default=True,
            metavar="N",
            help="The size of a part; one large file is a part of its own.",
        ),
    ],
    accepts=("output", *COMMON_OPTIONS),
    help="""Print the text files below PATH (default: all), or a diff, as parts for a
    step with `for_each`: a JSON document with `parts`, each with `name`, `files` and (of a diff) `text`, with
    `skipped`, and with `coverage` in one line. Skipped are binary, empty, generated (.gitattributes) and
    lock files.

    A part of a diff that no question can hold has no `text`, so that the question about it fails.
    """,
)
