"""Workflows that run alone: in one process and beside others, and what becomes of those that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.events import Event, RunFinished, RunStarted, RunWaiting
from pytest_lok.core.results import Outcome
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.run import Run, run
from pytest_lok.workspace.run_lock import FileRunLock
from tests.engine.worlds import Tree, workflow, world

STEP = "[[steps]]\nname = 'x'\nshell = 'mkdir busy && sleep 0.1 && rmdir busy'\n"
EDITS = "[[steps]]\nname = 'y'\nprompt = '?'\nbackend = 'a'\napply_edits = true\nwhen = 'false'\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def side_by_side(root: Path, *texts: str) -> list[Outcome]:
    async def all_of_them() -> list[Outcome]:
        here = world(root)
        results = await asyncio.gather(*(run(Plan.of(workflow(text)), here) for text in texts))
        return [result.outcome for result in results]

    return asyncio.run(all_of_them())


def test_runs_overlap(root: Path) -> None:
    assert sorted(side_by_side(root, STEP, STEP)) == [Outcome.FAILED, Outcome.PASSED]


@pytest.mark.parametrize(
    "alone",
    [f"exclusive = true\n{STEP}", f"{STEP}{EDITS}"],
    ids=["exclusive", "with edits"],
)
def test_one_that_runs_alone_overlaps_with_none(root: Path, alone: str) -> None:
    assert side_by_side(root, STEP, alone) == [Outcome.PASSED] * 2
    assert side_by_side(root, alone, STEP, alone) == [Outcome.PASSED] * 3


def test_a_workflow_with_edits_may_say_that_it_minds_nobody(root: Path) -> None:
    text = f"exclusive = false\n{STEP}{EDITS}"
    assert sorted(side_by_side(root, text, STEP)) == [Outcome.FAILED, Outcome.PASSED]


def waiting(root: Path, meanwhile: Callable[[Run, asyncio.Task[object]], object]) -> list[Event]:
    """The events of a run that waited for another one, which ended after ``meanwhile``."""
    events: list[Event] = []

    async def both() -> None:
        other = Tree(str(root)).run_lock(alone=True)
        assert other.try_acquire()
        waits = Run(Plan.of(workflow("[[steps]]\nname = 'x'\nshell = 'true'\n")), world(root), events.append)
        task: asyncio.Task[object] = asyncio.create_task(waits.execute())
        while not any(isinstance(event, RunWaiting) for event in events):
            await asyncio.sleep(0.01)
        meanwhile(waits, task)
        await asyncio.sleep(0)
        other.release()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(both())
    return events


def test_waiting_is_told_once_and_ends(root: Path) -> None:
    events = waiting(root, lambda run, task: None)
    assert [type(event) for event in events[:2]] == [RunStarted, RunWaiting]
    assert sum(isinstance(event, RunWaiting) for event in events) == 1
    assert events[-1] == RunFinished(seconds=events[-1].seconds)  # type: ignore[union-attr]  # it is one


def test_one_that_is_stopped_while_it_waits_runs_nothing(root: Path) -> None:
    *_, finished, end = waiting(root, lambda run, task: run.stop("enough"))
    assert finished.result.reason == "not run: enough"  # type: ignore[union-attr]  # the only step's
    assert end.interrupted == "enough"  # type: ignore[union-attr]  # the last event


def test_one_that_is_cancelled_while_it_waits_lets_go(root: Path) -> None:
    *_, finished, _ = waiting(root, lambda run, task: task.cancel())
    assert finished.result.reason == "not run: interrupted"  # type: ignore[union-attr]  # the only step's
    assert side_by_side(root, f"exclusive = true\n{STEP}") == [Outcome.PASSED]


class Nowhere(Tree):
    """A workspace whose lock has no place."""

    def run_lock(self, *, alone: bool) -> FileRunLock:
        return FileRunLock(Path("/dev/null/state"), alone=alone)


def test_alone_is_an_error_where_that_cannot_be_known(root: Path) -> None:
    here = replace(world(root), workspace=Nowhere(str(root)))
    result = asyncio.run(run(Plan.of(workflow(f"exclusive = true\n{STEP}")), here))
    assert result.exit_code == 3
    assert "runs alone" in result.steps["x"].reason
    assert asyncio.run(run(Plan.of(workflow(STEP)), here)).passed
