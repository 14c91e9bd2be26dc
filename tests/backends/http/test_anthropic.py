from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from pytest_lok.backends.http.anthropic import MESSAGES
from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web

URL = "https://api.anthropic.com/v1/messages"


def backend(base_url: str = "") -> HttpBackend:
    environ = {"ANTHROPIC_API_KEY": "sk-ant-12345678"}
    return HttpBackend(
        "claude", HttpConfig(base_url=base_url, model="m1"), MESSAGES, http=HttpClient({}), environ=environ
    )


def _events(*events: dict[str, Any]) -> httpx.Response:
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=text)


def _start(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"model": "m1-20260101", "content": [], "usage": usage}}


def _said(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def _stop(reason: str, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


END = {"type": "message_stop"}


@web
def test_tokens_read_from_the_providers_cache_are_input_too() -> None:
    start = _start(input_tokens=3, cache_read_input_tokens=40, cache_creation_input_tokens=7, output_tokens=1)
    events = _events(start, {"type": "ping"}, _said("hi"), _stop("end_turn", output_tokens=5), END)
    route = web.post(URL).mock(return_value=events)
    reply = ask(backend())
    assert (reply.text, reply.model) == ("hi", "m1-20260101")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (50, 5)
    headers = route.calls.last.request.headers
    assert headers["x-api-key"] == "sk-ant-12345678"
    assert headers["anthropic-version"]
    assert "authorization" not in headers


@web
def test_what_it_thought_is_no_part_of_the_answer() -> None:
    thought = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "hm"},
    }
    web.post(URL).mock(return_value=_events(_start(), thought, _said("hi"), _stop("end_turn"), END))
    assert ask(backend()).text == "hi"


@web
def test_a_server_that_does_not_stream() -> None:
    message = {
        "type": "message", "model": "m9", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "whole"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip
    web.post(URL).respond(200, json=message)
    reply = ask(backend())
    assert (reply.text, reply.model, reply.usage.tokens) == ("whole", "m9", 7)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("max_tokens", BackendFault.TRUNCATED),
        ("model_context_window_exceeded", BackendFault.TRUNCATED),
        ("refusal", BackendFault.REFUSED),
        ("pause_turn", BackendFault.BAD_OUTPUT),
    ],
)
@web
def test_an_answer_that_is_none(reason: str, kind: BackendFault) -> None:
    web.post(URL).mock(return_value=_events(_start(), _said("half"), _stop(reason), END))
    error = expect_error(backend())
    assert (error.kind, error.output) == (kind, "half")


@web
def test_without_its_last_word_it_is_cut() -> None:
    web.post(URL).mock(return_value=_events(_start(), _said("half"), _stop("end_turn")))
    assert expect_error(backend()).kind is BackendFault.NETWORK


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("overloaded_error", BackendFault.OVERLOAD),
        ("rate_limit_error", BackendFault.RATE_LIMIT),
        ("authentication_error", BackendFault.AUTH),
        ("api_error", BackendFault.OVERLOAD),
    ],
)
@web
def test_an_error_inside_the_stream(kind: str, fault: BackendFault) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "oh"}}
    web.post(URL).mock(return_value=_events(_start(), _said("half"), error))
    assert expect_error(backend()).kind is fault


@pytest.mark.parametrize("base", ["https://llm.test", "https://llm.test/v1/", "https://llm.test/v1/messages"])
@web
def test_an_address_may_end_anywhere(base: str) -> None:
    route = web.post("https://llm.test/v1/messages").mock(
        return_value=_events(_start(), _said("hi"), _stop("end_turn"), END)
    )
    ask(backend(base))
    assert "x-api-key" not in route.calls.last.request.headers
