from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.ollama_server import OllamaBackend
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web
from tests.fake_llm_api import FakeLLM

SERVER = "http://ollama.test:11434"


@pytest.fixture
def api() -> Iterator[FakeLLM]:
    with FakeLLM(log_bodies=True) as server:
        yield server


def backend(url: str = SERVER, **more: Any) -> OllamaBackend:
    config = HttpConfig(base_url=url, **{"model": "llama3.2", **more})
    return OllamaBackend("local", config, http=HttpClient({}), environ={}, servers={})


def test_an_answer_with_its_model_and_usage(api: FakeLLM) -> None:
    api.set_rules([{"reply": "a\u2028b " * 40, "usage": {"input": 11, "output": 7}}])
    reply = ask(backend(api.url, model="m1"))
    assert reply.text == "a\u2028b " * 40
    assert (reply.backend, reply.model) == ("local", "m1")
    assert (reply.usage.calls, reply.usage.input_tokens, reply.usage.output_tokens) == (1, 11, 7)
    assert reply.usage.cost_usd == 0


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/"])
def test_what_is_sent(api: FakeLLM, path: str) -> None:
    ask(backend(api.url + path, max_tokens=99), "question", system="be brief", schema={"type": "object"})
    [body] = [json.loads(request["body"]) for request in api.requests]
    assert body["model"] == "llama3.2"
    assert [message["content"] for message in body["messages"]] == ["be brief", "question"]
    assert body["options"] == {"num_predict": 99}
    assert body["format"] == {"type": "object"}
    assert (body["truncate"], body["shift"]) == (False, False)


def test_the_steps_model_wins(api: FakeLLM) -> None:
    assert ask(backend(api.url, model="m1"), model="m2").model == "m2"


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"status": 400}, BackendFault.BAD_REQUEST),
        ({"status": 404}, BackendFault.BAD_REQUEST),
        ({"status": 500}, BackendFault.OVERLOAD),
        ({"status": 503, "retry_after": 2}, BackendFault.OVERLOAD),
        ({"stop": "length"}, BackendFault.TRUNCATED),
        ({"fault": "disconnect"}, BackendFault.NETWORK),
        ({"fault": "disconnect_mid"}, BackendFault.NETWORK),
        ({"fault": "error_mid"}, BackendFault.OVERLOAD),
        ({"fault": "malformed"}, BackendFault.BAD_OUTPUT),
        ({"fault": "empty"}, BackendFault.EMPTY),
        ({"fault": "hang"}, BackendFault.TIMEOUT),
        ({"fault": "hang_mid"}, BackendFault.TIMEOUT),
    ],
    ids=str,
)
def test_every_fault_has_its_kind(api: FakeLLM, rule: dict[str, Any], kind: BackendFault) -> None:
    api.set_rules([{"reply": "an answer of some length, so that it has a middle", **rule}])
    error = expect_error(backend(api.url, idle=0.3))
    assert error.kind is kind
    assert error.retry_after == rule.get("retry_after")


@web
def test_a_missing_model_names_the_command_that_gets_it() -> None:
    web.post(SERVER + "/api/chat").respond(404, json={"error": "model 'm7' not found"})
    error = expect_error(backend(model="m7"))
    assert "model 'm7' not found" in error.message
    assert "ollama pull m7" in error.hint


@web
def test_a_stream_without_its_last_word_is_a_cut() -> None:
    web.post(SERVER + "/api/chat").respond(200, text='{"message":{"content":"hi"},"done":false}\n')
    error = expect_error(backend())
    assert (error.kind, error.output) == (BackendFault.NETWORK, "hi")


@web
def test_json_that_is_no_answer() -> None:
    web.post(SERVER + "/api/chat").respond(200, text="[]\n")
    assert expect_error(backend()).kind is BackendFault.BAD_OUTPUT


@web
def test_a_prompt_beyond_the_context_is_told() -> None:
    said = {"error": "the input length exceeds the context length"}
    web.post(SERVER + "/api/chat").respond(400, json=said)
    error = expect_error(backend())
    assert error.kind is BackendFault.TOO_LONG
    assert "num_ctx" in error.hint


def test_no_server_names_the_command_that_starts_it() -> None:
    error = expect_error(backend("http://127.0.0.1:9"))
    assert error.kind is BackendFault.NETWORK
    assert "ollama serve" in error.hint
