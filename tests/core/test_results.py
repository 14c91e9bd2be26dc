from __future__ import annotations

import pytest

from pytest_lok.core.results import NO_USAGE, Outcome, Reply, RunResult, StepResult, Usage


def run(*outcomes: Outcome, interrupted: str = "") -> RunResult:
    steps = {f"s{i}": StepResult(name=f"s{i}", outcome=o) for i, o in enumerate(outcomes)}
    return RunResult(run_id="r", workflow="w", steps=steps, interrupted=interrupted)


@pytest.mark.parametrize(
    ("outcomes", "outcome", "code"),
    [
        ([Outcome.PASSED], Outcome.PASSED, 0),
        ([Outcome.PASSED, Outcome.SKIPPED], Outcome.PASSED, 0),
        ([Outcome.PASSED, Outcome.SOFT], Outcome.PASSED, 0),
        ([Outcome.SOFT], Outcome.SOFT, 0),
        ([Outcome.SKIPPED], Outcome.SKIPPED, 0),
        ([], Outcome.SKIPPED, 0),
        ([Outcome.PASSED, Outcome.ERROR], Outcome.ERROR, 3),
        ([Outcome.ERROR, Outcome.FAILED, Outcome.PASSED], Outcome.FAILED, 1),
    ],
)
def test_the_outcome_of_a_run(outcomes: list[Outcome], outcome: Outcome, code: int) -> None:
    result = run(*outcomes)
    assert (result.outcome, result.exit_code) == (outcome, code)
    assert result.passed == (outcome is Outcome.PASSED)


def test_an_interrupted_run_is_never_green() -> None:
    result = run(Outcome.PASSED, interrupted="Ctrl-C")
    assert not result.passed
    assert result.exit_code == 3


def test_a_result_shows_itself_in_a_line() -> None:
    broken = StepResult(name="bugs", outcome=Outcome.FAILED, reason="assert failed:\n  output == 'yes'")
    steps = {"diff": StepResult(name="diff", outcome=Outcome.PASSED), "bugs": broken}
    assert repr(steps["diff"]) == "<step diff: passed>"
    assert repr(broken) == "<step bugs: failed: assert failed: output == 'yes'>"
    result = RunResult(run_id="r", workflow="review", steps=steps)
    assert (
        repr(result)
        == "<run review: failed · 1 passed, 1 failed · bugs failed: assert failed: output == 'yes'>"
    )
    assert repr(run(Outcome.PASSED, interrupted="Ctrl-C")) == "<run w: error · 1 passed · Ctrl-C>"
    assert repr(RunResult(run_id="", workflow="w")) == "<run w: skipped>"


def test_what_a_model_said_does_nothing_in_a_line() -> None:
    shown = repr(StepResult(name="s", outcome=Outcome.ERROR, reason="\x1b[31m ##[error]x \u202e" + "y" * 500))
    assert shown.isprintable()
    assert "##[" not in shown
    assert len(shown) < 140
    assert shown.endswith("y…>")


def test_usage_that_is_not_known_is_not_zero() -> None:
    assert NO_USAGE.tokens is None
    assert (NO_USAGE + NO_USAGE).cost_usd is None
    total = Usage(calls=1, input_tokens=2) + Usage(calls=1, output_tokens=3, cost_usd=0.5)
    assert total == Usage(calls=2, input_tokens=2, output_tokens=3, cost_usd=0.5)
    assert total.tokens == 5


def test_a_step_says_who_answered() -> None:
    replies = (Reply(text="x", backend="claude"), Reply(text="y", backend="codex"))
    assert StepResult(name="a", outcome=Outcome.PASSED, replies=replies).backend == "claude"
    assert StepResult(name="a", outcome=Outcome.PASSED).backend == ""


def test_a_runs_output_is_its_leaves() -> None:
    steps = {n: StepResult(name=n, outcome=Outcome.PASSED, output=f"out {n}") for n in "abc"}
    result = RunResult(run_id="r", workflow="w", steps=steps, leaves=("b", "c"))
    assert result.output == "out b\n\nout c"
    mute = {**steps, "c": StepResult(name="c", outcome=Outcome.ERROR, reason="no such", output="no such")}
    assert RunResult(run_id="r", workflow="w", steps=mute, leaves=("b", "c")).output == "out b"
