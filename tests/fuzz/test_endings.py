"""Answers with any ending and any trouble, in any place: only a whole one counts.

The oracle knows how the transcript was made: its last word, what was put into it, where it was cut.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends import anthropic, bedrock, gemini_api, ollama, openai
from pytest_lok.backends.http import Api, Http
from pytest_lok.backends.server import Server, ServerDialect
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Backend
from pytest_lok.errors import BackendError
from tests.backends.asking import ask
from tests.backends.fake_bedrock import message
from tests.fuzz import examples

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How an API writes an answer. ``says`` the text, ``ends`` with a word; ``closes``: its last event is
    read as such, and nothing after it."""

    dialect: ServerDialect | None
    says: Callable[[str], list[Event]]
    ends: Callable[[Any], list[Event]]
    plain: Callable[[str, Any], Event] | None
    whole: Sequence[str]
    bad: Sequence[str]
    noise: Sequence[Event] = ()
    tool: Callable[[], Event]
    framed: Callable[[Event], bytes] = lambda event: b"data: " + json.dumps(event).encode() + b"\n\n"
    closes: bool = False


def _delta(**more: Any) -> Event:
    return {"choices": [{"index": 0, "delta": more, "finish_reason": None}]}


def _responded(text: str, word: Any) -> Event:
    said: Event = {
        "object": "response",
        "model": "m",
        "error": None,
        "truncation": "disabled",
        "status": word,
    }
    if word in ("max_output_tokens", "content_filter"):
        said |= {"status": "incomplete", "incomplete_details": {"reason": word}}
    return {**said, "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]}


CALL = [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]
APIS: Mapping[str, Wire] = {
    "chat": Wire(
        dialect=openai.CHAT,
        says=lambda text: [_delta(role="assistant"), *(_delta(content=it) for it in text)],
        ends=lambda word: [{"choices": [{"index": 0, "delta": {}, "finish_reason": word}]}],
        plain=lambda text, word: {"choices": [{"index": 0, "message": {"content": text}, "finish_reason": word}]},
        whole=["stop", "eos", "end_turn", "STOP", "eos_token", "stop_sequence"],
        bad=["length", "content_filter", "tool_calls", "error", "abort", "insufficient_system_resource"],
        noise=[{"choices": []}, {"choices": [], "usage": {"prompt_tokens": 1}}, {"usage": {"completion_tokens": 2}}],
        tool=lambda: _delta(tool_calls=CALL),
    ),
    "messages": Wire(
        dialect=anthropic.MESSAGES,
        says=lambda text: [
            {"type": "message_start", "message": {"type": "message", "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "delta": {"type": "text_delta", "text": it}} for it in text),
        ],
        ends=lambda word: [
            {"type": "message_delta", "delta": {"stop_reason": word}, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        ],
        plain=lambda text, word: {"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": word},
        whole=["end_turn", "stop_sequence"],
        bad=["max_tokens", "refusal", "tool_use", "pause_turn", "model_context_window_exceeded"],
        noise=[{"type": "ping"}, {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": ""}}],
        tool=lambda: {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f"}},
        closes=True,
    ),
    "generate": Wire(
        dialect=gemini_api.GENERATE,
        says=lambda text: [{"candidates": [{"content": {"parts": [{"text": it}]}}]} for it in text],
        ends=lambda word: [{"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": word}]}],
        plain=lambda text, word: {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": word}]},
        whole=["STOP"],
        bad=["MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "MALFORMED_FUNCTION_CALL", "PROHIBITED_CONTENT"],
        noise=[{"usageMetadata": {"promptTokenCount": 4}}, {"candidates": []}],
        tool=lambda: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]},
    ),
    "ollama": Wire(
        dialect=ollama.CHAT,
        says=lambda text: [{"message": {"role": "assistant", "content": it}, "done": False} for it in text],
        ends=lambda word: [{"message": {"content": ""}, "done": True, "done_reason": word, "eval_count": 3}],
        plain=lambda text, word: {"message": {"content": text}, "done": True, "done_reason": word},
        whole=["stop"],
        bad=["length", "load", "unload"],
        tool=lambda: {"message": {"tool_calls": CALL}, "done": False},
        framed=lambda event: json.dumps(event).encode() + b"\n",
        closes=True,
    ),
    "responses": Wire(
        dialect=openai.RESPONSES,
        says=lambda text: [
            {"type": "response.created", "response": {"status": "in_progress", "error": None}},
            *({"type": "response.output_text.delta", "delta": it} for it in text),
        ],
        ends=lambda word: [{"type": "response.done", "response": _responded("", word)}],
        plain=_responded,
        whole=["completed"],
        bad=["max_output_tokens", "content_filter", "cancelled", "failed", "incomplete"],
        noise=[{"type": "response.in_progress", "response": {"status": "in_progress"}}],
        tool=lambda: {"type": "x", "response": {"status": "completed", "output": [{"type": "function_call"}]}},
        closes=True,
    ),
    "bedrock": Wire(
        dialect=None,
        says=lambda text: [{"contentBlockDelta": {"delta": {"text": it}}} for it in text],
        ends=lambda word: [{"messageStop": {"stopReason": word}}],
        plain=None,
        whole=["end_turn", "stop_sequence"],
        bad=["max_tokens", "guardrail_intervened", "content_filtered", "tool_use", "malformed_tool_use"],
        noise=[{"messageStart": {"role": "assistant"}}, {"metadata": {"usage": {"inputTokens": 1}}}],
        tool=lambda: {"contentBlockStart": {"start": {"toolUse": {"name": "f"}}}},
        framed=lambda event: b"".join(message(name, inner) for name, inner in event.items()),
    ),
}  # fmt: skip

# Shapes in which errors were seen in good streams, and the places they were seen in.
TROUBLES: Sequence[Event] = [
    {"error": {"code": 502, "message": "upstream died"}},
    {"error": "upstream died"},
    {"error": True},
    {"errors": [{"message": "upstream died"}]},
    {"error_message": "upstream died"},
    {"error_code": "E42"},
    {"type": "error", "message": "upstream died"},
    {"object": "error", "message": "upstream died", "code": 500},
    {"success": False, "message": "upstream died"},
    {"base_resp": {"status_code": 1004, "status_msg": "upstream died"}},
    {"exception": "upstream died"},
    {"status": "failed", "message": "upstream died"},
    {"code": 500, "message": "upstream died"},
    {"truncated": True},
    {"usage": {"prompt_truncated_tokens": 12}},
]
NESTED = [it for it in TROUBLES if it.keys() & {"error", "errors", "error_message", "exception", "truncated"}]
words = st.text("abcdefghijklmnopqrstuvwxyz_ABC ", min_size=1, max_size=12)


def within(event: Any, trouble: Event, path: Iterator[int]) -> Any:
    """The event with the trouble in one of its tables, however deep."""
    tables = [
        key for key, value in event.items() if isinstance(value, dict) or (isinstance(value, list) and value)
    ]
    inside = [key for key in tables if key not in ("content", "parts", "usage")]
    turn = next(path, 0)
    if not inside or turn % 3 == 0:
        return {**event, **trouble}
    key = inside[turn % len(inside)]
    if isinstance(event[key], dict):
        return {**event, key: within(event[key], trouble, path)}
    first, *rest = event[key]
    return {**event, key: [within(first, trouble, path) if isinstance(first, dict) else first, *rest]}


def answer(name: str, pieces: list[bytes], *, plain: bool = False) -> Reply | BackendError:
    """What the backend makes of these bytes."""
    kind = (
        "application/json" if plain else "application/x-ndjson" if name == "ollama" else "text/event-stream"
    )

    async def bytes_() -> Any:
        for piece in pieces:
            yield piece

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": kind}, content=bytes_())

    http = Http({}, transport=lambda: httpx.MockTransport(handle))
    setup = Api(base_url="http://llm.test", model="m", idle=5.0)
    dialect = APIS[name].dialect
    backend: Backend
    if dialect is None:
        environ = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        backend = bedrock.Bedrock("it", setup, http=http, environ=environ)
    else:
        backend = Server("it", setup, dialect, http=http, environ={})
    try:
        return ask(backend)
    except BackendError as error:
        return error


def split(data: bytes, at: list[int]) -> list[bytes]:
    """The bytes in pieces."""
    cuts = sorted({0, len(data), *(number % (len(data) + 1) for number in at)})
    return [data[a:b] for a, b in itertools.pairwise(cuts)]


quiet = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
api = st.sampled_from(list(APIS))


@given(st.data())
@settings(quiet, max_examples=examples(60))
def test_a_stream_is_an_answer_only_if_it_ended_whole_and_nothing_is_wrong_with_it(
    data: st.DataObject,
) -> None:
    name = data.draw(api)
    made = APIS[name]
    text = data.draw(st.text(min_size=1, max_size=6).filter(str.strip))
    word = data.draw(st.one_of(st.sampled_from(made.whole), st.sampled_from(made.bad), words, st.just("")))
    good = any(word.casefold() == it.casefold() for it in made.whole)
    last = made.ends(word)
    events = [*made.says(text), *last]
    for noise in data.draw(st.lists(st.sampled_from(made.noise), max_size=3)) if made.noise else ():
        events.insert(data.draw(st.integers(0, len(events) - len(last))), noise)
    trouble = data.draw(st.sampled_from(["none", "none", "event", "inside", "tool"]))
    at = data.draw(st.integers(0, len(events) - 1))
    late = trouble in ("event", "tool") and not made.closes and data.draw(st.booleans())
    if late:
        at = len(events)
    if trouble == "event":
        shape = data.draw(st.sampled_from(TROUBLES))
        events.insert(at, {"oddEvent": shape} if name == "bedrock" else shape)
    elif trouble == "inside":
        path = iter(data.draw(st.lists(st.integers(0, 6), max_size=6)))
        events[at] = within(events[at], data.draw(st.sampled_from(NESTED)), path)
    elif trouble == "tool":
        events.insert(at, made.tool())
    framed = [made.framed(event) for event in events]
    raw = b"".join(framed)
    cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw) - 1)))
    pieces = split(raw[:cut], data.draw(st.lists(st.integers(0, 4000), max_size=4)))
    said = answer(name, pieces)
    needed = len(b"".join(framed[:-1] if late else framed).rstrip())
    seen = trouble != "none" and (not late or cut >= len(raw.rstrip()))
    if good and trouble == "none" and cut >= len(raw.rstrip()):
        assert isinstance(said, Reply), said
        assert said.text == text
    elif not good or seen or cut < needed:
        assert isinstance(said, BackendError), said.text
        assert said.hint
    elif isinstance(said, Reply):
        assert said.text == text  # what was cut away said nothing that counts


@given(st.data())
@settings(quiet, max_examples=examples(30))
def test_a_document_is_an_answer_only_if_it_ended_whole(data: st.DataObject) -> None:
    name = data.draw(api.filter(lambda it: APIS[it].plain is not None))
    made = APIS[name]
    assert made.plain is not None
    text = data.draw(st.text(min_size=1, max_size=6).filter(str.strip))
    word = data.draw(
        st.one_of(st.sampled_from(made.whole), st.sampled_from(made.bad), words, st.none(), st.booleans())
    )
    document = made.plain(text, word)
    wrong = data.draw(st.booleans())
    if wrong:
        path = iter(data.draw(st.lists(st.integers(0, 6), max_size=6)))
        document = within(document, data.draw(st.sampled_from(NESTED)), path)
    raw = json.dumps(document).encode()
    cut = data.draw(st.one_of(st.just(len(raw)), st.just(len(raw)), st.integers(0, len(raw) - 1)))
    said = answer(name, split(raw[:cut], data.draw(st.lists(st.integers(0, 4000), max_size=3))), plain=True)
    good = isinstance(word, str) and any(word.casefold() == it.casefold() for it in made.whole)
    if good and not wrong and cut == len(raw):
        assert isinstance(said, Reply), said
        assert said.text == text
    else:
        assert isinstance(said, BackendError), said.text
