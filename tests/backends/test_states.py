"""What any field of an answer tells of its state: closed lists of what is good, wherever the field stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_lok.backends.http import anthropic, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web

Document = dict[str, Any]
CUT, NO, BAD, LONG = (
    BackendFault.TRUNCATED,
    BackendFault.REFUSED,
    BackendFault.BAD_OUTPUT,
    BackendFault.TOO_LONG,
)


def _chat(**more: Any) -> Document:
    return {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop", **more}]}


def _says(content: Any, **more: Any) -> Document:
    return _chat(message={"role": "assistant", "content": content, **more})


def _messages(*parts: Any, **more: Any) -> Document:
    return {
        "type": "message",
        "content": [*parts, {"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        **more,
    }


def _generate(*parts: Any, **more: Any) -> Document:
    return {"candidates": [{"content": {"parts": [*parts, {"text": "hi"}]}, "finishReason": "STOP", **more}]}


def _ollama(**more: Any) -> Document:
    return {"message": {"content": "hi"}, "done": True, "done_reason": "stop", **more}


def _response(*items: Any, **more: Any) -> Document:
    said = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    return {"object": "response", "status": "completed", "output": [*items, said], **more}


def server(document: Document, **more: Any) -> HttpBackend:
    """A server that answers with this document, in the dialect its shape tells."""
    dialect: HttpDialect = openai.CHAT
    for key, known in {
        "stop_reason": anthropic.MESSAGES,
        "candidates": gemini_api.GENERATE,
        "done": ollama.CHAT,
        "output": openai.RESPONSES,
    }.items():
        dialect = known if key in document else dialect
    web.post(host="llm.test").respond(200, json=document)
    api = HttpConfig(base_url="https://llm.test", model="m1", **more)
    return HttpBackend("it", api, dialect, http=HttpClient({}), environ={})


TEXT = {"type": "text", "text": "hi"}
WRONG: Mapping[str, tuple[Document, BackendFault]] = {
    # what was moderated
    "flagged": ({**_chat(), "moderation": {"flagged": True}}, NO),
    "a category": ({**_chat(), "moderation": [{"results": [{"categories": {"hate": True}}]}]}, NO),
    "moderation's word": ({**_chat(), "moderation": "blocked"}, NO),
    "moderation's action": ({**_chat(), "moderation": {"action": "block"}}, NO),
    "a guardrail": ({**_chat(), "amazon-bedrock-guardrailAction": "INTERVENED"}, NO),
    "a blocked choice": (_chat(blocked=True), NO),
    "a filter's own word": (_chat(content_filter_results={"hate": {"rejected": True}}), NO),
    "refusal of another shape": (_says("hi", refusal=True), NO),
    "refusal in a table": (_says("hi", refusal={"text": "I will not"}), NO),
    "refusal beside": ({**_chat(), "refusal": "I will not"}, NO),
    # status and reasons beside the usual one
    "incomplete choice": (_chat(status="incomplete"), BAD),
    "incomplete message": (_says("hi", status="incomplete"), BAD),
    "unknown status": (_chat(status="a word of tomorrow"), BAD),
    "still running": (_chat(status="in_progress"), BAD),
    "status as a flag": (_chat(state=True), BAD),
    "status with a code": ({**_chat(), "status": {"code": 500}}, BAD),
    "unknown native reason": (_chat(native_finish_reason="a word of tomorrow"), BAD),
    "number as a native reason": (_chat(native_finish_reason=2), BAD),
    "camel case": (_chat(terminationReason="max_tokens"), CUT),
    "list of reasons": (_chat(finish_reasons=["stop", "length"]), CUT),
    "reason of details": (_chat(finish_details={"reason": "interrupted"}), BAD),
    "details without a reason": ({**_chat(), "incomplete_details": {"x": "y"}}, BAD),
    "details as a word": ({**_chat(), "incomplete_details": "max_output_tokens"}, CUT),
    "matched a stop": (_chat(stop_sequence="END"), BAD),
    "reason as a flag": (_chat(stop_reason=True), BAD),
    "a limit": ({**_chat(), "usage": {"limit_reached": True}}, CUT),
    "llama.cpp's limit": (_chat(timings={"stopped_limit": True}), BAD),
    "llama.cpp's type": (_chat(timings={"stop_type": "limit"}), BAD),
    "not finished": (_chat(finished=False), BAD),
    "partial": (_chat(partial=True), BAD),
    "interrupted": (_chat(interrupted=True), BAD),
    "cancelled": (_chat(cancelled="by the user"), BAD),
    "a call beside": (_chat(tool_calls=[{"id": "c"}]), BAD),
    "cut, as a word": ({**_chat(), "inputTruncated": "yes"}, LONG),
    "status of messages": (_messages(status="incomplete"), BAD),
    "sequence of messages": (_messages(stop_sequence="END"), BAD),
    "status of ollama": (_ollama(status="a word of tomorrow"), BAD),
    "calls of ollama": (_ollama(message={"content": "hi", "tool_calls": [{"function": {"name": "f"}}]}), BAD),
    "incomplete thoughts": (_response({"type": "reasoning", "status": "incomplete"}), BAD),
    "message of gemini": (_generate(finishMessage="Model generated function call(s)."), BAD),
    # codes
    "a code's name": ({**_chat(), "code": "InternalError"}, BackendFault.OVERLOAD),
    "a code of HTTP": ({**_chat(), "status_code": 429}, BackendFault.RATE_LIMIT),
    "no success": ({**_chat(), "success": False}, BackendFault.OVERLOAD),
    # parts
    "words of the user": (_says("hi", role="user"), BAD),
    "words of a tool": (_says("hi", role="tool"), BAD),
    "an answer that is none": ({**_ollama(), "choices": "But one bug."}, BAD),
    "an answer of another API": (_ollama(response="But one bug."), BAD),
    "a whole context": (_ollama(prompt_eval_count=4096), LONG),
    "a warning": ({**_chat(), "warnings": ["The prompt was truncated."]}, LONG),
    "a message of no shape": (_chat(delta="But one bug."), BAD),
    "bare part": (_says(["But one bug.", TEXT]), BAD),
    "text under another name": (_says([TEXT, {"type": "text", "value": "But one bug."}]), BAD),
    "text that is none": (_says([TEXT, {"type": "text", "text": ["But one bug."]}]), BAD),
    "incomplete part": (_says([{**TEXT, "status": "incomplete"}]), BAD),
    "two texts": (_chat(text="But one bug."), BAD),
    "bare part of messages": (_messages("But one bug."), BAD),
    "bare part of gemini": (_generate("But one bug."), BAD),
    "odd part of gemini": (_generate({"text": ["But one bug."]}), BAD),
    "odd thought of gemini": (_generate({"text": "But one bug.", "thought": "no"}), BAD),
    "bare item of a response": (_response("But one bug."), BAD),
    "two messages": (_response({"type": "message", "content": [{"type": "output_text", "text": "But one."}]}), BAD),
}  # fmt: skip
GOOD: Mapping[str, Document] = {
    "moderated": {**_chat(), "moderation": {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}, "model": "m"}},
    "moderation passed": {**_chat(), "moderation": {"enabled": True, "action": "none"}},
    "guardrail": {**_chat(), "amazon-bedrock-guardrailAction": "NONE", "guardrailIdentifier": "abc"},
    "status": {**_chat(status="completed"), "status": "ok", "code": 0, "message": "success", "error_msg": "OK"},
    "http status": {**_chat(), "status": 200, "code": "200", "msg": "ok"},
    "status with a code": {**_chat(), "status": {"code": 0, "message": "OK"}},
    "null": _chat(native_finish_reason=None, stop_reason=None, incomplete_details=None, stop_sequence=None),
    "token": _chat(stop_reason=128009, matched_stop=7, finish_details={"type": "stop"}),
    "nothing": _says("hi", tool_calls=[], function_call={"name": "", "arguments": ""}, refusal="", annotations=[]),
    "llama.cpp": _chat(timings={"stop": True, "stopped_eos": True, "stopped_limit": False, "stop_type": "eos", "truncated": False}),
    "usage": {**_chat(), "usage": {"completion_tokens": 3, "completion_tokens_details": {"rejected_prediction_tokens": 4}}},
    "notes": _says([{**TEXT, "annotations": [{"reason": "cited", "status": "dead link"}]}]),
    "finished": _chat(is_final=True, done=True, partial=False, success=True),
    "messages": _messages(stop_sequence=None, stop_details=None, usage={"server_tool_use": {"web_search_requests": 0}}),
    "gemini": _generate(index=0, safetyRatings=[{"category": "X", "blocked": False}], finishMessage=""),
    "ollama": _ollama(total_duration=1, prompt_eval_count=3),
    "response": _response(
        {"type": "reasoning", "summary": [], "status": None},
        incomplete_details=None, max_tool_calls=None, parallel_tool_calls=True, safety_identifier="a",
        reasoning={"effort": "low", "summary": None}, completed_at=1, background=False, truncation="disabled",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@web
def test_a_good_ending_is_none_beside_what_is_not_known_to_be_good(case: str) -> None:
    document, kind = WRONG[case]
    assert expect_error(server(document)).kind is kind


@pytest.mark.parametrize("case", GOOD)
@web
def test_what_is_known_to_be_good_passes(case: str) -> None:
    assert ask(server(GOOD[case])).text == "hi"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_generate(finishReason="SAFETY", finishMessage="It looked unsafe."), "(SAFETY): It looked unsafe."),
        (
            {
                "promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "It was odd."},
                "candidates": [],
            },
            "OTHER: It was odd.",
        ),
        (
            _messages(stop_reason="refusal", stop_details={"type": "refusal", "explanation": "It was odd."}),
            "(refusal): It was odd.",
        ),
    ],
)
@web
def test_an_ending_is_told_in_the_servers_words(document: Document, words: str) -> None:
    error = expect_error(server(document))
    assert error.kind is NO
    assert words in error.message


@pytest.mark.parametrize(("tokens", "good"), [(99, True), (100, False), (101, True)])
@web
def test_an_answer_of_all_the_tokens_it_may_have_was_cut(tokens: int, good: bool) -> None:
    """More of them show that the server has no such limit."""
    it = server({**_chat(), "usage": {"completion_tokens": tokens}}, max_tokens=100)
    if good:
        assert ask(it).text == "hi"
    else:
        assert expect_error(it).kind is CUT


def _lines(*events: Any) -> str:
    return "".join(it if isinstance(it, str) else f"data: {json.dumps(it)}\n\n" for it in events)


def _delta(text: str, word: str | None = None) -> Document:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": word}]}


def _called() -> Document:
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]}


_HI = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}
_MADE = [{"type": "message_start", "message": {"type": "message", "content": []}}, _HI]
_OVER = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
_TOLD = {"type": "response.output_text.delta", "output_index": 0, "delta": "hi"}
_DONE = {"type": "response.completed", "response": _response()}
_EMPTY = {"type": "response.completed", "response": {**_response(), "output": []}}
_SAID: Document = _generate(finishReason=None)
STREAMS: Mapping[str, tuple[HttpDialect, str, bool]] = {
    "chat": (openai.CHAT, _lines(_delta("h"), _delta("i", "stop")), True),
    "each piece has an ending": (openai.CHAT, _lines(_delta("h", "stop"), _delta("i", "stop")), True),
    "blanks after the ending": (openai.CHAT, _lines(_delta("hi", "stop"), _delta("\n")), True),
    "text after the ending": (openai.CHAT, _lines(_delta("hi", "stop"), _delta("but one")), False),
    "comments": (openai.CHAT, _lines(": ping\n\n", _delta("hi", "stop"), "retry: 3\nid: 1\n\n"), True),
    "a mark of UTF-8": (openai.CHAT, "\ufeff" + _lines(_delta("hi", "stop")), True),
    "an event called abort": (openai.CHAT, _lines(_delta("hi", "stop"), "event: abort\ndata: {}\n\n"), False),
    "an event of another name": (openai.CHAT, _lines(_delta("hi", "stop"), "event: end\ndata: {}\n\n"), True),
    "a bare choice": (openai.CHAT, _lines({"choices": ["but one"]}, _delta("hi", "stop")), False),
    "a choice without a list": (openai.CHAT, _lines({"choices": {"delta": {}, "x": 1}}, _delta("hi", "stop")), False),
    "the answer again after the last event": (openai.CHAT, _lines(_delta("hi", "stop"), "data: [DONE]\n\n", _delta("hi")), True),
    "more after the last event": (openai.CHAT, _lines(_delta("hi", "stop"), "data: [DONE]\n\n", _delta("but one")), False),
    "a call after the last event": (openai.CHAT, _lines(_delta("hi", "stop"), "data: [DONE]\n\n", _called()), False),
    "a bare text": (openai.CHAT, _lines(_delta("hi", "stop"), 'data: "died"\n\n'), False),
    "messages": (anthropic.MESSAGES, _lines(*_MADE, *_OVER), True),
    "an unknown event": (anthropic.MESSAGES, _lines(*_MADE, {"type": "a_new_one"}, *_OVER), True),
    "an unknown event with text": (anthropic.MESSAGES, _lines(*_MADE, {"type": "a_new_one", "delta": {"text": "but one"}}, *_OVER), False),
    "an unknown delta": (anthropic.MESSAGES, _lines(*_MADE, {**_HI, "delta": {"type": "a_new_one"}}, *_OVER), False),
    "a bare delta": (anthropic.MESSAGES, _lines(*_MADE, {**_HI, "delta": "but one"}, *_OVER), False),
    "another message": (anthropic.MESSAGES, _lines(*_MADE, *_MADE, *_OVER), False),
    "said by the user": (anthropic.MESSAGES, _lines({"type": "message_start", "message": {"role": "user"}}, _HI, *_OVER), False),
    "gemini": (gemini_api.GENERATE, _lines(_generate()), True),
    "gemini without an ending": (gemini_api.GENERATE, _lines(_SAID), False),
    "text after gemini's ending": (gemini_api.GENERATE, _lines(_generate(), _SAID), False),
    "response": (openai.RESPONSES, _lines(_TOLD, _DONE), True),
    "response that repeats nothing": (openai.RESPONSES, _lines(_TOLD, _EMPTY), True),
    "response of two messages": (openai.RESPONSES, _lines(_TOLD, {**_TOLD, "output_index": 1}, _EMPTY), False),
    "response that says another text": (openai.RESPONSES, _lines({**_TOLD, "delta": "hi, but one"}, _DONE), False),
    "response that was cancelled": (openai.RESPONSES, _lines({"type": "response.cancelled"}, _DONE), False),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAMS)
@web
def test_a_stream_has_one_reading_or_is_no_answer(case: str) -> None:
    dialect, body, good = STREAMS[case]
    web.post(host="llm.test").respond(200, text=body, headers={"content-type": "text/event-stream"})
    it = HttpBackend(
        "it", HttpConfig(base_url="https://llm.test", model="m1"), dialect, http=HttpClient({}), environ={}
    )
    if good:
        assert ask(it).text.strip() == "hi"
    else:
        assert expect_error(it).kind in (BAD, BackendFault.NETWORK, BackendFault.OVERLOAD)
