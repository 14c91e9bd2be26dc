"""What every backend does, whichever it is: ``pytest --pyargs pytest_lok.testing.contract``.

That runs it over what the installed packages offer in ``lok_contract_cases``. A test module that says
``from pytest_lok.testing.contract import *`` and has a fixture ``make`` of its own runs it over that.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_lok.core.asking.images import Image
from pytest_lok.core.asking.tools import Tool, answer_schema
from pytest_lok.engine.asking.checked_call import checked_call
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault
from pytest_lok.hookspecs import ContractCase, MakeBackend, contract_cases
from pytest_lok.testing.asking import ask, expect_error, run_async

_IMAGE = Image(
    path="dot.gif",
    media_type="image/gif",
    base64="R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
)

ANSWER = "the answer ü\u2028☃"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test, for every case that is installed."""
    if "installed_case" in metafunc.fixturenames:
        cases = contract_cases()
        if not cases:
            raise pytest.UsageError("no installed package offers a backend in lok_contract_cases")
        metafunc.parametrize("installed_case", cases.values(), ids=cases.keys())


@pytest.fixture
def make(installed_case: ContractCase, tmp_path: Path) -> Iterator[MakeBackend]:
    """Makes backends of the tested kind, with an answer where a test needs no particular one."""
    with installed_case(tmp_path) as made:
        yield lambda text=ANSWER, *, hangs=False: made(text, hangs=hangs)


@pytest.fixture(autouse=True)
def nothing_left(make: MakeBackend) -> Iterator[None]:
    """Fails a test that leaves a child process or a socket behind."""
    before, others = _sockets(), _children()
    yield
    assert _children() - others == set()
    deadline = time.monotonic() + 10
    while _sockets() - before and time.monotonic() < deadline:  # the server's ends close a little later
        time.sleep(0.01)
    assert _sockets() - before == set()


def _children() -> set[int]:
    """The children of this process, also dead ones that nobody has waited for.

    None where no /proc lists them.
    """
    found: set[int] = set()
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # that of a thread which has just ended
            found.update(map(int, children.read_text().split()))
    return found


def _sockets() -> set[str]:
    found = set()
    for entry in Path("/dev/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:  # the listing's own
            continue
        if re.match(r"socket:|pipe:", target):
            found.add(target)
    return found


def test_it_answers(make: MakeBackend) -> None:
    backend = make()
    assert backend.name
    assert backend.unavailable() is None
    reply = ask(backend)
    assert reply.text == ANSWER
    assert reply.backend == backend.name
    assert reply.usage.calls == 1
    assert 0 < reply.seconds < 60
    assert not reply.cached


def test_tools_that_nobody_calls_change_no_answer(make: MakeBackend) -> None:
    """A backend that calls tools answers in the JSON of such answers, every other one ignores the tools."""
    backend, tool = make(), Tool(name="ask_bob", description="Asks bob.")
    reply = ask(backend, tools=(tool,), schema=answer_schema([tool]))
    if getattr(backend, "calls_tools", False):
        assert json.loads(reply.text) == {"answer": ANSWER, "ask_bob": []}
    else:
        assert reply.text == ANSWER


def test_an_image_is_taken_by_who_says_so(make: MakeBackend) -> None:
    """A backend that takes images answers about one; others never get any."""
    backend = make()
    if getattr(backend, "takes_images", False):
        assert ask(backend, images=(_IMAGE,)).text == ANSWER


def test_it_takes_a_prompt_of_a_million_characters(make: MakeBackend) -> None:
    assert ask(make(), "wörter " * 140_000).text == ANSWER


def test_it_gives_an_answer_of_a_million_characters(make: MakeBackend) -> None:
    text = "a long answer, " * 70_000 + "its end"
    assert ask(make(text)).text == text


def test_it_takes_text_of_every_kind(make: MakeBackend) -> None:
    assert ask(make(), "日本語 🎉 \u202e‮ \x01\x1b[31m \r\n {{ x }} $(y) ' \" \\").text


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 pair"])
def test_it_refuses_what_is_no_text(make: MakeBackend, text: str) -> None:
    error = expect_error(make(), text)
    assert error.kind is BackendFault.BAD_REQUEST
    assert not error.transient
    assert expect_error(make("again"), "fine", system=text).kind is BackendFault.BAD_REQUEST


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_answer_is_an_error(make: MakeBackend, text: str) -> None:
    error = expect_error(make(text))
    assert error.kind is BackendFault.EMPTY
    assert error.hint


def test_time_runs_out(make: MakeBackend) -> None:
    error = expect_error(make(hangs=True), timeout=0.3)
    assert error.kind is BackendFault.TIMEOUT
    assert error.transient
    assert "timeout" in error.hint


def test_no_limit_is_a_limit_too(make: MakeBackend) -> None:
    assert ask(make(), timeout=float("inf")).text


def test_it_can_be_cancelled(make: MakeBackend) -> None:
    backend = make(hangs=True)

    async def ask_all() -> None:
        task = asyncio.create_task(checked_call(backend, Prompt(text="x")))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.aclose()

    run_async(ask_all())


def test_fifty_at_once(make: MakeBackend) -> None:
    backend = make()

    async def ask_all() -> list[str]:
        prompts = [Prompt(text=f"question {n}") for n in range(50)]
        replies = await asyncio.gather(*(checked_call(backend, prompt) for prompt in prompts))
        await backend.aclose()
        return [reply.text for reply in replies]

    assert run_async(ask_all()) == [ANSWER] * 50


def test_one_failure_among_many_harms_no_other(make: MakeBackend) -> None:
    backend = make()

    async def ask_all() -> list[object]:
        prompts = ["fine", "not\0fine", "fine too"]
        results = await asyncio.gather(
            *(checked_call(backend, Prompt(text=prompt)) for prompt in prompts), return_exceptions=True
        )
        await backend.aclose()
        return [getattr(result, "text", None) for result in results]

    assert run_async(ask_all()) == [ANSWER, None, ANSWER]
