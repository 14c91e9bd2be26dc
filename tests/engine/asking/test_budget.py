"""What a run may still spend, with a clock and answers that are handed in."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import NO_USAGE, Outcome, Reply, Usage
from pytest_lok.core.workflow.model import Budget
from pytest_lok.engine.asking.budget import BudgetTracker
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BudgetError
from tests.engine.worlds import ran, world

QUESTION = Prompt(text="x" * 40)


class Clock:
    """Seconds, as they are set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_call_begins_after_the_time_and_what_is_left_is_known() -> None:
    clock = Clock()
    tracker = BudgetTracker(Budget(time=60.0), NO_USAGE, lambda _: None, clock)
    assert tracker.time_left == 60.0
    clock.now = 59.0
    with tracker.reserve(QUESTION):
        clock.now = 61.0
    with (
        pytest.raises(BudgetError, match=r"the budget of 60 s .*: 61\.0 s have passed") as told,
        tracker.reserve(QUESTION),
    ):
        pass
    assert told.value.hint == "raise `time` under [budget]"
    assert tracker.spent.calls == 1


def test_without_a_limit_the_time_does_not_end() -> None:
    tracker = BudgetTracker(Budget(calls=5), NO_USAGE, lambda _: None, lambda: 1e9)
    assert tracker.time_left == math.inf
    with tracker.reserve(QUESTION):
        pass


def test_the_first_key_that_has_no_room_is_named() -> None:
    tracker = BudgetTracker(Budget(calls=1, tokens=15, usd=1.0), NO_USAGE, lambda _: None, lambda: 0.0)
    with tracker.reserve(QUESTION), pytest.raises(BudgetError, match="1 call "), tracker.reserve(QUESTION):
        pass
    tokens = BudgetTracker(Budget(tokens=15), NO_USAGE, lambda _: None, lambda: 0.0)
    with tokens.reserve(QUESTION), pytest.raises(BudgetError, match="15 tokens"), tokens.reserve(QUESTION):
        pass
    money = BudgetTracker(Budget(usd=1.0), Usage(cost_usd=1.0), lambda _: None, lambda: 0.0)
    with pytest.raises(BudgetError, match="1 USD"), money.reserve(QUESTION):
        pass


def test_a_reply_of_unknown_cost_is_handed_on_with_the_error() -> None:
    tracker = BudgetTracker(Budget(usd=1.0), NO_USAGE, lambda _: None, lambda: 0.0)
    with pytest.raises(BudgetError) as told:
        tracker.charge(QUESTION, Reply(text="the answer", backend="a", model="m"))
    assert told.value.output == "the answer"


def test_a_call_gets_no_more_time_than_is_left(tmp_path: Path) -> None:
    slow = Scripted("slow", [ScriptedReply(reply="late", delay=600)])
    text = '[budget]\ntime = "0.2s"\n[[steps]]\nname = "s"\nbackend = "slow"\nprompt = "x"\nretries = 3\nretry_delay = 0\n'
    step = ran(text, world(tmp_path, slow)).result.steps["s"]
    assert step.outcome is Outcome.ERROR
    # on a busy machine the time is over before the first call, else before the second one
    assert "the budget of 0.2 s does not allow another call" in step.reason
    assert len(slow.asked) <= 1
