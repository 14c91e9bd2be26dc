"""The real claude, codex and gemini, with a fake server behind them; ``make clis`` installs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Backend
from pytest_lok.errors import BackendError, BackendFault
from pytest_lok.wiring import Project
from tests.backends.asking import ask, expect_error
from tests.fake_llm_api import FakeLLM

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".clis" / "node_modules" / ".bin"
NAMES = ("claude", "codex", "gemini")
pytestmark = [
    pytest.mark.real_cli,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not all((TOOLS / name).exists() for name in NAMES),
        reason="the real tools are not installed: make clis",
    ),
]
# What tells one tool's questions from another's, for the rules of the fake server.
API = {"claude": "anthropic", "codex": "openai.responses", "gemini": "gemini"}


class House:
    """A project whose backends are the real tools, a home for them, and the server they ask."""

    def __init__(self, root: Path, server: FakeLLM) -> None:
        self.server = server
        self.root, home = root / "project", root / "home"
        self.root.mkdir()
        (home / ".codex").mkdir(parents=True)
        (home / ".gemini").mkdir()
        (home / ".codex" / "config.toml").write_text(
            'model_provider = "fake"\n[model_providers.fake]\nname = "fake"\nenv_key = "FAKE_KEY"\n'
            f'base_url = "{server.url}/v1"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 1\n'
        )
        auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (home / ".gemini" / "settings.json").write_text(json.dumps(auth))
        self.environ = {
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "dummy-key",
            "FAKE_KEY": "dummy-key",
            "LOK_TRUST": "1",
            "GOOGLE_GEMINI_BASE_URL": server.url,
            "GEMINI_API_KEY": "dummy-key",
        }
        self.settings()

    def settings(self, more: str = "") -> None:
        (self.root / "lok.toml").write_text(
            f"[backends.claude]\n{more}\n[backends.codex]\nenv = ['FAKE_KEY']\n{more}\n[backends.gemini]\n{more}\n"
            "[backends.ollama]\nenabled = false\n"
        )

    def backend(self, name: str) -> Backend:
        return Project.open(self.root, environ=self.environ, trust=True).world().backends[name]

    def ask(self, name: str, text: str, **more: Any) -> Reply:
        return ask(self.backend(name), text, timeout=120, **more)

    def expect_error(self, name: str, text: str = "hello", **more: Any) -> BackendError:
        return expect_error(self.backend(name), text, **{"timeout": 120, **more})

    def lok(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**self.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "pytest_lok.cli.main", *arguments],
            cwd=self.root, env=environ, capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [request for request in self.server.requests if request.get("api")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with FakeLLM([{"match": "ping", "reply": "pong", "usage": {"input": 111, "output": 7}}]) as server:
        yield House(tmp_path, server)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


OPTIONS: dict[str, dict[str, Any]] = {
    "claude": {"reasoning_effort": "low", "max_turns": 3, "max_usd": 1, "tools": ["Read"]},
    "codex": {"reasoning_effort": "low", "verbosity": "low"},
    "gemini": {"max_turns": 3, "tools": ["glob"]},
}


def test_options_of_an_answer_come_to_its_model(house: House, name: str) -> None:
    assert house.ask(name, "say ping", options=OPTIONS[name]).text == "pong"
    [question] = house.questions
    offered = {it.casefold() for it in question["tools"]} - {"deferredtoolplaceholder"}  # does nothing
    assert "tools" not in OPTIONS[name] or offered == {it.casefold() for it in OPTIONS[name]["tools"]}


def test_claude_ends_at_its_limits_and_says_what_it_took(house: House) -> None:
    file = {"file_path": str(house.root / "lok.toml")}
    call = {"match": "ping", "tools": True, "tool": {"name": "Read", "arguments": file}, "reply": "x"}
    house.server.set_rules([{**call, "usage": {"input": 100_000, "output": 1000}}])
    turns = house.expect_error("claude", "say ping", options={"max_turns": 1})
    assert turns.kind is BackendFault.TRUNCATED
    money = house.expect_error("claude", "say ping", usd_left=0.01)
    assert money.kind is BackendFault.QUOTA
    assert (money.cost_usd or 0) > 0.01


def test_claude_may_call_the_servers_of_its_options(house: House, tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    servers = {
        "mcpServers": {"docs": {"command": sys.executable, "args": [str(server), str(tmp_path / "called")]}}
    }
    call = {"name": "mcp__docs__look", "arguments": {}}
    house.server.set_rules(
        [{"match": "ping", "tools": True, "tool": call, "reply": "x", "times": 1}, {"reply": "done"}]
    )
    assert house.ask("claude", "say ping", options={"mcp": servers}).text == "done"
    assert (tmp_path / "called").exists()


SERVER = """
import json, sys
for line in sys.stdin:
    said, result = json.loads(line), {}
    if said["method"] == "initialize":
        version = said["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}
    if said["method"] == "tools/list":
        result = {"tools": [{"name": "look", "description": "looks", "inputSchema": {"type": "object"}}]}
    if said["method"] == "tools/call":
        open(sys.argv[1], "w").close()
        result = {"content": [{"type": "text", "text": "seen"}]}
    if "id" in said:
        print(json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": result}), flush=True)
"""


def test_settings_of_the_checkout_run_nothing(house: House, name: str) -> None:
    """Each tool would run some of them where it is called by hand, or where the user has told it so."""
    touch = f"touch {house.root}/PWNED"
    hook = [{"hooks": [{"type": "command", "command": touch}]}]
    claude = {"hooks": {"SessionStart": hook, "UserPromptSubmit": hook}, "apiKeyHelper": f"{touch}; echo key"}
    server = {"mcpServers": {"x": {"command": "sh", "args": ["-c", touch]}}}
    for file, text in {
        ".claude/settings.json": json.dumps(claude),
        ".mcp.json": json.dumps(server),
        ".gemini/settings.json": json.dumps(server),
        ".gemini/.env": "GEMINI_API_KEY=of-the-checkout\n",
        ".codex/config.toml": f'notify = ["sh", "-c", "{touch}"]\n[mcp_servers.x]\ncommand = "sh"\nargs = ["-c", "{touch}"]\n',
    }.items():
        (house.root / file).parent.mkdir(exist_ok=True)
        (house.root / file).write_text(text)
    assert house.ask(name, "say ping").text == "pong"
    assert not (house.root / "PWNED").exists()


def test_a_review_starts_no_server_of_the_users_settings(house: House, name: str) -> None:
    """Each tool would start them where it is called by hand; one of them could be ``lok mcp``."""
    started = house.root / "STARTED"
    home = Path(house.environ["HOME"])
    server = {"command": "sh", "args": ["-c", f"touch {started}; exit 1"]}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"lok": server}}))
    gemini = json.loads((home / ".gemini" / "settings.json").read_text())
    (home / ".gemini" / "settings.json").write_text(json.dumps({**gemini, "mcpServers": {"lok": server}}))
    with (home / ".codex" / "config.toml").open("a") as settings:
        settings.write(f"[mcp_servers.lok]\ncommand = 'sh'\nargs = {json.dumps(server['args'])}\n")
    assert house.ask(name, "say ping").text == "pong"
    assert not started.exists()


@pytest.mark.parametrize("access", ["read", "none"])
def test_an_answer_with_its_usage(house: House, name: str, access: str) -> None:
    house.settings(f'access = "{access}"')
    reply = house.ask(name, "say ping")
    assert (reply.text, reply.backend) == ("pong", name)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (111, 7)
    offered = {tool.lower() for question in house.questions for tool in question["tools"]}
    assert not {tool for tool in offered if "write" in tool or "edit" in tool or "bash" in tool}
    if access == "none" and name != "codex":
        assert not offered


def test_a_system_prompt_arrives(house: House, name: str) -> None:
    if name != "claude":
        pytest.skip("codex and gemini have none of their own: it stands before the prompt")
    house.ask(name, "say ping", system="be brief and kind")
    assert 0 < house.questions[-1]["system_chars"] < 2000


def test_a_long_prompt_arrives_whole(house: House, name: str) -> None:
    text = "wörter ping " * 50_000
    assert house.ask(name, text).text == "pong"
    assert house.questions[-1]["prompt_chars"] >= len(text.strip())


def test_a_long_answer_arrives_whole(house: House, name: str) -> None:
    house.server.set_rules([{"reply": "0123456789" * 62_000, "chunk_chars": 4000}])
    assert house.ask(name, "hello").text == "0123456789" * 62_000


def test_an_answer_that_repeats_itself_is_not_cut(house: House, name: str) -> None:
    text = ("again and again " * 400).strip()
    house.server.set_rules([{"reply": text}])
    assert house.ask(name, "hello").text == text


@pytest.mark.parametrize("text", ["/help", "/cost ping", "  /compact", "!ls", "#remember"])
def test_what_looks_like_a_command_is_asked(house: House, name: str, text: str) -> None:
    house.server.set_rules([{"reply": "answered by the model"}])
    assert house.ask(name, text).text == "answered by the model"
    assert text.strip() in house.questions[-1]["prompt"]


def test_a_file_that_is_mentioned_is_not_sent(house: House, name: str) -> None:
    outside = house.root.parent / "secret.txt"
    outside.write_text("the-secret-word")
    house.server.log_bodies = True
    house.ask(name, f"ping @{outside} @../secret.txt")
    assert "the-secret-word" not in json.dumps(house.server.requests)


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ({"status": 401}, (BackendFault.AUTH,)),
        ({"status": 429}, (BackendFault.RATE_LIMIT,)),
        ({"status": 500}, (BackendFault.OVERLOAD,)),
        ({"fault": "disconnect_mid"}, (BackendFault.NETWORK, BackendFault.OVERLOAD, BackendFault.CRASHED)),
        ({"fault": "error_mid"}, (BackendFault.NETWORK, BackendFault.OVERLOAD, BackendFault.CRASHED)),
        ({"fault": "empty"}, (BackendFault.EMPTY, BackendFault.CRASHED, BackendFault.NETWORK)),
    ],
    ids=str,
)
def test_a_failure_is_told_and_nothing_half_is_an_answer(
    house: House, name: str, rule: dict[str, Any], kinds: tuple[BackendFault, ...]
) -> None:
    house.server.set_rules([{"reply": "alpha beta gamma delta", **rule}])
    assert house.expect_error(name).kind in kinds


def test_an_answer_cut_at_its_longest_is_an_error(house: House, name: str) -> None:
    """gemini does not tell, in any of its formats; only the number of tokens does."""
    house.server.set_rules([{"reply": "half an answer", "stop": "length", "usage": {"output": 65536}}])
    assert house.expect_error(name).kind is BackendFault.TRUNCATED


def test_a_tool_that_waits_for_ever_is_ended_with_all_its_children(house: House, name: str) -> None:
    house.server.set_rules([{"fault": "hang"}])
    assert house.expect_error(name, timeout=8).kind is BackendFault.TIMEOUT
    deadline = time.monotonic() + 10
    while (left := _running(house)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _running(house: House) -> list[str]:
    """Processes that were started from this house's environment."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("only Linux tells what a process was started with")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(house.root.parent).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_no_server_is_told(house: House, name: str) -> None:
    house.server.stop()
    assert house.expect_error(name).kind in (BackendFault.NETWORK, BackendFault.OVERLOAD)


def test_three_answers_in_the_time_of_the_slowest(house: House) -> None:
    """Each is asked before anybody has answered."""
    house.server.set_rules([{"api": API[name], "reply": f"pong of {name}", "delay": 12} for name in NAMES])
    done = house.lok("ask", "say ping")
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert f"pong of {name}" in done.stdout
    assert "tokens" in done.stderr
    asked = [question["ts"] for question in house.questions]
    answered = [question["ts"] + question["response"]["ms"] / 1000 for question in house.questions]
    assert len(asked) == 3
    assert max(asked) < min(answered)


def test_one_that_fails_hides_no_other(house: House) -> None:
    house.server.set_rules(
        [{"api": API["codex"], "status": 401}, *({"api": API[n], "reply": f"pong of {n}"} for n in NAMES)]
    )
    done = house.lok("ask", "say ping")
    assert done.returncode == 0, done.stderr
    assert "pong of claude" in done.stdout
    assert "pong of gemini" in done.stdout
    assert "codex" in done.stdout
    assert "401" in done.stdout
    assert "pong of codex" not in done.stdout


def test_the_doctor_asks_them(house: House) -> None:
    done = house.lok("doctor", "--live", "--json")
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    for name in NAMES:
        assert checks[f"backend {name}"]["ok"], checks
        assert "answered in" in checks[f"backend {name}"]["found"]
