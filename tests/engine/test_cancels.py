"""Whole runs of random graphs that fail, fail fast, are stopped or cancelled at any event."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import Event, RunFinished, RunStarted, StepFinished, StepStarted, fold
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Shell, Step, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import CommandSpec, Completed, Limits, World
from pytest_lok.engine.run import Run
from pytest_lok.errors import StepUnableError
from tests.core.workflow.test_schedule import graphs
from tests.engine.worlds import Tree

STOPS = st.none() | st.tuples(st.sampled_from(["stop", "cancel"]), st.integers(0, 30))


class Puppets:
    """Commands that take a number of turns of the loop and then end as they are told to."""

    def __init__(self, endings: Mapping[str, tuple[int, str]]) -> None:
        self._endings = endings
        self.running: set[str] = set()
        self.most = 0

    async def run(self, command: CommandSpec) -> Completed:
        name = command.argv[1]
        turns, ending = self._endings[name]
        assert name not in self.running
        self.running.add(name)
        self.most = max(self.most, len(self.running))
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            self.running.discard(name)
        if ending == "error":
            raise StepUnableError("it could not")
        return Completed(exit_code=int(ending == "fail"), stdout="", stderr="", seconds=0.0)


def workflow(graph: list[Step]) -> Workflow:
    return Workflow(
        stem="w",
        name="w",
        steps=tuple(
            replace(step, action=Shell(argv=(Template.literal("x"), Template.literal(step.name))))
            for step in graph
        ),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs(), st.data(), STOPS, st.booleans(), st.integers(1, 4))
def test_a_run_tells_everything_once_in_order_whenever_it_ends(
    tmp_path: Path,
    graph: list[Step],
    data: st.DataObject,
    stop: tuple[str, int] | None,
    fail_fast: bool,
    limit: int,
) -> None:
    endings = {
        step.name: data.draw(st.tuples(st.integers(0, 5), st.sampled_from(["pass", "pass", "fail", "error"])))
        for step in graph
    }
    shell = Puppets(endings)
    here = World(backends={}, shell=shell, workspace=Tree(str(tmp_path)), limits=Limits(max_parallel=limit))
    events: list[Event] = []
    result = asyncio.run(_ended(Plan.of(workflow(graph)), here, events, stop, fail_fast=fail_fast))

    assert shell.running == set()
    assert shell.most <= limit
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(event, RunFinished) for event in events) == 1
    _each_once_after_what_it_needs(events, {step.name: step for step in graph})
    assert result == fold(events)
    assert result.steps.keys() == endings.keys()
    interrupted = isinstance(events[-1], RunFinished) and events[-1].interrupted
    assert stop is not None or not interrupted
    if result.passed:
        assert not any(step.outcome.red for step in result.steps.values())
        assert not interrupted
    for name, step in result.steps.items():
        if step.outcome is Outcome.PASSED:
            assert endings[name][1] == "pass"


async def _ended(
    plan: Plan, here: World, events: list[Event], stop: tuple[str, int] | None, *, fail_fast: bool
) -> RunResult:
    how, at = stop or ("", math.inf)

    def hear(event: Event) -> None:
        events.append(event)
        if len(events) == at and not isinstance(event, RunFinished):
            if how == "stop":
                asyncio.get_running_loop().call_soon(run.stop, "enough")
            else:
                task.cancel()

    run = Run(plan, here, hear, fail_fast=fail_fast)
    task = asyncio.create_task(run.execute())
    try:
        return await task
    except asyncio.CancelledError:
        return fold(events)


def _each_once_after_what_it_needs(events: list[Event], steps: Mapping[str, Step]) -> None:
    started: set[str] = set()
    finished: set[str] = set()
    for event in events:
        if isinstance(event, StepStarted):
            assert event.step not in started | finished
            assert finished.issuperset(steps[event.step].needs)
            started.add(event.step)
        elif isinstance(event, StepFinished):
            assert event.result.name not in finished
            finished.add(event.result.name)
            assert bool(event.result.attempts) <= (event.result.name in started)
    assert finished == steps.keys()
