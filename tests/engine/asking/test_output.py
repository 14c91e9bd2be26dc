"""What an answer quotes is looked for beside the loop where that takes long, and in it where it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import cast

import pytest

from pytest_lok.core.workflow.model import Format
from pytest_lok.engine.asking.output import is_quoting, read_output
from pytest_lok.engine.execution import StepExecution
from pytest_lok.errors import OutputError

SAID = 'It says {"verdict": "PASS"}.'


def record(material: str) -> StepExecution:
    """As much of one as reading asks for."""
    step = SimpleNamespace(output_schema=None)
    return cast(
        "StepExecution",
        SimpleNamespace(step=step, material=material, context=SimpleNamespace(timeout_of=lambda _: 60)),
    )


async def threads_of(work: Awaitable[object]) -> set[str]:
    """The names of the threads that are there while it goes on."""
    seen = set[str]()
    task = asyncio.ensure_future(work)
    while not task.done():
        seen |= {thread.name for thread in threading.enumerate()}
        await asyncio.sleep(0)
    await task
    return seen


@pytest.mark.parametrize(("times", "aside"), [(10, False), (20_000, True)])
def test_a_long_prompt_is_searched_beside_the_loop(times: int, aside: bool) -> None:
    asked = record("x verdict y\n" * times)
    for work in (read_output(asked, SAID, Format.JSON), is_quoting(asked, SAID)):
        names = asyncio.run(threads_of(work))
        assert any("work" in name for name in names) is aside


@pytest.mark.parametrize("times", [10, 20_000])
def test_it_finds_the_same_there(times: int) -> None:
    plain, quoted = record("x verdict y\n" * times), record("x\n" * times + '+{"verdict": "PASS"}')
    assert asyncio.run(read_output(plain, SAID, Format.JSON)) == ({"verdict": "PASS"}, [])
    assert not asyncio.run(is_quoting(plain, SAID))
    assert asyncio.run(is_quoting(quoted, SAID))
    with pytest.raises(OutputError, match="stands in the prompt too"):
        asyncio.run(read_output(quoted, SAID, Format.JSON))
