"""Our own backends keep the contract that those of others keep."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_lok.backends.cli.backend import CliConfig, CommandBackend
from pytest_lok.backends.cli.dialect import ANY
from pytest_lok.backends.cli.tools import DIALECTS
from pytest_lok.backends.http import anthropic, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.bedrock import BedrockBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.engine.ports import Backend, CommandSpec
from pytest_lok.testing.contract import *  # noqa: F403 - that is how it is used
from pytest_lok.testing.contract import ANSWER
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.processes.watchdog import Watchdog
from tests.backends.acp_scripts import END, acp_backend
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
    "copilot": lambda text: "".join(
        json.dumps(event) + "\n"
        for event in (
            {"type": "assistant.message", "data": {"content": text, "toolRequests": []}},
            {"type": "result", "exitCode": 0},
        )
    ),
    "qwen": lambda text: (
        json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": text}) + "\n"
    ),
    "droid": lambda text: "".join(
        json.dumps(event) + "\n"
        for event in (
            {"type": "message", "role": "assistant", "text": text},
            {"type": "completion", "finalText": text},
        )
    ),
}


SERVERS: dict[str, tuple[HttpDialect, str]] = {
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
    watchdog: Watchdog

    def __call__(self, text: str = ANSWER, *, hangs: bool = False) -> Backend:
        if self.kind == "scripted":
            return Scripted("it", [ScriptedReply(reply=text, delay=1000 if hangs else 0)])
        if self.kind in SPOKEN:
            fake = fake_tool(
                self.directory / text[:5], name="it", out=SPOKEN[self.kind](text), then=HANGS if hangs else ""
            )
            tool = CliConfig(command=str(fake.path), dialect=DIALECTS.get(self.kind, ANY))
            run = LocalProcesses(self.directory, {}, watchdog=self.watchdog).launch
            return CommandBackend("it", tool, run=run, workspace=self.directory, environ=dict(os.environ))
        if self.kind == "acp":
            acts = [{"hang": 1}] if hangs else [{"said": text}, END]
            return acp_backend(
                self.directory / text[:5].strip(), self.watchdog, script={"session/prompt": acts}
            )
        said = {"reply": text, "chunk_chars": max(24, len(text) // 4000)}
        self.server.set_rules([{"fault": "hang"}] if hangs else [said])
        if self.kind == "bedrock":
            self.bedrock.messages, self.bedrock.hangs = answer(text), hangs
            environ = {
                "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": ACCESS,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            }
            return BedrockBackend(
                "it", HttpConfig(base_url=self.bedrock.url, model="m"), http=HttpClient({}), environ=environ
            )
        dialect, path = SERVERS[self.kind]
        api = HttpConfig(base_url=self.server.url + path, model="m")
        return HttpBackend("it", api, dialect, http=HttpClient({}), environ={})


@pytest.fixture(scope="module")
def watchdog() -> Watchdog:
    """One that has been started: its pipe is there before any test, and after it."""
    watchdog = Watchdog()
    shell = LocalProcesses(Path.cwd(), {}, watchdog=watchdog)
    asyncio.run(shell.run(CommandSpec(argv=("/bin/sh", "-c", "true"))))
    return watchdog


@pytest.fixture(params=["scripted", *SPOKEN, "acp", *SERVERS, "bedrock"])  # type: ignore[no-redef]  # for the contract's own
def make(request: pytest.FixtureRequest, tmp_path: Path, watchdog: Watchdog) -> Iterator[Maker]:
    with FakeLLM() as server, FakeBedrock() as bedrock:
        yield Maker(request.param, tmp_path, server, bedrock, watchdog)
