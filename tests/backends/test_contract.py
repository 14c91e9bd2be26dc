"""What every backend does, whichever it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_lok.backends import anthropic, gemini_api, ollama, openai
from pytest_lok.backends.bedrock import Bedrock
from pytest_lok.backends.clis import DIALECTS
from pytest_lok.backends.command import CommandBackend, Tool
from pytest_lok.backends.dialect import ANY
from pytest_lok.backends.http import Api, Http
from pytest_lok.backends.scripted import Rule, Scripted
from pytest_lok.backends.server import Server, ServerDialect
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendFault
from pytest_lok.workspace.processes import Processes
from tests.backends.asking import ask, finish, refused
from tests.backends.fake_bedrock import ACCESS, SECRET, FakeBedrock, answer
from tests.backends.tools import fake_tool
from tests.fake_llm_api import FakeLLM

HANGS = "sleep 1000"

SPOKEN: dict[str, Callable[[str], str]] = {
    "command": lambda text: text,
    "claude": lambda text: json.dumps({"type": "result", "is_error": False, "result": text}) + "\n",
    "codex": lambda text: "".join(
        json.dumps(event) + "\n"
        for event in (
            {"type": "item.completed", "item": {"type": "agent_message", "text": text}},
            {"type": "turn.completed", "usage": {}},
        )
    ),
    "gemini": lambda text: "".join(
        json.dumps(event) + "\n"
        for event in (
            {"type": "message", "role": "assistant", "content": text},
            {"type": "result", "status": "success", "stats": {}},
        )
    ),
}


SERVERS: dict[str, tuple[ServerDialect, str]] = {
    "openai": (openai.CHAT, "/v1"),
    "openai responses": (openai.RESPONSES, "/v1"),
    "anthropic": (anthropic.MESSAGES, ""),
    "gemini-api": (gemini_api.GENERATE, ""),
    "ollama": (ollama.CHAT, ""),
}


@dataclass
class Maker:
    """Makes backends of one kind that give ``text`` as their answer, or never answer at all."""

    kind: str
    directory: Path
    server: FakeLLM
    bedrock: FakeBedrock

    def __call__(self, text: str = "the answer ü\u2028☃", *, hangs: bool = False) -> Backend:
        if self.kind == "scripted":
            return Scripted("it", [Rule(reply=text, delay=1000 if hangs else 0)])
        if self.kind in SPOKEN:
            fake = fake_tool(
                self.directory / text[:5], name="it", out=SPOKEN[self.kind](text), then=HANGS if hangs else ""
            )
            tool = Tool(command=str(fake.path), dialect=DIALECTS.get(self.kind, ANY))
            run = Processes(self.directory, {}).launch
            return CommandBackend("it", tool, run=run, workspace=self.directory, environ=dict(os.environ))
        self.server.set_rules([{"fault": "hang"}] if hangs else [{"reply": text}])
        if self.kind == "bedrock":
            self.bedrock.messages, self.bedrock.hangs = answer(text), hangs
            environ = {
                "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": ACCESS,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            }
            return Bedrock("it", Api(base_url=self.bedrock.url, model="m"), http=Http({}), environ=environ)
        dialect, path = SERVERS[self.kind]
        api = Api(base_url=self.server.url + path, model="m")
        return Server("it", api, dialect, http=Http({}), environ={})


@pytest.fixture(params=["scripted", *SPOKEN, *SERVERS, "bedrock"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    with FakeLLM() as server, FakeBedrock() as bedrock:
        yield Maker(request.param, tmp_path, server, bedrock)


@pytest.fixture(autouse=True)
def nothing_left(make: Maker) -> Iterator[None]:
    """No child and no socket of ours survives a test."""
    before = _sockets()
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    deadline = time.monotonic() + 10
    while _sockets() - before and time.monotonic() < deadline:  # the server's ends close a little later
        time.sleep(0.01)
    assert _sockets() - before == set()


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


def test_it_answers(make: Maker) -> None:
    backend = make()
    assert backend.name == "it"
    assert backend.unavailable() is None
    reply = ask(backend)
    assert reply.text == "the answer ü\u2028☃"
    assert reply.backend == "it"
    assert reply.usage.calls == 1
    assert 0 < reply.seconds < 60
    assert not reply.cached


def test_it_takes_a_prompt_of_a_million_characters(make: Maker) -> None:
    assert ask(make(), "wörter " * 140_000).text == "the answer ü\u2028☃"


def test_it_gives_an_answer_of_a_million_characters(make: Maker) -> None:
    text = "a long answer, " * 70_000 + "its end"
    assert ask(make(text)).text == text


def test_it_takes_text_of_every_kind(make: Maker) -> None:
    assert ask(make(), "日本語 🎉 \u202e‮ \x01\x1b[31m \r\n {{ x }} $(y) ' \" \\").text


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 pair"])
def test_it_refuses_what_is_no_text(make: Maker, text: str) -> None:
    error = refused(make(), text)
    assert error.kind is BackendFault.BAD_REQUEST
    assert not error.transient
    assert refused(make("again"), "fine", system=text).kind is BackendFault.BAD_REQUEST


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_answer_is_an_error(make: Maker, text: str) -> None:
    error = refused(make(text))
    assert error.kind is BackendFault.EMPTY
    assert error.hint


def test_time_runs_out(make: Maker) -> None:
    error = refused(make(hangs=True), timeout=0.3)
    assert error.kind is BackendFault.TIMEOUT
    assert error.transient
    assert "timeout" in error.hint


def test_no_limit_is_a_limit_too(make: Maker) -> None:
    assert ask(make(), timeout=float("inf")).text


def test_it_can_be_cancelled(make: Maker) -> None:
    backend = make(hangs=True)

    async def story() -> None:
        task = asyncio.create_task(backend.ask(Prompt(text="x")))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.aclose()

    finish(story())


def test_fifty_at_once(make: Maker) -> None:
    backend = make()

    async def story() -> list[str]:
        replies = await asyncio.gather(*(backend.ask(Prompt(text=f"question {n}")) for n in range(50)))
        await backend.aclose()
        return [reply.text for reply in replies]

    assert finish(story()) == ["the answer ü\u2028☃"] * 50


def test_one_failure_among_many_harms_no_other(make: Maker) -> None:
    backend = make()

    async def story() -> list[object]:
        prompts = ["fine", "not\0fine", "fine too"]
        results = await asyncio.gather(
            *(backend.ask(Prompt(text=prompt)) for prompt in prompts), return_exceptions=True
        )
        await backend.aclose()
        return [getattr(result, "text", None) for result in results]

    assert finish(story()) == ["the answer ü\u2028☃", None, "the answer ü\u2028☃"]
