"""The tools of a project: which there are, and what comes of a call. It knows nothing of the protocol."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Strategy, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.asking.route import everybody, nobody, route
from pytest_lok.engine.ports import World
from pytest_lok.errors import LokError, UsageError
from pytest_lok.mcp_server import answers
from pytest_lok.mcp_server.answers import Answer
from pytest_lok.mcp_server.arguments import WAIT, ToolCall, is_listable, plan_of, take_flag
from pytest_lok.mcp_server.catalog import NOT_READY, ToolSpec, own_tools, workflow_tool
from pytest_lok.mcp_server.runs import ServedRun, ServedRuns
from pytest_lok.reports.run_summary import findings_of
from pytest_lok.verbs.ask import ask_exit_code, ask_workflow, consensus_workflow
from pytest_lok.wiring import Project
from pytest_lok.wiring.run_records import RunRecorder

HEARTBEAT = 10.0
"""Seconds after which a client that waits hears again that the run goes on."""

Tell = Callable[[str], Awaitable[None]]
"""Tells the client how far its call is."""


class Toolbox:
    """Lists and calls the tools of the project that ``open_project`` opens, anew for each call.

    So workflows, settings and trust count as they are at that moment. A call that has to wait for a run
    answers after ``limit`` seconds at the latest, if the run goes on then with its id.
    """

    def __init__(
        self, open_project: Callable[[], Project], *, limit: float, heartbeat: float = HEARTBEAT
    ) -> None:
        self._open = open_project
        self._limit = limit
        self._heartbeat = heartbeat
        self._first: Project | None = None
        self._runs = ServedRuns()
        self._own = {spec.name: spec for spec in own_tools(limit)}
        self._bodies: Mapping[str, Callable[[ToolCall, Tell], Awaitable[Answer]]] = {
            "ask": self._ask,
            "start": self._start,
            "status": self._status,
            "result": self._result,
            "cancel": self._cancel,
            "findings": self._findings,
        }

    def tools(self) -> list[ToolSpec]:
        """The tools; where the project cannot be used only the one that says why."""
        try:
            project = self._project()
            names = [entry.stem for entry in project.catalog.entries()]
        except LokError:
            return [NOT_READY]
        found = [self._described(project, name) for name in names if is_listable(name)]
        return [*self._own.values(), *filter(None, found)]

    async def call(self, name: str, given: Mapping[str, Any], tell: Tell) -> Answer:
        """Call a tool; LokError where nothing could be started, or asked for."""
        if name == NOT_READY.name:
            self._project()
            raise UsageError("this project can be used by now", hint="list the tools again")
        if name not in self._own:
            return await self._workflow(name, given, tell)
        call = ToolCall(tool=name, given=given)
        call.check(self._own[name].schema["properties"])
        return await self._bodies[name](call, tell)

    def stop(self, reason: str) -> None:
        """End every run early, and return at once."""
        self._runs.stop(reason)

    async def close(self) -> None:
        """End every run; no process is left afterwards."""
        await self._runs.close(self.kill)

    def kill(self) -> None:
        """Kill every process at once."""
        if self._first is not None:
            self._first.shared.kill()

    def _project(self) -> Project:
        """The project as it is now, with what it shares with earlier calls; UsageError where not trusted."""
        project = self._open()
        if distrust := project.distrust:
            raise distrust
        self._first = self._first or project
        return replace(project, shared=self._first.shared)

    def _described(self, project: Project, name: str) -> ToolSpec | None:
        """The tool of a workflow; None for one that has no description or is broken."""
        if name in self._own or name == NOT_READY.name:
            return None
        try:
            workflow = project.load(name)
        except LokError:
            return None  # who calls or starts it is told what is wrong
        return workflow_tool(workflow, self._limit) if workflow.description else None

    async def _workflow(self, name: str, given: Mapping[str, Any], tell: Tell) -> Answer:
        project = self._project()
        workflow = _load(project, name)
        waits, given = (False, given) if WAIT in workflow.args else take_flag(given, WAIT)
        run = self._begin(project, plan_of(workflow, given))
        return await self._until_ended(run, math.inf if waits else self._limit, tell)

    async def _ask(self, call: ToolCall, tell: Tell) -> Answer:
        waits, _ = take_flag(call.given, WAIT)
        question, names = call.text("question"), call.texts("backends")
        project = self._project()
        project = project.caching(project.settings.cache.enabled)
        world = project.world()
        if not names and "backend" in project.settings.defaults.written:
            names = list(project.settings.defaults.backends)
        if EVERYBODY in names:
            names = []
        asked = _named(project, question, names, world) if names else _everybody(world)
        if strategy := call.text("consensus", ""):
            workflow = consensus_workflow(question, asked, _strategy(strategy))
        else:
            workflow = ask_workflow(question, asked, tolerant=not names)
        plan = Plan.of(workflow)
        run = self._runs.start(plan, world, ask_exit_code, lambda: _recorder(project, plan, world))
        return await self._until_ended(run, math.inf if waits else self._limit, tell)

    async def _start(self, call: ToolCall, _: Tell) -> Answer:
        project = self._project()
        workflow = _load(project, call.text("workflow"))
        return answers.running(self._begin(project, plan_of(workflow, call.table("arguments"))), self._limit)

    async def _status(self, call: ToolCall, tell: Tell) -> Answer:
        seconds = call.number("wait_seconds", 0, most=self._limit)
        if call.given.get("run_id") is None:
            return answers.listed(self._runs.all())
        run = self._runs.get(call.text("run_id"))
        await self._follow(run, seconds, tell)
        return answers.status(run, self._limit)

    async def _result(self, call: ToolCall, _: Tell) -> Answer:
        run, step = self._runs.get(call.text("run_id")), call.text("step", "")
        offset = int(call.number("offset", 0, most=1e12))
        if not step:
            return answers.finished(run) if run.ended else answers.running(run, self._limit)
        steps = run.result.steps
        if step not in steps:
            hint = did_you_mean(step, steps, spelled="{!r}") or f"it has: {', '.join(steps) or 'none yet'}"
            raise UsageError(f"run {run.run_id} has no result of a step {step!r}", hint=hint)
        return answers.step_output(run, steps[step], offset)

    async def _cancel(self, call: ToolCall, _: Tell) -> Answer:
        run = self._runs.get(call.text("run_id"))
        run.stop("cancelled by the client")
        await run.wait(self._limit)
        return answers.status(run, self._limit)

    async def _findings(self, call: ToolCall, _: Tell) -> Answer:
        run = self._runs.get(call.text("run_id"))
        offset = int(call.number("offset", 0, most=1e12))
        return answers.findings(run, findings_of(run.result), offset)

    def _begin(self, project: Project, plan: Plan) -> ServedRun:
        project.check_paths(plan)
        world = project.world()
        return self._runs.start(
            plan,
            world,
            lambda result: project.exit_code(result, plan.workflow),
            lambda: _recorder(project, plan, world),
        )

    async def _until_ended(self, run: ServedRun, seconds: float, tell: Tell) -> Answer:
        """Wait for a run that this call began; a client that cancels the call ends the run."""
        try:
            await self._follow(run, seconds, tell)
        except asyncio.CancelledError:
            run.stop("the client cancelled the call")
            raise
        return answers.finished(run) if run.ended else answers.running(run, self._limit)

    async def _follow(self, run: ServedRun, seconds: float, tell: Tell) -> None:
        """Tell what happens in the run until it ends, for so many seconds at most."""
        now = asyncio.get_running_loop().time
        end = now() + seconds
        with run.followed() as follower:
            while not run.ended and (left := end - now()) > 0:
                lines = await follower.wait(min(self._heartbeat, left))
                if not run.ended or lines:
                    await tell(answers.progress(run, lines))
            if follower.lines:
                await tell(answers.progress(run, follower.lines))


def _load(project: Project, name: str) -> Workflow:
    """The workflow of that name. A path is none: an agent may run what the project has, and nothing else."""
    if "/" in name or name.endswith(".toml"):
        raise UsageError(
            f"{name!r} is a path, and not the name of a workflow",
            hint="put the file into .lok/workflows/, and use its name without .toml",
        )
    return project.load(name)


def _named(project: Project, question: str, names: Sequence[str], world: World) -> list[str]:
    """The backends behind these names; UsageError for one that is unknown."""
    asked = []
    for name in project.settings.members(names):
        if name not in world.backends and name != AUTO:
            close = did_you_mean(name, world.backends, spelled="{!r}")
            hint = close or f"there are: {', '.join(world.backends)}"
            raise UsageError(f"there is no backend {name!r}", hint=hint)
        asked.append(route(question, world).backend if name == AUTO else name)
    return list(dict.fromkeys(asked))


def _everybody(world: World) -> list[str]:
    """Whoever can answer and need not be named; BackendError with the problem of each if nobody can."""
    found = everybody(world)
    able = [one.backend for one in found if one.problem is None]
    if not able:
        raise nobody(found, world)
    return able


def _recorder(project: Project, plan: Plan, world: World) -> RunRecorder:
    """The record of a run that a client has asked for; LokError where it cannot be written anywhere."""
    try:
        return RunRecorder.begin(project, plan, world.redactor, ("lok", "mcp", plan.workflow.stem))
    except OSError as failure:
        raise LokError(f"the run cannot be recorded: {failure}") from failure


def _strategy(name: str) -> Strategy:
    try:
        return Strategy(name)
    except ValueError:
        hint = f"choose one of: {', '.join(Strategy)}"
        raise UsageError(f"there is no consensus {name!r}", hint=hint) from None
