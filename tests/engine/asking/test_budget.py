"""What a run may still spend, with a clock and answers that are handed in."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import NO_USAGE, Outcome, Reply, Usage
from pytest_lok.core.workflow.model import Budget
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.asking.budget import BudgetTracker, Spending
from pytest_lok.engine.context import SharedByRuns
from pytest_lok.engine.ports import Prompt
from pytest_lok.engine.run import Run
from pytest_lok.errors import BackendError, BackendFault, BudgetError
from tests.engine.worlds import ran, workflow, world

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


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 4)), max_size=12),
    st.integers(1, 6),
    st.integers(10, 100),
)
def test_runs_with_one_budget_may_do_together_what_one_run_may_alone(
    calls: list[tuple[int, int, int]], most: int, tokens: int
) -> None:
    def allowed(trackers: list[BudgetTracker]) -> list[bool]:
        said = []
        for which, cost, size in calls:
            tracker, prompt = trackers[which % len(trackers)], Prompt(text="x" * 4 * size)
            try:
                with tracker.reserve(prompt):
                    usage = Usage(input_tokens=cost, cost_usd=cost / 10)
                    tracker.charge(prompt, Reply(text="", backend="a", usage=usage))
                said.append(True)
            except BudgetError:
                said.append(False)
        return said

    budget, pool = Budget(calls=most, tokens=tokens, usd=tokens / 20, time=9.0), Spending()
    alone = BudgetTracker(budget, NO_USAGE, lambda _: None, lambda: 0.0)
    shared = [BudgetTracker(budget, NO_USAGE, lambda _: None, lambda: 0.0, pool) for _ in range(3)]
    assert allowed(shared) == allowed([alone])
    assert sum((it.spent for it in shared), NO_USAGE).calls == pool.spent.calls == alone.spent.calls


def test_questions_that_are_out_count_and_the_time_is_that_of_the_first_run() -> None:
    clock, pool, budget = Clock(), Spending(), Budget(tokens=15, time=60.0)
    first = BudgetTracker(budget, NO_USAGE, lambda _: None, clock, pool)
    clock.now = 50.0
    second = BudgetTracker(budget, NO_USAGE, lambda _: None, clock, pool)
    assert second.time_left == 10.0
    with first.reserve(QUESTION), pytest.raises(BudgetError, match="15 tokens"), second.reserve(QUESTION):
        pass
    with second.reserve(QUESTION):
        pass
    assert (first.spent.calls, second.spent.calls) == (1, 1)


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


def test_runs_that_share_their_spending_share_the_budget_of_their_workflow(tmp_path: Path) -> None:
    text = '[budget]\ncalls = 1\n[[steps]]\nname = "s"\nbackend = "a"\nprompt = "x"\n'
    plan, backend = Plan.of(workflow(text)), Scripted("a", [ScriptedReply(reply="yes")])

    async def both(shared: SharedByRuns | None) -> list[Outcome]:
        runs = [Run(plan, world(tmp_path, backend), shared=shared) for _ in range(2)]
        return [(await run.execute()).outcome for run in runs]

    assert asyncio.run(both(SharedByRuns(spending=Spending()))) == [Outcome.PASSED, Outcome.ERROR]
    assert asyncio.run(both(SharedByRuns())) == asyncio.run(both(None)) == [Outcome.PASSED] * 2


def test_a_call_is_told_what_money_is_left_and_a_failed_one_counts(tmp_path: Path) -> None:
    class Metered:
        """Costs 0.25 USD a call, and gives no answer to every other one."""

        name, left = "m", list[float]()

        def unavailable(self) -> None:
            return None

        async def ask(self, prompt: Prompt) -> Reply:
            self.left.append(prompt.usd_left)
            if len(self.left) % 2:
                raise BackendError("m: out", kind=BackendFault.QUOTA, cost_usd=0.25)
            return Reply(text="yes", backend="m", usage=Usage(calls=1, cost_usd=0.25))

        async def aclose(self) -> None:
            pass

    metered = Metered()
    steps = "".join(
        f"[[steps]]\nname = '{name}'\nprompt = '?'\nbackend = 'm'\nmin_deps_success = 0\n"
        f"depends_on = {before}\n"
        for name, before in (("a", []), ("b", ["a"]), ("c", ["b"]), ("d", ["c"]), ("e", ["d"]))
    )
    done = ran(f"[budget]\nusd = 1.0\n{steps}", world(tmp_path, metered))
    assert metered.left == [1.0, 0.75, 0.5, 0.25]
    assert done.result.usage.cost_usd == 1.0
    assert done.outcomes["e"] is Outcome.ERROR
    assert "the budget of 1 USD" in done.result.steps["e"].reason
