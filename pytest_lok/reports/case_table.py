"""RunResult → a table for each step with cases: a row per case, a column per combination of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_lok.core.results import NO_USAGE, RunResult, Score, StepResult
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.console import duration
from pytest_lok.reports.facts import many, score_text, scores
from pytest_lok.reports.table import MARKS
from pytest_lok.reports.widths import columns_of, fit, padded

_ROW = 24  # columns of the name of a case
_HEAD = 20  # columns of the name of a combination
_ROWS = 100
_GAP = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """The results of a step's cases, by row and column, both in the order of the file.

    ``columns`` is ("",) for a step without a matrix. A row or a column in which nothing was selected is left
    out; ``unselected`` counts the cases that were not.
    """

    step: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], StepResult]
    unselected: int = 0

    def in_column(self, column: str) -> list[StepResult]:
        """The results of a column, from top to bottom."""
        return [self.cells[row, column] for row in self.rows if (row, column) in self.cells]

    def is_green(self, row: str) -> bool:
        """Whether everything in the row has passed."""
        return all(cell.passed for (its, _), cell in self.cells.items() if its == row)


def case_tables(result: RunResult) -> list[CaseTable]:
    """The tables of a run, one for each step with cases."""
    steps = dict.fromkeys(place.step for place in result.cases.values())
    found = []
    for step in steps:
        places = [place for place in result.cases.values() if place.step == step]
        cells = {(it.row, it.column): result.steps[it.name] for it in places if it.name in result.steps}
        if cells:
            selected = [it for it in places if (it.row, it.column) in cells]
            rows = dict.fromkeys(it.row for it in selected)
            columns = dict.fromkeys(it.column for it in selected)
            left = len(places) - len(selected)
            found.append(
                CaseTable(step=step, rows=(*rows,), columns=(*columns,), cells=cells, unselected=left)
            )
    return found


def case_lines(result: RunResult, width: int = 0) -> Iterator[str]:
    """The tables as text of at most so many columns (0 = any), wide ones in several parts.

    Of very many rows those are shown in which something did not pass.
    """
    for table in case_tables(result):
        yield from _lines(table, width)


def tally(results: Sequence[StepResult]) -> str:
    """``18 of 20 passed  $0.0312  41.2 s``: what came of these cases, what they cost and took together."""
    passed = sum(it.passed for it in results)
    usage = sum((it.usage for it in results), NO_USAGE)
    facts = [f"{passed} of {len(results)} passed", *_means(results), money(usage.cost_usd)]
    return _GAP.join([*filter(None, facts), duration(sum(it.seconds for it in results))])


def cell_text(result: StepResult) -> str:
    """``✓ 1.2 s $0.0012``: the mark of a case, its time and what it cost, as far as that is known."""
    facts = [
        MARKS[result.outcome],
        scores(result),
        duration(result.seconds) if result.ran else "",
        money(result.usage.cost_usd),
    ]
    return " ".join(filter(None, facts))


def _means(results: Sequence[StepResult]) -> Iterator[str]:
    """The mean of each score, over the cases that have it."""
    by_name: dict[str, list[Score]] = {}
    for result in results:
        for score in result.scores:
            by_name.setdefault(score.name, []).append(score)
    for found in by_name.values():
        mean = sum(it.value for it in found) / len(found)
        of = f" ({len(found)} of {len(results)})" if len(found) < len(results) else ""
        yield f"mean {score_text(replace(found[0], value=round(mean, 2)))}{of}"


def money(cost: float | None) -> str:
    """The cost in dollars; "" where it is not known, or nothing."""
    return f"${cost:.4f}" if cost else ""


def _lines(table: CaseTable, width: int) -> Iterator[str]:
    shown = [*table.rows]
    if len(shown) > _ROWS:
        shown = [row for row in shown if not table.is_green(row)][:_ROWS]
    most = min(_ROW, max(width // 3, 8)) if width else _ROW
    names = min(most, max([columns_of(table.step), *(columns_of(row) + 2 for row in shown)]))
    columns = [_column(table, column, shown) for column in table.columns]
    heads = [f"  {fit(row, names - 2)}" for row in shown]
    for part in _parts(columns, width - names if width else 0):
        first = [fit(table.step, names), *heads]
        for number, head in enumerate(first):
            cells = [padded(column[number], max(map(columns_of, column))) for column in part]
            yield _GAP.join([padded(head, names), *cells]).rstrip()
    if left := len(table.rows) - len(shown):
        others = [row for row in table.rows if row not in shown]
        said = ", all passed" if all(map(table.is_green, others)) else ""
        yield f"  and {many(left, 'case')} more{said}"
    for column in table.columns:
        yield f"  {' '.join(filter(None, [column + ':' if column else '', tally(table.in_column(column))]))}"
    if table.unselected:
        yield f"  not selected: {many(table.unselected, 'case')}"


def _column(table: CaseTable, column: str, rows: Sequence[str]) -> list[str]:
    found = [table.cells.get((row, column)) for row in rows]
    return [fit(column, _HEAD), *(cell_text(it) if it else "" for it in found)]


def _parts(columns: Sequence[list[str]], room: int) -> Iterator[list[list[str]]]:
    """The columns in as few groups as fit, one below the other."""
    part: list[list[str]] = []
    taken = 0
    for column in columns:
        size = max(map(columns_of, column)) + len(_GAP)
        if part and room and taken + size > room:
            yield part
            part, taken = [], 0
        part.append(column)
        taken += size
    if part:
        yield part
