from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.gemini import GENERATE
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web

URL = "https://generativelanguage.googleapis.com/v1beta/models/m1:streamGenerateContent?alt=sse"


def backend(base_url: str = "", model: str = "m1") -> HttpBackend:
    environ = {"GOOGLE_API_KEY": "AIza12345678"}
    return HttpBackend(
        "gem", HttpConfig(base_url=base_url, model=model), GENERATE, http=HttpClient({}), environ=environ
    )


def _events(*events: dict[str, Any]) -> httpx.Response:
    text = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events)
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=text)


def _said(*parts: dict[str, Any], reason: str = "", **more: Any) -> dict[str, Any]:
    candidate = {
        "content": {"role": "model", "parts": list(parts)},
        **({"finishReason": reason} if reason else {}),
    }
    return {"candidates": [candidate], **more}


@web
def test_thoughts_cost_and_are_not_the_answer() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 40}
    events = _events(
        _said({"text": "hm", "thought": True}),
        _said({"text": "hi"}, reason="STOP", usageMetadata=usage, modelVersion="m1-001"),
    )
    route = web.post(URL).mock(return_value=events)
    reply = ask(backend())
    assert (reply.text, reply.model) == ("hi", "m1-001")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 42)
    assert route.calls.last.request.headers["x-goog-api-key"] == "AIza12345678"
    assert "AIza" not in str(route.calls.last.request.url)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("MAX_TOKENS", BackendFault.TRUNCATED),
        ("SAFETY", BackendFault.REFUSED),
        ("RECITATION", BackendFault.REFUSED),
        ("PROHIBITED_CONTENT", BackendFault.REFUSED),
        ("MALFORMED_FUNCTION_CALL", BackendFault.BAD_OUTPUT),
        ("OTHER", BackendFault.BAD_OUTPUT),
    ],
)
@web
def test_an_answer_that_is_none(reason: str, kind: BackendFault) -> None:
    web.post(URL).mock(return_value=_events(_said({"text": "half"}), _said(reason=reason)))
    error = expect_error(backend())
    assert (error.kind, error.output) == (kind, "half")


@web
def test_a_blocked_prompt() -> None:
    web.post(URL).mock(return_value=_events({"promptFeedback": {"blockReason": "SAFETY"}}))
    error = expect_error(backend())
    assert error.kind is BackendFault.REFUSED
    assert "SAFETY" in error.message


@web
def test_no_reason_to_end_is_a_cut() -> None:
    web.post(URL).mock(return_value=_events(_said({"text": "half"})))
    assert expect_error(backend()).kind is BackendFault.NETWORK


@web
def test_its_wish_to_wait_stands_in_the_body() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]
    error = {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED", "details": details}
    web.post(URL).respond(429, json={"error": error})
    problem = expect_error(backend())
    assert (problem.kind, problem.retry_after) == (BackendFault.RATE_LIMIT, 17)


@pytest.mark.parametrize("base", ["https://llm.test", "https://llm.test/v1beta/", "https://llm.test/v1"])
@web
def test_an_address_may_name_a_version(base: str) -> None:
    version = "v1" if base.endswith("v1") else "v1beta"
    url = f"https://llm.test/{version}/models/a%2Fb:streamGenerateContent?alt=sse"
    route = web.post(url).mock(return_value=_events(_said({"text": "hi"}, reason="STOP")))
    ask(backend(base, "models/a/b"))
    assert route.called
