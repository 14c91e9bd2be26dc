"""Workflow text + a world of fakes -> a run, so that only the engine is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from pytest_lok.core.events import Event
from pytest_lok.core.remote import Artifact, Snapshot
from pytest_lok.core.results import Json, Reply, RunResult
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.engine.ports import CommandSpec, Comparison, Completed, Limits, Prompt, Transaction, World
from pytest_lok.engine.run import run
from pytest_lok.errors import BackendError, StepUnableError
from pytest_lok.workspace.run_lock import NoLock

DONE = Completed(exit_code=0, stdout="", stderr="", seconds=0.0)


class Sleeper:
    """A backend that takes as many seconds as the prompt says."""

    name = "sleeper"

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        await asyncio.sleep(float(prompt.text))
        return Reply(text="ok", backend=self.name)

    async def aclose(self) -> None:
        pass


class Idle:
    """A shell in which every command has already succeeded."""

    async def run(self, command: CommandSpec) -> Completed:
        return DONE


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A workspace with nothing in it."""

    root: str = "/"

    def run_lock(self, *, alone: bool) -> NoLock:
        return NoLock()

    async def snapshot(self) -> Snapshot:
        raise StepUnableError("nothing can travel from nowhere")

    def artifacts(self, patterns: Sequence[str]) -> Mapping[str, Artifact]:
        return {}

    def take_in(self, files: Mapping[str, Artifact]) -> None:
        return None

    def checkpoint(self, message: str) -> CommandSpec | None:
        return None

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        raise NotImplementedError("no benchmark edits files")

    def read(self, path: str) -> None:
        return None

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        return Comparison(base="nothing")

    async def file_names(self) -> frozenset[str]:
        return frozenset()

    async def tree_names(self) -> frozenset[str]:
        return frozenset()

    async def commits(self) -> tuple[str, str]:
        return "", ""

    async def text_at_base(self, path: str) -> None:
        return None

    def project(self) -> Mapping[str, Json]:
        return {}

    def verify_command(self, preset: str) -> str:
        return "true"


def world(max_parallel: int = 100_000) -> World:
    """No process, no network, no disk."""
    return World(
        backends={"sleeper": Sleeper()},
        shell=Idle(),
        workspace=Nowhere(),
        limits=Limits(max_parallel=max_parallel),
        default_backends=("sleeper",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A step: ``seconds`` of sleep (a list = one item of a ``for_each`` each), None = a no-op."""

    name: str
    seconds: float | Sequence[float] | None = None
    after: Sequence[str] = ()

    @property
    def path(self) -> float:
        """What it adds to a critical path, in seconds."""
        match self.seconds:
            case None:
                return 0.0
            case float() | int():
                return float(self.seconds)
            case _:
                return max(self.seconds)

    def toml(self) -> str:
        """Its table in a workflow file."""
        lines = ["[[steps]]", f'name = "{self.name}"', f"depends_on = {json.dumps(list(self.after))}"]
        match self.seconds:
            case None:
                lines.append('argv = ["true"]')
            case float() | int():
                lines.append(f'prompt = "{self.seconds}"')
            case _:
                lines += [f"for_each = {json.dumps(list(self.seconds))}", 'prompt = "{{ item }}"']
                lines.append(f"max_parallel = {len(self.seconds)}")
        return "\n".join(lines)


def plan(jobs: Sequence[Job]) -> Plan:
    """The plan of all jobs, by way of the file they would be."""
    return plan_of("\n\n".join(job.toml() for job in jobs))


def plan_of(text: str) -> Plan:
    """The plan of a workflow file."""
    source = SourceText(text=text, path="benchmark.toml", stem="benchmark", origin=Origin.PATH)
    return Plan.of(parse_workflow(source, parent=lambda _name, _child: None))


def timed(
    plan: Plan, world: World, listener: Callable[[Event], None] | None = None
) -> tuple[float, RunResult]:
    """Wall seconds of one run with all its events kept, or heard by a listener, and what came of it."""
    events: list[Event] = []

    async def go() -> tuple[float, RunResult]:
        began = time.perf_counter()
        result = await run(plan, world, listener or events.append)
        return time.perf_counter() - began, result

    seconds, result = asyncio.run(go())
    if not result.passed:
        raise SystemExit(f"a benchmark's run did not pass: {result.outcome}")
    return seconds, result
