"""The schedule as a state machine: random graphs, outcomes, known results and cancels, in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Step
from pytest_lok.core.workflow.schedule import Schedule
from tests.core.steps import ended, passed
from tests.core.workflow.test_schedule import graphs


class Scheduling(RuleBasedStateMachine):
    """``running`` were taken and have no result; ``told`` are all results that came out, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[str, Step] = {}
        self.taken: list[str] = []
        self.running: list[str] = []
        self.told: dict[str, StepResult] = {}
        self.cancelled = False

    @initialize(graph=graphs(), data=st.data())
    def begin(self, graph: list[Step], data: st.DataObject) -> None:
        """Some results may be known: of steps with all they need, as an earlier owner left them."""
        self.steps = {step.name: step for step in graph}
        self.schedule = Schedule(graph)
        known: list[StepResult] = []
        for step in graph:
            if all(any(r.name == need for r in known) for need in step.needs) and data.draw(st.booleans()):
                known.append(passed(step.name))
        for result in known:
            self.told[result.name] = result
        self.tell(self.schedule.resume(known))

    def tell(self, results: list[StepResult]) -> None:
        for result in results:
            assert result.name not in self.told, "a result comes once"
            self.told[result.name] = result

    @rule()
    def take(self) -> None:
        step = self.schedule.take()
        if step is None:
            return
        assert not self.cancelled
        assert step.name not in self.taken
        assert step.name not in self.told
        assert all(need in self.told for need in step.needs), "everything it needs is settled"
        self.taken.append(step.name)
        self.running.append(step.name)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        name = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        result = ended(name, data.draw(st.sampled_from(list(Outcome))))
        self.tell([result])
        self.tell(self.schedule.settle(result))

    @precondition(lambda self: self.steps)
    @rule(culprit=st.booleans())
    def cancel(self, culprit: bool) -> None:
        """As a run does: what runs is an error, what follows from that is settled, the rest abandoned."""
        for name in self.running:
            cut = ended(name, Outcome.ERROR)
            self.tell([cut])
            self.tell(self.schedule.settle(cut))
        self.running.clear()
        red = next((name for name, result in self.told.items() if result.outcome.red), "")
        self.tell(self.schedule.abandon("stopped", blocked_by=red if culprit else ""))
        self.cancelled = True

    @invariant()
    def nothing_is_lost(self) -> None:
        assert dict(self.schedule.results if self.steps else {}) == self.told
        if self.steps:
            assert self.schedule.done == (self.told.keys() == self.steps.keys())

    @invariant()
    def what_is_blocked_has_a_broken_root(self) -> None:
        for result in self.told.values():
            if result.blocked:
                root = self.told[result.blocked_by]
                assert root.outcome.red
                assert result.outcome is Outcome.SKIPPED

    @invariant()
    def what_broke_lets_nobody_through_who_did_not_ask_for_it(self) -> None:
        for name in self.taken:
            step = self.steps[name]
            counted = step.depends_on if step.min_deps_success is not None else ()
            for need in step.needs:
                if need not in counted:
                    assert not self.told[need].outcome.red
                    assert not self.told[need].blocked
            if step.min_deps_success is not None:
                assert sum(self.told[need].passed for need in counted) >= step.min_deps_success

    def teardown(self) -> None:
        """It always comes to an end: whatever is left can be taken and finished."""
        while not self.cancelled and self.steps and not self.schedule.done:
            self.take()
            assert self.running, "somebody can always go on"
            result = passed(self.running.pop())
            self.tell([result])
            self.tell(self.schedule.settle(result))
        self.nothing_is_lost()


TestScheduling = Scheduling.TestCase
TestScheduling.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
