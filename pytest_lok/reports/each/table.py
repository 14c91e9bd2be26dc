"""What came of the repositories of a list -> the table for people, and the document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_lok.core.results import Outcome
from pytest_lok.core.text.truncation import one_line
from pytest_lok.reports.console import cost, duration, nothing_judged, previews
from pytest_lok.reports.each.rows import RepositoryRun, counts, usage
from pytest_lok.reports.escaping import escape_control_chars
from pytest_lok.reports.facts import many
from pytest_lok.reports.json_report import run_as_json
from pytest_lok.reports.widths import columns_of, folded, padded, wrapped

_HEADING = ("OUTCOME", "TIME", "RUN", "REPOSITORY")
_NARROW = 60  # columns below which a table has no room for the ids of runs
_REASONS, _REASON = 3, 300


def table(rows: Sequence[RepositoryRun], *, width: int | None = None) -> str:
    """A line for each repository in the order of the list, and why below those that are no plain yes.

    No line is longer than ``width``: of a long name the end is shown. None = lines of any length.
    """
    cells = [_HEADING, *(_cells(row) for row in rows)]
    if width is not None and width < _NARROW:
        cells = [(outcome, time, name) for outcome, time, _, name in cells]
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)][:-1]
    room = None if width is None else max(8, width - sum(widths) - 2 * len(widths))
    lines, told = [], set[str]()
    for at, row in enumerate(cells):
        name = row[-1] if room is None else end_of(row[-1], room)
        heads = [padded(cell, columns) for cell, columns in zip(row, widths, strict=False)]
        lines.append("  ".join([*heads, name]).rstrip())
        why = [*_why(rows[at - 1], width)] if at else []
        # what stopped all is told once
        if at and rows[at - 1].state == "not run":
            why = [line for line in why if line not in told]
            told.update(why)
        lines += why
    return "\n".join(lines)


def diffs(rows: Sequence[RepositoryRun]) -> str:
    """The edits that a dry run has not made, each below the name of its repository; "" = none."""
    shown = ((row.repository.name, previews(row.run.result)) for row in rows)
    return "\n".join(f"== {name} ==\n{text}" for name, text in shown if text)


def end_of(text: str, columns: int) -> str:
    """The end of a text in at most so many columns, as the end of a path tells most; "…" begins a cut one."""
    text = " ".join(text.split())
    if columns_of(text) <= columns:
        return text
    text = text[-max(columns - 1, 0) :] if columns > 1 else ""
    while columns_of(text) >= columns and text:
        text = text[1:]
    return f"…{text}"


def reasons(row: RepositoryRun) -> list[str]:
    """Why a repository is no plain yes: the first lines of its troubles, without what only follows."""
    result, found = row.run.result, row.run.troubles
    troubles = [it for it in found if it.kind != "blocked"] or found
    if row.state != "ran":
        return [result.interrupted]
    if previews(result):
        return ["a dry run: the edits are shown, and not made"]
    if row.run.exit_code and result.outcome is Outcome.SKIPPED:
        return [nothing_judged(result) if result.idle else "nothing was judged: no step ran"]
    said = [trouble.text.partition("\n")[0] for trouble in troubles[:_REASONS]]
    left = len(troubles) - len(said)
    return [*said, *([f"and {many(left, 'reason')} more"] if left else [])]


def verdict_line(
    name: str, rows: Sequence[RepositoryRun], outcome: str, seconds: float, *, columns: int = 0
) -> str:
    """The verdict on all, how long it took, how many came to what, and what it cost.

    One line, or as many as fit ``columns``; 0 = a line of any length.
    """
    head = f"{name}: {outcome} in {duration(seconds)}"
    said = f"{_repositories(len(rows))}: {counts(rows)}"
    line = " · ".join(filter(None, [head, said, cost(usage(rows))]))
    return folded(line, columns) if columns else line


def each_document(
    rows: Sequence[RepositoryRun], *, workflow: str, outcome: str, exit_code: int, seconds: float
) -> dict[str, object]:
    """All for programs: the verdict, and each repository with its run as `lok run --json` prints one."""
    return {
        "workflow": workflow,
        "outcome": outcome,
        "exit_code": exit_code,
        "seconds": seconds,
        "usage": usage(rows),
        "repositories": [
            {
                "repository": row.repository.name,
                "line": row.repository.line,
                "path": row.repository.path,
                "url": row.repository.url,
                "commit": row.repository.commit,
                "state": row.state,
                "verdict": row.verdict,
                "exit_code": row.exit_code,
                "reasons": reasons(row),
                "run": run_as_json(row.run.result, row.exit_code),
            }
            for row in rows
        ],
    }


def progress_line(row: RepositoryRun, done: int, of: int, *, columns: int = 0) -> str:
    """The line that is said when a repository is done, in at most so many columns; 0 = of any length."""
    head = f"[{done}/{of}]  {row.verdict}  {duration(row.run.result.seconds)}  "
    label = row.repository.label
    return head + (end_of(label, max(8, columns - columns_of(head))) if columns else label)


def _repositories(number: int) -> str:
    return f"{number:,} {'repository' if number == 1 else 'repositories'}"


def _cells(row: RepositoryRun) -> tuple[str, ...]:
    result = row.run.result
    time = duration(result.seconds) if row.state == "ran" else ""
    return row.verdict, time, result.run_id, row.repository.label


def _why(row: RepositoryRun, width: int | None) -> Iterator[str]:
    for reason in reasons(row):
        line = f"    {escape_control_chars(one_line(reason, _REASON))}"
        for part in wrapped(line, width) if width is not None else [line]:
            yield part if width is None else _cut(part, width)


def _cut(line: str, width: int) -> str:
    """A line with a word that is longer than the terminal, cut there."""
    while columns_of(line) > width:
        line = f"{line[: len(line) - 2]}…"
    return line
