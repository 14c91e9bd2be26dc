"""Selected steps -> runs of the engine in this process; an item waits here for its own step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
from _pytest.skipping import evaluate_skip_marks  # what `skip` and `skipif` come to

from pytest_lok.core.events import BackendAsked, Event, StepFinished
from pytest_lok.core.plan import Plan
from pytest_lok.core.results import RunResult, StepResult

if TYPE_CHECKING:
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.plugin.collect import Step, Workflow
    from pytest_lok.plugin.desk import Desk

POLL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
PROMPTS = 16
"""Prompts of a step that are kept to be shown if it does not pass."""


class Started:
    """One run that was started here, and what its steps asked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.handle: RunHandle
        self._asked: dict[str, list[BackendAsked]] = {}

    def hear(self, event: Event) -> None:
        """Engine thread: keep the prompts of steps that may have to be explained."""
        if isinstance(event, BackendAsked):
            asked = self._asked.setdefault(event.step, [])
            if len(asked) < PROMPTS:
                asked.append(event)
        elif isinstance(event, StepFinished) and event.result.passed:
            self._asked.pop(event.result.name, None)

    def asked(self, step: str) -> tuple[BackendAsked, ...]:
        """What a step that did not pass asked its backends, the first ones."""
        return tuple(self._asked.get(step, ()))


class Running:
    """The hooks and the state of the runs: one engine thread, all selected workflows at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._selected: dict[Workflow, list[str]] = {}
        self._started: dict[Workflow, Started] = {}
        self._interrupted = ""

    def select(self, item: Step) -> None:
        """Note an item that is left after every deselection; one that is marked as skipped must not run."""
        if evaluate_skip_marks(item) is None:
            self._selected.setdefault(item.workflow, []).append(item.name)

    def result(self, item: Step) -> StepResult:
        """The step's result; waits for it alone. The first item with its fixtures ready starts the runs."""
        if item.workflow not in self._started:
            self._start(item)
        handle = self._started[item.workflow].handle
        while (result := handle.step(item.name, POLL)) is None:
            pass
        return result

    def selected(self, workflow: Workflow) -> frozenset[str]:
        """The steps of a workflow that are items of this session."""
        return self._started[workflow].plan.selected

    def asked(self, item: Step) -> tuple[BackendAsked, ...]:
        """What the step asked its backends, if it did not pass."""
        return self._started[item.workflow].asked(item.name)

    def root_cause(self, item: Step) -> StepResult | None:
        """The result of the step that blocked this one."""
        if item.result is None or not item.result.blocked:
            return None
        return self._started[item.workflow].handle.step(item.result.blocked_by, 0)

    def results(self) -> Iterator[RunResult]:
        """What came of every run that ended."""
        for started in self._started.values():
            result = started.handle.wait(0)
            if result is not None:
                yield result

    def end(self, session: pytest.Session) -> None:
        """Wait for every run (or cancel it, if the session stops early) and close the engine. Idempotent."""
        self._settle(session, list(self._started.values()))
        self._desk.background.close()

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C or ``pytest.exit()``: nothing more is waited for."""
        self._interrupted = "interrupted"

    def pytest_unconfigure(self) -> None:
        """Whatever happened, no engine outlives the session."""
        self._desk.background.close()

    def _start(self, item: Step) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        desk, workflow = self._desk, item.workflow
        world = desk.world_of(item.funcargs)
        begun: list[Started] = []
        for other, names in self._selected.items():
            if other.fixtures_from == workflow.fixtures_from:
                plan = Plan.of(other.model, select=names, **desk.request.arguments.for_(other.model))
                self._started[other] = started = Started(plan)
                started.handle = desk.background.start(plan, world, started.hear)
                begun.append(started)
        # last in, first out: these run before the fixtures the runs use are torn down
        session = item.session
        if workflow.shares_fixtures:
            session.addfinalizer(lambda: self.end(session))
        else:
            workflow.addfinalizer(lambda: desk.background.release(world))
            workflow.addfinalizer(lambda: self._settle(session, begun))

    def _settle(self, session: pytest.Session, started: Iterable[Started]) -> None:
        why = self._interrupted or session.shouldfail or session.shouldstop
        handles = [one.handle for one in started]
        for handle in handles:
            if why:
                handle.cancel(str(why))
        for handle in handles:
            while handle.wait(POLL) is None:
                pass
