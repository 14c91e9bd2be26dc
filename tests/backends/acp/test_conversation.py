"""Agents that speak the Agent Client Protocol: a real process for what happens between the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.acp.conversation import LONGEST, AcpConversation, acp_dialect
from pytest_lok.backends.cli.dialect import AgentQuestion, CliError, CliReply, CliResult
from pytest_lok.core.asking.acp_agents import ACP_AGENTS, acp_agent
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendError, BackendFault
from tests.backends.acp_scripts import END, OPTIONS, PERMISSION, TOOL, acp_backend, told
from tests.backends.asking import ask, expect_error
from tests.workspace.processes.test_runner import alive


def prompt_acts(*acts: dict[str, Any]) -> dict[str, Any]:
    return {"session/prompt": list(acts)}


def failed(tmp_path: Path, *acts: dict[str, Any], **more: Any) -> BackendError:
    return expect_error(acp_backend(tmp_path, script=prompt_acts(*acts), **more), timeout=10)


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    reply = ask(acp_backend(tmp_path, script={}), "say ping", system="be brief")
    assert (reply.text, reply.backend, reply.usage.calls, reply.usage.tokens) == ("pong", "it", 1, None)
    begin, new, prompt = told(tmp_path)
    assert [it["method"] for it in (begin, new, prompt)] == ["initialize", "session/new", "session/prompt"]
    assert begin["params"]["protocolVersion"] == 1
    assert begin["params"]["clientCapabilities"] == {
        "fs": {"readTextFile": False, "writeTextFile": False},
        "terminal": False,
    }
    assert new["params"] == {"cwd": str(tmp_path), "mcpServers": []}
    assert prompt["params"] == {
        "sessionId": "s-1",
        "prompt": [{"type": "text", "text": "be brief\n\nsay ping"}],
    }


def test_without_access_the_agent_is_somewhere_else(tmp_path: Path) -> None:
    ask(acp_backend(tmp_path, script={}, access="none"))
    assert told(tmp_path)[1]["params"]["cwd"] != str(tmp_path)


def test_a_prompt_that_looks_like_a_command_of_the_agent(tmp_path: Path) -> None:
    ask(acp_backend(tmp_path, script={}), "/clear everything")
    [text] = told(tmp_path)[2]["params"]["prompt"]
    assert text["text"] == "Question:\n\n/clear everything"


def test_thoughts_and_tools_are_no_part_of_the_answer(tmp_path: Path) -> None:
    thought = {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "hmm"}}
    script = prompt_acts(
        {"update": thought},
        {"said": "I lo"},
        {"said": "ok."},
        {"update": {"sessionUpdate": "tool_call", **TOOL}},
        {"update": {"sessionUpdate": "a_new_kind", "content": {"type": "text", "text": "x"}}},
        {"said": "It is \ud83d"},
        {"said": "\ude00."},
        END,
    )
    assert ask(acp_backend(tmp_path, script=script)).text == "I look.\n\nIt is 😀."


def test_its_usage_model_and_cost(tmp_path: Path) -> None:
    usage = {"inputTokens": 5, "outputTokens": 7, "cachedReadTokens": 100, "thoughtTokens": 3}
    cost = {
        "sessionUpdate": "usage_update",
        "used": 1,
        "size": 2,
        "cost": {"amount": 0.25, "currency": "USD"},
    }
    result = {"stopReason": "end_turn", "usage": {**usage, "totalTokens": 115}}
    options = [{"id": "m", "category": "model", "currentValue": "big", "type": "select"}]
    script: dict[str, Any] = {
        "session/new": [{"result": {"sessionId": "s-1", "configOptions": options}}],
        "session/prompt": [{"said": "pong"}, {"update": cost}, {"result": result}],
    }
    reply = ask(acp_backend(tmp_path, script=script))
    assert reply.model == "big"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (105, 10)
    assert reply.usage.cost_usd == 0.25
    script["session/prompt"][2] = {"result": {**result, "usage": {**usage, "totalTokens": 12}}}
    usage_again = ask(acp_backend(tmp_path / "b", script=script)).usage
    assert (usage_again.input_tokens, usage_again.output_tokens) == (5, 7)


def test_a_model_is_chosen_as_the_agent_lets_choose(tmp_path: Path) -> None:
    def options(now: str) -> dict[str, Any]:
        return {"configOptions": [{"id": "m", "category": "model", "currentValue": now, "type": "select"}]}

    script = {
        "session/new": [{"result": {"sessionId": "s-1", **options("small")}}],
        "session/set_config_option": [{"result": options("big")}],
    }
    assert ask(acp_backend(tmp_path, script=script), model="big").model == "big"
    assert told(tmp_path)[2]["params"] == {"sessionId": "s-1", "configId": "m", "value": "big"}
    # an agent that takes the choice and asks another model
    error = expect_error(acp_backend(tmp_path / "b", script=script, model="huge"))
    assert "was to be huge, and is big" in error.message
    older = {
        "session/new": [{"result": {"sessionId": "s-1", "models": {"currentModelId": "small"}}}],
        "session/set_model": [{"result": None}],
    }
    assert ask(acp_backend(tmp_path / "c", script=older), model="big").model == "big"
    error = expect_error(acp_backend(tmp_path / "d", script={}), model="big")
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "{model}" in error.hint


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("max_tokens", BackendFault.TRUNCATED),
        ("max_turn_requests", BackendFault.TRUNCATED),
        ("refusal", BackendFault.REFUSED),
        ("cancelled", BackendFault.CRASHED),
        ("a_new_word", BackendFault.BAD_OUTPUT),
        (None, BackendFault.BAD_OUTPUT),
        (["end_turn"], BackendFault.BAD_OUTPUT),
    ],
)
def test_only_one_ending_is_whole(tmp_path: Path, word: object, kind: BackendFault) -> None:
    error = failed(tmp_path, {"said": "all is well"}, {"result": {"stopReason": word}})
    assert error.kind is kind
    assert str(word) in error.message


def test_no_ending_is_none(tmp_path: Path) -> None:
    assert "a way lok does not know" in failed(tmp_path, {"said": "all is well"}, {"result": {}}).message


# --- what the agent asks for


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (OPTIONS, {"outcome": "selected", "optionId": "no"}),
        ([{"optionId": "never", "kind": "reject_always"}, OPTIONS[0]], {"outcome": "selected", "optionId": "never"}),
        (OPTIONS[:1], {"outcome": "cancelled"}),
        ([{"optionId": "x", "kind": ["reject_once"]}], {"outcome": "cancelled"}),
        (None, {"outcome": "cancelled"}),
    ],
)  # fmt: skip
def test_a_permission_is_refused_and_the_answer_is_none(
    tmp_path: Path, options: object, outcome: object
) -> None:
    asked = {"method": "session/request_permission", "params": {"toolCall": TOOL, "options": options}}
    error = failed(tmp_path, {"ask": asked}, {"said": "all is well"}, END)
    assert told(tmp_path)[3] == {"jsonrpc": "2.0", "id": "a-1", "result": {"outcome": outcome}}
    assert error.kind is BackendFault.BAD_OUTPUT
    assert error.message == "it: 1 use of a tool was refused: Edit a.py"
    assert "allow_refusals" in error.hint


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ({"title": "src/a.py", "kind": "edit", "rawInput": {"path": "src/a.py"}}, "edit src/a.py"),
        ({"title": "Run a command", "rawInput": {"command": "ls"}}, "Run a command ls"),
        ({"kind": "fetch", "rawInput": {"url": "http://x"}}, "fetch http://x"),
        ({"title": 3, "rawInput": []}, "a tool"),
    ],
)
def test_a_refused_tool_is_named(call: dict[str, Any], named: str) -> None:
    talk = conversation()
    asked = {"id": "a", "method": "session/request_permission", "params": {"toolCall": call}}
    talk.receive(lines(*OPEN, asked, update("fine"), LAST))
    result = outcome(talk)
    assert isinstance(result, CliError)
    assert result.message == f"1 use of a tool was refused: {named}"


def test_refusals_that_are_allowed(tmp_path: Path) -> None:
    script = prompt_acts(PERMISSION, PERMISSION, {"said": "as far as I see, all is well"}, END)
    assert ask(acp_backend(tmp_path, script=script, allow_refusals=True)).text.endswith("all is well")
    # a refusal that stopped the turn is no answer either way
    error = failed(tmp_path / "b", PERMISSION, {"result": {"stopReason": "cancelled"}}, allow_refusals=True)
    assert "its work was stopped" in error.message


@pytest.mark.parametrize(
    "method",
    ["fs/read_text_file", "fs/write_text_file", "terminal/create", "elicitation/create", "session/x"],
)
def test_every_other_request_gets_an_error(tmp_path: Path, method: str) -> None:
    asked = {"method": method, "params": {"sessionId": "s-1", "path": "/etc/passwd"}}
    error = failed(tmp_path, {"ask": asked}, {"said": "all is well"}, END)
    answer = told(tmp_path)[3]
    assert (answer["id"], answer["error"]["code"]) == ("a-1", -32601)
    assert error.message == f"it: 1 use of a tool was refused: {method} /etc/passwd"


@pytest.mark.parametrize("kind", ["edit", "delete", "move"])
def test_a_change_that_was_made_without_asking_is_an_error(tmp_path: Path, kind: str) -> None:
    call = {"sessionUpdate": "tool_call", **TOOL, "kind": kind, "status": "in_progress"}
    done = {"sessionUpdate": "tool_call_update", "toolCallId": "t1", "status": "completed"}
    acts = ({"update": call}, {"update": done}, {"said": "all is well"}, END)
    error = failed(tmp_path, *acts, allow_refusals=True)
    assert error.message == "it: 1 use of a tool was made without asking: Edit a.py"
    assert "git status" in error.hint
    read = {"update": {**call, "kind": "read"}}
    assert ask(acp_backend(tmp_path / "b", script=prompt_acts(read, *acts[1:]))).text == "all is well"
    failing = {"update": {**done, "status": "failed"}}
    assert ask(acp_backend(tmp_path / "c", script=prompt_acts(acts[0], failing, *acts[2:]))).text


def test_an_extension_that_lok_does_not_have_is_no_refusal(tmp_path: Path) -> None:
    script = prompt_acts({"ask": {"method": "craft/drainMidTurnQueue", "params": {}}}, {"said": "pong"}, END)
    assert ask(acp_backend(tmp_path, script=script)).text == "pong"
    assert told(tmp_path)[3]["error"]["code"] == -32601


# --- what goes wrong


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            ["Info: Request failed. Retrying...", "Error: Authentication failed (HTTP 401)."],
            BackendFault.AUTH,
        ),
        (["Info: Request failed. Retrying...", "pong"], BackendFault.CRASHED),
        (["Warning: x"], BackendFault.CRASHED),
    ],
)
def test_a_notice_of_the_agent_is_no_answer(tmp_path: Path, said: list[str], kind: BackendFault) -> None:
    """copilot ends its turn as if all was well."""
    counted = {"result": {"stopReason": "end_turn", "usage": {"outputTokens": 1, "totalTokens": 1}}}
    acts = [{"said": text} for text in said]
    copilot = acp_dialect(ACP_AGENTS["copilot"])
    backend = acp_backend(tmp_path, script=prompt_acts(*acts, counted), dialect=copilot)
    assert expect_error(backend).kind is kind
    # of any other agent it is a text like any other
    assert ask(acp_backend(tmp_path / "b", script=prompt_acts(*acts, END))).text


def test_an_answer_of_copilot_counts_its_tokens(tmp_path: Path) -> None:
    copilot = acp_dialect(ACP_AGENTS["copilot"])
    error = expect_error(acp_backend(tmp_path, script=prompt_acts({"said": "pong"}, END), dialect=copilot))
    assert "no model answered" in error.message
    counted = {"result": {"stopReason": "end_turn", "usage": {"outputTokens": 1}}}
    acts = prompt_acts({"said": "Errors: none"}, counted)
    assert ask(acp_backend(tmp_path / "b", script=acts, dialect=copilot)).text == "Errors: none"


def test_an_agent_that_is_not_signed_in(tmp_path: Path) -> None:
    refuses = {"error": {"code": -32000, "message": "Authentication required"}}
    ways = {"protocolVersion": 1, "authMethods": [{"id": "x", "name": "Log in with X"}]}
    script = {"initialize": [{"result": ways}], "session/new": [refuses]}
    error = expect_error(acp_backend(tmp_path, script=script))
    assert error.kind is BackendFault.AUTH
    assert error.message == "it: it is not signed in: Authentication required (it offers: Log in with X)"
    assert all("sign in: " in acp_dialect(agent).sign_in for agent in ACP_AGENTS.values())


def test_another_version_of_the_protocol(tmp_path: Path) -> None:
    for version in (2, None, True, "1"):
        script = {"initialize": [{"result": {"protocolVersion": version}}]}
        error = expect_error(acp_backend(tmp_path / str(version), script=script))
        assert error.kind is BackendFault.NOT_CONFIGURED
        assert f"version {version} of ACP" in error.message


def test_an_agents_error_that_is_a_status(tmp_path: Path) -> None:
    error = {"code": -32603, "message": "Internal error", "data": {"details": "401 bad key"}}
    assert failed(tmp_path, {"error": error}).kind is BackendFault.AUTH


def test_an_error_in_the_agents_words(tmp_path: Path) -> None:
    error = {"code": -32603, "message": "Internal error", "data": {"message": "429 too many requests"}}  # fmt: skip
    problem = failed(tmp_path, {"stderr": "a trace"}, {"said": "all is"}, {"error": error})
    assert problem.kind is BackendFault.RATE_LIMIT
    assert "a trace" not in problem.message
    assert problem.output == "a trace"
    assert "session/prompt: Internal error: 429" in problem.message


@pytest.mark.parametrize(
    "raw",
    [
        "all is well\n",
        '{"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "end_turn"\n',
        '["jsonrpc"]\n',
        '{"id": 3, "result": {"stopReason": "end_turn"}}\n',
        '{"jsonrpc": "2.0", "id": 7, "result": {"stopReason": "end_turn"}}\n',
        '{"jsonrpc": "2.0", "id": true, "result": {"stopReason": "end_turn"}}\n',
        '{"jsonrpc": "2.0", "id": 3, "result": "end_turn"}\n',
        '{"jsonrpc": "2.0", "id": 3}\n',
        '{"jsonrpc": "2.0", "id": 3, "id": 3, "result": {"stopReason": "end_turn"}}\n',
        '{"jsonrpc": "2.0", "method": 3}\n',
        '{"jsonrpc": "2.0", "method": "x", "id": {}}\n',
        "[" * 5_000 + "\n",
    ],
)
def test_what_is_no_message_ends_it(tmp_path: Path, raw: str) -> None:
    error = failed(tmp_path, {"stderr": "a bug in the agent"}, {"said": "all is well"}, {"raw": raw}, END)
    assert error.kind is BackendFault.BAD_OUTPUT
    assert "on stderr: a bug in the agent" in error.message


def test_an_answer_that_is_no_text(tmp_path: Path) -> None:
    image = {"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": "x"}}
    assert "no text" in failed(tmp_path, {"said": "see"}, {"update": image}, END).message


@pytest.mark.parametrize("code", [0, 3])
def test_an_agent_that_exits_early(tmp_path: Path, code: int) -> None:
    error = failed(tmp_path, {"said": "all is well"}, {"stderr": "out of luck"}, {"exit": code})
    assert error.kind is BackendFault.CRASHED
    assert f"exit code {code} before it answered session/prompt; on stderr: out of luck" in error.message


def test_an_agent_that_exits_with_its_answer(tmp_path: Path) -> None:
    script = prompt_acts({"said": "pong"}, END, {"exit": 0})
    assert ask(acp_backend(tmp_path, script=script)).text == "pong"


def test_an_agent_that_falls_silent(tmp_path: Path) -> None:
    error = failed(tmp_path, {"said": "all is"}, {"hang": 1}, idle=0.3)
    assert error.kind is BackendFault.TIMEOUT
    assert "idle_timeout" in error.hint


def test_what_an_agent_started_ends_with_it(tmp_path: Path) -> None:
    """When the time is up: the agent, and a child of it that has left its group."""
    started = tmp_path / "child"
    agent = tmp_path / "agent"
    agent.write_text(f"#!/bin/sh\nsetsid sleep 1000 &\necho $! > {started}\ncat > /dev/null\n")
    agent.chmod(0o755)
    error = expect_error(acp_backend(tmp_path, script={}, command=str(agent)), timeout=0.5)
    assert error.kind is BackendFault.TIMEOUT
    assert not alive(int(started.read_text()))


# --- the conversation alone


def lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"jsonrpc": "2.0", **it}).encode() + b"\n" for it in messages)


def update(text: str, session: str = "s-1") -> dict[str, Any]:
    told = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    return {"method": "session/update", "params": {"sessionId": session, "update": told}}


OPEN = (
    {"id": 1, "result": {"protocolVersion": 1}},
    {"id": 2, "result": {"sessionId": "s-1"}},
)
LAST = {"id": 3, "result": {"stopReason": "end_turn"}}


def outcome(conversation: AcpConversation, *, code: int = 0) -> CliResult:
    return conversation.result(Completed(exit_code=code, stdout="", stderr="", seconds=1))


def conversation() -> AcpConversation:
    return AcpConversation(AgentQuestion(text="?", model="", directory="/x"))


def test_bytes_come_in_any_pieces() -> None:
    said = lines(*OPEN, update("ä\u2028b"), LAST)
    for size in (1, 7, len(said)):
        talk = conversation()
        answers = [talk.receive(said[at : at + size]) for at in range(0, len(said), size)]
        assert answers[-1] is None
        assert outcome(talk) == CliReply(text="ä\u2028b")


def test_text_in_a_foreign_session_or_after_the_end_is_no_answer() -> None:
    for messages in ([update("x", "s-2"), LAST], [update("half"), LAST, update(" of it")]):
        talk = conversation()
        talk.receive(lines(*OPEN, *messages))
        result = outcome(talk)
        assert isinstance(result, CliError)
        assert result.kind is BackendFault.BAD_OUTPUT


def test_what_is_said_at_the_end_of_the_process_is_no_part_of_it() -> None:
    talk = conversation()
    talk.receive(lines(*OPEN, update("pong"), LAST))
    assert talk.receive(b"Terminated\n" + lines({"id": 9, "result": {}}, {"id": 4, "method": "x"})) is None
    assert outcome(talk, code=-15) == CliReply(text="pong")


def test_text_before_the_question_is_no_answer() -> None:
    talk = conversation()
    talk.receive(lines(OPEN[0], update("welcome"), OPEN[1], update("pong"), LAST))
    assert outcome(talk) == CliReply(text="pong")


def test_a_flood_ends() -> None:
    talk = conversation()
    talk.receive(lines(*OPEN))
    piece = b"x" * (1 << 20)
    said = [talk.receive(piece) for _ in range(LONGEST // len(piece))]
    assert said[-2:] == [b"", None]
    result = outcome(talk)
    assert isinstance(result, CliError)
    assert "more than 64 MiB" in result.message


def test_an_agent_is_known_by_its_program_or_its_name() -> None:
    assert acp_agent("mine", "/opt/bin/qwen") is ACP_AGENTS["qwen"]
    assert acp_agent("qwen", "/opt/bin/wrapped") is ACP_AGENTS["qwen"]
    assert acp_agent("mine", "agent") is None
