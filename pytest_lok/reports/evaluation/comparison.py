"""ComparedWorkflows -> its table for the terminal, and its part of the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.core.evaluation.comparison import ComparedWorkflows, PairedCases
from pytest_lok.core.json_values import Json
from pytest_lok.reports.evaluation.document import evaluation_document
from pytest_lok.reports.evaluation.table import table
from pytest_lok.reports.facts import many
from pytest_lok.reports.widths import aligned, fit

COMPARED = ("right before", "right now", "mended", "broken", "p")
_MEANING = "p: how often chance alone is as uneven (McNemar, exact); of cases both judge"


def compared_table(comparison: ComparedWorkflows, *, width: int = 80, every: bool = False) -> str:
    """Both tables, and then what has changed."""
    tables = [table(it, width=width, every=every) for it in (comparison.old, comparison.new)]
    return "\n".join([*tables, *_lines(comparison, width), ""])


def _lines(comparison: ComparedWorkflows, width: int) -> Iterator[str]:
    first = comparison.rows[0]
    yield f"from {comparison.old.workflow} to {comparison.new.workflow}: {many(first.cases, 'case')} paired"
    yield ""
    rows = [[fit(str(row.judge), 12), *compared_cells(row)] for row in comparison.rows]
    yield from aligned([["", *COMPARED], *rows], width=width)
    yield from ("", _MEANING)
    told = [("mended", first.mended), ("broken", first.broken)]
    if any(names for _, names in told):
        yield ""
    for word, names in told:
        yield from (f"  {fit(f'{word}: {name}', width - 2)}" for name in names)


def compared_cells(row: PairedCases) -> list[str]:
    """What is shown of a judge, in the order of COMPARED."""
    counts = [str(len(row.mended)), str(len(row.broken))]
    return [f"{row.old_right}/{row.cases}", f"{row.new_right}/{row.cases}", *counts, f"{row.p:.3g}"]


def comparison_document(comparison: ComparedWorkflows, exit_code: int) -> dict[str, Json]:
    """Both evaluations for programs, and for each judge what has changed between them."""
    rows: list[Json] = [
        {
            "kind": row.judge.kind,
            "name": row.judge.name,
            "quorum": row.judge.quorum if row.judge.kind == "quorum" else None,
            "cases": row.cases,
            "old_right": row.old_right,
            "new_right": row.new_right,
            "mended": [*row.mended],
            "broken": [*row.broken],
            "p": row.p,
        }
        for row in comparison.rows
    ]
    return {
        "exit_code": exit_code,
        "old": evaluation_document(comparison.old, exit_code),
        "new": evaluation_document(comparison.new, exit_code),
        "compared": rows,
    }
