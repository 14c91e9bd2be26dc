"""Prepared cases and a plan -> a run of the plan on each of them, as `lok gate` would judge the change."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import search_path
from pytest_lok.backends.on_demand import BackendsOnDemand, made_backends
from pytest_lok.core.evaluation.evaluated import EvaluatedCase
from pytest_lok.core.evaluation.judges import ReviewRun
from pytest_lok.engine.asking.backend_call import BUDGET
from pytest_lok.engine.asking.budget import Spending
from pytest_lok.engine.asking.checked_call import close_all, close_world
from pytest_lok.engine.context import SharedByRuns
from pytest_lok.engine.run import Run
from pytest_lok.errors import LokError
from pytest_lok.wiring.judged_change import closed_environment
from pytest_lok.wiring.project import JudgedChange
from pytest_lok.workspace.judged_trees import make_head
from pytest_lok.workspace.processes.runner import LocalProcesses

if TYPE_CHECKING:
    from pytest_lok.core.findings.reported import ReportedReview
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Backend, World
    from pytest_lok.wiring.evaluation.prepared import PreparedCase
    from pytest_lok.wiring.project import Project

AT_ONCE = 8
"""Runs at once; how many questions a backend gets at once is up to its settings."""

_SAMPLES = 1_000
"""The most answers that one step may ask for."""


class CaseRuns:
    """The runs of one evaluation. Call ``execute`` once; ``stop`` ends it early and keeps what is done.

    ``folder`` is the one that the cases were prepared in. ``backends`` replaces those of the settings.
    ``budget_each``: each run has all of the workflow's budget, and they do not share it.
    ``on_done`` gets each case, the number of the repeat and the run, as soon as that has ended.
    """

    def __init__(
        self,
        project: Project,
        plan: Plan,
        cases: Sequence[PreparedCase],
        folder: Path,
        *,
        repeats: int = 1,
        budget_each: bool = False,
        backends: Mapping[str, Backend] | None = None,
    ) -> None:
        # what commands see of the environment is a closed list, as in a gate
        defaults = project.settings.defaults.replace(env_policy="inherit")
        self._project = replace(project, settings=project.settings.replace(defaults=defaults))
        self._plan = plan
        self._cases = cases
        self._folder = folder
        self._repeats = repeats
        self.on_done: Callable[[PreparedCase, int, ReviewRun], None] | None = None
        self._environ = {
            **project.environ,
            "CI": project.environ.get("CI") or "true",
            "PATH": search_path(project.environ),
        }
        self._shared = SharedByRuns(spending=None if budget_each else Spending())
        self._first = self._in(folder / "home", folder, {}).world(backends)
        self._running: set[Run] = set()
        self._done: dict[int, dict[int, ReviewRun]] = {}
        self.cut = ""

    @property
    def world(self) -> World:
        """What all runs have in common: the backends, the limits and the redactor."""
        return self._first

    def stop(self, reason: str) -> None:
        """Begin no run any more, and end those that run. Call it on their event loop."""
        self.cut = self.cut or reason
        for run in self._running:
            run.stop(reason)

    async def execute(self) -> list[EvaluatedCase]:
        """Run every case, each repeat of all of them before the next; what has come to its end."""
        jobs = iter([(n, number) for number in range(self._repeats) for n in range(len(self._cases))])

        async def work() -> None:
            for n, number in jobs:
                if self.cut:
                    return
                await self._job(n, number)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(self._cases) * self._repeats)):
                    group.create_task(work())
        finally:
            await close_all(made_backends(self._first.backends))
        return [
            EvaluatedCase(
                case=it.case,
                expected=it.expected,
                wanted=self._repeats,
                runs=tuple(run for _, run in sorted(self._done.get(n, {}).items())),
            )
            for n, it in enumerate(self._cases)
        ]

    async def _job(self, n: int, number: int) -> None:
        case = self._cases[n]
        reviews: list[ReportedReview] = []
        place = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        try:
            world = await self._world(case, place, number)
            run = Run(self._plan, replace(world, on_review=reviews.append), shared=self._shared)
            self._running.add(run)
            try:
                result = await run.execute()
            finally:
                self._running.discard(run)
                await close_world(world, ())  # the backends are those of all runs
        except LokError as unable:
            self.cut = self.cut or f"{case.case.name}: {unable.message}"
            return
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        if self._shared.spending is not None and _is_out_of_budget(result):
            self.cut = self.cut or "the budget is spent"
        elif not result.interrupted:
            done = ReviewRun(result=_in_short(result), reviews=tuple(reviews))
            self._done.setdefault(n, {})[number] = done
            if self.on_done is not None:
                self.on_done(case, number, done)

    async def _world(self, case: PreparedCase, place: Path, number: int) -> World:
        """The world of one run: the project's settings and backends, and the tree of the case."""
        for name in ("head", "home"):
            (place / name).mkdir()
        git = closed_environment(self._environ, place, ())
        base, head = case.commits.base, case.commits.head
        store = LocalProcesses(self._folder / "store", git)
        private = LocalProcesses(place / "head", git)
        await make_head(store, private, place, base=base, head=head)
        # a commit may be of before the project's directory
        await asyncio.to_thread((place / "head" / case.place).mkdir, parents=True, exist_ok=True)
        # locks and journals of a tree that is gone soon are not for the user's own directory
        state = {"LOK_BASE": base, "XDG_STATE_HOME": str(place / "state")}
        world = self._in(place / "head" / case.place, place, state).world({})
        return replace(
            world,
            backends=self._backends(number),
            only_by_name=self._first.only_by_name,
            limits=replace(world.limits, raised_by="--timeout 10m"),
            tree_state=None,
        )

    def _in(self, root: Path, folder: Path, more: Mapping[str, str]) -> Project:
        """The project whose workflows run at ``root``, as on a change that nobody trusts."""
        project, environ = self._project, {**self._environ, **more}
        commands = closed_environment(environ, folder, project.settings.defaults.env)
        shown = {name: value for name, value in environ.items() if name in ("CI", "LOK_BASE")}
        judged = JudgedChange(root=root, clone=project.root, top=project.root, commands={**commands, **shown})
        return replace(project, judged=judged, environ=environ)

    def _backends(self, number: int) -> Mapping[str, Backend]:
        """The backends of a repeat: after the first one each answer is another sample."""
        first = self._first.backends
        if not number:
            return first
        from pytest_lok.backends.resampled import ResampledBackend

        def made(name: str) -> Backend:
            return ResampledBackend(first[name], number * _SAMPLES)

        return BackendsOnDemand({name: partial(made, name) for name in first})


def _is_out_of_budget(result: RunResult) -> bool:
    return any(it.kind == BUDGET for step in result.steps.values() for it in step.refusals)


def _in_short(result: RunResult) -> RunResult:
    """The result without texts that nobody reads any more: there may be very many runs."""
    steps = {
        name: replace(
            step,
            output="",
            data=None,
            sections=(),
            nested=(),
            verdict=None,
            replies=tuple(replace(it, text="") for it in step.replies),
            items=tuple(replace(it, item=None, output="", verdict=None) for it in step.items),
        )
        for name, step in result.steps.items()
    }
    return replace(result, steps=steps)
