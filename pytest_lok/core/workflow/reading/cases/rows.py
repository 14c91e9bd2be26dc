"""The text of a file of cases → its rows, or what is wrong with it, each with its line."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from pytest_lok.core.results import Json
from pytest_lok.core.text.strict_json import MAX_DEPTH, load
from pytest_lok.core.toml.positions import KeyPositions, SourceSpan
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.cases.names import MOST_CHARACTERS
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError, Problem, WorkflowError

_TABLES = "cases"
"""The key of the tables in a TOML file of several cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case as it is written: its values, and a problem of it at its place (``key`` = of that key)."""

    values: Mapping[str, Any]
    problem: Callable[[str, str, str], Problem]

    @property
    def place(self) -> str:
        """The file and the line."""
        found = self.problem("", "", "")
        return f"{found.path}:{found.line}"


CaseRows: TypeAlias = tuple[list[CaseRow], list[Problem]]
"""The rows that could be read, and what is wrong with the others."""


def read_rows(path: str, text: str) -> CaseRows:
    """The rows of the file of that name; ``path`` is as messages show it."""
    source = SourceText(text=text, path=path, stem=PurePosixPath(path).stem, origin=Origin.PATH)
    if len(text) > MOST_CHARACTERS:
        message = f"the file has {len(text):,} characters; a file of cases has at most {MOST_CHARACTERS:,}"
        return [], [_at_line(source, 1, message, "make several files of it")]
    reader = {".csv": _csv_rows, ".jsonl": _json_rows}.get(PurePosixPath(path).suffix, _toml_rows)
    rows, problems = reader(source)
    if not rows and not problems:
        problems = [_at_line(source, 1, "there is no case in this file", "")]
    return rows, problems


def value_problem(value: object, depth: int = 0) -> str:
    """Why the value can be none of a case; "" if it can."""
    if isinstance(value, float) and not math.isfinite(value):
        return "is no finite number"
    if value is None or isinstance(value, str | int | float):
        return ""
    if depth > MAX_DEPTH:
        return "is nested too deeply"
    if isinstance(value, Mapping | list):
        held = value.values() if isinstance(value, Mapping) else value
        return next((why for it in held if (why := value_problem(it, depth + 1))), "")
    return "is a date or a time: write it in quotes"


def _toml_rows(source: SourceText) -> CaseRows:
    """``[[cases]]`` tables, or a file that is one case, which has the name of the file."""
    try:
        data = source.toml()
    except WorkflowError as error:
        return [], list(error.problems)

    # the scan for places takes longer than the reading, and most files need none
    @functools.cache
    def positions() -> KeyPositions:
        return KeyPositions(source.text.removeprefix("\ufeff"))

    def problem_at(path: tuple[str | int, ...], key: str, message: str, hint: str) -> Problem:
        spot = positions().value((*path, key)) if key else positions().key(path)
        return source.problem(spot, message, hint)

    tables = data.get(_TABLES)
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        at = functools.partial(problem_at, ())
        return ([CaseRow(values={"name": source.stem, **data}, problem=at)] if data else []), []
    wrong = [
        problem_at((), key, f"`{key}` stands beside [[{_TABLES}]]", "each case has its keys in its own table")
        for key in data
        if key != _TABLES
    ]
    return [
        CaseRow(values=table, problem=functools.partial(problem_at, (_TABLES, at)))
        for at, table in enumerate(tables)
    ], wrong


def _json_rows(source: SourceText) -> CaseRows:
    rows: list[CaseRow] = []
    problems: list[Problem] = []
    for number, line in enumerate(source.text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value: Json = load(line)
        except json.JSONDecodeError as error:
            problems.append(_at_line(source, number, f"this is not JSON: {error.msg}", _JSON_HINT))
            continue
        except OutputError as error:
            problems.append(_at_line(source, number, error.message, error.hint))
            continue
        if isinstance(value, dict):
            rows.append(CaseRow(values=value, problem=functools.partial(_of_row, source, number)))
        else:
            problems.append(_at_line(source, number, "a case is a JSON object", _JSON_HINT))
    return rows, problems


_JSON_HINT = 'one object a line: {"name": "a", "question": "…"}'


def _csv_rows(source: SourceText) -> CaseRows:
    lines = _csv_lines(source)
    try:
        _, columns = next(lines, (1, list[str]()))
        if wrong := _header_problem(columns):
            return [], [_at_line(source, 1, *wrong)]
        rows, problems = list[CaseRow](), list[Problem]()
        for number, fields in lines:
            if len(fields) == len(columns):
                values = dict(zip(columns, fields, strict=True))
                rows.append(CaseRow(values=values, problem=functools.partial(_of_row, source, number)))
            elif fields:
                plural = "" if len(fields) == 1 else "s"
                counts = f"this row has {len(fields)} field{plural}, and the first line names {len(columns)}"
                problems.append(
                    _at_line(source, number, counts, "a comma inside of a field needs quotes around it")
                )
    except _BrokenRowError as error:
        return [], [error.problem]
    return rows, problems


class _BrokenRowError(Exception):
    """A file of comma-separated values that cannot be read any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _csv_lines(source: SourceText) -> Iterator[tuple[int, list[str]]]:
    """Each row's first line and its fields."""
    reader = csv.reader(io.StringIO(source.text.removeprefix("\ufeff"), newline=""), strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise _BrokenRowError(_at_line(source, begins, f"this is not CSV: {error}", "")) from None
        if fields is None:
            return
        yield begins, fields


def _header_problem(columns: Sequence[str]) -> tuple[str, str] | None:
    twice = [column for column in columns if list(columns).count(column) > 1]
    if twice:
        return f"two columns are called {twice[0]!r}", "each column has a name of its own"
    if "name" not in columns:
        hint = "the first line names the columns, with commas between them: name,question,want"
        return "there is no column `name`", hint
    return None


def _at_line(source: SourceText, line: int, message: str, hint: str) -> Problem:
    lines = source.text.replace("\r\n", "\n").split("\n")
    excerpt = lines[line - 1] if line <= len(lines) else ""
    return source.problem(
        SourceSpan(line=line, column=1, length=len(excerpt), excerpt=excerpt), message, hint
    )


def _of_row(source: SourceText, line: int, key: str, message: str, hint: str) -> Problem:
    del key  # the line is the row
    return _at_line(source, line, message, hint)
