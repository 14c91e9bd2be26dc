"""Evaluation -> a page of HTML: the rates of every judge, and every case with what they made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from pytest_lok.core.evaluation.comparison import ComparedWorkflows
from pytest_lok.core.evaluation.evaluated import EvaluatedCase, Evaluation, JudgedCases
from pytest_lok.core.evaluation.scores import MarkedCase, MarkedRuling, Rate
from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.evaluation.comparison import COMPARED, compared_cells
from pytest_lok.reports.evaluation.table import case_lines, count, headline, mark_of, notes, price, share
from pytest_lok.reports.facts import many
from pytest_lok.reports.page.frame import framed
from pytest_lok.reports.page.texts import fold

_STYLE = """
.rates, .cases { border-collapse: collapse; width: 100% }
.rates, .cases { background: var(--card); border: 1px solid var(--line) }
.rates th, .rates td, .cases th, .cases td { padding: .35rem .6rem; text-align: left }
.rates th, .rates td, .cases th, .cases td { border-bottom: 1px solid var(--line) }
.rates td { white-space: nowrap; font-variant-numeric: tabular-nums }
.rates small { color: var(--faint); margin-left: .4em }
.wide { overflow: auto }
.mark-word { color: var(--kind); font-weight: 600; white-space: nowrap }
"""
_KINDS: Mapping[str, str] = {
    "caught": "passed",
    "clear": "passed",
    "partly": "failed",
    "missed": "failed",
    "false red": "failed",
    "inconclusive": "error",
}
_RATES = ("recall", "precision", "false greens", "false reds", "inconclusive", "flips")
_TEXT = 2_000
LONGEST = 2_000_000
"""Bytes of a page for what was said."""
_MOST = 20


def render_page(evaluations: Sequence[Evaluation], comparison: ComparedWorkflows | None = None) -> str:
    """The page, in which text of models and of changes is nothing but text."""
    parts = [_compared(comparison)] if comparison is not None else []
    title = " and ".join(it.workflow for it in evaluations)
    main = joined(*parts, *(_evaluation(it) for it in reversed(evaluations)))
    return framed(f"{title}: evaluation · lok", main, style=_STYLE)


def _compared(comparison: ComparedWorkflows) -> Markup:
    head = element("tr", element("th", ""), *(element("th", name) for name in COMPARED))
    rows = (
        element(
            "tr",
            element("th", str(it.judge), scope="row"),
            *(element("td", cell) for cell in compared_cells(it)),
        )
        for it in comparison.rows
    )
    first = comparison.rows[0]
    changed = [
        element("p", f"{word}: {', '.join(names)}")
        for word, names in (("mended", first.mended), ("broken", first.broken))
        if names
    ]
    title = f"From {comparison.old.workflow} to {comparison.new.workflow}"
    table = element("div", element("table", head, *rows, class_="rates"), class_="wide")
    return element("section", element("h2", title), table, *changed)


def _evaluation(evaluation: Evaluation) -> Markup:
    return joined(
        element("h1", headline(evaluation)),
        element("ul", *(element("li", line) for line in notes(evaluation))),
        element("section", element("h2", "Rates"), element("div", _rates(evaluation), class_="wide")),
        element("section", element("h2", "Cases"), element("div", _cases(evaluation), class_="wide")),
        element("section", element("h2", "What was said"), *_details(evaluation)),
    )


def _rates(evaluation: Evaluation) -> Markup:
    head = element("tr", element("th", ""), *(element("th", name) for name in (*_RATES, "cost")))
    return element("table", head, *(_rates_row(row) for row in evaluation.rows), class_="rates")


def _rates_row(row: JudgedCases) -> Markup:
    known = f" ({row.judge.name})" if row.judge.kind == "quorum" and row.judge.name else ""
    cells = [_rate(rate) for rate in row.scores.by_name().values()]
    return element(
        "tr",
        element("th", f"{row.judge}{known}", scope="row"),
        *cells,
        element("td", price(row.usage) if row.judge.kind != "quorum" else ""),
    )


def _rate(rate: Rate) -> Markup:
    if rate.share is None:
        return element("td", "")
    return element("td", count(rate), element("small", share(rate)))


def _cases(evaluation: Evaluation) -> Markup:
    head = element("tr", element("th", "case"), *(element("th", str(it.judge)) for it in evaluation.rows))
    rows = (
        element(
            "tr",
            element("th", it.case.name, scope="row"),
            *(element("td", *_marks(row.cases[number])) for row in evaluation.rows),
        )
        for number, it in enumerate(evaluation.cases)
    )
    return element("table", head, *rows, class_="cases")


def _marks(case: MarkedCase) -> Iterator[str]:
    """Each mark once, with how many repeats have it where they differ."""
    said = [mark_of(it) for it in case.rulings]
    for number, mark in enumerate(dict.fromkeys(said)):
        times = f" {said.count(mark)}×" if len(set(said)) > 1 else ""  # noqa: RUF001 - a sign is meant
        yield joined(
            " " if number else "", element("span", f"{mark}{times}", class_=f"mark-word {_KINDS[mark]}")
        )


def _details(evaluation: Evaluation) -> Iterator[Markup]:
    """Each case, those that are not right first, as long as there is place."""
    numbers = sorted(range(len(evaluation.cases)), key=lambda it: evaluation.own.cases[it].is_right)
    left = LONGEST
    for shown, number in enumerate(numbers):
        it, own = evaluation.cases[number], evaluation.own.cases[number]
        kind = "passed" if own.is_right else "failed"
        made = fold(it.case.name, *_case(it, own), class_=f"item {kind}")
        left -= len(made.encode())
        if left < 0:
            more = many(len(numbers) - shown, "case")
            yield element("p", f"and {more} more, for which there is no place", class_="more")
            return
        yield made


def _case(it: EvaluatedCase, own: MarkedCase) -> Iterator[Markup]:
    yield element("p", it.case.description or it.case.source.path, class_="faint")
    for title, listed in (
        ("must block", it.expected.must_block),
        ("must not block", it.expected.must_not_block),
    ):
        if listed:
            yield element("p", f"{title}:")
            yield element("ul", *(element("li", element("code", one.headline)) for one in listed))
    for number, ruling in enumerate(own.rulings[:_MOST], 1):
        yield from _ruling(number, ruling, own)
    if not own.rulings:
        yield element("p", "it was not run", class_="more")


def _ruling(number: int, it: MarkedRuling, own: MarkedCase) -> Iterator[Markup]:
    mark = mark_of(it)
    one = MarkedCase(name=own.name, expected=own.expected, rulings=(it,))
    said = " ".join(" ".join(case_lines(one, every=True)).split())[:_TEXT]
    yield element("p", element("span", f"{number}. {mark}", class_=f"mark-word {_KINDS[mark]}"), f" {said}")
    if it.ruling.blocking:
        shown = (f"{one.headline} · {', '.join(one.reporters)}"[:_TEXT] for one in it.ruling.blocking[:_MOST])
        yield element("ul", *(element("li", element("code", text)) for text in shown))
