"""What each backend alone and each quorum would have said, by an oracle that counts who reports what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.evaluation.judges import (
    WORKFLOW,
    Judge,
    ReviewRun,
    Ruling,
    judges_of,
    reviewing,
    ruling_of,
)
from pytest_lok.core.findings.gate import GateInputs, GateVerdict
from pytest_lok.core.findings.reading import count_votes
from pytest_lok.core.findings.reported import ReportedReview
from pytest_lok.core.results import ItemResult, Outcome, Refusal, Reply, RunResult, StepResult
from tests.core.evaluation.reviews import found, reviewed, workflow_of

PASS, FAIL, OPEN = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE
WORKFLOW_FILE = workflow_of()
GATE = WORKFLOW_FILE.gate
STEPS = reviewing(WORKFLOW_FILE.steps)
FAR = (10, 30, 50)
"""Lines of problems that nobody takes for each other."""
NAMES = ("a", "b", "c")
ANSWERS = st.fixed_dictionaries({name: st.none() | st.sets(st.sampled_from(FAR)) for name in NAMES})


def ruling(judge: Judge, run: ReviewRun) -> Ruling:
    assert GATE is not None
    said = ruling_of(judge, GATE, STEPS, run)
    assert said is not None
    return said


def run_of(answers: dict[str, set[int] | None]) -> ReviewRun:
    return reviewed(
        {
            name: None if lines is None else [found(line, backend=name) for line in sorted(lines)]
            for name, lines in answers.items()
        }
    )


@given(ANSWERS)
def test_a_backend_alone_rules_by_its_own_answer(answers: dict[str, set[int] | None]) -> None:
    for name, said in answers.items():
        own = ruling(Judge(kind="backend", name=name), run_of(answers))
        assert own.verdict is (OPEN if said is None else FAIL if said else PASS)
        assert {it.line for it in own.blocking} == (said or set())
        assert {it.backend for it in own.blocking} <= {name}


@given(ANSWERS, st.integers(1, 3))
def test_a_quorum_rules_by_how_many_report_a_problem(
    answers: dict[str, set[int] | None], quorum: int
) -> None:
    given_ = [said for said in answers.values() if said is not None]
    lost = len(answers) - len(given_)
    votes = {line: sum(line in said for said in given_) for line in FAR}
    blocking = {line for line, number in votes.items() if number >= quorum}
    said = ruling(Judge(kind="quorum", quorum=quorum), run_of(answers))
    assert {it.line for it in said.blocking} == blocking
    if blocking:
        assert said.verdict is FAIL
    elif not lost:
        assert said.verdict is PASS
    elif max(votes.values()) + lost >= quorum:
        assert said.verdict is OPEN, "those that are missing could have decided"
    elif lost == len(answers):
        assert said.verdict is not PASS


@given(ANSWERS)
def test_a_higher_quorum_blocks_no_more_and_a_lost_answer_makes_nothing_green(
    answers: dict[str, set[int] | None],
) -> None:
    run = run_of(answers)
    blocked = [ruling(Judge(kind="quorum", quorum=n), run).verdict is FAIL for n in (1, 2, 3)]
    assert blocked == sorted(blocked, reverse=True)
    for name in NAMES:
        lost = run_of({**answers, name: None})
        for quorum in (1, 2, 3):
            judge = Judge(kind="quorum", quorum=quorum)
            if ruling(judge, run).verdict is FAIL:
                assert ruling(judge, lost).verdict is not PASS


def test_the_judges_are_those_that_there_could_be() -> None:
    three = judges_of(STEPS, [run_of({"a": set(), "b": set(), "c": set()})])
    assert [str(it) for it in three] == ["the workflow", "a", "b", "c", "quorum 1", "quorum 2", "quorum 3"]
    assert [it.name for it in three if it.kind == "quorum"] == ["", "majority", "all"]
    assert [it.name for it in judges_of(STEPS, [run_of({"a": set(), "b": set()})])][-2:] == [
        "",
        "majority, all",
    ]
    assert [str(it) for it in judges_of(STEPS, [run_of({"a": set()})])] == ["the workflow", "a"]
    mixed = judges_of(STEPS, [run_of({"a": set()}), run_of({"a": set(), "b": set()})])
    assert [it.quorum for it in mixed if it.kind == "quorum"] == [1, 2, "majority", "all"]
    assert judges_of(STEPS, []) == [WORKFLOW]


def own(*steps: StepResult) -> Ruling:
    result = RunResult(run_id="r", workflow="w", steps={it.name: it for it in steps}, reviews=("review",))
    return ruling(WORKFLOW, ReviewRun(result=result))


def step(outcome: Outcome, name: str = "review", **more: object) -> StepResult:
    return StepResult(name=name, outcome=outcome, reason="why", **more)  # type: ignore[arg-type]


def test_the_workflow_as_it_is_says_yes_only_if_all_of_it_ruled() -> None:
    other = step(Outcome.PASSED, "other")
    assert own(step(Outcome.PASSED), other).verdict is PASS
    assert own(step(Outcome.PASSED), step(Outcome.FAILED, "other")).verdict is FAIL
    assert own(step(Outcome.SOFT, underlying=Outcome.FAILED), other).verdict is PASS, "it stops nobody"
    for open_ in (
        [step(Outcome.ERROR)],
        [step(Outcome.SOFT, underlying=Outcome.ERROR), other],
        [step(Outcome.SKIPPED), other],
        [step(Outcome.SKIPPED, blocked_by="other"), other],
        [step(Outcome.PASSED), step(Outcome.ERROR, "other")],
        [other],
    ):
        assert own(*open_).verdict is OPEN, open_


def items(*outcomes: Outcome) -> tuple[ItemResult, ...]:
    return tuple(ItemResult(index=n, item=n, outcome=it) for n, it in enumerate(outcomes))


def looped(said: Sequence[set[int] | None]) -> ReviewRun:
    """A run with a review of each item by one backend; None = the item came to no review."""
    reviews = []
    for n, lines in enumerate(said):
        if lines is not None:
            findings = count_votes({"a": [found(line) for line in sorted(lines)]})
            inputs = GateInputs(asked=("a",), answered=("a",))
            reviews.append(ReportedReview(step="review", item=n, inputs=inputs, findings=tuple(findings)))
    done = step(
        Outcome.PASSED, items=items(*[Outcome.PASSED] * len(said)), replies=(Reply(text="", backend="a"),)
    )
    result = RunResult(run_id="r", workflow="w", steps={"review": done}, reviews=("review",))
    return ReviewRun(result=result, reviews=tuple(reviews))


def test_a_no_of_one_item_is_a_no_and_a_yes_needs_every_item() -> None:
    steps = reviewing(workflow_of(more="for_each = '[1, 2]'\n").steps)
    assert GATE is not None
    judge = Judge(kind="backend", name="a")
    expected: list[tuple[list[set[int] | None], GateVerdict]] = [
        ([set(), set()], PASS),
        ([set(), {10}], FAIL),
        ([None, {10}], FAIL),
        ([None, set()], OPEN),
    ]
    for said, verdict in expected:
        ruled = ruling_of(judge, GATE, steps, looped(said))
        assert ruled is not None
        assert ruled.verdict is verdict, said
    assert ruling_of(Judge(kind="backend", name="b"), GATE, steps, looped([None, set()])) is None, "not asked"


def test_of_several_answers_enough_have_to_pass() -> None:
    steps = reviewing(workflow_of(more="repeat = 3\npass = 2\n").steps)
    assert GATE is not None
    one = reviewed({"a": []})
    for lines, verdict in (
        ([[], [10], []], PASS),
        ([[], [10], [10]], FAIL),
        ([[], [10], None], OPEN),
        ([[10], [10], None], FAIL),
    ):
        reviews = [
            replace(reviewed({"a": [found(it) for it in said]}).reviews[0], sample=n)
            for n, said in enumerate(lines)
            if said is not None
        ]
        run = replace(one, reviews=tuple(reviews))
        ruled = ruling_of(Judge(kind="backend", name="a"), GATE, steps, run)
        assert ruled is not None
        assert ruled.verdict is verdict, lines


def test_who_was_asked_in_vain_before_another_one_has_no_ruling() -> None:
    """As with `consensus = "fallback"`, where only the one that answered is in the review."""
    run = reviewed({"b": []})
    refused = replace(
        run.result.steps["review"], refusals=(Refusal(backend="a", kind="timeout", reason="slow"),)
    )
    run = replace(run, result=replace(run.result, steps={"review": refused}))
    assert ruling(Judge(kind="backend", name="a"), run) == Ruling(verdict=OPEN, why="a: slow")
    assert ruling(Judge(kind="backend", name="b"), run).verdict is PASS
    assert [str(it) for it in judges_of(STEPS, [run])] == ["the workflow", "a", "b"]


def test_where_every_review_was_skipped_nobody_rules_unless_that_is_as_good_as_a_yes() -> None:
    run = ReviewRun(result=RunResult(run_id="r", workflow="w", steps={"review": step(Outcome.SKIPPED)}))
    assert GATE is not None
    for judge in (WORKFLOW, Judge(kind="backend", name="a"), Judge(kind="quorum", quorum=2)):
        assert ruling(judge, run).verdict is OPEN
        allowed = ruling_of(judge, GATE, STEPS, run, allow_skip=True)
        assert allowed is not None
        assert allowed.verdict is PASS, "what such a gate lets through is no better than a yes"
    broken = {"review": step(Outcome.SKIPPED), "other": step(Outcome.ERROR, "other")}
    open_ = ruling_of(
        WORKFLOW, GATE, STEPS, ReviewRun(result=replace(run.result, steps=broken)), allow_skip=True
    )
    assert open_ is not None
    assert open_.verdict is OPEN
