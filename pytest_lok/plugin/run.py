"""Selected steps -> runs of the engine, each once however many processes; an item waits for its own step."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.skipping import evaluate_skip_marks  # what `skip` and `skipif` come to

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.plan import Plan
from pytest_lok.core.results import StepResult

if TYPE_CHECKING:
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.engine.ports import World
    from pytest_lok.plugin.collect import Step, Workflow
    from pytest_lok.plugin.desk import Desk
    from pytest_lok.store.ledger import Entry

RUNS = "lok_runs"
"""What a worker is told: the directory its session is recorded in."""
POLL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
GLANCE = 0.02
"""Seconds between two looks at what another process has written."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """One workflow of this session: what is to run, its record, and the run itself if this process has it."""

    plan: Plan
    world: World
    entry: Entry
    handle: RunHandle | None = None
    again: dict[str, StepResult] = field(default_factory=dict)


class Running:
    """The runs of this session: one engine thread, all selected workflows at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._selected: dict[Workflow, list[str]] = {}
        self._watched: dict[Workflow, Watched] = {}
        self._interrupted = ""

    def select(self, item: Step) -> None:
        """Note an item that is left after every deselection; one that is marked as skipped must not run."""
        names = self._selected.setdefault(item.workflow, [])
        if evaluate_skip_marks(item) is None:
            names.append(item.name)

    def result(self, item: Step) -> StepResult:
        """The step's result; waits for it alone. The first item with its fixtures ready starts the runs."""
        if item.workflow not in self._watched:
            self._start(item)
        return self._await(item.session, self._watched[item.workflow], item.name)

    def another(self, item: Step) -> StepResult:
        """The result of one more attempt of the step, as pytest's reruns ask for.

        What it needs is not run again, but for steps that are not green and no item of their own.
        """
        watched, session = self._watched[item.workflow], item.session
        first = self._await(session, watched, item.name)
        plan = Plan.of(
            watched.plan.workflow,
            select=[item.name],
            **self._desk.request.arguments.for_(watched.plan.workflow),
        )
        needed = [self._await(session, watched, step.name) for step in plan.steps if step.name != item.name]
        known = [result for result in needed if result.name in watched.plan.selected or _green(result)]
        handle = self._desk.background.start(plan, watched.world, known=known)
        while (result := handle.step(item.name, POLL)) is None:
            self._look_up(session)
        result = replace(result, attempts=first.attempts + result.attempts, usage=first.usage + result.usage)
        watched.again[item.name] = result
        watched.entry.again(result)
        return result

    def selected(self, workflow: Workflow) -> Collection[str]:
        """The steps of a workflow that are items of this session."""
        return self._watched[workflow].plan.selected

    def asked(self, item: Step) -> tuple[BackendAsked, ...]:
        """What the step asked its backends, if it did not pass."""
        return self._watched[item.workflow].entry.asked(item.name)

    def root_cause(self, item: Step) -> StepResult | None:
        """The result of the step that blocked this one."""
        if item.result is None or not item.result.blocked:
            return None
        return self._await(item.session, self._watched[item.workflow], item.result.blocked_by)

    def end(self, session: pytest.Session) -> None:
        """Wait for every run of this process (or cancel it, if the session stops early); close the engine."""
        self._settle(session, [w for w in self._watched.values() if w.handle is not None])
        self._desk.background.close()

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C or ``pytest.exit()``: nothing more is waited for."""
        self._interrupted = "interrupted"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Every xdist worker, also one that replaces a dead one, works in the same directory."""
        if not node.gateway.spec.popen:
            raise pytest.UsageError("workflows need xdist workers on this machine: they share a directory")
        node.workerinput[RUNS] = str(self._desk.runs.path)

    def _start(self, item: Step) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        desk, workflow, session = self._desk, item.workflow, item.session
        world = desk.world_of(item.funcargs)
        begun: list[Watched] = []
        for number, (other, names) in enumerate(self._selected.items()):
            if other.fixtures_from == workflow.fixtures_from:
                plan = Plan.of(other.model, select=names, **desk.request.arguments.for_(other.model))
                entry = desk.ledger.entry(number, other.model.stem)
                self._watched[other] = watched = Watched(plan=plan, world=world, entry=entry)
                begun.append(watched)
                self._own(watched)
        # last in, first out: these run before the fixtures the runs use are torn down
        if workflow.shares_fixtures:
            session.addfinalizer(lambda: self.end(session))
        else:
            workflow.addfinalizer(lambda: desk.background.release(world))
            workflow.addfinalizer(lambda: self._settle(session, begun))

    def _own(self, watched: Watched) -> None:
        """Run a workflow here, unless a living process does."""
        if watched.entry.own():
            watched.handle = self._desk.background.start(
                watched.plan,
                watched.world,
                watched.entry.append,
                run_id=self._desk.runs.run_id,
                known=watched.entry.inherit(),
            )

    def _await(self, session: pytest.Session, watched: Watched, step: str) -> StepResult:
        while True:
            if step in watched.again:
                return watched.again[step]
            if watched.handle is not None:
                result = watched.handle.step(step, POLL)
            else:
                result = watched.entry.result(step)
                if result is None:
                    time.sleep(GLANCE)
                    self._own(watched)
            if result is not None:
                return result
            self._look_up(session)

    def _look_up(self, session: pytest.Session) -> None:
        """End the session here if it has been ended elsewhere."""

    def _settle(self, session: pytest.Session, begun: Collection[Watched]) -> None:
        why = self._interrupted or session.shouldfail or session.shouldstop
        handles = [watched.handle for watched in begun if watched.handle is not None]
        for handle in handles:
            if why:
                handle.cancel(str(why))
        for handle in handles:
            while handle.wait(POLL) is None:
                pass


def _green(result: StepResult) -> bool:
    return not result.outcome.red and not result.blocked
