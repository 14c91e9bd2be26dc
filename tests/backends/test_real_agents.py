"""Real agents that speak ACP, with a fake server behind them; ``make clis`` installs them."""

from __future__ import annotations

import json
import os
import subprocess
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
NAMES = ("opencode", "qwen", "copilot", "grok", "kimi")
KEY = "a-dummy-key-of-some-length"
ENV = {"copilot": "", "grok": "env = ['FAKE_KEY']\n"}
pytestmark = [
    pytest.mark.real_cli,
    pytest.mark.timeout(300),
]
WRITES = {
    "opencode": ("write", {"filePath": "{file}", "content": "y"}),
    "qwen": ("write_file", {"file_path": "{file}", "content": "y"}),
    "copilot": ("create", {"path": "{file}", "file_text": "y"}),
    "grok": ("search_replace", {"file_path": "{file}", "old_string": "", "new_string": "y"}),
    "kimi": ("Write", {"path": "{file}", "content": "y"}),
}


class Home:
    """A project, and a home in which the agents are set up for the fake server."""

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
        grok = (
            '[models]\ndefault = "fake"\n[features]\ntelemetry = false\n[model.fake]\nmodel = "m1"\n'
            f'base_url = "{url}"\nname = "m1"\nenv_key = "FAKE_KEY"\ncontext_window = 100000\n'
        )
        kimi = (
            'default_model = "m1"\ntelemetry = false\n[providers.fake]\ntype = "openai"\n'
            f'base_url = "{url}"\napi_key = "{KEY}"\n[models.m1]\nprovider = "fake"\nmodel = "m1"\n'
            'max_context_size = 100000\ncapabilities = ["tool_use"]\n'
        )
        for file, text in (
            (home / ".config" / "opencode" / "opencode.json", json.dumps(opencode)),
            (home / ".qwen" / "settings.json", json.dumps(qwen)),
            (home / ".grok" / "config.toml", grok),
            (home / ".kimi-code" / "config.toml", kimi),
        ):
            file.parent.mkdir(parents=True)
            file.write_text(text)
        self.root.mkdir()
        self.environ = {
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "LOK_TRUST": "1",
            "FAKE_KEY": KEY,
            "COPILOT_PROVIDER_BASE_URL": url,
            "COPILOT_PROVIDER_API_KEY": KEY,
            "COPILOT_MODEL": "m1",
            "COPILOT_OFFLINE": "true",
        }

    def backend(self, name: str, more: str = "") -> Backend:
        (self.root / "lok.toml").write_text(f"[backends.{name}]\ntype = 'acp'\n{ENV.get(name, '')}{more}")
        return Project.open(self.root, environ=self.environ, trust=True).world().backends[name]

    def rules(self, *rules: dict[str, Any]) -> None:
        self.server.set_rules([*rules, {"reply": "a title"}])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with FakeLLM([{"match": "ping", "reply": "pong"}]) as server:
        yield Home(tmp_path, server)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """An agent that is installed and starts; kimi needs a newer node than some machines have."""
    return installed(str(request.param))


def installed(name: str) -> str:
    environ = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    program = TOOLS / name
    if not program.exists():
        pytest.skip(f"{name} is not installed: make clis")
    if subprocess.run([program, "--version"], env=environ, capture_output=True, check=False).returncode:
        pytest.skip(f"{name} does not start on this machine")
    return name


def test_an_answer(home: Home, name: str) -> None:
    reply = ask(home.backend(name), "say ping", timeout=120)
    assert reply.text == "pong"
    # copilot does not tell its model, and grok tells what it is called in its settings
    assert reply.model == {"copilot": "", "grok": "fake"}.get(name, reply.model)
    assert name in ("copilot", "grok") or "m1" in reply.model


def test_a_tool_that_is_refused(home: Home, name: str) -> None:
    tool, arguments = WRITES[name]
    file = str(home.root / "b.py")
    written = {"name": tool, "arguments": {key: it.replace("{file}", file) for key, it in arguments.items()}}
    home.rules({"match": "ping", "tools": True, "tool": written, "reply": "written"})
    error = expect_error(home.backend(name), "say ping", timeout=120)
    assert error.kind is BackendFault.BAD_OUTPUT
    assert "1 use of a tool was refused" in error.message
    # kimi tells no file, and a long path is cut
    assert "b.py" in error.message or "…" in error.message or name == "kimi"
    assert [path.name for path in home.root.iterdir()] == ["lok.toml"]


def test_a_key_that_is_refused(home: Home, name: str) -> None:
    home.rules({"match": "ping", "status": 401, "message": "401 invalid api key"})
    assert expect_error(home.backend(name), "say ping", timeout=120).kind is BackendFault.AUTH


def test_a_model_is_chosen(home: Home) -> None:
    installed("opencode")
    ask(home.backend("opencode", "model = 'fake/m2'"), "say ping", timeout=120)
    assert "m2" in {request.get("model") for request in home.server.requests}
    error = expect_error(home.backend("opencode", "model = 'fake/none'"), "say ping", timeout=120)
    assert error.kind is BackendFault.BAD_REQUEST


def test_a_server_that_hangs(home: Home, name: str) -> None:
    home.rules({"fault": "hang"})
    error = expect_error(home.backend(name), "say ping", timeout=20)
    assert error.kind is BackendFault.TIMEOUT
