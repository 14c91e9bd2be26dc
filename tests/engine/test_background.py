from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.plan import Plan
from pytest_lok.core.results import Reply
from pytest_lok.engine.background import Background
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError
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
