"""Marks and rates: by counting again, and by reviewers whose rates of errors are known."""

from __future__ import annotations

import random
from math import comb

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.evaluation.case import ChangeSource, EvalCase
from pytest_lok.core.evaluation.comparison import ComparedWorkflows
from pytest_lok.core.evaluation.evaluated import EvaluatedCase, Evaluation, evaluate_runs
from pytest_lok.core.evaluation.intervals import mcnemar
from pytest_lok.core.evaluation.judges import Ruling
from pytest_lok.core.evaluation.scores import MarkedCase, Rate, Scores, marked
from pytest_lok.core.findings.gate import GateVerdict
from pytest_lok.core.results import Finding, Outcome
from pytest_lok.core.workflow.plan import Plan
from tests.core.evaluation.reviews import SOURCE, expected, found, reviewed, workflow_of

PASS, FAIL, OPEN = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE


def mark(*lines: int, verdict: GateVerdict = FAIL, must: tuple[int, ...] = (10, 40)) -> tuple[str, int, int]:
    whole = expected(*must, harmless=[70])
    said = marked(whole, Ruling(verdict=verdict, blocking=tuple(found(it) for it in lines)))
    return said.mark, len(said.wrong), len(said.unexpected)


def test_every_ruling_has_its_mark() -> None:
    assert mark(10, 40) == ("caught", 0, 0)
    assert mark(10, 40, 90) == ("caught", 0, 1)
    assert mark(10, 40, 70) == ("caught", 1, 0)
    assert mark(10) == ("partly", 0, 0)
    assert mark(90) == ("partly", 0, 1)
    assert mark() == ("partly", 0, 0), "blocked by another step"
    assert mark(verdict=PASS) == ("missed", 0, 0)
    assert mark(verdict=OPEN) == ("inconclusive", 0, 0)
    assert mark(90, must=()) == ("false red", 1, 0)
    assert mark(must=()) == ("false red", 0, 0)
    assert mark(verdict=PASS, must=()) == ("clear", 0, 0)


RULINGS = st.sampled_from(
    [
        Ruling(verdict=PASS),
        Ruling(verdict=OPEN),
        Ruling(verdict=FAIL),
        Ruling(verdict=FAIL, blocking=(found(10),)),
        Ruling(verdict=FAIL, blocking=(found(70),)),
    ]
)
CASES = st.lists(st.tuples(st.booleans(), st.lists(RULINGS, max_size=3)), max_size=6)


@given(CASES)
def test_rates_are_counted_over_cases(drawn: list[tuple[bool, list[Ruling]]]) -> None:
    cases = [
        MarkedCase(
            name="c",
            expected=(whole := expected(*([10] if bad else []), harmless=[70] if bad else [])),
            rulings=tuple(marked(whole, it) for it in said),
        )
        for bad, said in drawn
    ]
    scores = Scores.of(cases)
    ruled = [(bad, said) for bad, said in drawn if said]
    bad_ones = [said for bad, said in ruled if bad]
    assert scores.recall.cases == scores.false_greens.cases == len(bad_ones)
    assert scores.inconclusive.cases == scores.false_reds.cases == len(ruled)
    assert scores.flips.cases == sum(len(said) > 1 for _, said in ruled)
    recall = sum(
        sum(bool(it.blocking) and it.blocking[0].line == 10 for it in said) / len(said) for said in bad_ones
    )
    assert abs(scores.recall.successes - recall) < 1e-9
    green = sum(sum(it.verdict is PASS for it in said) / len(said) for said in bad_ones)
    assert abs(scores.false_greens.successes - green) < 1e-9
    # no ruling that is missing is a right one
    without = [(bad, [Ruling(verdict=OPEN) for _ in said]) for bad, said in drawn]
    nothing = Scores.of(
        [
            MarkedCase(
                name="c", expected=case.expected, rulings=tuple(marked(case.expected, it) for it in said)
            )
            for case, (_, said) in zip(cases, without, strict=True)
        ]
    )
    assert (nothing.recall.successes, nothing.false_greens.successes, nothing.precision.cases) == (0, 0, 0)


def test_repeats_make_no_interval_narrower() -> None:
    one, many = Rate.of([1.0, 0.0, 1.0]), Rate.of([1.0, 0.0, 1.0] * 1)
    assert one == many
    assert Rate.of([0.5] * 20).cases == 20
    assert Rate.of([]).share is None


# --- reviewers whose rates of errors are known

MISSES = {"a": 0.1, "b": 0.3, "c": 0.5}
WRONG = {"a": 0.05, "b": 0.2, "c": 0.1}
LOST = 0.05
PROBLEMS, CLEAN, SEEDS = 20, 10, 30


def evaluation(seed: int, repeats: int = 1) -> Evaluation:
    """20 cases with a problem and 10 clean ones, as these reviewers see them by chance."""
    chance = random.Random(seed)
    plan = Plan.of(WORKFLOW_FILE)
    cases = []
    for number in range(PROBLEMS + CLEAN):
        bad = number < PROBLEMS
        runs = [reviewed({name: answer(chance, name, bad=bad) for name in MISSES}) for _ in range(repeats)]
        case = EvalCase(name=f"c{number}", source=SOURCE, change=ChangeSource(), clean=not bad)
        whole = expected(*([10] if bad else []))
        cases.append(EvaluatedCase(case=case, expected=whole, wanted=repeats, runs=tuple(runs)))
    gate = WORKFLOW_FILE.gate
    assert gate is not None
    return evaluate_runs(plan, gate, cases, seconds=1.0)


WORKFLOW_FILE = workflow_of("2")


def answer(chance: random.Random, name: str, *, bad: bool) -> list[Finding] | None:
    if chance.random() < LOST:
        return None
    if bad:
        return [] if chance.random() < MISSES[name] else [found(10, backend=name)]
    return [found(60, backend=name)] if chance.random() < WRONG[name] else []


def at_least(quorum: int, shares: list[float]) -> float:
    """How often so many of them report something, if each does with its own share."""
    chances = [1.0]
    for share in shares:
        chances = [
            (chances[n] * (1 - share) if n < len(chances) else 0) + (chances[n - 1] * share if n else 0)
            for n in range(len(chances) + 1)
        ]
    return sum(chances[quorum:])


def test_known_rates_of_errors_lie_in_the_intervals_as_often_as_these_say() -> None:
    """Over many seeds; the truth of a quorum is worked out from the rates of its backends."""
    truths = {
        **{name: ((1 - LOST) * (1 - MISSES[name]), (1 - LOST) * WRONG[name]) for name in MISSES},
        **{
            f"quorum {n}": (
                at_least(n, [(1 - LOST) * (1 - it) for it in MISSES.values()]),
                at_least(n, [(1 - LOST) * it for it in WRONG.values()]),
            )
            for n in (1, 2, 3)
        },
    }
    hits = trials = 0
    for seed in range(SEEDS):
        rows = {str(row.judge): row.scores for row in evaluation(seed).rows}
        assert rows.keys() == truths.keys() | {"the workflow"}
        for name, (recall, false_red) in truths.items():
            for rate, truth in ((rows[name].recall, recall), (rows[name].false_reds, false_red)):
                hits += rate.low <= truth <= rate.high
                trials += 1
    # what Wilson's interval covers on average at these truths, worked out from the binomial
    exact = [
        covered(truth, cases)
        for recall, false_red in truths.values()
        for truth, cases in ((recall, PROBLEMS), (false_red, CLEAN))
    ]
    assert trials == SEEDS * len(exact)
    assert abs(hits / trials - sum(exact) / len(exact)) < 0.04


def covered(truth: float, cases: int) -> float:
    return sum(
        comb(cases, k) * truth**k * (1 - truth) ** (cases - k)
        for k in range(cases + 1)
        if (rate := Rate.of([1.0] * k + [0.0] * (cases - k))).low <= truth <= rate.high
    )


def test_a_quorum_trades_recall_for_false_reds() -> None:
    rows = {str(row.judge): row.scores for row in evaluation(1).rows}
    recall = [rows[f"quorum {n}"].recall.successes for n in (1, 2, 3)]
    false_red = [rows[f"quorum {n}"].false_reds.successes for n in (1, 2, 3)]
    assert recall == sorted(recall, reverse=True)
    assert false_red == sorted(false_red, reverse=True)


def test_flips_are_seen_where_reviewers_are_unsteady() -> None:
    row = next(row for row in evaluation(1, repeats=3).rows if str(row.judge) == "c")
    assert row.scores.flips.cases == PROBLEMS + CLEAN
    assert 0 < row.scores.flips.successes < PROBLEMS + CLEAN
    # half of the problems are missed each time: three equal rulings of four are one in four
    assert row.scores.flips.low < 0.6 < row.scores.flips.high or row.scores.flips.successes > 8


def test_a_run_that_is_missing_is_no_ruling() -> None:
    whole = evaluation(2)
    empty = EvaluatedCase(case=whole.cases[0].case, expected=whole.cases[0].expected, wanted=2)
    gate = WORKFLOW_FILE.gate
    assert gate is not None
    alone = evaluate_runs(Plan.of(WORKFLOW_FILE), gate, [empty], seconds=0.0, cut="stopped")
    assert (alone.done, alone.wanted, alone.own.scores.recall.share) == (0, 2, None)
    assert Outcome.PASSED not in {run.result.outcome for case in alone.cases for run in case.runs}


# --- two workflows


@settings(max_examples=5)
@given(st.integers(0, 96), st.integers(0, 96))
def test_a_comparison_pairs_cases(one: int, other: int) -> None:
    compared = ComparedWorkflows.of(evaluation(one), evaluation(other))
    for row in compared.rows:
        old, new = (
            {
                case.name: case.is_right
                for case in whole.rows[[str(it.judge) for it in whole.rows].index(str(row.judge))].cases
            }
            for whole in (compared.old, compared.new)
        )
        assert {*row.mended} == {name for name in old if new[name] and not old[name]}
        assert {*row.broken} == {name for name in old if old[name] and not new[name]}
        assert (row.old_right, row.new_right, row.cases) == (sum(old.values()), sum(new.values()), 30)
        assert row.p == mcnemar(len(row.mended), len(row.broken))
        assert (row.p == 1.0) >= (one == other)


def test_the_same_workflow_is_seldom_told_from_itself() -> None:
    """Of pairs of evaluations by the same reviewers at most 5 % have a p below 0.05."""
    pairs = [ComparedWorkflows.of(evaluation(seed), evaluation(seed + 500)) for seed in range(10)]
    own = [compared.rows[0].p for compared in pairs]
    assert sum(p < 0.05 for p in own) <= 1


def test_a_quorum_is_the_same_whoever_else_is_asked() -> None:
    """Two of three is the majority, and two of two are all; both are a quorum of two."""
    three = evaluation(3)
    cases = [
        EvaluatedCase(case=it.case, expected=it.expected, wanted=1, runs=(reviewed({"a": [], "b": []}),))
        for it in three.cases
    ]
    gate = WORKFLOW_FILE.gate
    assert gate is not None
    two = evaluate_runs(Plan.of(WORKFLOW_FILE), gate, cases, seconds=1.0)
    paired = [str(row.judge) for row in ComparedWorkflows.of(three, two).rows]
    assert paired == ["the workflow", "a", "b", "quorum 1", "quorum 2"]
