"""Scores of a judge and of a comparison in a run: a number decides, and what is no number is no yes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import Outcome, Score
from tests.engine.worlds import Ran, ran, world

STEP = """
[[steps]]
name = "q"
backend = "a"
prompt = "?"
assert = ['rubric("it is right", backend="judge", score="1-5") >= 3']
"""
ANSWERS = st.one_of(
    st.integers(-3, 9),
    st.floats(-3, 9),
    st.sampled_from([True, False, None, "4", "4/5", "five", [4], {"score": 4}, 1e400, float("nan")]),
)


def judged(answer: object, root: Path) -> Ran:
    said = json.dumps({"score": answer, "reason": "so"})
    return ran(STEP, world(root, Scripted("a", "42"), Scripted("judge", said)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=ANSWERS)
def test_only_a_number_of_the_scale_decides(answer: object) -> None:
    with tempfile.TemporaryDirectory() as root:
        done = judged(answer, Path(root))
    is_number = isinstance(answer, int | float) and not isinstance(answer, bool) and 1 <= answer <= 5
    wanted = Outcome.ERROR
    if is_number:
        assert isinstance(answer, int | float)
        wanted = Outcome.PASSED if answer >= 3 else Outcome.FAILED
    result = done.result.steps["q"]
    assert result.outcome is wanted
    assert bool(result.scores) is is_number
    if not is_number:
        assert "gave no score on 'it is right'" in result.reason


def test_a_judge_without_a_score_is_no_yes(tmp_path: Path) -> None:
    for said in ('{"verdict": "yes", "reason": "so"}', "5", '{"reason": "5"}', "5/5"):
        done = ran(STEP, world(tmp_path, Scripted("a", "42"), Scripted("judge", said)))
        assert done.outcomes["q"] is Outcome.ERROR


def test_the_scores_of_the_answer_that_counts_are_kept(tmp_path: Path) -> None:
    text = """
    [[steps]]
    name = "q"
    backend = "a"
    cases = [{ name = "x", want = "abcd", rule = "it is short" }]
    prompt = "{{ case.name }}?"
    fix_retries = 1
    assert = [
        "similar(output, case.want) >= 0.7",
        'rubric(case.rule, backend="judge", score="0-10") > 5 and rubric("good", backend="judge")',
    ]
    """
    judge = [
        ScriptedReply(match="it is short", reply='{"score": 7.5, "reason": "so"}'),
        ScriptedReply(reply='{"verdict": "yes", "reason": "so"}'),
    ]
    answers = [ScriptedReply(match="zzzz", reply="abcx"), ScriptedReply(reply="zzzz")]
    done = ran(text, world(tmp_path, Scripted("a", answers), Scripted("judge", judge)))
    result = done.result.steps["q[x]"]
    assert result.outcome is Outcome.PASSED, result.reason
    assert result.scores == (
        Score(name="similar(output, case.want)", value=0.75),
        Score(name='rubric(case.rule, backend="judge", score="0-10")', value=7.5, most=10.0),
    )
    asked = [it.prompt for it in done.events if isinstance(it, BackendAsked) and it.backend == "judge"]
    assert len(asked) == 2
    assert "from 0, not at all, to 10, fully" in asked[0]


def test_items_keep_their_scores_apart(tmp_path: Path) -> None:
    text = """
    [[steps]]
    name = "q"
    for_each = ["yes", "no"]
    argv = ["echo", "{{ item }}"]
    assert = ["similar(output, 'yes') > 0.5"]
    """
    result = ran(text, world(tmp_path)).result.steps["q"]
    assert [(it.name, it.value) for it in result.scores] == [
        ("[0] similar(output, 'yes')", 1.0),
        ("[1] similar(output, 'yes')", 0.0),
    ]
