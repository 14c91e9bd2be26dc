"""Every documented ending of every API and tool, and words that are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_lok.backends import endings
from pytest_lok.backends.http import anthropic, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web

CUT, NO, BAD = BackendFault.TRUNCATED, BackendFault.REFUSED, BackendFault.BAD_OUTPUT
DOWN, LOST = BackendFault.OVERLOAD, BackendFault.NETWORK

CHAT: Mapping[str, BackendFault | None] = {
    # OpenAI, and those whose table is the same
    "stop": None, "length": CUT, "content_filter": NO, "tool_calls": BAD, "function_call": BAD,
    # Together, DeepInfra; text-generation-inference; Cohere
    "eos": None, "eos_token": None, "stop_sequence": BAD, "COMPLETE": None,
    # Mistral, DeepSeek, Zhipu, vLLM, OpenRouter
    "model_length": CUT, "insufficient_system_resource": DOWN, "sensitive": NO, "network_error": LOST,
    "model_context_window_exceeded": CUT, "abort": DOWN, "error": DOWN,
    # gateways that pass on the words of Anthropic, Google and Amazon
    "end_turn": None, "max_tokens": CUT, "refusal": NO, "tool_use": BAD, "pause_turn": BAD,
    "STOP": None, "MAX_TOKENS": CUT, "SAFETY": NO, "RECITATION": NO, "OTHER": BAD, "guardrail_intervened": NO,
}  # fmt: skip
MESSAGES: Mapping[str, BackendFault | None] = {
    "end_turn": None, "stop_sequence": BAD, "max_tokens": CUT, "model_context_window_exceeded": CUT,
    "refusal": NO, "tool_use": BAD, "pause_turn": BAD,
}  # fmt: skip
GENERATE: Mapping[str, BackendFault | None] = {
    "STOP": None, "MAX_TOKENS": CUT,
    **dict.fromkeys(
        ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
         "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"], NO),
    **dict.fromkeys(
        ["FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
         "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE"], BAD),
}  # fmt: skip
OLLAMA: Mapping[str, BackendFault | None] = {"stop": None, "length": CUT, "load": BAD, "unload": BAD}
RESPONSES: Mapping[str, BackendFault | None] = {
    "completed": None, "max_output_tokens": CUT, "content_filter": NO, "cancelled": BAD, "incomplete": BAD,
    "failed": DOWN,
}  # fmt: skip
UNKNOWN = [
    "stopped", "stop_", " stop", "sto", "ok", "none", "completed!", "end", "finish", "success", "unknown", "max", "7",
    True, 1, 0, ["stop"], {"reason": "stop"},
]  # fmt: skip


def _chat(word: Any) -> Any:
    return {"choices": [{"message": {"content": "hi"}, "finish_reason": word}]}


def _messages(word: Any) -> Any:
    return {"type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": word}


def _generate(word: Any) -> Any:
    return {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": word}]}


def _ollama(word: Any) -> Any:
    return {"message": {"content": "hi"}, "done": True, "done_reason": word}


def _response(word: Any) -> Any:
    said = {
        "object": "response",
        "output": [{"type": "message", "content": [{"text": "hi"}]}],
        "status": word,
    }
    if word in ("max_output_tokens", "content_filter"):
        said |= {"status": "incomplete", "incomplete_details": {"reason": word}}
    return said


CASES: Mapping[str, tuple[HttpDialect, Callable[[Any], Any], Mapping[str, BackendFault | None]]] = {
    "chat": (openai.CHAT, _chat, CHAT),
    "messages": (anthropic.MESSAGES, _messages, MESSAGES),
    "generate": (gemini_api.GENERATE, _generate, GENERATE),
    "ollama": (ollama.CHAT, _ollama, OLLAMA),
    "responses": (openai.RESPONSES, _response, RESPONSES),
}


def told(name: str, word: Any) -> HttpBackend:
    """A server that ends its answer with this word."""
    dialect, document, _ = CASES[name]
    web.post(host="llm.test").respond(200, json=document(word))
    api = HttpConfig(base_url="https://llm.test", model="m1")
    return HttpBackend("it", api, dialect, http=HttpClient({}), environ={})


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, case in CASES.items() for word in case[2]])
@web
def test_every_documented_word_is_known(name: str, word: str) -> None:
    kind = CASES[name][2][word]
    if kind is None:
        assert ask(told(name, word)).text == "hi"
        return
    error = expect_error(told(name, word))
    assert (error.kind, error.output) == (kind, "hi" if word != "failed" else "")
    assert word in error.message


@pytest.mark.parametrize("word", UNKNOWN, ids=str)
@pytest.mark.parametrize("name", CASES)
@web
def test_any_other_is_no_answer_and_is_named(name: str, word: Any) -> None:
    error = expect_error(told(name, word))
    assert error.kind is BackendFault.BAD_OUTPUT
    assert str(word) in error.message


@pytest.mark.parametrize("word", [None, ""])
@pytest.mark.parametrize("name", CASES)
@web
def test_no_word_is_no_end(name: str, word: Any) -> None:
    assert expect_error(told(name, word)).kind is BackendFault.NETWORK


def test_only_these_words_mean_a_whole_answer() -> None:
    """The review of a change to the tables starts here."""
    tables = {
        name: value for name, value in vars(endings).items() if isinstance(value, dict) and name.isupper()
    }
    whole = {
        name: sorted(word for word, end in table.items() if end is None) for name, table in tables.items()
    }
    assert whole == {
        "CHAT": ["complete", "end_turn", "eos", "eos_token", "stop"],
        "MESSAGES": ["end_turn"],
        "GENERATE": ["stop"],
        "OLLAMA": ["stop"],
        "CONVERSE": ["end_turn"],
        "ACP": ["end_turn"],
        "RESPONSES": ["completed"],
        "ANY_API": [
            "complete", "completed", "done", "end_turn", "eos", "eos_token", "finished", "ok", "stop", "succeeded",
            "success",
        ],
        "CLAUDE_RESULTS": ["success"],
        "CLAUDE_LOOPS": ["completed"],
        "GEMINI": ["success"],
        "COPILOT": ["success"],
    }  # fmt: skip
    assert all(word == word.casefold() for table in tables.values() for word in table)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("end_turn", None), ("stop_sequence", BAD), ("max_tokens", CUT), ("model_context_window_exceeded", CUT),
        ("guardrail_intervened", NO), ("content_filtered", NO), ("tool_use", BAD),
        ("malformed_model_output", BAD), ("malformed_tool_use", BAD), ("a_new_one", BAD), (3, BAD),
    ],
)  # fmt: skip
def test_bedrocks_words(word: Any, kind: BackendFault | None) -> None:
    end = endings.ending_for(word, endings.CONVERSE)
    assert (end.kind if end else None) is kind


@web
def test_several_answers_at_once_are_none() -> None:
    choices = [{"index": n, "message": {"content": f"a{n}"}, "finish_reason": "stop"} for n in (0, 1)]
    web.post(host="llm.test").respond(200, json={"choices": choices})
    api = HttpConfig(base_url="https://llm.test", model="m1")
    error = expect_error(HttpBackend("it", api, openai.CHAT, http=HttpClient({}), environ={}))
    assert "several answers" in error.message


@web
def test_a_schema_that_asks_for_an_error_is_repeated_without_being_one() -> None:
    schema = {"properties": {"error": {"type": "string"}, "truncated": {"type": "boolean"}}}
    said = {**_response("completed"), "text": {"format": {"schema": schema}}, "error": None}
    web.post(host="llm.test").respond(
        200, content=json.dumps(said), headers={"content-type": "application/json"}
    )
    api = HttpConfig(base_url="https://llm.test", model="m1")
    assert ask(HttpBackend("it", api, openai.RESPONSES, http=HttpClient({}), environ={})).text == "hi"


@pytest.mark.parametrize(
    ("native", "kind"),
    [("MAX_TOKENS", CUT), ("SAFETY", NO), ("STOP", None), ("completed", None), ("a word of tomorrow", BAD)],
)
@web
def test_a_routers_good_word_does_not_hide_a_bad_one_of_the_model(
    native: str, kind: BackendFault | None
) -> None:
    choice = {"message": {"content": "hi"}, "finish_reason": "stop", "native_finish_reason": native}
    web.post(host="llm.test").respond(200, json={"choices": [choice]})
    server = HttpBackend(
        "it",
        HttpConfig(base_url="https://llm.test", model="m1"),
        openai.CHAT,
        http=HttpClient({}),
        environ={},
    )
    if kind is None:
        assert ask(server).text == "hi"
    else:
        assert expect_error(server).kind is kind


@pytest.mark.parametrize("kind", ["function_call", "web_search_call", "mcp_call"])
@web
def test_a_tool_that_a_response_only_begins_is_seen(kind: str) -> None:
    events = [
        {"type": "response.output_item.added", "item": {"type": kind}},
        {"type": "response.completed", "response": _response("completed")},
    ]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    web.post(host="llm.test").respond(200, text=text, headers={"content-type": "text/event-stream"})
    server = HttpBackend(
        "it",
        HttpConfig(base_url="https://llm.test", model="m1"),
        openai.RESPONSES,
        http=HttpClient({}),
        environ={},
    )
    assert "a tool it was not given" in expect_error(server).message
