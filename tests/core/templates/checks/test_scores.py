"""Conditions about scores: what a judge is asked, and what is a mistake before anybody is."""

from __future__ import annotations

from itertools import product

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.templates.checks.scores import Rubric
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import CaseKeys, Scope, VisibleNames
from pytest_lok.errors import SourceError, TemplateError

NAMES = VisibleNames(own=True, cases=CaseKeys(lacking={"want": "", "rule": ""}))


def own(text: str) -> StepResult:
    return StepResult(name="x", outcome=Outcome.PASSED, output=text)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('rubric("it is right")', Rubric(text="it is right")),
        ('rubric("it is right", "claude")', Rubric(text="it is right", backend="claude")),
        ('rubric("a", score="0-10") >= 7', Rubric(text="a", score="0-10")),
        ('rubric("a", score="1-5", backend="b") > 2', Rubric(text="a", backend="b", score="1-5")),
        ('rubric("a", "b", "1-5") == 3', Rubric(text="a", backend="b", score="1-5")),
        ("rubric(case.rule)", Rubric(key="rule")),
        ('rubric(case.rule, score="0-100") > 50 and output', Rubric(key="rule", score="0-100")),
    ],
)
def test_what_a_judge_is_asked(source: str, wanted: Rubric) -> None:
    assert Condition.parse(source.replace(" and output", " and output != ''"), NAMES).rubrics == (wanted,)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('rubric("a", score="0-10")', "this is a number"),
        ("similar(output, case.want)", "this is a number"),
        ('rubric("a", score="ten") > 1', "'ten' is no scale"),
        ('rubric("a", score="10-0") > 1', "'10-0' is no scale"),
        ('rubric("a", score="3-3") > 1', "'3-3' is no scale"),
        ('rubric("a", score=case.want) > 1', "takes quoted texts"),
        ("rubric(output)", "takes quoted texts"),
        ("rubric(case)", "takes quoted texts"),
        ('rubric("a", score="0-10") >= 0', "between 0 and 10, so this is always so"),
        ('rubric("a", score="0-10") > 10', "so this is never so"),
        ('rubric("a", score="1-5") == 7', "so this is never so"),
        ('7 != rubric("a", score="1-5")', "so this is always so"),
        ("similar(output, case.want) >= 80", "between 0 and 1, so this is never so"),
        ("not 1 < similar(output, case.want)", "so this is never so"),
        ("similar(output)", "does not take this"),
        ('rubric("a") >= 7', "this rubric is true or false"),
        ('rubric("a") != "no"', "this rubric is true or false"),
        ('0 == rubric("a", backend="claude")', "this rubric is true or false"),
        ('rubric("a", score="0-10") == true', "a score is a number"),
        ('similar(output, case.want) != "x"', "a score is a number"),
    ],
)
def test_what_decides_nothing_is_a_mistake(source: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        Condition.parse(source, NAMES)
    assert any(said in fault.message for fault in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("sign", "number", "score", "turned"),
    [
        (s, n, v, t)
        for s, n, v, t in product(("<", "<=", ">", ">=", "==", "!="), (1, 3, 5), (1, 2, 3, 5), (False, True))
    ],
)
def test_only_what_is_so_for_every_score_is_refused(sign: str, number: int, score: int, turned: bool) -> None:
    """The check against each whole score of the scale, one by one."""
    call = 'rubric("a", score="1-5")'
    source = f"{number} {sign} {call}" if turned else f"{call} {sign} {number}"
    every = {eval(f"{number} {sign} {it}" if turned else f"{it} {sign} {number}") for it in (1, 2, 3, 4, 5)}
    if len(every) == 1:
        with pytest.raises(SourceError):
            Condition.parse(source, NAMES)
        return
    scope = Scope(own=own(""), judgements={("a", "", "1-5"): float(score)})
    held = Condition.parse(source, NAMES).holds(scope)
    assert held is eval(f"{number} {sign} {score}" if turned else f"{score} {sign} {number}")


def test_scores_are_told_by_what_is_written() -> None:
    source = "similar(output | lower,\n  case.want) > 0.5 or similar(output, 'x') | round(1) == 0.3"
    condition = Condition.parse(source, NAMES)
    scope = Scope(own=own("ABCD"), case={"want": "abcx", "rule": ""})
    assert condition.holds(scope)
    found = condition.scores(scope)
    assert [(it.name, it.value, it.least, it.most) for it in found] == [
        ("similar(output | lower, case.want)", 0.75, 0, 1),
        ("similar(output, 'x')", 0.0, 0, 1),
    ]
    assert Condition.parse("output == 'ABCD'", NAMES).scores(scope) == []


def test_texts_that_are_too_long_are_not_compared() -> None:
    condition = Condition.parse("similar(output, case.want) > 0.5", NAMES)
    scope = Scope(own=own("a" * 20_001), case={"want": "a", "rule": ""})
    with pytest.raises(TemplateError, match="20,000 characters"):
        condition.holds(scope)
    assert condition.scores(scope) == []
