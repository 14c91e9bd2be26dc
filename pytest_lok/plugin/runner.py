"""Selected steps -> runs of the engine; an item waits for the result of its own step.

How a step runs exactly once across processes
=============================================

With pytest-xdist several processes collect the same items, and each gets some of them. Two items of one
workflow may be in two processes, but a workflow is one run of the engine, so one process runs the whole of
it and the others wait for results. Four facts carry this:

1. *One directory per session.* The process that starts the workers makes ``.lok/runs/<run id>/`` and tells
   each worker its path. Everything that the processes know of each other lies in there.
2. *One lock per workflow.* Before a process runs a workflow, it takes the workflow's lock
   (``store.run_claims``). The system drops the lock when its owner dies, however it dies.
3. *One journal per workflow.* The owner writes what happens in the run, each event before anybody is woken
   by it. Whoever has not got the lock reads results from the journal; so an item cannot tell where its step
   ran.
4. *Whoever waits tries the lock.* Between two looks at the journal each waiting process asks for the lock.
   It gets the lock only after the owner's death. The new owner keeps every result in the journal, and goes
   on with the steps that had not begun. A step that had begun and has no result becomes an error: it may
   have done anything, so it is never run a second time.

From this follows what the methods below rely on:

* The first item whose fixtures are ready starts *every* selected workflow with the same fixtures. All of
  them run at once on one engine thread per process; items merely wait. (``prepare_world``, ``result``)
* A result in the journal may be replaced, never withdrawn: pytest's reruns append a newer one, in
  whichever process they happen, and the last one counts. (``rerun``)
* A replaced result makes those that rest on it *outdated*: steps that were not run because of it. A second
  lock of the workflow decides which process runs them. Steps that ran stay as they are: a judgement that
  was paid for is not thrown away because one of several inputs came late. (``_run_outdated``)
* The end of a session reaches all processes by a file in the directory (``early_exit``), so a process looks
  up from its waiting every POLL_INTERVAL. A worker whose parent is dead, or whose directory is gone, ends
  as well.
* With ``--keep-duplicates`` a workflow has several nodes in one process. All of them stand for the first
  one (``SelectedSteps.node``), or the workflow would wait for itself.
"""

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
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.outcome import StepReport
from pytest_lok.plugin.progress import Progress
from pytest_lok.plugin.selected_steps import SelectedSteps
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.session import RUN_DIRECTORY, LokSession
from pytest_lok.plugin.timeouts import with_timeouts
from pytest_lok.store.runs import RecordedRun

if TYPE_CHECKING:
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.engine.ports import World
    from pytest_lok.plugin.nodes import StepItem, WorkflowModule
    from pytest_lok.store.run_claims import WorkflowClaim

POLL_INTERVAL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
RESULT_CHECK_INTERVAL = 0.02
"""Seconds between two looks at what another process has written."""


@dataclass(slots=True, kw_only=True)
class WorkflowRun:
    """One workflow of this session: its plan, its claim, and its handle if this process runs it.

    ``blocked_by_marks`` are results of steps that pytest's marks keep from running, though others need them.
    ``result`` is set when a run of this process has ended, ``has_ended`` also if it crashed. ``has_reruns``:
    another attempt has replaced a result, so the claim's record has those that count.
    """

    plan: Plan
    world: World
    claim: WorkflowClaim
    blocked_by_marks: dict[str, StepResult]
    handle: RunHandle | None = None
    has_ended: bool = False
    result: RunResult | None = None
    has_reruns: bool = False

    def latest_result(self) -> RunResult:
        """The result of a run that has ended, with the step results that count."""
        assert self.result is not None  # noqa: S101 - asked before
        if not self.has_reruns:
            return self.result
        steps = {name: self.claim.result(name) or old for name, old in self.result.steps.items()}
        return replace(self.result, steps=steps)


class WorkflowRunner:
    """The runs of this session: one engine thread, all selected workflows at once."""

    def __init__(self, selection: WorkflowSelection, selected: SelectedSteps, early_exit: EarlyExit) -> None:
        self.early_exit = early_exit
        self._session = selection.session
        self._selection = selection
        self._selected = selected
        self._runs: dict[WorkflowModule, WorkflowRun] = {}
        self._progress = Progress(self._session.config)
        self._world: World

    def records(self) -> list[RecordedRun]:
        """The session's runs as far as they have come, in whichever of its processes they run."""
        if not self._session.is_recorded:
            return []
        if self._runs and all(run.result is not None for run in self._runs.values()):
            return [RecordedRun(result=run.latest_result()) for run in self._runs.values()]
        return self._session.runs.records()

    def start_engine(self) -> None:
        """Make the engine's thread and loop, before a plugin or a test blocks sockets and the like."""
        config = self._session.config
        if (
            self._selected
            and not config.getoption("collectonly")
            and not config.getoption("setuponly", False)
        ):
            try:
                self._session.background.prepare()
            except UsageError as error:
                raise pytest.UsageError(str(error)) from None

    def prepare_world(self, item: StepItem) -> None:
        """Note the environment the runs begin with, before the item's own fixtures are set up."""
        workflow = self._selected.node(item.workflow)
        run = self._runs.get(workflow)
        if run is not None and (workflow.shares_fixtures or not run.has_ended):
            return
        item.set_up_lasting_fixtures()
        backends = item.value_of("lok_backends")
        self._world = self._session.world_of(item.value_of("lok_settings"), backends)
        if run is not None:  # the module's fixtures are set up anew, by a plugin that tries again
            run.world = world = self._world
            workflow.addfinalizer(lambda: self._session.background.release(world))

    def result(self, item: StepItem) -> StepResult:
        """Wait for the step's result. The first item with its fixtures ready starts the runs."""
        workflow = self._selected.node(item.workflow)
        if workflow not in self._runs:
            self._start_runs(item)
        self._progress.begin()
        try:
            run = self._runs[workflow]
            result = self._wait_for(run, item.name)
            return result if result.attempts else self._result_not_outdated(run, result)
        finally:
            self._progress.end()

    def rerun(self, item: StepItem) -> StepResult:
        """Run the step once more, as pytest's reruns ask for, and wait for the result.

        The steps that it needs are not repeated, but for those that are not green and no item of their own.
        """
        run = self._runs[self._selected.node(item.workflow)]
        before = self._latest(run, item.name)
        plan = run.plan.narrowed([item.name])
        needed = [self._latest(run, step.name) for step in plan.steps if step.name != item.name]
        with_items = {*run.plan.selected, *run.blocked_by_marks}
        kept = tuple(result for result in needed if result.name in with_items or allows_dependents(result))
        known = ResumeState(results=kept, spent=run.claim.spent())
        handle = self._session.background.start(plan, run.world, run.claim.append_spending, resume=known)
        while (result := handle.step(item.name, POLL_INTERVAL)) is None:
            if self.early_exit.happened:
                handle.cancel("the session ended")
        run.has_reruns = True
        for name in {step.name for step in plan.steps} - {item.name, *(result.name for result in kept)}:
            repeated = handle.step(name, 0)
            if repeated is not None and allows_dependents(repeated):  # else it is as red as it was
                run.claim.record_rerun(_merge_attempts(self._latest(run, name), repeated))
        result = _merge_attempts(before, result)
        run.claim.record_rerun(result)
        return result

    def selected_steps(self, workflow: WorkflowModule) -> Collection[str]:
        """The steps of a workflow that are items of this session, and red if they break."""
        selected = self._runs[self._selected.node(workflow)].plan.selected
        expected_to_fail = self._selected.expected_to_fail(workflow)
        return selected - expected_to_fail if expected_to_fail else selected

    def report(self, item: StepItem, result: StepResult) -> StepReport:
        """What a report of the item says, with the result of the step that blocked it."""
        run = self._runs[self._selected.node(item.workflow)]
        return StepReport(
            workflow=run.plan.workflow,
            step=item.step,
            file=item.file,
            result=result,
            run_id=self._session.runs.run_id,
            asked=run.claim.asked,
            root=self._wait_for(run, result.blocked_by) if result.blocked else None,
        )

    def stop(self, reason: str, outcome_of_rest: Outcome) -> None:
        """End the runs, also those of the workers; steps that have not begun get ``outcome_of_rest``."""
        if self.early_exit.announce(reason, outcome_of_rest):
            self._cancel(self._runs.values())

    def results_of_dead_workers(self, workflow: str) -> Mapping[str, StepResult]:
        """The results that dead workers have left of a workflow's node id; a step one died in is an error."""
        if self.early_exit.directory_lost:
            return {}
        claim = self._session.claims.claim_for(workflow)
        return {result.name: result for result in claim.recover().results} if claim.try_acquire() else {}

    def kill_now(self) -> None:
        """End every process at once, also those of the workers: nobody waits for them any more."""
        self._cancel(self._runs.values())  # first: a command that is killed has not failed by itself
        self._session.background.kill()
        self.early_exit.announce_kill()

    def end(self) -> None:
        """Wait for every run of this process (or cancel it, if the session stops early); close the engine."""
        try:
            self._wait_for_end(self._runs.values())
            self._session.background.close()
        except KeyboardInterrupt:  # once more: no patience now, and the reports are still to be written
            self.kill_now()
            for run in self._runs.values():
                run.has_ended = True
            self._session.background.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker the session's directory; one that replaces a dead worker gets the same."""
        if not node.gateway.spec.popen:
            raise pytest.UsageError("workflows need xdist workers on this machine: they share a directory")
        if any(self._selection.candidates()):
            node.workerinput[RUN_DIRECTORY] = str(self._session.runs.path)

    def _start_runs(self, item: StepItem) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        session, workflow = self._session, item.workflow
        if self.early_exit.happened and (lost := self.early_exit.directory_lost):
            raise pytest.fail.Exception(f"nobody knows what came of it: {lost}", pytrace=False)
        world = self._world
        started: list[WorkflowRun] = []
        for other, items in self._selected.with_same_fixtures(workflow):
            marked = self._selected.blocked_by_marks(other)
            self._runs[other] = run = _new_run(session, other, items, world, marked)
            started.append(run)
            self._start_if_free(run)
        # last in, first out: these run before the fixtures the runs use are torn down
        if workflow.shares_fixtures:
            item.session.addfinalizer(self.end)
        else:
            workflow.addfinalizer(lambda: session.background.release(world))
            workflow.addfinalizer(lambda: self._wait_for_end(started))

    def _start_if_free(self, run: WorkflowRun) -> None:
        """Run a workflow in this process, unless a living process does."""
        if run.claim.try_acquire():
            left = run.claim.recover()
            results = run.blocked_by_marks | {result.name: result for result in left.results}
            run.handle = self._session.background.start(
                run.plan,
                run.world,
                run.claim.append,
                run_id=self._session.runs.run_id,
                resume=replace(left, results=tuple(results.values())),
            )

    def _wait_for(self, run: WorkflowRun, step: str) -> StepResult:
        """A step's result as the session reports it, from this process's run or from the record."""
        if run.has_reruns and (latest := run.claim.result(step)) is not None:
            return self.early_exit.as_reported(latest)
        while True:
            if run.handle is not None:
                result = run.handle.step(step, POLL_INTERVAL)
            else:
                result = run.claim.result(step)
                if result is None and self.early_exit.happened:
                    return self.early_exit.interrupted_result(step, begun=run.claim.running(step))
                if result is None:
                    self._start_if_free(run)
                    time.sleep(RESULT_CHECK_INTERVAL)
            if result is not None:
                return self.early_exit.as_reported(result)
            if self.early_exit.happened:
                self._cancel([run])
            self._progress.show(_running_steps(self._runs.values()))

    def _latest(self, run: WorkflowRun, step: str) -> StepResult:
        """A step's result, or the one that has replaced it, in whichever process."""
        result = self._wait_for(run, step)
        return run.claim.result(step) or result

    def _result_not_outdated(self, run: WorkflowRun, result: StepResult) -> StepResult:
        """The result of a step that was not run, as soon as it rests on no result that has been replaced."""
        name = result.name
        while name in run.claim.outdated(run.plan.steps) and not self.early_exit.happened:
            if not self._run_outdated(run):
                time.sleep(RESULT_CHECK_INTERVAL)
        return self.early_exit.as_reported(run.claim.result(name) or result)

    def _run_outdated(self, run: WorkflowRun) -> bool:
        """Run the steps that replaced results kept from running; False if another process does that now."""
        claim = run.claim
        if not claim.try_acquire_rerun():
            return False
        try:
            if steps := claim.outdated(run.plan.steps):
                plan = run.plan.narrowed(steps)
                needed = (claim.result(step.name) for step in plan.steps if step.name not in steps)
                known = ResumeState(results=tuple(filter(None, needed)), spent=claim.spent())
                emit = partial(claim.append_for, steps)
                handle = self._session.background.start(plan, run.world, emit, resume=known)
                run.has_reruns = True
                while handle.wait(POLL_INTERVAL) is None:
                    if self.early_exit.happened:
                        handle.cancel("the session ended")
                    self._progress.show(handle.running())
        finally:
            claim.release_rerun()
        return True

    def _cancel(self, runs: Iterable[WorkflowRun]) -> None:
        for run in runs:
            if run.handle is not None:
                run.handle.cancel(self.early_exit.reason)
        if self.early_exit.kill_announced:
            self._session.background.kill()

    def _wait_for_end(self, runs: Iterable[WorkflowRun]) -> None:
        """Wait until these runs have ended; a crash of the engine is raised here, once."""
        for run in runs:
            while run.handle is not None and not run.has_ended:
                if self.early_exit.happened:
                    self._cancel(runs)
                try:
                    run.result = run.handle.wait(POLL_INTERVAL)
                    run.has_ended = run.result is not None
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    run.has_ended = True
                    if not run.handle.has_crashed():  # a step's result that tells of it is an error already
                        raise
            # an item that came before the one that blocked it may have become outdated since
            while run.has_reruns and not self.early_exit.happened and run.claim.outdated(run.plan.steps):
                if not self._run_outdated(run):
                    break


def _merge_attempts(before: StepResult, result: StepResult) -> StepResult:
    """The newer result, with the sums of both attempts; an attempt that did not run takes nothing back."""
    return replace(
        result if result.ran or not before.ran else before,
        attempts=before.attempts + result.attempts,
        usage=before.usage + result.usage,
    )


def _new_run(
    session: LokSession,
    workflow: WorkflowModule,
    items: list[StepItem],
    world: World,
    marked: Mapping[str, StepResult],
) -> WorkflowRun:
    names = [item.name for item in items]
    arguments = session.request.arguments.for_workflow(workflow.model)
    plan = with_timeouts(Plan.of(workflow.model, select=names, **arguments), items, session.config)
    needed = {step.name for step in plan.steps}
    return WorkflowRun(
        plan=plan,
        world=world,
        claim=session.claims.claim_for(workflow.nodeid),
        blocked_by_marks={name: result for name, result in marked.items() if name in needed},
    )


def _running_steps(runs: Iterable[WorkflowRun]) -> dict[str, float]:
    """The steps that run in this process, and the runs that wait for others, each with its seconds."""
    handles = {run.plan.workflow.stem: run.handle for run in runs if run.handle is not None}
    now: dict[str, float] = {}
    for stem, handle in handles.items():
        if (seconds := handle.waiting()) is not None:
            now[f"{stem} waits for another run in this directory"] = seconds
        now |= {f"{stem}::{name}": seconds for name, seconds in handle.running().items()}
    return now
