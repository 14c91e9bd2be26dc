from pytest_lok.cli.progress import RunProgress
from pytest_lok.core.events import (
    BackendAnswering,
    BackendAsked,
    BackendBusy,
    BackendRefused,
    BackendReplied,
    RunStarted,
    RunWaiting,
    StepFinished,
    StepProgressed,
    StepRetrying,
    StepStarted,
)
from pytest_lok.core.results import Outcome, Refusal, Reply, StepResult


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def board(clock: Clock, *steps: str) -> RunProgress:
    made = RunProgress(clock)
    made.on_event(
        RunStarted(
            run_id="1", workflow="w", path="", sha256="", time=0.0, steps=steps, selected=steps, leaves=()
        )
    )
    return made


def finished(name: str) -> StepFinished:
    return StepFinished(result=StepResult(name=name, outcome=Outcome.PASSED), at=0.0)


def asked(backend: str, item: int | None = None) -> BackendAsked:
    return BackendAsked(step="a", backend=backend, prompt="?", item=item)


def replied(backend: str, item: int | None = None) -> BackendReplied:
    return BackendReplied(step="a", reply=Reply(text="!", backend=backend), item=item)


def test_a_step_waits_then_runs_then_is_done() -> None:
    clock = Clock()
    run = board(clock, "a", "b")
    assert (list(run.waiting), list(run.running), run.finished.total(), run.total) == (["a", "b"], [], 0, 2)
    clock.now = 103.0
    run.on_event(StepStarted(step="a", at=3.0))
    clock.now = 105.0
    assert list(run.waiting) == ["b"]
    assert clock.now - run.running["a"].since == 2.0
    assert clock.now - run.began == 5.0
    run.on_event(finished("a"))
    assert (list(run.waiting), list(run.running), run.finished.total()) == (["b"], [], 1)


def test_a_step_that_never_runs_waits_no_longer() -> None:
    run = board(Clock(), "a", "b")
    run.on_event(finished("b"))
    assert list(run.waiting) == ["a"]


def test_who_is_being_asked() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    step = run.running["a"]
    assert step.doing(clock.now) == ""
    run.on_event(asked("claude"))
    run.on_event(asked("codex"))
    assert step.doing(clock.now) == "asking claude, codex"
    run.on_event(replied("claude"))
    assert step.doing(clock.now) == "asking codex"
    run.on_event(BackendRefused(step="a", refusal=Refusal(backend="codex", kind="network", reason="down")))
    assert step.doing(clock.now) == ""


def test_items_are_counted() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    for item in range(3):
        run.on_event(asked("claude", item))
    assert run.running["a"].doing(clock.now) == "asking claude (3)"
    run.on_event(replied("claude", 1))
    assert run.running["a"].doing(clock.now) == "asking claude (2)"


def test_a_pause_says_why_until_the_next_attempt() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    run.on_event(asked("claude"))
    run.on_event(StepRetrying(step="a", attempt=1, attempts=3, delay=2.0, reason="429"))
    assert run.running["a"].waits(clock.now)
    assert run.running["a"].doing(clock.now) == "attempt 2 of 3 in 2 s: 429"
    clock.now += 2
    assert not run.running["a"].waits(clock.now)
    assert run.running["a"].doing(clock.now) == "attempt 2 of 3", "of a command nothing more is told"
    run.on_event(asked("claude"))
    assert run.running["a"].doing(clock.now) == "asking claude"


def test_parts_are_counted_beside_who_is_asked() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    run.on_event(StepProgressed(step="a", finished=3, total=6))
    run.on_event(asked("claude", 4))
    assert run.running["a"].doing(clock.now) == "3/6  asking claude"


def test_an_answer_shows_its_first_words_and_its_length() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    run.on_event(asked("claude"))
    run.on_event(BackendAnswering(step="a", backend="claude", words="The first", characters=1240))
    assert run.running["a"].doing(clock.now) == "claude, 1,240 chars: The first"
    run.on_event(asked("codex"))
    assert run.running["a"].doing(clock.now) == "asking claude, codex"


def test_a_question_waits_for_a_place() -> None:
    run = board(clock := Clock(), "a")
    run.on_event(StepStarted(step="a", at=0.0))
    run.on_event(BackendBusy(step="a", backend="claude"))
    assert run.running["a"].waits(clock.now)
    assert run.running["a"].doing(clock.now) == "for a place at claude"
    run.on_event(asked("claude"))
    assert not run.running["a"].waits(clock.now)


def test_a_run_waits_for_another_one_until_anything_happens() -> None:
    run = board(Clock(), "a")
    run.on_event(RunWaiting())
    assert run.locked
    run.on_event(StepStarted(step="a", at=0.0))
    assert not run.locked
