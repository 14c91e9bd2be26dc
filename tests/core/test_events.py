from __future__ import annotations

from dataclasses import replace

from pytest_lok.core.events import (
    BackendAnswering,
    BackendAsked,
    BackendBusy,
    BackendRefused,
    BackendReplied,
    BudgetSpent,
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepProgressed,
    StepRetrying,
    StepStarted,
    fold,
)
from pytest_lok.core.history import FailedAttempt, StepHistory
from pytest_lok.core.results import (
    ItemResult,
    Outcome,
    Refusal,
    Reply,
    Section,
    StepResult,
    Usage,
    Verdict,
)
from tests.core.reports import finding

REPLY = Reply(
    text="yes\n\x00ü", backend="claude", model="m", usage=Usage(calls=1, input_tokens=3), seconds=0.5
)
FULL = StepResult(
    name="review",
    outcome=Outcome.SOFT,
    underlying=Outcome.FAILED,
    reason="no",
    output="text",
    data={"a": [1, None, 2.5, {"b": True}]},
    has_data=True,
    exit_code=1,
    replies=(REPLY,),
    refusals=(Refusal(backend="codex", kind="rate limit", reason="429"),),
    verdict=Verdict(
        strategy="vote", text="yes", backend="claude", tally={"yes": 2.0}, dissent=("codex: no",)
    ),
    items=(ItemResult(index=0, item={"x": 1}, outcome=Outcome.PASSED),),
    findings=(
        finding(
            cwe=(89,), edits=({"file": "a", "old": "b", "new": "c"},), votes={"a": "high", "b": "absent"}
        ),
    ),
    sections=(Section(title="stderr", text="oops"),),
    usage=Usage(calls=1, input_tokens=3, cost_usd=0.25),
)
STARTED = RunStarted(
    run_id="r1",
    workflow="w",
    path="w.toml",
    sha256="00",
    time=1.0,
    steps=("a", "review"),
    selected=("review",),
    leaves=("review",),
)
EVENTS: list[Event] = [
    STARTED,
    StepStarted(step="a", at=0.0),
    StepProgressed(step="a", finished=1, total=3),
    BackendBusy(step="a", backend="claude", item=2),
    BackendAsked(step="a", backend="claude", prompt="?", item=2),
    BackendAnswering(step="a", backend="claude", words="It is", characters=7, item=2),
    BackendReplied(step="a", reply=REPLY),
    BackendRefused(step="a", refusal=FULL.refusals[0]),
    BudgetSpent(usage=Usage(calls=1)),
    StepRetrying(step="a", attempt=1, delay=0.5, reason="429"),
    StepFinished(result=FULL, at=2.0),
    RunFinished(seconds=2.5),
]


def test_a_run_is_the_fold_of_its_events() -> None:
    result = fold(EVENTS)
    assert (result.run_id, result.workflow, result.seconds) == ("r1", "w", 2.5)
    assert dict(result.steps) == {"review": FULL}
    assert result.usage == FULL.usage


def test_a_journal_cut_short_is_never_green() -> None:
    green = StepFinished(result=StepResult(name="review", outcome=Outcome.PASSED), at=1.0)
    assert fold([STARTED, green, RunFinished(seconds=1.0)]).passed
    cut = fold([STARTED, green])
    assert not cut.passed
    assert cut.interrupted
    assert cut.exit_code == 3
    assert not fold([]).passed


def test_a_run_that_was_taken_over_is_as_old_as_its_beginning() -> None:
    done = StepFinished(result=StepResult(name="review", outcome=Outcome.PASSED), at=1.0)
    over = replace(STARTED, time=STARTED.time + 8.0)
    result = fold([STARTED, over, done, RunFinished(seconds=2.0)])
    assert (result.started, result.seconds, result.passed) == (STARTED.time, 10.0, True)
    assert not fold([STARTED, done, RunFinished(seconds=2.0), over]).passed


def test_the_history_of_a_step_says_when_it_began_and_ended_and_what_was_attempted() -> None:
    start = RunStarted(
        run_id="r",
        workflow="w",
        path="w.toml",
        sha256="",
        time=100.0,
        steps=("a", "b"),
        selected=(),
        leaves=(),
    )
    result = StepResult(name="a", outcome=Outcome.PASSED)
    events: list[Event] = [
        start,
        StepStarted(step="a", at=1.0),
        StepRetrying(step="a", attempt=1, delay=0.5, reason="busy", attempts=3, item=2),
        replace(start, time=110.0),  # another process has taken the run over
        StepStarted(step="b", at=2.0),
        StepFinished(result=result, at=4.0),
        StepFinished(result=replace(result, name="c"), at=4.0),
    ]
    assert fold(events).history == {
        "a": StepHistory(
            started=1.0, ended=14.0, retried=(FailedAttempt(number=1, reason="busy", delay=0.5, item=2),)
        ),
        "b": StepHistory(started=12.0),
    }


def test_the_result_of_an_attempt_after_the_run_moves_no_end() -> None:
    result = StepResult(name="a", outcome=Outcome.FAILED)
    events: list[Event] = [
        RunStarted(
            run_id="r", workflow="w", path="w.toml", sha256="", time=1.0, steps=("a",), selected=(), leaves=()
        ),
        StepStarted(step="a", at=1.0),
        StepFinished(result=result, at=3.0),
        StepFinished(result=replace(result, outcome=Outcome.PASSED), at=0.0),
    ]
    assert fold(events).history["a"].ended == 3.0
