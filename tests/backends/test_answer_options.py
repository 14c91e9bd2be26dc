"""Options of an answer, in each API's own spelling and by the flags of each tool: what is asked holds them all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.cli.backend import CliConfig, CommandBackend
from pytest_lok.backends.cli.tools import DIALECTS
from pytest_lok.backends.http import anthropic, bedrock, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.core.asking.answer_options import OPTIONS_OF, RESPONSES
from pytest_lok.errors import BackendFault
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.backends.asking import ask, expect_error
from tests.backends.fake_bedrock import ACCESS, SECRET, FakeBedrock, answer
from tests.backends.tools import FakeTool, fake_tool
from tests.fake_llm_api import FakeLLM

SAMPLES = Path(__file__).parents[1] / "data" / "clis"
ANSWERS = {
    "claude": "claude-json.txt",
    "codex": "codex-json.txt",
    "gemini": "gemini-stream-json.txt",
    "copilot": "copilot-json.txt",
    "qwen": "qwen-stream-json.txt",
    "droid": "droid-stream-json.txt",
}
APIS: dict[str, tuple[HttpDialect, str]] = {
    "anthropic": (anthropic.MESSAGES, ""),
    "openai": (openai.CHAT, "/v1"),
    RESPONSES: (openai.RESPONSES, "/v1"),
    "gemini-api": (gemini_api.GENERATE, ""),
    "ollama": (ollama.CHAT, ""),
}
ALL: dict[str, Any] = {
    "temperature": 0,
    "top_p": 0.5,
    "top_k": 7,
    "seed": 1,
    "max_tokens": 2000,
    "frequency_penalty": -1,
    "presence_penalty": 1.5,
    "reasoning_effort": "high",
    "verbosity": "low",
}
SPELLED: dict[str, dict[str, Any]] = {
    "anthropic": {
        "temperature": 0, "top_p": 0.5, "top_k": 7, "max_tokens": 2000, "output_config": {"effort": "high"},
    },
    "openai": {
        "temperature": 0, "top_p": 0.5, "seed": 1, "max_tokens": 2000, "frequency_penalty": -1,
        "presence_penalty": 1.5, "reasoning_effort": "high", "verbosity": "low",
    },
    RESPONSES: {
        "temperature": 0, "top_p": 0.5, "max_output_tokens": 2000, "reasoning": {"effort": "high"},
        "text": {"verbosity": "low"},
    },
    "gemini-api": {
        "generationConfig": {
            "temperature": 0, "topP": 0.5, "topK": 7, "seed": 1, "maxOutputTokens": 2000,
            "frequencyPenalty": -1, "presencePenalty": 1.5, "thinkingConfig": {"thinkingLevel": "high"},
        }
    },
    "ollama": {
        "options": {"temperature": 0, "top_p": 0.5, "top_k": 7, "seed": 1, "num_predict": 2000},
        "think": "high",
    },
}  # fmt: skip
"""The parts of a request's body that hold the options, as the API's own reference names them."""
SCHEMA: Any = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def of(kind: str) -> dict[str, Any]:
    return {name: value for name, value in ALL.items() if name in OPTIONS_OF[kind]}


def api_backend(kind: str, url: str, **more: Any) -> HttpBackend:
    dialect, path = APIS[kind]
    config = HttpConfig(base_url=f"{url}{path}", model="m1", **more)
    return HttpBackend("it", config, dialect, http=HttpClient({}), environ={})


def body(api: FakeLLM) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(api.requests[-1]["body"])
    return found


@pytest.mark.parametrize("kind", APIS)
def test_an_api_gets_them_in_its_own_spelling(kind: str) -> None:
    """As the backend's own, and as the step's: either way the request is the same, but for what has no option."""
    with FakeLLM(log_bodies=True) as api:
        ask(api_backend(kind, api.url))
        plain = body(api)
        ask(api_backend(kind, api.url, options=of(kind)))
        own = body(api)
        ask(api_backend(kind, api.url, options=dict.fromkeys(of(kind), "weaker")), options=of(kind))
        assert own == body(api) == plain | SPELLED[kind]


@pytest.mark.parametrize("kind", APIS)
def test_a_schema_of_the_answer_stays_beside_them(kind: str) -> None:
    with FakeLLM(log_bodies=True) as api:
        ask(api_backend(kind, api.url), schema=SCHEMA)
        plain = json.dumps(body(api))
        ask(api_backend(kind, api.url), schema=SCHEMA, options=of(kind))
        assert '"integer"' in plain
        assert '"integer"' in json.dumps(body(api))


def test_bedrock_gets_them_too() -> None:
    keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    with FakeBedrock() as api:
        api.messages = answer("fine", outputTokens=5)
        config = HttpConfig(base_url=api.url, model="m1", max_tokens=9, options={"top_p": 1})
        rock = bedrock.BedrockBackend("rock", config, http=HttpClient({}), environ=keys)
        ask(rock, options=of("bedrock"))
        assert api.requests[0]["body"]["inferenceConfig"] == {
            "temperature": 0,
            "topP": 0.5,
            "maxTokens": 2000,
        }
        assert "'seed'" in expect_error(rock, options={"seed": 1}).message
    assert {*bedrock.SPELLING, "max_tokens"} == OPTIONS_OF["bedrock"].keys()


@pytest.mark.parametrize("kind", APIS)
def test_an_option_that_an_api_does_not_know_is_never_left_out(kind: str) -> None:
    assert {*APIS[kind][0].spelling, "max_tokens"} == OPTIONS_OF[kind].keys()
    with FakeLLM() as api:
        error = expect_error(api_backend(kind, api.url), options={"heat": 1})
        assert (error.kind, api.requests) == (BackendFault.NOT_CONFIGURED, [])
        assert "'heat'" in error.message


@pytest.mark.parametrize("kind", APIS)
def test_an_option_that_the_server_refuses_is_an_error(kind: str) -> None:
    """No request goes without it: the answer would be of another question."""
    with FakeLLM([{"status": 400, "message": f"unsupported: {', '.join(SPELLED[kind])}, high"}]) as api:
        error = expect_error(api_backend(kind, api.url), options=of(kind))
        assert error.kind is BackendFault.BAD_REQUEST


def test_an_answer_as_long_as_its_step_allows_was_cut() -> None:
    with FakeLLM([{"reply": "half", "usage": {"input": 1, "output": 5}}]) as api:
        backend = api_backend("openai", api.url, max_tokens=900)
        assert expect_error(backend, options={"max_tokens": 5}).kind is BackendFault.TRUNCATED
        assert ask(backend).text == "half"


# --- tools

SERVERS: dict[str, Any] = {"mcpServers": {"docs": {"command": "docs-server"}, "b": {"url": "http://x"}}}
FLAGS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("claude", {"reasoning_effort": "max"}, ["--effort", "max"]),
    ("claude", {"max_turns": 20}, ["--max-turns", "20"]),
    ("claude", {"max_usd": 0.5}, ["--max-budget-usd", "0.500000"]),
    ("claude", {"tools": ["Read", "Grep"]}, ["--tools", "Read,Grep"]),
    ("claude", {"mcp": SERVERS}, ["--mcp-config", json.dumps(SERVERS), "--allowedTools", "mcp__docs,mcp__b"]),
    ("codex", {"reasoning_effort": "low"}, ["-c", 'model_reasoning_effort="low"']),
    ("codex", {"verbosity": "high"}, ["-c", 'model_verbosity="high"']),
    ("copilot", {"reasoning_effort": "xhigh"}, ["--reasoning-effort", "xhigh"]),
    ("copilot", {"tools": ["view"]}, ["--available-tools", "view"]),
    ("qwen", {"max_turns": 3}, ["--max-session-turns", "3"]),
    ("droid", {"reasoning_effort": "high"}, ["-r", "high"]),
    ("droid", {"tools": ["Read", "LS"]}, ["--only-tools", "Read,LS"]),
]


def cli(name: str, tool: FakeTool, root: Path, **more: Any) -> CommandBackend:
    config = CliConfig(command=str(tool.path), dialect=DIALECTS[name], **more)
    environ = {"PATH": os.environ["PATH"], "HOME": str(root)}
    return CommandBackend(
        name, config, run=LocalProcesses(root, environ).launch, workspace=root, environ=environ
    )


def called(name: str, tmp_path: Path, config: dict[str, Any], **prompt: Any) -> FakeTool:
    made = len(list(tmp_path.iterdir()))
    tool = fake_tool(tmp_path / f"{made}", name=name, out=SAMPLES / ANSWERS[name])
    ask(cli(name, tool, tmp_path, **config), **prompt)
    return tool


@pytest.mark.parametrize(
    ("name", "options", "flags"), FLAGS, ids=[f"{name}-{'-'.join(it)}" for name, it, _ in FLAGS]
)
def test_a_tool_gets_them_by_its_flags(
    name: str, options: dict[str, Any], flags: list[str], tmp_path: Path
) -> None:
    """Once each: they replace what lok says by default, and what the user's words say."""
    theirs = {"args": [flags[0], "weaker"]} if flags[0] != "-c" else {}
    for config, prompt in (({"options": options}, {}), (theirs, {"options": options})):
        words = called(name, tmp_path, config, **prompt).args
        assert "\n".join(flags) in "\n".join(words)
        assert flags[0] == "-c" or words.count(flags[0]) == 1


def test_gemini_reads_them_in_its_settings(tmp_path: Path) -> None:
    tool = called("gemini", tmp_path, {}, options={"tools": ["glob"], "max_turns": 4})
    settings = json.loads((tool.seen / "copy" / ".gemini" / "settings.json").read_text())
    assert settings["tools"] == {"core": ["glob"]}
    assert settings["model"] == {"disableLoopDetection": True, "maxSessionTurns": 4}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_option_of_a_tool_has_a_way_to_it(name: str) -> None:
    assert DIALECTS[name].takes.keys() == OPTIONS_OF[name].keys()


def test_a_tool_does_not_get_what_it_does_not_know(tmp_path: Path) -> None:
    tool = fake_tool(tmp_path, name="codex")
    error = expect_error(cli("codex", tool, tmp_path), options={"temperature": 0})
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert not (tool.seen / "args").exists()


@pytest.mark.parametrize("name", [name for name in DIALECTS if "tools" in OPTIONS_OF[name]])
def test_no_tool_is_offered_without_access(name: str, tmp_path: Path) -> None:
    """As where a change is judged: there no tool reads, whatever the settings say."""
    tools = list(OPTIONS_OF[name]["tools"].words)
    plain = called(name, tmp_path, {"access": "none"})
    asked = called(name, tmp_path, {"access": "none"}, options={"tools": tools})
    assert plain.args == asked.args
    assert plain.files == asked.files


@pytest.mark.parametrize(
    ("options", "left", "given"),
    [
        ({}, 0.25, "0.250000"),
        ({"max_usd": 0.1}, 0.25, "0.100000"),
        ({"max_usd": 0.5}, 0.25, "0.250000"),
        ({}, 1e-9, "0.000001"),
    ],
)
def test_a_tool_with_a_limit_of_money_gets_what_is_left(
    options: dict[str, Any], left: float, given: str, tmp_path: Path
) -> None:
    words = called("claude", tmp_path, {}, options=options, usd_left=left).args
    assert words[words.index("--max-budget-usd") + 1] == given
    assert "--max-budget-usd" not in called("claude", tmp_path, {}).args


def test_a_tool_that_spent_its_money_says_what_it_took(tmp_path: Path) -> None:
    said = {"type": "result", "subtype": "error_max_budget_usd", "is_error": True, "total_cost_usd": 0.31}
    tool = fake_tool(tmp_path, name="claude", out=json.dumps(said), code=1)
    error = expect_error(cli("claude", tool, tmp_path))
    assert (error.kind, error.cost_usd) == (BackendFault.QUOTA, 0.31)
    assert "max_usd" in error.hint
