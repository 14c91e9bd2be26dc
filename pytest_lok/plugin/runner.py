"""The runs of a session: selected items -> plans, started all at once; each item waits for its own step.

How a step runs exactly once across processes is told in ``workflow_run``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import UsageError
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.outcome import StepReport
from pytest_lok.plugin.progress import Progress
from pytest_lok.plugin.selected_steps import SelectedSteps
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.session import RUN_DIRECTORY
from pytest_lok.plugin.timeouts import with_timeouts
from pytest_lok.plugin.workflow_run import WorkflowRun
from pytest_lok.store.records import RecordedRun

if TYPE_CHECKING:
    from pytest_lok.engine.ports import World
    from pytest_lok.plugin.nodes import StepItem, WorkflowModule


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
        # this process has every result, so the journals need not be read
        if self._runs and all(run.result is not None for run in self._runs.values()):
            return [RecordedRun(result=run.latest_result()) for run in self._runs.values()]
        return self._session.runs.records()

    def start_engine(self) -> None:
        """Make the engine's thread and loop, before a plugin or a test blocks sockets and the like."""
        config = self._session.config
        runs_nothing = config.getoption("collectonly") or config.getoption("setuponly", False)
        if self._selected and not runs_nothing:
            self._check_again(config.getoption("lok_again"), resumes=config.getoption("lok_resume"))
            try:
                self._session.background.prepare()
            except UsageError as error:
                raise pytest.UsageError(str(error)) from None

    def _check_again(self, again: Sequence[str], *, resumes: bool) -> None:
        """pytest.UsageError for a step that cannot run again."""
        if again and not resumes:
            raise pytest.UsageError("--lok-again says what runs again of an earlier run: add --lok-resume")
        steps = [step for node in self._selected.nodes for step in node.model.steps] if again else []
        known = {step.name for step in steps} | {step.written_name for step in steps}
        if unknown := [name for name in again if name not in known]:
            raise pytest.UsageError(f"--lok-again {unknown[0]}: no workflow of this session has such a step")

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
            return self._runs[workflow].wait_for_valid(item.name)
        finally:
            self._progress.end()

    def rerun(self, item: StepItem) -> StepResult:
        """Run the step once more, as pytest's reruns ask for, and wait for the result."""
        return self._runs[self._selected.node(item.workflow)].rerun(item.name)

    def selected_steps(self, workflow: WorkflowModule) -> Collection[str]:
        """The steps of a workflow that are items of this session, and red if they break."""
        # the cause of a blocked step is seen only if it has an item that is red
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
            root=run.wait_for(result.blocked_by) if result.blocked else None,
            parts_apart=item.config.pluginmanager.hasplugin("subtests"),
        )

    def report_without_item(
        self, nodeid: str, result: StepResult, selected: Collection[str], *, run_id: str
    ) -> pytest.TestReport:
        """A report of a step that has no item in this process, or whose item is over."""
        found = self._selection.step_at(nodeid)
        assert found is not None  # noqa: S101 - asked for steps of this session's workflows
        workflow, step = found
        report = StepReport(
            workflow=workflow,
            step=step,
            file=self._session.request.root / step.path,
            result=result,
            run_id=run_id,
        )
        return report.test_report(nodeid, selected)

    def stop(self, reason: str, outcome_of_rest: Outcome) -> None:
        """End the runs, also those of the workers; steps that have not begun get ``outcome_of_rest``."""
        if self.early_exit.announce(reason, outcome_of_rest):
            self._cancel()

    def results_of_dead_workers(self, workflow: str) -> Mapping[str, StepResult]:
        """The results that dead workers have left of a workflow's node id; a step one died in is an error."""
        if self.early_exit.directory_lost:
            return {}
        claim = self._session.claims.claim_for(workflow)
        return {result.name: result for result in claim.recover().results} if claim.try_acquire() else {}

    def kill_now(self) -> None:
        """End every process at once, also those of the workers: nobody waits for them any more."""
        self._cancel()  # first: a command that is killed has not failed by itself
        self._session.background.kill()
        self.early_exit.announce_kill()

    def end(self) -> None:
        """Wait for every run of this process (or cancel it, if the session stops early); close the engine."""
        runs = list(self._runs.values())
        try:
            self._wait_for_end(runs)
            self._session.background.close()
        except KeyboardInterrupt:  # once more: no patience now, and the reports are still to be written
            self.kill_now()
            for run in runs:
                run.has_ended = True
            self._session.background.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker the session's directory; one that replaces a dead worker gets the same."""
        # a worker on another machine sees neither the locks nor the journals
        if not node.gateway.spec.popen:
            raise pytest.UsageError("workflows need xdist workers on this machine: they share a directory")
        if any(self._selection.candidates()):
            node.workerinput[RUN_DIRECTORY] = str(self._session.runs.path)

    def _start_runs(self, item: StepItem) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        # bound now: a module with fixtures of its own replaces self._world before these finalizers run
        background, workflow, world = self._session.background, item.workflow, self._world
        if self.early_exit.happened and (lost := self.early_exit.directory_lost):
            raise pytest.fail.Exception(f"nobody knows what came of it: {lost}", pytrace=False)
        started: list[WorkflowRun] = []
        for other, items in self._selected.with_same_fixtures(workflow):
            self._runs[other] = run = self._new_run(other, items, world)
            started.append(run)
            run.start_if_free()
        # last in, first out: these run before the fixtures the runs use are torn down
        if workflow.shares_fixtures:
            item.session.addfinalizer(self.end)
        else:
            workflow.addfinalizer(lambda: background.release(world))
            workflow.addfinalizer(lambda: self._wait_for_end(started))

    def _new_run(self, workflow: WorkflowModule, items: Sequence[StepItem], world: World) -> WorkflowRun:
        session = self._session
        arguments = session.request.arguments.for_workflow(workflow.model)
        plan = Plan.of(workflow.model, select=[item.name for item in items], **arguments)
        plan = with_timeouts(plan, items, session.config)
        needed = {step.name for step in plan.steps}
        blocked = self._selected.blocked_by_marks(workflow)
        return WorkflowRun(
            session=session,
            early_exit=self.early_exit,
            progress=self._progress,
            running_steps=self._running_steps,
            plan=plan,
            world=world,
            claim=session.claims.claim_for(workflow.nodeid),
            blocked_by_marks={name: result for name, result in blocked.items() if name in needed},
        )

    def _running_steps(self) -> dict[str, float]:
        """The steps that run in this process, and the runs that wait for others, each with its seconds."""
        return {name: s for run in self._runs.values() for name, s in run.running_now().items()}

    def _cancel(self) -> None:
        for run in self._runs.values():
            run.cancel()

    def _wait_for_end(self, runs: Sequence[WorkflowRun]) -> None:
        """Wait until these runs have ended; a crash of the engine is raised here, once."""
        for run in runs:
            while run.is_running_here:
                if self.early_exit.happened:
                    # all at once: each takes its time to end the processes it has started
                    for other in runs:
                        other.cancel()
                run.wait_briefly()
            run.run_left_outdated()
