from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.events import Event, StepStarted
from pytest_lok.core.results import Reply
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.background import Background
from pytest_lok.engine.ports import Limits, Prompt
from pytest_lok.errors import BackendError
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.engine.worlds import workflow, world

ASK = '[[steps]]\nname = "a"\nprompt = "x"\nbackend = "one"\n'
SHELL = '[[steps]]\nname = "a"\nshell = "true"\n'


class Counted:
    """A backend that counts how often it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        assert not self.closed
        return Reply(text="yes", backend=self.name)

    async def aclose(self) -> None:
        self.closed += 1


def test_runs_share_backends_and_each_is_closed_once(tmp_path: Path) -> None:
    one, other = Counted("one"), Counted("other")
    background = Background()
    first = background.start(Plan.of(workflow(ASK)), world(tmp_path, one))
    second = background.start(Plan.of(workflow(ASK)), world(tmp_path, one, other))
    for handle in (first, second):
        result = handle.wait(30)
        assert result is not None
        assert result.passed
    background.close()
    background.close()
    assert (one.closed, other.closed) == (1, 1)


def test_a_worlds_backends_can_go_before_the_rest(tmp_path: Path) -> None:
    one, other = Counted("one"), Counted("other")
    background = Background()
    mine = world(tmp_path, one)
    background.start(Plan.of(workflow(ASK)), mine).wait(30)
    background.start(Plan.of(workflow(ASK.replace("one", "other"))), world(tmp_path, other)).wait(30)
    background.release(mine)
    assert (one.closed, other.closed) == (1, 0)
    background.close()
    assert (one.closed, other.closed) == (1, 1)


def test_waiting_ends_with_the_run_however_close_the_two_come(tmp_path: Path) -> None:
    background = Background()
    for _ in range(100):
        handle = background.start(Plan.of(workflow(SHELL)), world(tmp_path))
        while (result := handle.wait(0)) is None:
            pass
        assert result.passed
    background.close()


def test_a_backend_that_cannot_be_closed_keeps_no_other_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Counted):
        async def aclose(self) -> None:
            raise SystemExit("stuck")

    one, other = Stuck("one"), Counted("other")
    background = Background()
    background.start(Plan.of(workflow(ASK)), world(tmp_path, one, other)).wait(30)
    background.close()
    assert other.closed == 1
    assert "backend one could not be closed" in caplog.text


def test_a_run_inherits_nothing_from_the_callers_context(tmp_path: Path) -> None:
    mark = ContextVar("mark", default="none")
    seen: list[str] = []

    class Looking(Counted):
        async def ask(self, prompt: Prompt) -> Reply:
            seen.append(mark.get())
            return await super().ask(prompt)

    mark.set("the caller's")
    background = Background()
    background.start(Plan.of(workflow(ASK)), world(tmp_path, Looking("one"))).wait(30)
    background.close()
    assert seen == ["none"]


def test_what_the_engine_dies_of_reaches_whoever_waits(tmp_path: Path) -> None:
    class Broken(dict[str, Counted]):
        def get(self, *_: object) -> Counted:
            raise ZeroDivisionError("a bug")

    within = replace(world(tmp_path), backends=Broken(one=Counted("one")))
    background = Background()
    handle = background.start(Plan.of(workflow(ASK)), within)
    with pytest.raises(ExceptionGroup) as caught:
        handle.wait(30)
    assert caught.group_contains(ZeroDivisionError)
    background.close()


def test_the_interpreter_switches_as_before_when_the_engine_has_gone(tmp_path: Path) -> None:
    usual = sys.getswitchinterval()
    background = Background()
    background.start(Plan.of(workflow(SHELL)), world(tmp_path)).wait(30)
    assert sys.getswitchinterval() < usual
    background.close()
    assert sys.getswitchinterval() == usual


class Counting(Counted):
    """A backend that knows how many questions it has at once; it answers none before ``wanted`` were there."""

    def __init__(self, name: str, wanted: int) -> None:
        super().__init__(name)
        self._wanted = wanted
        self._together = asyncio.Event()
        self._now = 0
        self.most = 0

    async def ask(self, prompt: Prompt) -> Reply:
        self._now += 1
        self.most = max(self.most, self._now)
        if self._now == self._wanted:
            self._together.set()
        await self._together.wait()
        # so that one too many would meet the others
        await asyncio.sleep(0.02)
        self._now -= 1
        return await super().ask(prompt)


def steps(count: int, before: str = "") -> str:
    return before + "".join(
        f'[[steps]]\nname = "s{n}"\nprompt = "x"\nbackend = "one"\n' for n in range(count)
    )


ONE, TWO = (Limits(max_parallel=n, is_explicit=True) for n in (1, 2))
ITEMS = f'[[steps]]\nname = "each"\nfor_each = {list(range(6))}\nprompt = "{{{{ item }}}}"\nbackend = "one"\n'


@pytest.mark.parametrize(
    ("texts", "limits", "most"),
    [
        ([steps(6), steps(6), steps(6)], TWO, 2),
        ([steps(6), ITEMS, ITEMS], TWO, 2),
        ([ITEMS + "repeat = 3\n", ITEMS], TWO, 2),
        ([steps(6, "max_parallel = 1\n"), steps(6, "max_parallel = 2\n")], Limits(max_parallel=8), 3),
        ([steps(6, "max_parallel = 6\n"), steps(6)], TWO, 2),
        ([ITEMS + "max_parallel = 6\n"], TWO, 2),
        ([steps(6), steps(6), ITEMS, ITEMS + "repeat = 2\n"], Limits(max_parallel=2), 30),
        ([steps(6, "max_parallel = 2\n"), ITEMS + "max_parallel = 3\n"], Limits(max_parallel=2), 5),
    ],
    ids=["runs", "items", "repeats", "own", "firm", "firm items", "unset", "unset own"],
)
def test_all_runs_together_keep_to_the_limit(
    tmp_path: Path, texts: list[str], limits: Limits, most: int
) -> None:
    one, background = Counting("one", most), Background()
    here = world(tmp_path, one, limits=limits)
    for handle in [background.start(Plan.of(workflow(text)), here) for text in texts]:
        result = handle.wait(30)
        assert result is not None
        assert result.passed
    background.close()
    assert one.most == most


def test_who_waits_for_a_place_can_be_stopped_and_who_leaves_one_lets_others_in(tmp_path: Path) -> None:
    background, here = Background(), world(tmp_path, Counted("one"), limits=ONE)
    long = '[[steps]]\nname = "long"\nshell = "touch begun; exec sleep 600"\n'
    first = background.start(Plan.of(workflow(long)), here)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    second, third = (background.start(Plan.of(workflow(steps(2))), here) for _ in range(2))
    second.cancel("enough")
    stopped = second.wait(30)
    assert stopped is not None
    assert [(step.attempts, step.reason) for step in stopped.steps.values()] == [(0, "not run: enough")] * 2
    assert third.running() == {}
    assert third.wait(0.1) is None
    first.cancel("enough")
    result = third.wait(30)
    assert result is not None
    assert result.passed
    background.close()


def test_who_waits_for_the_end_can_lose_patience(tmp_path: Path) -> None:
    """Nobody would come back within a minute: the command ignores what it is asked politely."""
    processes = LocalProcesses(tmp_path, {"PATH": os.environ["PATH"]}, kill_after=60.0)
    here = replace(world(tmp_path), shell=processes, kill=processes.kill)
    background = Background()
    text = "trap '' TERM; touch begun; while true; do sleep 1; done"
    background.start(Plan.of(workflow(f'[[steps]]\nname = "a"\nshell = "{text}"\n')), here)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    began, end = time.monotonic(), threading.Thread(target=background.close, daemon=True)
    end.start()
    while end.is_alive():
        time.sleep(0.05)
        background.kill()
        end.join(timeout=0.5)
        assert time.monotonic() < began + 40


def test_a_run_that_crashes_leaves_its_places(tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        if isinstance(event, StepStarted):
            raise OSError("the disk is full")

    background, here = Background(), world(tmp_path, Counted("one"), limits=Limits(max_parallel=1))
    first = background.start(Plan.of(workflow(ASK)), here, broken)
    second = background.start(Plan.of(workflow(ASK)), here)
    with pytest.raises(ExceptionGroup) as caught:
        first.wait(30)
    assert caught.group_contains(OSError)
    result = second.wait(30)
    assert result is not None
    assert result.passed
    background.close()
