"""Evaluation -> the document of `--json`."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lok.core.evaluation.evaluated import EvaluatedCase, Evaluation, JudgedCases
from pytest_lok.core.evaluation.scores import MarkedCase, MarkedRuling, Rate
from pytest_lok.core.json_values import Json, jsonable
from pytest_lok.core.results import Finding


def evaluation_document(evaluation: Evaluation, exit_code: int) -> dict[str, Json]:
    """Everything that was counted, for programs; what each judge made of each case."""
    return {
        "workflow": evaluation.workflow,
        "exit_code": exit_code,
        "wanted": evaluation.wanted,
        "done": evaluation.done,
        "cut": evaluation.cut,
        "seconds": evaluation.seconds,
        "usage": jsonable(evaluation.usage),
        "judges": [_judge(row) for row in evaluation.rows],
        "cases": [_case(evaluation, n, it) for n, it in enumerate(evaluation.cases)],
    }


def _judge(row: JudgedCases) -> dict[str, Json]:
    scores: Mapping[str, Json] = {name: rate_document(rate) for name, rate in row.scores.by_name().items()}
    judge = row.judge
    return {
        "kind": judge.kind,
        "name": judge.name,
        "quorum": judge.quorum if judge.kind == "quorum" else None,
        "scores": {**scores},
        "usage": jsonable(row.usage),
    }


def rate_document(rate: Rate) -> dict[str, Json]:
    """A rate with its interval; ``share`` is null without cases."""
    return {
        "successes": rate.successes,
        "cases": rate.cases,
        "share": rate.share,
        "low": rate.low,
        "high": rate.high,
    }


def _case(evaluation: Evaluation, number: int, it: EvaluatedCase) -> dict[str, Json]:
    own = evaluation.own.cases[number]
    marks: list[list[Json]] = [[one.mark for one in row.cases[number].rulings] for row in evaluation.rows]
    return {
        "name": it.case.name,
        "description": it.case.description,
        "clean": not it.expected.must_block,
        "right": own.is_right,
        "must_block": [one.headline for one in it.expected.must_block],
        "must_not_block": [one.headline for one in it.expected.must_not_block],
        "marks": [*marks],
        "repeats": _repeats(own),
    }


def _repeats(own: MarkedCase) -> list[Json]:
    return [_ruling(it) for it in own.rulings]


def _ruling(it: MarkedRuling) -> dict[str, Json]:
    return {
        "verdict": it.ruling.verdict.name.lower(),
        "why": it.ruling.why,
        "mark": it.mark,
        "met": [*it.met],
        "blocking": [_finding(one) for one in it.ruling.blocking],
        "wrong": [_finding(one) for one in it.wrong],
        "unexpected": [_finding(one) for one in it.unexpected],
    }


def _finding(it: Finding) -> dict[str, Json]:
    return {
        "rule_id": it.rule_id,
        "severity": it.severity,
        "path": it.path,
        "line": it.line,
        "end_line": it.end_line,
        "title": it.title,
        "reporters": [*it.reporters],
    }
