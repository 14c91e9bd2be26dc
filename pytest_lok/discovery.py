"""Names -> workflow files: the project's, the user's, and those that are built in."""

from __future__ import annotations

import os.path
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pytest_lok.core.text.inclusion import NamedText
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.cases.names import MOST_CHARACTERS, is_named
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.errors import Problem, UsageError, WorkflowError
from pytest_lok.prompt_files import PromptFiles

ROOT_MARKERS = (".lok", "lok.toml", "pyproject.toml", ".git")
"""A directory that holds one of these is a project's root."""

FIRST = "first"
"""The workflow that ``lok init`` writes."""


def find_root(start: Path) -> Path:
    """The nearest of ``start`` and its parents that holds a root marker; ``start`` itself if none does."""
    start = start.resolve()
    if not start.is_dir():
        start = start.parent
    for folder in (start, *start.parents):
        if is_marked(folder):
            return folder
    return start


def folder_in_repository(root: Path) -> str:
    """Where in its repository the directory lies, "" at the top of it, or in none."""
    root = root.resolve()
    top = next((it for it in (root, *root.parents) if os.path.lexists(it / ".git")), root)
    return "" if top == root else root.relative_to(top).as_posix()


def is_marked(folder: Path) -> bool:
    """Whether a directory holds a root marker."""
    return any(os.path.lexists(folder / mark) for mark in ROOT_MARKERS)


class WorkflowPaths:
    """Where workflow files lie, in the order they are looked for: first match wins.

    ``root`` is the project's directory, ``user`` the directory of the user's settings (None = there
    is none). ``SourceText.path`` is relative to ``root`` where the file lies inside, absolute elsewhere.
    """

    def __init__(self, root: Path, user: Path | None) -> None:
        self.root = root = root.resolve()
        self._folders: dict[Origin, Path] = {Origin.PROJECT: root / ".lok" / "workflows"}
        if user is not None:
            self._folders[Origin.USER] = user / "workflows"
        self._prompts = PromptFiles(root, user)
        self._folders[Origin.BUILTIN] = Path(__file__).parent / "workflows"
        # a project's files lie in few folders, and resolving a path asks the system for each of its parts
        self._resolved: dict[Path, Path] = {}

    def names(self) -> Iterator[tuple[str, Origin]]:
        """Every name in every folder, also the shadowed ones; UsageError where a folder cannot be read."""
        for origin, folder in self._folders.items():
            for name in sorted(_listing(folder)):
                yield name, origin

    def named(self, name: str, *, among: Collection[Origin] = tuple(Origin)) -> SourceText | None:
        """The first file of that name in these folders; WorkflowError if it exists and cannot be read."""
        if not name or "/" in name:
            return None
        for origin, folder in self._folders.items():
            file = folder / f"{name}.toml"
            if origin in among and _exists(file):
                return self._source(file, name, origin)
        return None

    def at(self, path: Path) -> SourceText:
        """The file at an explicit path; UsageError if there is no such TOML file."""
        if path.suffix != ".toml":
            raise UsageError(
                f"{path} is not a workflow",
                hint="give a name (`lok workflow list`) or the path of a .toml file",
            )
        if not os.path.lexists(path):
            raise UsageError(f"there is no file {path}")
        parent = self._resolve(path.absolute().parent)
        for origin, folder in self._folders.items():
            if isinstance(folder, Path) and self._resolve(folder) == parent:
                return self._source(path, path.stem, origin)
        return self._source(path, path.stem, Origin.PATH)

    def parent(self, name: str, child: SourceText) -> SourceText | None:
        """What ``extends = "name"`` means in ``child``: a path beside it, or a name, never the child itself.

        A child that extends its own name means the file that it shadows, in a later folder.
        """
        found = self._meant(name, child)
        return None if found is not None and found.path == child.path else found

    def inner(self, name: str, file: SourceText) -> SourceText | None:
        """What `workflow = "name"` of a step means in ``file``: as ``parent``, or the file itself."""
        found = self._meant(name, file)
        return file if found is None and name == file.stem else found

    def _meant(self, name: str, by: SourceText) -> SourceText | None:
        if name.endswith(".toml"):
            path = self._file(by).parent / name
            return self.at(path) if os.path.lexists(path) else None
        order = list(self._folders)
        if name == by.stem and by.origin in order:
            order = order[order.index(by.origin) + 1 :]
        return self.named(name, among=order)

    def beside(self, path: str, source: SourceText) -> str:
        """The text of a file named in ``source``, relative to it; OSError or ValueError if there is none."""
        return (self._file(source).parent / path).read_text(encoding="utf-8")

    def prompt(self, name: str) -> NamedText:
        """The text of a prompt; UsageError where it cannot be had. See ``PromptFiles``."""
        return self._prompts.named(name)

    def instruction(self, path: str) -> NamedText:
        """The text of a file of the project; UsageError where it cannot be had. See ``PromptFiles``."""
        return self._prompts.instruction(path)

    def files_beside(self, pattern: str, source: SourceText) -> list[str]:
        """The files that ``pattern`` names in ``source``, relative to it and sorted by name.

        The last part of it may have ``*`` and ``?``. OSError where a file is none, or a link leads to it;
        ValueError where it lies outside of the project, or of the directory of a workflow that is in none.
        """
        folder = pattern.rpartition("/")[0]
        beside = self._file(source).parent
        around = self.root if self._resolve(beside).is_relative_to(self.root) else self._resolve(beside)
        place = beside / folder
        # the same file by whatever way: no link leads out, and none leads to another file inside
        whole = Path(os.path.normpath(self._resolve(beside) / folder))
        if set("*?[") & set(folder):
            raise ValueError("only the last part of the path may have *, ? or [")
        if pattern.startswith("/") or not whole.is_relative_to(around):
            raise ValueError(f"it lies outside of {around}")
        if place.resolve() != whole:
            raise ValueError("a link leads there")
        if not place.is_dir():
            return []
        listed = [
            f"{folder}/{name}" if folder else name for name in sorted(it.name for it in place.iterdir())
        ]
        found = [name for name in listed if is_named(name, pattern)]
        for name in found:
            status = (beside / name).lstat()
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{name} is {'a link' if stat.S_ISLNK(status.st_mode) else 'no file'}")
            if status.st_size > 4 * MOST_CHARACTERS:
                raise ValueError(f"{name} has more than {MOST_CHARACTERS:,} characters")
        return found

    def _file(self, source: SourceText) -> Path:
        return self.root / source.path

    def _resolve(self, folder: Path) -> Path:
        """The folder without links; each is looked up once."""
        if folder not in self._resolved:
            self._resolved[folder] = folder.resolve()
        return self._resolved[folder]

    def _displayed_path(self, file: Path) -> str:
        folder = self._resolve(file.absolute().parent)
        inside = folder.is_relative_to(self.root)
        return str((folder.relative_to(self.root) if inside else folder) / file.name)

    def _source(self, file: Path, name: str, origin: Origin) -> SourceText:
        path = self._displayed_path(file)
        try:
            data = file.read_bytes()
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            raise WorkflowError([Problem(path=path, line=0, column=0, message=message)]) from error
        return SourceText.decode(data, path=path, stem=name, origin=origin)


def unknown_workflow(name: str, known: Iterable[str], root: Path, *, is_new: bool = False) -> UsageError:
    """The error for a name that is no workflow: what was meant, what there is.

    ``is_new``: the project has no workflow of its own yet.
    """
    names = sorted(set(known))
    close = did_you_mean(name, names, spelled="'{}'") if name != FIRST else ""
    if os.path.isfile(root / f"{name}.toml"):  # noqa: PTH113 - Path's raises where a name is too long
        close = f"for the file, give its path: ./{name}.toml."
    begins = (
        "`lok init` writes a first workflow." if is_new else "`lok init` writes it." if name == FIRST else ""
    )
    there = f"There are: {', '.join(names)}" if names else "There are none: put one into .lok/workflows/"
    hint = " ".join(filter(None, [close, begins, there]))
    return UsageError(f"there is no workflow {name!r}", hint=hint)


def _listing(folder: Path) -> list[str]:
    try:
        files = [entry.name for entry in folder.iterdir() if not entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"workflows cannot be looked for in {folder}: {error.strerror}") from error
    return [name.removesuffix(".toml") for name in files if name.endswith(".toml") and name[0] != "."]


def _exists(file: Path) -> bool:
    """Also a link that leads nowhere: reading it says so, which passing over it would not."""
    return os.path.lexists(file)
