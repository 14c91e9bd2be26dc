"""Tools natively: each API is offered them in its own way, and its calls come back as the same JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.core.asking.tools import Tool, ToolCalls, answer_schema
from pytest_lok.core.results import Reply
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error
from tests.backends.test_contract import SERVERS
from tests.fake_llm_api import FakeLLM

TOOLS = (Tool(name="ask_bob", description="Asks bob."),)
CALL = {"name": "ask_bob", "arguments": {"question": "Why „so“?"}, "say": "I shall ask bob."}
OFFERED: dict[str, Any] = {"tools": TOOLS, "schema": answer_schema(TOOLS)}


class Api:
    """One API of the fake server, and a backend that asks it."""

    def __init__(self, kind: str, server: FakeLLM) -> None:
        self.kind, self.server = kind, server

    @property
    def backend(self) -> HttpBackend:
        dialect, path = SERVERS[self.kind]
        api = HttpConfig(base_url=self.server.url + path, model="m")
        return HttpBackend("it", api, dialect, http=HttpClient({}), environ={})

    def ask(self, *rules: dict[str, Any], **more: Any) -> Reply:
        self.server.set_rules(list(rules))
        return ask(self.backend, "hello", **{**OFFERED, **more})

    def kind_of_error(self, *rules: dict[str, Any], **more: Any) -> BackendFault:
        self.server.set_rules(list(rules))
        return expect_error(self.backend, "hello", **{**OFFERED, **more}).kind


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    with FakeLLM() as server:
        yield Api(request.param, server)


def test_a_call(api: Api) -> None:
    reply = api.ask({"tools": True, "tool": CALL})
    assert json.loads(reply.text) == {"answer": "", "ask_bob": ["Why „so“?"]}
    [question] = api.server.requests
    assert (question["tools"], question["schema"]) == (["ask_bob"], False)


def test_an_answer(api: Api) -> None:
    assert json.loads(api.ask({"reply": "yes"}).text) == {"answer": "yes", "ask_bob": []}


def test_a_call_of_what_nobody_offered(api: Api) -> None:
    reply = api.ask({"tool": {"name": "rm", "arguments": {"path": "/"}}})
    assert json.loads(reply.text) == {"answer": "", "ask_bob": [], "rm": [{"arguments": {"path": "/"}}]}


def test_without_tools_a_call_stays_an_error(api: Api) -> None:
    assert api.kind_of_error({"tool": CALL}, tools=(), schema=None) is BackendFault.BAD_OUTPUT


def test_an_answer_that_is_cut_is_an_error_with_tools_too(api: Api) -> None:
    assert api.kind_of_error({"reply": "a half", "stop": "length"}) is BackendFault.TRUNCATED


def test_a_stream_that_breaks_off_is_an_error_with_tools_too(api: Api) -> None:
    kind = api.kind_of_error({"reply": "a half of it, and more", "fault": "disconnect_mid"})
    assert kind is BackendFault.NETWORK


def test_a_server_that_refuses_tools_is_told_the_json(api: Api) -> None:
    refuses = {"tools": True, "status": 400, "message": "m does not support tools"}
    reply = api.ask(refuses, {"match": "JSON Schema", "reply": '{"answer": "", "ask_bob": ["why?"]}'})
    assert reply.text == '{"answer": "", "ask_bob": ["why?"]}'


def test_a_question_without_tools_is_refused_once(api: Api) -> None:
    refuses = {"status": 400, "message": "no tool, no prompt, no anything"}
    assert api.kind_of_error(refuses, tools=(), schema=None) is BackendFault.BAD_REQUEST
    assert len(api.server.requests) == 1


@pytest.mark.parametrize("kind", SERVERS)
def test_an_ending_for_a_call_that_did_not_come_stays_an_error(kind: str) -> None:
    dialect, _ = SERVERS[kind]
    take = dialect.take_calls
    assert take is not None
    events: list[dict[str, Any]] = [
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {}}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "x"}, "executableCode": {}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": ["x"]}}]},
        {"message": {"tool_calls": "x"}},
        {"type": "response.completed", "response": {"output": [{"type": "web_search_call"}]}},
        {
            "type": "response.completed",
            "response": {"output": [{"type": "function_call", "status": "incomplete"}]},
        },
    ]
    for event in events:
        calls = ToolCalls()
        assert take(calls, event) == event
        assert not calls


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_calls_in_pieces(kind: str) -> None:
    """Arguments come bit by bit, and two calls may come in turn."""
    events: dict[str, list[dict[str, Any]]] = {
        "openai": [
            {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": at, **piece}]}}]}
            for at, piece in (
                (0, {"id": "a", "function": {"name": "ask_bob", "arguments": ""}}),
                (1, {"id": "b", "function": {"name": "ask_bob", "arguments": '{"question"'}}),
                (0, {"function": {"arguments": '{"question": "one"}'}}),
                (1, {"function": {"arguments": ': "two"}'}}),
            )
        ],
        "anthropic": [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *(
                {
                    "type": "content_block_start",
                    "index": at,
                    "content_block": {"type": "tool_use", "id": str(at), "name": "ask_bob", "input": {}},
                }
                for at in (1, 2)
            ),
            *(
                {
                    "type": "content_block_delta",
                    "index": at,
                    "delta": {"type": "input_json_delta", "partial_json": piece},
                }
                for at, piece in ((1, '{"question"'), (1, ': "one"}'), (2, '{"question": "two"}'))
            ),
        ],
    }
    calls, take = ToolCalls(), SERVERS[kind][0].take_calls
    assert take is not None
    for event in events[kind]:
        assert "ask_bob" not in json.dumps(take(calls, event))
    assert json.loads(calls.to_json("", TOOLS)) == {"answer": "", "ask_bob": ["one", "two"]}
