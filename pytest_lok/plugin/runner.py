"""Selected steps -> runs of the engine, each once however many processes; an item waits for its own step."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.core.results import Outcome, ResumeState, RunResult, StepResult
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.schedule import allows_dependents
from pytest_lok.errors import UsageError
from pytest_lok.plugin.outcome import StepReport
from pytest_lok.plugin.progress import Progress
from pytest_lok.plugin.timeouts import budgeted
from pytest_lok.store.runs import RecordedRun

if TYPE_CHECKING:
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.engine.ports import World
    from pytest_lok.plugin.collect import StepItem, WorkflowModule
    from pytest_lok.plugin.desk import LokSession
    from pytest_lok.store.run_claims import WorkflowClaim

RUNS = "lok_runs"
"""What a worker is told: the directory its session is recorded in."""
POLL_INTERVAL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
RESULT_CHECK_INTERVAL = 0.02
"""Seconds between two looks at what another process has written."""


@dataclass(slots=True, kw_only=True)
class WorkflowRun:
    """One workflow of this session: what is to run, its record, and the run itself if this process has it.

    ``kept`` are results of steps that pytest's marks keep from running, though others need them.
    ``changed``: another attempt has replaced a result, and the record has the one that counts.
    """

    plan: Plan
    world: World
    entry: WorkflowClaim
    kept: dict[str, StepResult]
    handle: RunHandle | None = None
    settled: bool = False
    result: RunResult | None = None
    changed: bool = False

    def newest(self) -> RunResult:
        """What came of a run that has ended, with the results that count."""
        assert self.result is not None  # noqa: S101 - asked before
        if not self.changed:
            return self.result
        steps = {name: self.entry.result(name) or old for name, old in self.result.steps.items()}
        return replace(self.result, steps=steps)


class WorkflowRunner:
    """The runs of this session: one engine thread, all selected workflows at once."""

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._stop = desk.stop
        self._selection = desk.selection
        self._watched: dict[WorkflowModule, WorkflowRun] = {}
        self._progress = Progress(desk.config)
        self._world: World

    def records(self) -> list[RecordedRun] | None:
        """The runs, if all of the session's have ended in this process; None where only the records know."""
        if not self._watched or any(watched.result is None for watched in self._watched.values()):
            return None
        return [RecordedRun(result=watched.newest()) for watched in self._watched.values()]

    def prepare(self) -> None:
        """Make what runs need before any item has its say about sockets and the like."""
        config = self._desk.config
        if (
            self._selection
            and not config.getoption("collectonly")
            and not config.getoption("setuponly", False)
        ):
            try:
                self._desk.background.prepare()
            except UsageError as error:
                raise pytest.UsageError(str(error)) from None

    def look_around(self, item: StepItem) -> None:
        """Take what the runs of an item's workflow begin with: the environment before its own fixtures."""
        workflow = self._selection.node(item.workflow)
        watched = self._watched.get(workflow)
        if watched is None or (watched.settled and not workflow.shares_fixtures):
            item.set_up_wide()
            self._world = self._desk.world_of(item.value_of("lok_settings"), item.value_of("lok_backends"))
            if watched is not None:  # set up anew, by a plugin that tries again
                watched.world = world = self._world
                workflow.addfinalizer(lambda: self._desk.background.release(world))

    def result(self, item: StepItem) -> StepResult:
        """The step's result; waits for it alone. The first item with its fixtures ready starts the runs."""
        workflow = self._selection.node(item.workflow)
        if workflow not in self._watched:
            self._start(item)
        self._progress.begin()
        try:
            watched = self._watched[workflow]
            result = self._await(watched, item.name)
            return result if result.attempts else self._decided(watched, result)
        finally:
            self._progress.end()

    def another(self, item: StepItem) -> StepResult:
        """The result of one more attempt of the step, as pytest's reruns ask for.

        What it needs is not run again, but for steps that are not green and no item of their own.
        """
        watched = self._watched[self._selection.node(item.workflow)]
        first = self._latest(watched, item.name)
        plan = watched.plan.narrowed([item.name])
        needed = [self._latest(watched, step.name) for step in plan.steps if step.name != item.name]
        own = {*watched.plan.selected, *watched.kept}
        results = tuple(result for result in needed if result.name in own or allows_dependents(result))
        known = ResumeState(results=results, spent=watched.entry.spent())
        handle = self._desk.background.start(plan, watched.world, watched.entry.append_spending, known=known)
        while (result := handle.step(item.name, POLL_INTERVAL)) is None:
            if self._stop.happened:
                handle.cancel("the session ended")
        watched.changed = True
        for name in {step.name for step in plan.steps} - {item.name, *(result.name for result in results)}:
            turned = handle.step(name, 0)
            if turned is not None and allows_dependents(turned):  # else it is as red as it was
                watched.entry.record_rerun(_after(self._latest(watched, name), turned))
        result = _after(first, result)
        watched.entry.record_rerun(result)
        return result

    def _latest(self, watched: WorkflowRun, step: str) -> StepResult:
        """A step's result, or the one that has replaced it, in whichever process."""
        result = self._await(watched, step)
        return watched.entry.result(step) or result

    def _decided(self, watched: WorkflowRun, result: StepResult) -> StepResult:
        """The result of a step that was not run, once it rests on nothing that has changed since."""
        name = result.name
        while name in watched.entry.outdated(watched.plan.steps) and not self._stop.happened:
            if not self._run_outdated(watched):
                time.sleep(RESULT_CHECK_INTERVAL)
        return self._stop.told(watched.entry.result(name) or result)

    def _run_outdated(self, watched: WorkflowRun) -> bool:
        """Run what was not run because of results that have been replaced; False if another process does."""
        entry = watched.entry
        if not entry.try_acquire_rerun():
            return False
        try:
            if steps := entry.outdated(watched.plan.steps):
                plan = watched.plan.narrowed(steps)
                needed = (entry.result(step.name) for step in plan.steps if step.name not in steps)
                known = ResumeState(results=tuple(filter(None, needed)), spent=entry.spent())
                tell = partial(entry.append_for, steps)
                handle = self._desk.background.start(plan, watched.world, tell, known=known)
                watched.changed = True
                while handle.wait(POLL_INTERVAL) is None:
                    if self._stop.happened:
                        handle.cancel("the session ended")
                    self._progress.show(handle.running())
        finally:
            entry.release_rerun()
        return True

    def selected(self, workflow: WorkflowModule) -> Collection[str]:
        """The steps of a workflow that are items of this session, and red if they break."""
        selected = self._watched[self._selection.node(workflow)].plan.selected
        excused = self._selection.excused(workflow)
        return selected - excused if excused else selected

    def account(self, item: StepItem, result: StepResult) -> StepReport:
        """What there is to tell of an item's step."""
        watched = self._watched[self._selection.node(item.workflow)]
        root = self._await(watched, result.blocked_by) if result.blocked else None
        return StepReport(
            workflow=watched.plan.workflow,
            step=item.step,
            file=item.file,
            result=result,
            run_id=self._desk.runs.run_id,
            asked=watched.entry.asked,
            root=root,
        )

    def stop(self, why: str, rest: Outcome) -> None:
        """End the runs, also those of the workers; ``rest`` is what becomes of steps that have not begun."""
        if self._stop.say(why, rest):
            self._cancel(self._watched.values())

    def left(self, workflow: str) -> Mapping[str, StepResult]:
        """What workers that are dead have left of a workflow; a step one died in is an error."""
        if self._stop.lost:
            return {}
        entry = self._desk.ledger.claim_for(workflow)
        return {result.name: result for result in entry.recover().results} if entry.try_acquire() else {}

    def kill_now(self) -> None:
        """Nobody waits any more: end every process at once, also those of the workers."""
        self._cancel(self._watched.values())  # first: a command that is killed has not failed by itself
        self._desk.background.kill()
        self._stop.kill_now()

    def end(self) -> None:
        """Wait for every run of this process (or cancel it, if the session stops early); close the engine."""
        try:
            self._settle(self._watched.values())
            self._desk.background.close()
        except KeyboardInterrupt:  # once more: no patience now, and the reports are still to be written
            self.kill_now()
            for watched in self._watched.values():
                watched.settled = True
            self._desk.background.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Every xdist worker, also one that replaces a dead one, works in the same directory."""
        if not node.gateway.spec.popen:
            raise pytest.UsageError("workflows need xdist workers on this machine: they share a directory")
        if any(self._desk.candidates()):
            node.workerinput[RUNS] = str(self._desk.runs.path)

    def _start(self, item: StepItem) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        desk, workflow = self._desk, item.workflow
        if self._stop.happened and self._stop.lost:
            raise pytest.fail.Exception(f"nobody knows what came of it: {self._stop.lost}", pytrace=False)
        world = self._world
        begun: list[WorkflowRun] = []
        for other, items in self._selection.beside(workflow):
            self._watched[other] = watched = _watched(desk, other, items, world)
            begun.append(watched)
            self._own(watched)
        # last in, first out: these run before the fixtures the runs use are torn down
        if workflow.shares_fixtures:
            item.session.addfinalizer(self.end)
        else:
            workflow.addfinalizer(lambda: desk.background.release(world))
            workflow.addfinalizer(lambda: self._settle(begun))

    def _own(self, watched: WorkflowRun) -> None:
        """Run a workflow here, unless a living process does."""
        if watched.entry.try_acquire():
            left = watched.entry.recover()
            results = watched.kept | {result.name: result for result in left.results}
            watched.handle = self._desk.background.start(
                watched.plan,
                watched.world,
                watched.entry.append,
                run_id=self._desk.runs.run_id,
                known=replace(left, results=tuple(results.values())),
            )

    def _await(self, watched: WorkflowRun, step: str) -> StepResult:
        if watched.changed and (newest := watched.entry.result(step)) is not None:
            return self._stop.told(newest)
        while True:
            if watched.handle is not None:
                result = watched.handle.step(step, POLL_INTERVAL)
            else:
                result = watched.entry.result(step)
                if result is None and self._stop.happened:
                    return self._stop.cut(step, begun=watched.entry.running(step))
                if result is None:
                    self._own(watched)
                    time.sleep(RESULT_CHECK_INTERVAL)
            if result is not None:
                return self._stop.told(result)
            if self._stop.happened:
                self._cancel([watched])
            self._progress.show(_now(self._watched.values()))

    def _cancel(self, begun: Iterable[WorkflowRun]) -> None:
        for watched in begun:
            if watched.handle is not None:
                watched.handle.cancel(self._stop.why)
        if self._stop.kill_requested:
            self._desk.background.kill()

    def _settle(self, begun: Iterable[WorkflowRun]) -> None:
        """Wait until these runs have ended; what the engine died of is raised here, once."""
        for watched in begun:
            while watched.handle is not None and not watched.settled:
                if self._stop.happened:
                    self._cancel(begun)
                try:
                    watched.result = watched.handle.wait(POLL_INTERVAL)
                    watched.settled = watched.result is not None
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    watched.settled = True
                    if not watched.handle.tells_of_crash():  # where it does, that is no matter of this item
                        raise
            while watched.changed and not self._stop.happened and watched.entry.outdated(watched.plan.steps):
                if not self._run_outdated(watched):  # items that come before the ones that block them
                    break


def _after(first: StepResult, result: StepResult) -> StepResult:
    """What another attempt makes of a result; one that does not run takes nothing back."""
    return replace(
        result if result.ran or not first.ran else first,
        attempts=first.attempts + result.attempts,
        usage=first.usage + result.usage,
    )


def _watched(desk: LokSession, workflow: WorkflowModule, items: list[StepItem], world: World) -> WorkflowRun:
    names = [item.name for item in items]
    plan = Plan.of(workflow.model, select=names, **desk.request.arguments.for_(workflow.model))
    plan = budgeted(plan, items, desk.config)
    entry = desk.ledger.claim_for(workflow.nodeid)
    needed = {step.name for step in plan.steps}
    kept = {n: result for n, result in desk.selection.kept(workflow).items() if n in needed}
    return WorkflowRun(plan=plan, world=world, entry=entry, kept=kept)


def _now(begun: Iterable[WorkflowRun]) -> dict[str, float]:
    """The steps that run in this process, and the runs that wait for others, with their seconds."""
    handles = {w.plan.workflow.stem: w.handle for w in begun if w.handle is not None}
    now: dict[str, float] = {}
    for stem, handle in handles.items():
        if (seconds := handle.waiting()) is not None:
            now[f"{stem} waits for another run in this directory"] = seconds
        now |= {f"{stem}::{name}": seconds for name, seconds in handle.running().items()}
    return now
