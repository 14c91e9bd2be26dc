"""The cases of a run → tables of a page, each cell a link to the step that it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.reports.case_table import CaseTable, case_tables, money, tally
from pytest_lok.reports.console import duration
from pytest_lok.reports.drawing.markup import element
from pytest_lok.reports.facts import many, scores
from pytest_lok.reports.formats.reported_run import bounded_line
from pytest_lok.reports.page.space import PageSpace
from pytest_lok.reports.page.words import mark, outcome_words

_CELL = 200  # bytes of a cell
_ROWS = 500
_COLUMNS = 60


def case_sections(space: PageSpace, result: RunResult, links: Mapping[str, str]) -> Iterator[Markup]:
    """A section for each step with cases."""
    for table in case_tables(result):
        yield element(
            "section",
            element("h2", f"Cases of {bounded_line(table.step, 100)}"),
            element("div", _table(space, table, links), class_="cases", tabindex="0"),
        )


def _table(space: PageSpace, table: CaseTable, links: Mapping[str, str]) -> Markup:
    columns = table.columns[:_COLUMNS]
    # what did not pass gets its place first
    ordered = sorted(table.rows, key=table.is_green)[:_ROWS]
    chosen = {row for row in ordered if space.take(_CELL * (len(columns) + 1))}
    heads = [element("th", bounded_line(column, 60), scope="col") for column in columns]
    rows = [
        element(
            "tr",
            element("th", bounded_line(row, 100), scope="row"),
            *(_cell(table.cells.get((row, column)), links) for column in columns),
        )
        for row in table.rows
        if row in chosen
    ]
    left = [f"{many(table.unselected, 'case')} not selected"] if table.unselected else []
    left += (
        [f"no place for {many(len(table.rows) - len(rows), 'case')} more"]
        if len(rows) < len(table.rows)
        else []
    )
    left += (
        [f"no place for {many(len(table.columns) - len(columns), 'column')} more"]
        if len(columns) < len(table.columns)
        else []
    )
    sums = [element("td", tally(table.in_column(column)).replace("  ", " · ")) for column in columns]
    return element(
        "table",
        element("thead", element("tr", element("td", ""), *heads)),
        element("tbody", *rows),
        element("tfoot", element("tr", element("th", "together", scope="row"), *sums)),
        element("caption", ", ".join(left)) if left else "",
    )


def _cell(result: StepResult | None, links: Mapping[str, str]) -> Markup:
    if result is None:
        return element("td", "not selected", class_="faint")
    facts = [scores(result), duration(result.seconds) if result.ran else "", money(result.usage.cost_usd)]
    said = element(
        "span",
        mark(str(result.outcome)),
        element("span", outcome_words(result), class_="outcome"),
        element("span", " · ".join(filter(None, facts)), class_="time"),
    )
    link = links.get(result.name)
    return element("td", element("a", said, href=link) if link else said, class_=str(result.outcome))
