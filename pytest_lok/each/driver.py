"""The rows of a list and a plan -> what came of each: so many repositories at once, under shared limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_lok.core.results import RunResult
from pytest_lok.dataclass import dataclass
from pytest_lok.each.row_run import RowRun
from pytest_lok.engine.asking.budget import Spending
from pytest_lok.engine.context import SharedByRuns
from pytest_lok.reports.each.rows import RepositoryRun
from pytest_lok.reports.formats.reported_run import ReportedRun

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.each.listing import Row
    from pytest_lok.each.options import EachOptions
    from pytest_lok.store.runs import RunStore
    from pytest_lok.wiring.project import Project

_UNABLE = 3


@dataclass(slots=True, kw_only=True)
class _Going:
    """The rows that are worked on now, and why no further one is."""

    runs: set[RowRun] = field(default_factory=set)
    stopped: str = ""


class EachDriver:
    """Runs the plan once in each row. One budget holds for all, and steps of all wait in one queue."""

    def __init__(
        self,
        project: Project,
        plan: Plan,
        rows: Sequence[Row],
        store: RunStore,
        options: EachOptions,
    ) -> None:
        self._project = project
        self._plan = plan
        self._rows = rows
        self._store = store
        self._options = options
        self._shared = SharedByRuns(spending=Spending())
        self._going = _Going()

    async def execute(self) -> list[RepositoryRun]:
        """What came of each row, in the order of the rows; a row that was not reached is ``not run``."""
        waiting = iter(self._rows)
        done: dict[int, RepositoryRun] = {}
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._options.jobs, len(self._rows))):
                group.create_task(self._work(waiting, done))
        return [done.get(row.repository.line) or self._not_run(row) for row in self._rows]

    def stop(self, reason: str) -> None:
        """End all early: what runs is cancelled, the rest is not run. Call it on the loop."""
        self._going.stopped = self._going.stopped or reason
        for run in tuple(self._going.runs):
            run.stop(reason)

    async def _work(self, waiting: Iterator[Row], done: dict[int, RepositoryRun]) -> None:
        """Take row after row until none is left, or all is stopped."""
        for row in waiting:
            if self._going.stopped:
                return
            self._options.on_begun(row)
            run = RowRun(row, self._project, self._plan, self._shared, self._store, self._options)
            self._going.runs.add(run)
            try:
                ended = done[row.repository.line] = await run.execute()
            finally:
                self._going.runs.discard(run)
            self._options.on_done(ended)
            if ended.exit_code and self._options.fail_fast and not self._going.stopped:
                self.stop(f"fail-fast after {row.repository.label}: {ended.verdict}")

    def _not_run(self, row: Row) -> RepositoryRun:
        workflow = self._plan.workflow
        result = RunResult(
            run_id="",
            workflow=workflow.stem,
            path=workflow.path,
            sha256=workflow.sha256,
            interrupted=f"not run: {self._going.stopped}",
        )
        run = ReportedRun(result=result, exit_code=_UNABLE, repository=row.repository.name)
        return RepositoryRun(repository=row.repository, run=run, state="not run")
