"""``cases`` and ``matrix`` of a step → its cases, with every mistake told at its place."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_lok.core.templates.scope import CaseKeys
from pytest_lok.core.workflow.reading.cases.combinations import (
    KEY,
    NAME,
    ROW_NAME_HINT,
    Axis,
    NamedCase,
    combined,
    count_of,
    label_of,
    too_many,
)
from pytest_lok.core.workflow.reading.cases.names import SUFFIXES
from pytest_lok.core.workflow.reading.cases.rows import CaseRow, read_rows, value_problem
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Problem

if TYPE_CHECKING:
    from pytest_lok.core.toml.positions import Path
    from pytest_lok.core.workflow.reading.source import SourceText, WorkflowFile
    from pytest_lok.core.workflow.step_document import StepDocument

ReadFile: TypeAlias = "Callable[[str, SourceText], str]"
FindFiles: TypeAlias = "Callable[[str, SourceText], Sequence[str]]"

_KEY_HINT = "letters, digits and _, not beginning with a digit: it is read as `case.NAME`"


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRead:
    """The cases of a step, and the keys that its texts may read."""

    cases: tuple[NamedCase, ...]
    keys: CaseKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReader:
    """The keys ``cases`` and ``matrix`` of one step, and the files that the former may name.

    ``find`` lists the files of a pattern, ``read`` gives the text of one; OSError or ValueError where they
    cannot. None = the workflow has no directory.
    """

    file: WorkflowFile
    index: int
    document: StepDocument
    read: ReadFile | None = None
    find: FindFiles | None = None

    def cases(self) -> CasesRead:
        """What the step says; problems of it are reported to the file."""
        before = len(self.file.problems)
        axes, rows = self._axes(), self._rows()
        columns = dict.fromkeys(key for row in rows for key in row.values)
        for name in [name for name in axes if name in columns]:
            self._report(f"`{name}` is a key of the cases too", "call one of them otherwise", "matrix", name)
        if said := too_many(count_of(len(rows), axes)):
            self._report(said, "make several steps of them", "cases" if rows else "matrix", key=True)
        written = self.file.steps()[self.index].keys() & {"cases", "matrix"}
        # a key that holds something else has been reported already
        is_wrong = len(self.file.problems) > before or not written <= self.document.written
        cases: tuple[NamedCase, ...] = ()
        if not is_wrong and (rows or axes):
            cases = tuple(combined(self.document.name, rows, axes))
            self._check_unique(cases)
        lacking = {key: _lacking(key, rows) for key in columns} | dict.fromkeys(axes, "")
        return CasesRead(cases=cases, keys=CaseKeys(lacking=lacking, is_open=is_wrong))

    # --- the rows

    def _rows(self) -> list[CaseRow]:
        written = self.document.cases
        if written is None:
            return []
        rows = self._inline(written) if isinstance(written, list) else list(self._filed(written))
        places: dict[str, str] = {}
        usable: list[CaseRow] = []
        for row in rows:
            problems = [*_row_problems(row, places)]
            self.file.problems += problems
            if not problems:
                places[str(row.values["name"])] = row.place
                usable.append(row)
        return usable

    def _inline(self, tables: Sequence[Mapping[str, Any]]) -> Iterator[CaseRow]:
        if not tables:
            self._report("`cases` is empty", "a step for no case does nothing", "cases")
        for at, table in enumerate(tables):
            yield CaseRow(values=table, problem=partial(self._inline_problem, ("cases", at)))

    def _inline_problem(self, at: Path, key: str, message: str, hint: str) -> Problem:
        positions, path = self.file.positions, ("steps", self.index, *at)
        spot = positions.value((*path, key)) if key else positions.key(path)
        return self.file.source.problem(spot, message, hint)

    def _filed(self, pattern: str) -> Iterator[CaseRow]:
        source = self.file.source
        if not pattern.endswith(SUFFIXES):
            self._report(f"a file of cases ends with {', '.join(SUFFIXES)}", "", "cases")
            return
        try:
            if self.read is None or self.find is None:
                raise OSError("this workflow has no directory to read files from")
            names = self.find(pattern, source)
            if not names:
                hint = "the path starts at the workflow file's directory"
                self._report(f"there is no file {pattern!r}", hint, "cases")
        except (OSError, ValueError) as error:
            hint = "the path starts at the workflow file's directory"
            self._report(f"cannot read the cases {pattern!r}: {error}", hint, "cases")
            return
        for name in names:
            shown = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), name))
            try:
                text = self.read(name, source)
            except UnicodeDecodeError:
                self._report(f"{shown} is not UTF-8", "save it as UTF-8", "cases")
                continue
            except (OSError, ValueError) as error:
                self._report(f"cannot read {shown}: {error}", "", "cases")
                continue
            rows, problems = read_rows(shown, text)
            self.file.problems += problems
            yield from rows

    # --- the axes

    def _axes(self) -> dict[str, Axis]:
        matrix = self.document.matrix
        if matrix is not None and not matrix:
            self._report("`matrix` is empty", 'for example: matrix = { backend = ["a", "b"] }', "matrix")
        return {name: self._axis(name, values) for name, values in (matrix or {}).items()}

    def _axis(self, name: str, values: Sequence[str | int | float | bool]) -> Axis:
        if name == "name" or not KEY.fullmatch(name):
            hint = _KEY_HINT if name != "name" else "the name of a case is made of the values"
            self._report(f"{name!r} cannot be a key of a matrix", hint, "matrix", name, key=True)
        if not values:
            self._report(f"`{name}` has no values", "leave it out, or give it one", "matrix", name)
        labels: dict[str, int] = {}
        for at, value in enumerate(values):
            label = label_of(value)
            if why := value_problem(value):
                self._report(f"the value {value!r} {why}", "", "matrix", name, at)
            elif not label:
                hint = "it needs a letter or a digit"
                self._report(
                    f"the value {value!r} cannot stand in the name of a case", hint, "matrix", name, at
                )
            elif label in labels:
                first = values[labels[label]]
                self._report(
                    f"{value!r} and {first!r} are the same in the name of a case",
                    "keep one",
                    "matrix",
                    name,
                    at,
                )
            labels.setdefault(label, at)
        return [(label_of(value), value) for value in values]

    def _check_unique(self, cases: Sequence[NamedCase]) -> None:
        seen: dict[str, Mapping[str, object]] = {}
        for one in cases:
            if one.name in seen:
                self._report(
                    f"two cases are called {one.name!r}",
                    "their names are the values of the matrix and the name of the case, with - between them",
                    "matrix",
                )
                return
            seen[one.name] = one.case.values

    def _report(self, message: str, hint: str, *at: str | int, key: bool = False) -> None:
        self.file.report(("steps", self.index, *at), message, hint, key=key)


def _row_problems(row: CaseRow, places: Mapping[str, str]) -> Iterator[Problem]:
    name = row.values.get("name")
    if name is None or name == "":
        yield row.problem("", "this case has no name", 'each has one of its own: name = "empty-list"')
    elif not isinstance(name, str):
        yield row.problem("name", f"a case's name is text, not {name!r}", "write it in quotes")
    elif not NAME.fullmatch(name):
        yield row.problem("name", f"{name!r} cannot be the name of a case", ROW_NAME_HINT)
    elif name in places:
        yield row.problem("name", f"there is another case {name!r}", f"the first stands in {places[name]}")
    for key, value in row.values.items():
        if not KEY.fullmatch(str(key)):
            yield row.problem(str(key), f"{key!r} cannot be a key of a case", _KEY_HINT)
        elif why := value_problem(value):
            yield row.problem(str(key), f"`{key}` {why}", "")


def _lacking(key: str, rows: Sequence[CaseRow]) -> str:
    """The first of the rows without the key, and how many more there are; "" = each has it."""
    without = [row for row in rows if key not in row.values]
    if not without:
        return ""
    more = f", and {len(without) - 1} more," if len(without) > 1 else ""
    return f"the case `{without[0].values['name']}` ({without[0].place}{more})"
