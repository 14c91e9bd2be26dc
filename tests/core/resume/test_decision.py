from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.events import (
    BackendReplied,
    Event,
    FilesSeen,
    RecordedStep,
    RunStarted,
    StepFinished,
    StepStarted,
)
from pytest_lok.core.results import Outcome, Refusal, Reply, StepResult
from pytest_lok.core.resume.decision import (
    decide,
    decide_effects,
    explained_states,
    merged,
    recorded_steps,
)

INPUTS = {"the step itself": "a", "settings": "b"}
digests = st.sampled_from(["a", "b"])
inputs = st.dictionaries(st.sampled_from(["the step itself", "settings", "the base"]), digests, max_size=3)
states = st.sampled_from(["", "s0", "s1"])
results = st.builds(
    StepResult,
    name=st.just("x"),
    outcome=st.sampled_from(Outcome),
    underlying=st.sampled_from([None, Outcome.FAILED, Outcome.ERROR]),
    attempts=st.integers(0, 2),
    blocked_by=st.sampled_from(["", "y"]),
    refusals=st.sampled_from([(), (Refusal(backend="b", kind="timeout", reason="late"),)]),
)
records = st.builds(
    RecordedStep,
    result=st.none() | results,
    inputs=inputs,
    tree=states,
    left=states,
    stopped=st.booleans(),
)


@given(
    before=st.none() | records,
    now=inputs,
    reads=st.booleans(),
    known=st.frozensets(states),
    again=st.booleans(),
)
def test_a_result_is_kept_only_if_everything_it_came_of_is_known_and_the_same(
    before: RecordedStep | None, now: dict[str, str], reads: bool, known: frozenset[str], again: bool
) -> None:
    said = decide(before, now, reads_files=reads, states=known - {""}, again=again)
    if said.decision != "kept":
        assert said.why
        return
    assert before is not None
    assert before.result is not None
    assert not again
    assert not before.stopped
    assert now
    assert before.inputs == now
    result = before.result
    assert (result.underlying or result.outcome) is not Outcome.ERROR
    assert not result.blocked or result.outcome is not Outcome.SKIPPED
    assert result.outcome is Outcome.PASSED or not result.refusals or result.outcome is Outcome.SKIPPED
    if reads and result.attempts:
        assert before.tree
        assert (before.left or before.tree) in known


@given(before=records, now=inputs, again=st.booleans())
def test_effects_are_never_repeated_unasked(before: RecordedStep, now: dict[str, str], again: bool) -> None:
    said = decide_effects(before, again=again)
    begun = before.result is None or before.stopped or before.result.attempts > 0
    assert (said is not None) == (begun and not again)
    if said is not None and said.decision == "kept":
        assert before.result is not None
        assert (before.result.underlying or before.result.outcome) is not Outcome.ERROR


def test_what_is_unchanged_is_kept_and_what_is_not_says_what_it_is() -> None:
    passed = RecordedStep(result=StepResult(name="x", outcome=Outcome.PASSED, attempts=1), inputs=INPUTS)
    assert decide(passed, INPUTS, reads_files=False, states=()).text == "kept: what it reads is unchanged"
    other = {**INPUTS, "settings": "c", "the base": "d"}
    assert decide(passed, other, reads_files=False, states=()).text == "changed: settings and the base"
    more = dict.fromkeys(("the step itself", "settings", "what it reads of other steps"), "new")
    assert decide(passed, {**INPUTS, **more}, reads_files=False, states=()).text == (
        "changed: the step itself, settings, and what it reads of other steps"
    )
    assert decide(None, INPUTS, reads_files=False, states=()).text == "run again: it had not begun"
    seen = replace(passed, tree="s0")
    assert decide(seen, INPUTS, reads_files=True, states={"s0"}).decision == "kept"
    assert decide(seen, INPUTS, reads_files=True, states={"s1"}).text == "changed: files of the project"
    assert decide(passed, INPUTS, reads_files=True, states={"s0"}).decision == "again"


def test_edits_that_are_kept_explain_the_states_before_them() -> None:
    edited = {
        "a": RecordedStep(tree="s0", left="s1"),
        "b": RecordedStep(tree="s1", left="s2"),
        "c": RecordedStep(tree="s3", left="s4"),
    }
    assert explained_states("s2", edited, {"a", "b", "c"}) == {"s2", "s1", "s0"}
    assert explained_states("s2", edited, {"a", "c"}) == {"s2"}
    assert explained_states("", edited, {"a", "b", "c"}) == frozenset()


def started(run_id: str, *steps: str) -> RunStarted:
    return RunStarted(
        run_id=run_id, workflow="w", path="w.toml", sha256="", time=0, steps=steps, selected=steps, leaves=()
    )


def test_the_record_of_a_step_is_the_last_word_on_it() -> None:
    passed = StepResult(name="x", outcome=Outcome.PASSED, attempts=1)
    reply = Reply(text="yes", backend="b")
    events: list[Event] = [
        started("r", "x", "y"),
        StepStarted(step="x", at=0, effects=True),
        BackendReplied(step="x", reply=reply, question="q"),
        BackendReplied(step="x", reply=reply),
        StepFinished(result=passed, at=1, inputs=INPUTS),
        FilesSeen(steps=("x", "z"), tree="s0"),
        StepStarted(step="y", at=2),
    ]
    known = recorded_steps(events)
    assert known == {
        "x": RecordedStep(
            result=passed, inputs=INPUTS, tree="s0", effects=True, run_id="r", answers={"q": reply}
        ),
        "y": RecordedStep(run_id="r"),
    }
    # it begins once more, and the process dies
    again = recorded_steps([*events, StepStarted(step="x", at=3)])
    assert again["x"].result is None
    assert again["x"].answers == {"q": reply}


def test_a_newer_run_has_the_last_word_on_what_it_has_begun() -> None:
    passed = RecordedStep(result=StepResult(name="x", outcome=Outcome.PASSED, attempts=1), inputs=INPUTS)
    blocked = RecordedStep(result=StepResult(name="x", outcome=Outcome.SKIPPED, blocked_by="y"))
    assert merged({"x": passed}, {"x": blocked}) == {"x": passed}
    assert merged({"x": passed}, {"x": RecordedStep()}) == {"x": RecordedStep()}
    assert merged({}, {"x": blocked}) == {"x": blocked}
