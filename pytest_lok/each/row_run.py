"""One row of a list: its repository is had, the plan runs there, and a record is kept of it in any case."""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.backends.on_demand import made_backends
from pytest_lok.core.events import BackendAsked, Event, RunFinished, RunFold, RunStarted
from pytest_lok.each.places import place_of
from pytest_lok.engine.asking.checked_call import close_world
from pytest_lok.engine.run import Run
from pytest_lok.errors import LokError
from pytest_lok.reports.each.rows import RepositoryRun, State
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.wiring.run_records import RunRecorder
from pytest_lok.wiring.secrecy import redactor_of

if TYPE_CHECKING:
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.each.listing import Row
    from pytest_lok.each.options import EachOptions
    from pytest_lok.engine.context import SharedByRuns
    from pytest_lok.engine.ports import World
    from pytest_lok.store.runs import RunDirectory, RunStore
    from pytest_lok.wiring.project import Project

_UNABLE, _BUG = 3, 70


class RowRun:
    """The work on one row; ``stop`` ends it early, whatever it is at."""

    def __init__(
        self,
        row: Row,
        project: Project,
        plan: Plan,
        shared: SharedByRuns,
        store: RunStore,
        options: EachOptions,
    ) -> None:
        self._row = row
        self._project = project
        self._plan = plan
        self._shared = shared
        self._store = store
        self._options = options
        self._redactor = redactor_of(project.settings, project.environ)
        self._began = time.time()
        self._fold = RunFold()
        self._asked: dict[str, list[BackendAsked]] = {}
        self._stopped = ""
        self._run: Run | None = None
        self._opening: asyncio.Task[Project] | None = None
        self._record: RunRecorder | None = None

    async def execute(self) -> RepositoryRun:
        """What came of the row. Nothing that goes wrong here is an error of the other rows."""
        self._began = time.time()
        try:
            self._record = RunRecorder(self._new_directory(), self._plan, self._redactor)
        except OSError as failure:
            return self._without_run(f"the run cannot be recorded: {failure}", _UNABLE)
        try:
            ended = await self._recorded()
            return self._ended(ended)
        finally:
            self._record.close()

    def stop(self, reason: str) -> None:
        """End the row early; what has been found out until now stays known. Call it on the loop."""
        self._stopped = reason
        if self._run is not None:
            self._run.stop(reason)
        elif self._opening is not None:
            self._opening.cancel()

    # --- the work

    async def _recorded(self) -> RepositoryRun:
        """Have the repository and run the plan there, with every event recorded."""
        place = place_of(self._row, self._project)
        self._opening = asyncio.ensure_future(place.__aenter__())
        try:
            project = await self._opening
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            return self._without_run(f"not run: {self._stopped}", _UNABLE, state="not run")
        except LokError as failure:
            return self._without_run(_said(failure), _UNABLE)
        except Exception as bug:
            return self._broken(bug)
        try:
            return await self._in(project)
        except LokError as failure:
            return self._without_run(_said(failure), _UNABLE)
        except Exception as bug:
            return self._broken(bug)
        finally:
            await place.__aexit__(None, None, None)

    async def _in(self, project: Project) -> RepositoryRun:
        """Run the plan in the project's place; PlanError where a path among the arguments is not there."""
        assert self._record is not None  # noqa: S101 - it is begun by then
        project.check_paths(self._plan)
        world = project.world()
        world = replace(
            world,
            dry_run=self._options.dry_run,
            artifacts=self._record.artifacts,
            limits=replace(world.limits, raised_by="--timeout 10m"),
        )
        run = Run(
            self._plan,
            world,
            self._note,
            fail_fast=self._options.fail_fast,
            run_id=self._record.run_id,
            shared=self._shared,
        )
        if self._stopped:  # between the two there is no step of the loop, but who stops may be anywhere
            run.stop(self._stopped)
        self._run = run
        try:
            result = await run.execute()
        finally:
            await self._close(world)
        code = self._project.exit_code(result, self._plan.workflow)
        ended = self._reported(result, code)
        # nobody looks at each of many rows: where nothing was judged, that is no yes
        if ended.verdict == "nothing judged" and not self._options.dry_run:
            return self._reported(result, _UNABLE)
        return ended

    async def _close(self, world: World) -> None:
        for said, bug in await close_world(world, made_backends(world.backends)):
            self._options.warn(f"{self._row.repository.label}: {said}: {type(bug).__name__}: {bug}")

    # --- what is recorded and reported

    def _note(self, event: Event) -> None:
        assert self._record is not None  # noqa: S101 - it is begun by then
        self._record.note(event)
        self._fold.add(event)
        if self._options.asked and isinstance(event, BackendAsked):
            self._asked.setdefault(event.step, []).append(event)
        self._options.on_event(self._row, event)

    def _ended(self, row: RepositoryRun) -> RepositoryRun:
        """The row with its record ended; one that is green and has no whole record is no yes."""
        assert self._record is not None  # noqa: S101 - it is begun by then
        code = self._record.end(self._record.settle(row.exit_code))
        self._record.warn(self._options.warn)
        return replace(row, run=replace(row.run, exit_code=code))

    def _reported(self, result: RunResult, code: int, state: State = "ran") -> RepositoryRun:
        plan, asked = self._plan, self._asked
        run = ReportedRun.of(
            result, plan.workflow, code, lambda step: asked.get(step, ()), arguments=plan.arguments
        )
        run = replace(run, repository=self._row.repository.name, command="")
        return RepositoryRun(repository=self._row.repository, run=run, state=state)

    def _broken(self, bug: Exception) -> RepositoryRun:
        """The row after a bug of lok's own; of a run that had begun the steps say what they came to."""
        self._options.warn("".join(traceback.format_exception(bug)))
        return self._without_run(f"this is a bug of lok: {type(bug).__name__}: {bug}", _BUG)

    def _without_run(self, why: str, code: int, state: State = "error") -> RepositoryRun:
        """The row of a repository in which no run could be, or none could end; the record says so too."""
        why, workflow = self._redactor.text(why), self._plan.workflow
        run_id = self._record.run_id if self._record else ""
        started = RunStarted(
            run_id=run_id,
            workflow=workflow.stem,
            path=workflow.path,
            sha256=workflow.sha256,
            time=self._began,
            steps=(),
            selected=(),
            leaves=(),
        )
        events: list[Event] = [RunFinished(seconds=time.time() - self._began, interrupted=why)]
        for event in [started, *events] if self._run is None else events:
            if self._record is not None:
                self._record.note(event)
            self._fold.add(event)
        return self._reported(self._fold.result(), code, state)

    def _new_directory(self) -> RunDirectory:
        masked = self._redactor.value(self._options.command)
        root, repository = self._project.root, self._row.repository.name
        return self._store.new(command=masked, root=root, repository=repository)


def _said(failure: LokError) -> str:
    return f"{failure.message} ({failure.hint})" if failure.hint else failure.message
