"""Real agents that speak ACP, with a fake server behind them; ``make clis`` installs them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.engine.ports import Backend
from pytest_lok.errors import BackendFault
from pytest_lok.wiring import Project
from tests.backends.asking import ask, expect_error
from tests.fake_llm_api import FakeLLM

TOOLS = Path(__file__).parents[2] / ".clis" / "node_modules" / ".bin"
NAMES = ("opencode", "qwen")
pytestmark = [
    pytest.mark.real_cli,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not all((TOOLS / name).exists() for name in NAMES),
        reason="the real agents are not installed: make clis",
    ),
]
WRITES = {"opencode": ("write", "filePath"), "qwen": ("write_file", "file_path")}


class Home:
    """A project, and a home in which both agents are set up for the fake server."""

    def __init__(self, root: Path, server: FakeLLM) -> None:
        self.server, self.root = server, root / "project"
        home = root / "home"
        url = f"{server.url}/v1"
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "fake"}
        options = {
            "options": {"baseURL": url, "apiKey": "k"},
            "models": {"m1": {"name": "m1"}, "m2": {"name": "m2"}},
        }
        opencode = {
            "model": "fake/m1",
            "small_model": "fake/m1",
            "provider": {"fake": {**provider, **options}},
        }
        auth = {"selectedType": "openai", "apiKey": "k", "baseUrl": url}
        qwen = {"security": {"auth": auth}, "model": {"name": "m1"}}
        for file, settings in (
            (home / ".config" / "opencode" / "opencode.json", opencode),
            (home / ".qwen" / "settings.json", qwen),
        ):
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(settings))
        self.root.mkdir()
        self.environ = {
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "LOK_TRUST": "1",
        }

    def backend(self, name: str, more: str = "") -> Backend:
        (self.root / "lok.toml").write_text(f"[backends.{name}]\ntype = 'acp'\n{more}")
        return Project.open(self.root, environ=self.environ, trust=True).world().backends[name]

    def rules(self, *rules: dict[str, Any]) -> None:
        self.server.set_rules([*rules, {"reply": "a title"}])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with FakeLLM([{"match": "ping", "reply": "pong"}]) as server:
        yield Home(tmp_path, server)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_answer(home: Home, name: str) -> None:
    reply = ask(home.backend(name), "say ping", timeout=120)
    assert reply.text == "pong"
    assert "m1" in reply.model


def test_a_tool_that_is_refused(home: Home, name: str) -> None:
    tool, key = WRITES[name]
    written = {"name": tool, "arguments": {key: str(home.root / "b.py"), "content": "y"}}
    home.rules({"match": "ping", "tools": True, "tool": written, "reply": "written"})
    error = expect_error(home.backend(name), "say ping", timeout=120)
    assert error.kind is BackendFault.BAD_OUTPUT
    assert "1 use of a tool was refused" in error.message
    assert "b.py" in error.message
    assert [path.name for path in home.root.iterdir()] == ["lok.toml"]


def test_a_key_that_is_refused(home: Home, name: str) -> None:
    home.rules({"match": "ping", "status": 401, "message": "401 invalid api key"})
    assert expect_error(home.backend(name), "say ping", timeout=120).kind is BackendFault.AUTH


def test_a_model_is_chosen(home: Home) -> None:
    ask(home.backend("opencode", "model = 'fake/m2'"), "say ping", timeout=120)
    assert "m2" in {request.get("model") for request in home.server.requests}
    error = expect_error(home.backend("opencode", "model = 'fake/none'"), "say ping", timeout=120)
    assert error.kind is BackendFault.BAD_REQUEST


def test_a_server_that_hangs(home: Home, name: str) -> None:
    home.rules({"fault": "hang"})
    error = expect_error(home.backend(name), "say ping", timeout=20)
    assert error.kind is BackendFault.TIMEOUT
