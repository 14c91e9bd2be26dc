"""``lok context``: what the project is, and what an issue, a pull request or a question is about."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.parts import Git
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import existing_path

if TYPE_CHECKING:
    from pytest_lok.workspace.forges.github import GitHub
    from pytest_lok.workspace.forges.gitlab import GitLab

_MANIFESTS = ("Cargo.toml", "Gemfile", "Pipfile", "go.mod", "package.json", "pyproject.toml", "setup.py")
_LOCK_FILES = (
    "Cargo.lock", "Gemfile.lock", "Pipfile.lock", "bun.lock", "bun.lockb", "go.sum", "package-lock.json",
    "pdm.lock", "pnpm-lock.yaml", "poetry.lock", "uv.lock", "yarn.lock",
)  # fmt: skip
_MOST_PACKAGES = 20
_MOST_MATCHES = 30
_MOST_PLACES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A directory with a manifest of its own: what it is written in, and the tools that it uses.

    ``manifests`` are the files that say so, lock files among them.
    """

    folder: str
    language: str
    tools: tuple[str, ...]
    manifests: tuple[str, ...]

    @classmethod
    def at(cls, root: Path, folder: str) -> Package:
        """The package in that folder of the project; "." is the project itself."""
        from pytest_lok.workspace.detection import detect

        language, tools = detect(root / folder)
        manifests = tuple(name for name in (*_MANIFESTS, *_LOCK_FILES) if (root / folder / name).is_file())
        return cls(folder=folder, language=language, tools=tuple(sorted(tools)), manifests=manifests)

    def __str__(self) -> str:
        seen = f" (by {', '.join(self.manifests)})" if self.manifests else ""
        tools = ", ".join(self.tools) or "no tool that lok knows"
        unknown = "no language that lok knows" if self.manifests else "no manifest was found"
        return f"- {self.folder}: {self.language or unknown}{seen}; {tools}"


def _context(folder: str | None, issue: str, pull: str, query: str) -> int:
    call = Invocation.of(click.get_current_context())
    root = existing_path(Path(), folder) if folder else call.project().root
    if not root.is_dir():
        raise UsageError(f"there is no directory {folder}")
    from pytest_lok.cli.forge import forge_at
    from pytest_lok.workspace.plumbing import git_text

    git: Git = functools.partial(git_text, root, call.environ)
    packages = [Package.at(root, name) for name in [".", *_package_folders(git)]]
    parts = ["\n".join(["# Project", "", *map(str, packages)])]
    if issue:
        said = forge_at(root, call.environ, issue).issue()
        parts += [f"# Issue {said['number']}: {said['title']}", str(said["body"]).strip()]
        parts += _code_about(git, root, f"{said['title']}\n{said['body']}")
    if pull:
        parts += _pull_request(forge_at(root, call.environ, pull))
    if query:
        parts += [f"# {query}", *_code_about(git, root, query)]
    text = "\n\n".join(filter(None, parts))
    if call.json:
        call.deliver_document({"root": str(root), "packages": packages, "text": text})
    else:
        call.deliver(text)
    return 0


def _package_folders(git: Git) -> list[str]:
    """The directories below with a manifest of their own, as a repository of several packages has them."""
    paths = [PurePosixPath(name) for name in _files(git)]
    folders = {str(path.parent) for path in paths if path.name in _MANIFESTS} - {"."}
    return sorted(folders)[:_MOST_PACKAGES]


def _pull_request(there: GitHub | GitLab) -> Iterator[str]:
    """Title, description and diff; one that is too long is cut between files, and the text says so."""
    from pytest_lok.core.asking.attachments import attachment
    from pytest_lok.core.asking.diff import DiffError, read_diff
    from pytest_lok.core.asking.parts import split_diff

    said = there.pull_request()
    yield f"# Pull request {said['number']}: {said['title']}"
    yield str(said["body"]).strip()
    try:
        parts, binary = split_diff(read_diff(there.diff()))
    except DiffError as wrong:
        raise LokError(f"the diff is none as git prints it: {wrong}") from wrong
    if parts and parts[0].text:
        yield attachment("changes", parts[0].text)
    hidden = sorted({name for part in parts[1:] for name in part.files})
    if hidden:
        yield f"Not shown, because it is too long: {', '.join(hidden)}"
    if binary:
        yield f"Binary: {', '.join(binary)}"


def _code_about(git: Git, root: Path, text: str) -> Iterator[str]:
    """The places that a text names, and the lines of code that hold its words."""
    from pytest_lok.core.asking.attachments import attachment
    from pytest_lok.core.text.code_references import code_places, excerpt, search_words

    for path, line in code_places(text, frozenset(_files(git)))[:_MOST_PLACES]:
        file = root / path
        if file.is_file() and not file.is_symlink():
            shown = excerpt(file.read_text("utf-8", "replace"), line)
            yield attachment(path, shown) if shown else f"{path} has no line {line}."
    for word in search_words(text):
        found = (git("grep", "-n", "-I", "-i", "-F", "-e", word, ok_codes=(0, 1)) or "").splitlines()
        if found:
            more = f"\nand {len(found) - _MOST_MATCHES:,} more lines" if len(found) > _MOST_MATCHES else ""
            yield f"## Lines with {word}\n\n" + "\n".join(found[:_MOST_MATCHES]) + more


def _files(git: Git) -> list[str]:
    """The files that git knows below the directory; [] outside of a repository."""
    names = (git("ls-files", "-z", "--cached", "--others", "--exclude-standard") or "").split("\0")
    return [name for name in names if name]


command = OptionsCommand(
    "context",
    callback=_context,
    params=[
        click.Argument(["folder"], metavar="[DIR]", required=False),
        click.Option(["--issue"], default="", metavar="N|URL", help="Add an issue and its code."),
        click.Option(["--pr", "pull"], default="", metavar="N|URL", help="Add a pull request with its diff."),
        click.Option(["-q", "--query"], default="", metavar="TEXT", help="Add the code a question is about."),
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Print what a language model should know before it works here: the language and tools of the
    project and of each package in it, and by which file they are known. --json has
    these facts as `packages`, and all of it as `text`.

    An issue or a question brings the places of code that it names and the lines that hold its words. What is
    too long is cut, and the text says so.
    """,
)
