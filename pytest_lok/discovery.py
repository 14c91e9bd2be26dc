"""Names -> workflow files: the project's, the user's, and those that are built in."""

from __future__ import annotations

import importlib.resources
import os.path
from collections.abc import Collection, Iterable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reader import SourceText
from pytest_lok.errors import Problem, UsageError, WorkflowError

MARKS = (".lok", "lok.toml", "pyproject.toml", ".git")
"""A directory that holds one of these is a project's root."""


def find_root(start: Path) -> Path:
    """The nearest of ``start`` and its parents that holds one of ``MARKS``; ``start`` itself if none does."""
    start = start.resolve()
    if not start.is_dir():
        start = start.parent
    for folder in (start, *start.parents):
        if any(os.path.lexists(folder / mark) for mark in MARKS):
            return folder
    return start


class WorkflowPaths:
    """Where workflow files lie, in the order they are looked for: first match wins.

    ``root`` is the project's directory, ``user`` the directory of the user's settings (None = there
    is none). ``SourceText.path`` is relative to ``root`` where the file lies inside, absolute elsewhere.
    """

    def __init__(self, root: Path, user: Path | None) -> None:
        self.root = root = root.resolve()
        self._places: dict[Origin, Traversable] = {Origin.PROJECT: root / ".lok" / "workflows"}
        if user is not None:
            self._places[Origin.USER] = user / "workflows"
        self._places[Origin.BUILTIN] = importlib.resources.files("pytest_lok.workflows")
        self._resolved: dict[Path, Path] = {}  # folders: a project's files lie in few

    def names(self) -> Iterator[tuple[str, Origin]]:
        """Every name on every shelf, also the shadowed ones; UsageError where a shelf cannot be read."""
        for origin, place in self._places.items():
            for name in sorted(_listing(place)):
                yield name, origin

    def named(self, name: str, *, among: Collection[Origin] = tuple(Origin)) -> SourceText | None:
        """The first file of that name on these shelves; WorkflowError if it is there and cannot be read."""
        if not name or "/" in name:
            return None
        for origin, place in self._places.items():
            file = place / f"{name}.toml"
            if origin in among and _is_there(file):
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
        folder = self._folder(path.absolute().parent)
        for origin, place in self._places.items():
            if isinstance(place, Path) and self._folder(place) == folder:
                return self._source(path, path.stem, origin)
        return self._source(path, path.stem, Origin.PATH)

    def parent(self, name: str, child: SourceText) -> SourceText | None:
        """What ``extends = "name"`` means in ``child``: a path beside it, or a name, never the child itself.

        A child that extends its own name means the one it shadows, on a later shelf.
        """
        if name.endswith(".toml"):
            path = self._file(child).parent / name
            return self.at(path) if os.path.lexists(path) else None
        order = list(self._places)
        if name == child.stem and child.origin in order:
            order = order[order.index(child.origin) + 1 :]
        found = self.named(name, among=order)
        return None if found is not None and found.path == child.path else found

    def beside(self, path: str, source: SourceText) -> str:
        """The text of a file named in ``source``, relative to it; OSError or ValueError if there is none."""
        return (self._file(source).parent / path).read_text(encoding="utf-8")

    def _file(self, source: SourceText) -> Path:
        return self.root / source.path

    def _folder(self, folder: Path) -> Path:
        """Where a folder really lies."""
        if folder not in self._resolved:
            self._resolved[folder] = folder.resolve()
        return self._resolved[folder]

    def _shown(self, file: Traversable) -> str:
        if not isinstance(file, Path):
            return str(file)
        folder = self._folder(file.absolute().parent)
        inside = folder.is_relative_to(self.root)
        return str((folder.relative_to(self.root) if inside else folder) / file.name)

    def _source(self, file: Traversable, name: str, origin: Origin) -> SourceText:
        path = self._shown(file)
        try:
            data = file.read_bytes()
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            raise WorkflowError([Problem(path=path, line=1, column=1, message=message)]) from error
        return SourceText.decode(data, path=path, stem=name, origin=origin)


def unknown(name: str, known: Iterable[str], root: Path) -> UsageError:
    """The error for a name that is no workflow: what was meant, what there is."""
    names = sorted(set(known))
    close = did_you_mean(name, names, spelled="'{}'")
    hint = f"{close} " if close else ""
    if (root / f"{name}.toml").is_file():
        hint = f"for the file, give its path: ./{name}.toml. "
    hint += f"There are: {', '.join(names)}" if names else "There are none: put one into .lok/workflows/"
    return UsageError(f"there is no workflow {name!r}", hint=hint)


def _listing(place: Traversable) -> list[str]:
    try:
        files = [entry.name for entry in place.iterdir() if not entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"workflows cannot be looked for in {place}: {error.strerror}") from error
    return [name.removesuffix(".toml") for name in files if name.endswith(".toml") and name[0] != "."]


def _is_there(file: Traversable) -> bool:
    """Also a link that leads nowhere: reading it says so, which passing over it would not."""
    return os.path.lexists(file) if isinstance(file, Path) else file.is_file()
