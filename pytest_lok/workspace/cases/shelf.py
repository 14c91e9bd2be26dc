"""A directory of cases -> every case in it, with its files; every mistake in any of them is found at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_lok.core.evaluation.case import EvalCase
from pytest_lok.core.evaluation.case_reader import read_case
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import CaseError, Problem, UsageError

CASE_FILE = "case.toml"
SHARED_TREES = "trees"
"""A directory of this name holds files that several cases share, and no cases."""
MAX_CASES = 1_000
MAX_FILES = 2_000
MAX_BYTES = 20_000_000
"""Cases of one directory; and of one case the files of a side, and the bytes of it or of a patch."""

_MAX_CASE_FILE = 200_000
_DEEPEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """A file of a side: its bytes, and whether it may be executed."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedCase:
    """A case with the files that it names. None = the case has another way to say that side.

    ``before`` and ``after`` have the files of a side by their paths; ``patch`` is the change from ``before``.
    """

    case: EvalCase
    before: Mapping[str, TreeFile] | None = None
    after: Mapping[str, TreeFile] | None = None
    patch: bytes | None = None


def read_cases(folder: Path) -> list[ShelvedCase]:
    """All cases below a directory, or the one that it is; CaseError with every mistake in any of them."""
    shelf = _Shelf(folder)
    problems: list[Problem] = []
    found: list[ShelvedCase] = []
    for place in _places(folder, problems):
        if len(found) + len(problems) >= MAX_CASES:
            raise UsageError(f"{folder} holds more than {MAX_CASES:,} cases", hint="name a part of them")
        try:
            found.append(shelf.case(place))
        except CaseError as error:
            problems += error.problems
    if problems:
        raise CaseError(problems)
    if not found:
        hint = f"a case is a directory with a {CASE_FILE}; `lok schema case` has its keys"
        raise UsageError(f"there is no case in {folder}", hint=hint)
    return found


def _places(folder: Path, problems: list[Problem], depth: int = 0) -> Iterator[Path]:
    """The directories of cases, in the order of their names. A directory that is none is a problem."""
    if os.path.lexists(folder / CASE_FILE):
        yield folder
        return
    inside = [
        it for it in sorted(folder.iterdir()) if not it.name.startswith(".") and it.name != SHARED_TREES
    ]
    links = [it for it in inside if it.is_symlink()]
    folders = [it for it in inside if it.is_dir() and not it.is_symlink()]
    problems += [_problem(link, "this is a link", "copy what it leads to") for link in links]
    if depth and not folders:
        hint = f"name files that cases share {SHARED_TREES}/…, or write the {CASE_FILE}"
        problems.append(_problem(folder, f"this directory has no {CASE_FILE}", hint))
    if depth > _DEEPEST:
        problems.append(_problem(folder, "directories are nested too deeply", ""))
        return
    for it in folders:
        yield from _places(it, problems, depth + 1)


def _problem(path: Path, message: str, hint: str) -> Problem:
    return Problem(path=str(path), line=0, column=0, message=message, hint=hint)


class _Shelf:
    """The directory of all cases. Files that several of them name are read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trees: dict[Path, Mapping[str, TreeFile]] = {}

    def case(self, place: Path) -> ShelvedCase:
        """The case in a directory; CaseError says what is wrong with its file, or with those it names."""
        file = place / CASE_FILE
        name = place.name if place == self._folder else place.relative_to(self._folder).as_posix()
        case = read_case(_read(file, _MAX_CASE_FILE), name=name, path=str(file))
        change, sides = case.change, dict[str, Mapping[str, TreeFile]]()
        problems = []
        for key in ("before", "after"):
            if said := getattr(change, key):
                try:
                    sides[key] = self._tree(self._inside(place, said))
                except ValueError as wrong:
                    problems.append(case.problem((key,), f"{said}: {wrong}"))
        patch = None
        if change.patch:
            try:
                patch = _read(self._inside(place, change.patch), MAX_BYTES)
            except (ValueError, CaseError) as wrong:
                said = wrong.problems[0].message if isinstance(wrong, CaseError) else str(wrong)
                problems.append(case.problem(("patch",), f"{change.patch}: {said}"))
        if problems:
            raise CaseError(problems)
        return ShelvedCase(case=case, before=sides.get("before"), after=sides.get("after"), patch=patch)

    def _inside(self, place: Path, said: str) -> Path:
        """What a case names, which lies in the directory of all cases and behind no link."""
        path = Path(os.path.normpath(place / said))
        if not path.is_relative_to(self._folder):
            raise ValueError(f"it lies outside of {self._folder}")
        for part in (path, *path.parents):
            if part == self._folder:
                break
            if part.is_symlink():
                raise ValueError(f"{part.name} is a link")
        return path

    def _tree(self, root: Path) -> Mapping[str, TreeFile]:
        if root not in self._trees:
            self._trees[root] = _read_tree(root)
        return self._trees[root]


def _read_tree(root: Path) -> dict[str, TreeFile]:
    """Every file below a directory by its path from there; ValueError where that is no plain tree."""
    if not root.is_dir():
        raise ValueError("there is no such directory")
    files: dict[str, TreeFile] = {}
    size = 0
    for folder, names, listed in os.walk(root):
        names.sort()
        for name in sorted([*names, *listed]):
            path = Path(folder, name)
            shown, found = path.relative_to(root).as_posix(), path.lstat()
            if name.lower() == ".git":
                raise ValueError(f"{shown} belongs to a repository: leave it out")
            if stat.S_ISDIR(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode):
                raise ValueError(f"{shown} is a link, or no file")
            size += found.st_size
            if size > MAX_BYTES or len(files) >= MAX_FILES:
                raise ValueError(f"it has more than {MAX_FILES:,} files, or {MAX_BYTES:,} bytes")
            executable = bool(found.st_mode & stat.S_IXUSR)
            files[shown] = TreeFile(content=path.read_bytes(), executable=executable)
    if not files:
        raise ValueError("it has no files")
    return files


def _read(path: Path, most: int) -> bytes:
    """The bytes of a regular file; CaseError says why they cannot be had."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise CaseError([_problem(path, "this is a link, or no file", "")])
        if found.st_size > most:
            raise CaseError([_problem(path, f"the file has more than {most:,} bytes", "")])
        return path.read_bytes()
    except OSError as refused:
        raise CaseError([_problem(path, f"it cannot be read: {refused.strerror}", "")]) from None
