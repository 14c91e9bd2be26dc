from pytest_lok.cli.progress_lines import ProgressLines
from pytest_lok.core.events import Event, RunFinished, StepFinished, StepRetrying, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from tests.cli.screens import STARTED, finished


def lines(log: ProgressLines, *events: Event) -> list[str]:
    return [line for event in events for _, line in log.lines(event)]


def test_a_line_per_finished_step() -> None:
    said = lines(ProgressLines(), STARTED, StepStarted(step="slow", at=0.0), finished("slow"))
    assert said == ["passed   slow    1.0 s"]


def test_verbose_says_what_starts() -> None:
    said = lines(ProgressLines(verbose=True), STARTED, StepStarted(step="slow", at=0.0))
    assert said == ["started  slow"]


def test_a_pause_is_told_because_it_takes_time() -> None:
    said = lines(
        ProgressLines(), STARTED, StepRetrying(step="slow", attempt=1, delay=2.0, reason="rate limit")
    )
    assert said == ["again    slow   attempt 1 failed, retrying in 2.0 s: rate limit"]
    of_three = StepRetrying(step="slow", attempt=1, attempts=3, delay=2.0, reason="429")
    assert lines(ProgressLines(), STARTED, of_three) == [
        "again    slow   attempt 1 of 3 failed, retrying in 2.0 s: 429"
    ]


def test_the_output_of_a_failed_step_is_shown_unless_it_is_printed_anyway() -> None:
    red = finished("slow", Outcome.FAILED, reason="exit code 1", output="boom")
    leaf = finished("last", Outcome.FAILED, reason="exit code 1", output="boom")
    assert lines(ProgressLines(), STARTED, red)[1:] == ["    exit code 1", "    --- output ---", "    boom"]
    assert lines(ProgressLines(), STARTED, leaf)[1:] == ["    exit code 1"]
    assert lines(ProgressLines(printed="all"), STARTED, red)[1:] == ["    exit code 1"]
    assert "    boom" in lines(ProgressLines(printed="none"), STARTED, leaf)


def test_ends_can_be_left_to_others() -> None:
    assert lines(ProgressLines(finished=False), STARTED, finished("slow")) == []


def test_the_first_line_says_what_runs() -> None:
    assert lines(ProgressLines(title="w: Look closely"), STARTED) == ["w: Look closely"]


def test_a_step_says_on_which_steps_it_does_not_rest() -> None:
    log = ProgressLines(needs={"last": ("slow", "quick")})
    said = lines(
        log,
        STARTED,
        finished("slow", Outcome.ERROR, reason="rate limit"),
        finished("quick"),
        finished("last"),
    )
    assert said[-2:] == ["passed   last    1.0 s", "    1 of 2 passed, not slow"]
    assert lines(log, STARTED, finished("slow"), finished("last"))[-1] == "passed   last    1.0 s"


def test_what_failed_is_said_again_only_if_it_stands_far_above() -> None:
    log = ProgressLines()
    lines(log, STARTED, finished("slow", Outcome.FAILED, reason="no"), finished("quick"))
    assert log.out_of_sight("") == []
    (again,) = log.out_of_sight("\n" * 12)
    assert again.name == "slow"


def test_steps_that_a_signal_ended_are_told_in_two_lines() -> None:
    log = ProgressLines()
    why = "interrupted by Ctrl-C"
    assert lines(log, STARTED, finished("quick")) == ["passed   quick   1.0 s"]
    log.stop(why)
    unrun = StepResult(name="last", outcome=Outcome.ERROR, reason=f"not run: {why}")
    said = lines(
        log,
        finished("slow", Outcome.ERROR, reason=f"cancelled: {why}"),
        StepFinished(result=unrun, at=1.0),
        RunFinished(seconds=1.0, interrupted=why),
    )
    assert said == ["error    stopped: slow", "error    not run: last"]
    assert log.out_of_sight("\n" * 12) == []


def test_a_verb_counts_the_steps_that_were_not_needed() -> None:
    log = ProgressLines(every=False)
    unneeded = finished("quick", Outcome.SKIPPED, reason="when is false: steps.slow.passed")
    blocked = finished("last", Outcome.SKIPPED, reason="blocked: step 'slow' had an error", blocked_by="slow")
    said = lines(log, STARTED, finished("slow"), unneeded, blocked, RunFinished(seconds=1.0))
    assert said[1:] == ["skipped  not needed: 1 step", "skipped  not run: 1 step"]


def test_a_step_that_had_too_few_names_them_once() -> None:
    log = ProgressLines(needs={"last": ("slow",)})
    reason = "0 of 1 dependencies passed, 1 needed (min_deps_success): slow had an error"
    last = StepFinished(result=StepResult(name="last", outcome=Outcome.ERROR, reason=reason), at=1.0)
    said = lines(log, STARTED, finished("slow", Outcome.ERROR, reason="rate limit"), last)
    assert said[-1] == f"    {reason}"
    assert sum("slow" in line for line in said[2:]) == 1
