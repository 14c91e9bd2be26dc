"""Reports of an evaluation: they fit, they are bounded, and they claim to know no more than there is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest

from pytest_lok.core.evaluation.comparison import ComparedWorkflows
from pytest_lok.core.evaluation.evaluated import Evaluation
from pytest_lok.core.results import Usage
from pytest_lok.reports.evaluation import page
from pytest_lok.reports.evaluation.comparison import compared_table
from pytest_lok.reports.evaluation.junit import render_junit
from pytest_lok.reports.evaluation.page import render_page
from pytest_lok.reports.evaluation.table import table
from pytest_lok.reports.widths import columns_of
from tests.core.evaluation.test_scores import evaluation


@cache
def measured(seed: int = 1) -> Evaluation:
    """Thirty cases, of which each was repeated; the backends say what their answers cost."""
    whole = evaluation(seed, repeats=3)
    rows = [
        replace(row, usage=Usage(calls=90, cost_usd=12.3456, input_tokens=9_000_000)) for row in whole.rows
    ]
    return replace(whole, rows=tuple(rows), usage=rows[0].usage, workflow="review")


def named(whole: Evaluation, name: str) -> Evaluation:
    rows = [
        replace(row, judge=replace(row.judge, name=name * 9)) if row.judge.kind == "backend" else row
        for row in whole.rows
    ]
    return replace(whole, rows=tuple(rows))


@pytest.mark.parametrize("name", ["a", "anthropic-with-a-long-name", "模型"])
def test_the_table_fits_into_eighty_columns(name: str) -> None:
    both = ComparedWorkflows.of(measured(), measured(2))
    for text in (table(named(measured(), name)), compared_table(both)):
        assert max(map(columns_of, text.splitlines())) <= 80, text


def test_a_price_that_is_not_known_makes_the_sum_a_part() -> None:
    whole = measured()
    rows = list(whole.rows)
    assert "> $" not in table(whole)
    rows[1] = replace(rows[1], usage=Usage(calls=90, input_tokens=9_000))
    said = table(replace(whole, rows=tuple(rows))).splitlines()
    assert said[4].endswith("> $12.35")
    assert said[5].endswith("9,000 t")


def test_a_page_is_bounded_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LONGEST", 4_000)
    text = render_page([measured()])
    assert "cases more, for which there is no place" in text
    assert text.count("<details") < 30
    assert "<script" not in text


def test_junit_has_every_repeat_and_what_was_not_run() -> None:
    whole = measured()
    short = replace(whole.rows[0].cases[0], rulings=whole.rows[0].cases[0].rulings[:1])
    own = replace(whole.rows[0], cases=(short, *whole.rows[0].cases[1:]))
    cut = replace(whole, rows=(own, *whole.rows[1:]), cut="stopped\x07 ]]> & \ud800")
    suite = ElementTree.fromstring(render_junit([cut]))[0]
    assert suite.get("tests") == "90"
    lost = [it for it in suite.iter("error") if (it.get("message") or "").startswith("not run: stopped")]
    assert len(lost) == 2
