"""Answers with any ending and any trouble, in any place: only a whole one counts.

The oracle knows how the transcript was made: its last word, what was put into it, where it was cut.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.cli.claude import read_claude
from pytest_lok.backends.cli.codex import read_codex
from pytest_lok.backends.cli.dialect import CliError, CliReply, CliResult
from pytest_lok.backends.cli.gemini import read_gemini
from pytest_lok.backends.cli.patterns import match_output
from pytest_lok.backends.http import anthropic, bedrock, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Backend, Completed
from pytest_lok.errors import BackendError
from tests.backends.asking import ask
from tests.backends.fake_bedrock import message
from tests.fuzz import examples

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How an API writes an answer. ``says`` the text, ``ends`` with a word; ``closes``: its last event is
    read as such, and only trouble may come after it. ``odd`` events hold what is no text. ``several`` may
    hold more than one answer, and ``beside`` is what else an answer may say of its ending."""

    dialect: HttpDialect | None
    says: Callable[[str], list[Event]]
    ends: Callable[[Any], list[Event]]
    plain: Callable[[str, Any], Event] | None
    whole: Sequence[str]
    bad: Sequence[str]
    noise: Sequence[Event] = ()
    tool: Callable[[], Event]
    odd: Sequence[Event] = ()
    several: str = ""
    beside: Sequence[Event] = ()
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
        whole=["stop", "eos", "end_turn", "STOP", "eos_token"],
        bad=["stop_sequence", "length", "content_filter", "tool_calls", "error", "abort", "insufficient_system_resource"],
        noise=[{"choices": []}, {"choices": [], "usage": {"prompt_tokens": 1}}, {"usage": {"completion_tokens": 2}}],
        tool=lambda: _delta(tool_calls=CALL),
        odd=[_delta(content=[{"type": kind, "text": "x"}]) for kind in ("refusal", "tool_use", "image_url", "a_new_one")],
        several="choices",
        beside=[
            {"stop_reason": "max_tokens"}, {"stop_reason": "a_new_one"}, {"native_finish_reason": "length"},
            {"finish_details": {"type": "max_tokens"}}, {"content_filter_results": {"hate": {"filtered": True}}},
        ],
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
        whole=["end_turn"],
        bad=["stop_sequence", "max_tokens", "refusal", "tool_use", "pause_turn", "model_context_window_exceeded"],
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
        several="candidates",
        beside=[{"safetyRatings": [{"category": "X"}, {"category": "Y", "blocked": True}]}],
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
        whole=["end_turn"],
        bad=["stop_sequence", "max_tokens", "guardrail_intervened", "content_filtered", "tool_use", "malformed_tool_use"],
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


def twice(text: str, data: st.DataObject) -> str:
    """JSON in which one of the objects has its first key once more."""
    opened = data.draw(st.sampled_from(list(re.finditer(r'\{("(?:[^"\\]|\\.)*"):', text))))
    return f"{text[: opened.start() + 1]}{opened[1]}: null, {text[opened.start() + 1 :]}"


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

    http = HttpClient({}, transport=lambda: httpx.MockTransport(handle))
    setup = HttpConfig(base_url="http://llm.test", model="m", idle=5.0)
    dialect = APIS[name].dialect
    backend: Backend
    if dialect is None:
        environ = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        backend = bedrock.BedrockBackend("it", setup, http=http, environ=environ)
    else:
        backend = HttpBackend("it", setup, dialect, http=http, environ={})
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
texts = st.builds(
    "{}{}{}".format, st.text(max_size=3), st.sampled_from("a!{\u00e9\u4e2d"), st.text(max_size=3)
)


@given(st.data())
@settings(quiet, max_examples=examples(60))
def test_a_stream_is_an_answer_only_if_it_ended_whole_and_nothing_is_wrong_with_it(
    data: st.DataObject,
) -> None:
    name = data.draw(api)
    made = APIS[name]
    text = data.draw(texts)
    word = data.draw(st.one_of(st.sampled_from(made.whole), st.sampled_from(made.bad), words, st.just("")))
    good = any(word.casefold() == it.casefold() for it in made.whole)
    last = made.ends(word)
    events = [*made.says(text), *last]
    for noise in data.draw(st.lists(st.sampled_from(made.noise), max_size=3)) if made.noise else ():
        events.insert(data.draw(st.integers(0, len(events) - len(last))), noise)
    kinds = ["none", "none", "event", "inside", "tool"]
    kinds += ["several", "beside"] if made.several else []
    kinds += ["twice"] if made.dialect else []  # else there are sums of the bytes
    trouble = data.draw(st.sampled_from(kinds))
    at = data.draw(st.integers(0, len(events) - 1))
    late = trouble in ("event", "tool") and data.draw(st.booleans())
    if late:
        at = len(events)
    if trouble == "event":
        shape = data.draw(st.sampled_from(TROUBLES))
        events.insert(at, {"oddEvent": shape} if name == "bedrock" else shape)
    elif trouble == "inside":
        path = iter(data.draw(st.lists(st.integers(0, 6), max_size=6)))
        events[at] = within(events[at], data.draw(st.sampled_from(NESTED)), path)
    elif trouble == "tool":
        events.insert(at, data.draw(st.sampled_from([made.tool(), *made.odd])))
    elif trouble in ("several", "beside"):
        at = data.draw(st.sampled_from([at for at, it in enumerate(events) if it.get(made.several)]))
        [one] = events[at][made.several]
        more = [one, one] if trouble == "several" else [{**one, **data.draw(st.sampled_from(made.beside))}]
        events[at] = {**events[at], made.several: more}
    framed = [made.framed(event) for event in events]
    if trouble == "twice":
        framed[at] = twice(framed[at].decode(), data).encode()
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
    text = data.draw(texts)
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


# --- fields of any name that tell of a state: what is known to be good passes, all else does not

Values = st.SearchStrategy[Any]
plain_names = [("reasoning", "content"), ("finish", "time"), ("output", "tokens"), ("stop", "count")]
nothing: Values = st.sampled_from([None, False, 0, "", [], {}, "none", "false", {"a": None, "b": [False]}])
unknown: Values = words.map(lambda word: f"{word}_q") | st.sampled_from(
    [True, {"a": True}, ["x"], {"b": ["x"]}]
)
whole_words: Values = st.sampled_from(["stop", "STOP", "end_turn", "completed", "Success", "eos", None, ""])
ended_badly: Values = st.sampled_from(
    ["length", "MAX_TOKENS", "refusal", "incomplete", "error", "cancelled", True]
)
FAMILIES: Sequence[tuple[Sequence[tuple[str, ...]], Values, Values]] = [
    (
        [("finish", "reason"), ("termination", "reason"), ("status",), ("state",), ("stop", "details")],
        whole_words,
        ended_badly | words.map(lambda word: f"{word}_q"),
    ),
    (
        [("blocked",), ("is", "flagged"), ("refusal",), ("was", "interrupted"), ("incomplete",), ("limit", "reached"),
         ("prompt", "truncated"), ("cancelled", "by"), ("stop", "sequence"), ("moderation",), ("guardrail", "action")],
        nothing,
        unknown,
    ),
    ([("error",), ("last", "exception"), ("error", "message")], nothing, unknown),
    (plain_names, nothing | unknown | ended_badly, st.nothing()),
]  # fmt: skip
STYLES: Sequence[Callable[[Sequence[str]], str]] = [
    "_".join,
    "-".join,
    lambda name: name[0] + "".join(map(str.capitalize, name[1:])),
]


@given(st.data())
@settings(quiet, max_examples=examples(40))
def test_a_field_that_tells_of_a_state_is_good_or_the_answer_is_none(data: st.DataObject) -> None:
    made = APIS[name := data.draw(api.filter(lambda it: APIS[it].plain is not None))]
    assert made.plain is not None
    text = data.draw(texts)
    names, goods, bads = data.draw(st.sampled_from(FAMILIES))
    known = (
        data.draw(st.sampled_from(["x", "native", "upstream", "amazon"])),
        *data.draw(st.sampled_from(names)),
    )
    good = names is plain_names or data.draw(st.booleans())
    field = {data.draw(st.sampled_from(STYLES))(known): data.draw(goods if good else bads)}
    path = iter(data.draw(st.lists(st.integers(0, 6), max_size=6)))
    document = within(made.plain(text, made.whole[0]), field, path)
    said = answer(name, [json.dumps(document).encode()], plain=True)
    if good:
        assert isinstance(said, Reply), (said, document)
        assert said.text == text
    else:
        assert isinstance(said, BackendError), document


# --- command line tools: what each prints when all went well, and what may stand in between

Printed = list[Event]


def claude(text: str, word: Any, key: str) -> Printed:
    said: Event = {"type": "result", "subtype": "success", "is_error": False, "result": text}
    said |= {"stop_reason": "end_turn", "terminal_reason": "completed", "usage": {"output_tokens": 5}}
    use = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
    got = {"type": "tool_result", "tool_use_id": "t1", "content": "error: none", "is_error": True}
    return [
        {"type": "system", "subtype": "init", "tools": ["Read"]},
        {"type": "assistant", "message": {"model": "m", "content": [use], "stop_reason": "tool_use"}},
        {"type": "user", "message": {"content": [got]}},
        {"type": "assistant", "message": {"model": "m", "content": [{"type": "text", "text": text}]}},
        {**said, key: word},
    ]


def codex(text: str, word: Any, _: str) -> Printed:
    return [
        {"type": "thread.started"},
        {"type": "turn.started"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "I look."}},
        {"type": "item.started", "item": {"id": "i", "type": "command_execution", "status": "in_progress"}},
        {"type": "item.completed", "item": {"id": "i", "type": "command_execution", "status": "failed"}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": text}},
        {"type": word, "usage": {"output_tokens": 5}},
    ]


def gemini(text: str, word: Any, _: str) -> Printed:
    return [
        {"type": "init"},
        {"type": "message", "role": "user", "content": "q"},
        {"type": "tool_use", "tool_id": "t", "tool_name": "glob"},
        {"type": "tool_result", "tool_id": "t", "status": "error", "error": {"type": "file_not_found"}},
        *({"type": "message", "role": "assistant", "content": it, "delta": True} for it in text),
        {"type": "result", "status": word, "stats": {"output_tokens": 5}},
    ]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """``whole``: by key of the last event, the words of a good end. ``late`` must not stand before it."""

    prints: Callable[[str, Any, str], Printed]
    read: Callable[[Completed], CliResult]
    whole: Mapping[str, Sequence[str]]
    bad: Sequence[Any]
    noise: Sequence[Any]
    troubles: Sequence[Event]
    last: Event
    late: Event


TOOLS: Mapping[str, Tool] = {
    "claude": Tool(
        prints=claude,
        read=read_claude,
        whole={"subtype": ["success"], "stop_reason": ["end_turn"], "terminal_reason": ["completed"]},
        bad=[
            "error_max_turns", "error_max_budget_usd", "error_during_execution", "max_tokens", "refusal", "max_turns",
            "tool_use", "pause_turn", "api_error", "prompt_too_long", "aborted_streaming", "hook_stopped",
        ],
        noise=[
            {"type": "system", "subtype": "api_retry", "error": "rate_limit", "error_status": 429},
            {"type": "system", "subtype": "hook_response", "stderr": "Error: hook"},
            {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed_warning"}},
        ],
        troubles=[
            {"type": "assistant", "message": {"model": "<synthetic>", "content": []}},
            {"type": "assistant", "message": {"model": "m", "content": []}, "error": "unknown"},
            {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t9"}]}},
            {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected"}},
            {"type": "assistant", "message": {"model": "m", "content": [], "stop_reason": "max_tokens"}},
            {"type": "assistant", "message": {"model": "m", "content": [], "stop_reason": "refusal"}},
            {"type": "assistant", "message": {"model": "m", "content": []}, "stop_reason": "a new one"},
            {"type": "stream_event", "event": {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}},
            {"type": "error", "error": {"message": "broken"}},
            {"type": "result", "subtype": "success", "is_error": True, "result": "broken"},
            {"type": "result", "subtype": "success", "is_error": False, "result": "quite another text"},
        ],
        last={"type": "assistant", "message": {"content": [{"type": "text", "text": "more"}]}},
        late={"type": "rate_limit_event", "rate_limit_info": {"status": "a new one"}},
    ),
    "codex": Tool(
        prints=codex,
        read=read_codex,
        whole={"type": ["turn.completed"]},
        bad=["turn.failed", "turn.aborted", "turn.cancelled"],
        noise=[],
        troubles=[
            {"type": "turn.failed", "error": {"message": "broken"}},
            {"type": "item.completed", "item": {"type": "file_change", "status": "declined"}},
            *({"type": f"item.{kind}", "item": {"id": "j", "type": what, "status": "in_progress"}}
              for kind in ("started", "updated", "completed") for what in ("web_search", "mcp_tool_call", "a_new_one")),
            {"type": "thread.failed"},
            {"type": "turn.aborted"},
        ],
        last={"type": "turn.started"},
        late={"type": "error", "message": "stream error"},
    ),
    "gemini": Tool(
        prints=gemini,
        read=read_gemini,
        whole={"status": ["success"]},
        bad=["error", "cancelled", "partial"],
        noise=[],
        troubles=[
            {"type": "error", "severity": "warning", "message": "stopped"},
            {"type": "error", "severity": "error"},
            {"type": "result", "status": "success"},
            {"type": "tool_result", "tool_id": "x", "status": "error", "error": {"type": "policy_violation"}},
        ],
        last={"type": "message", "role": "assistant", "content": "more"},
        late={"type": "tool_use", "tool_id": "t9"},
    ),
}  # fmt: skip


@given(st.data())
@settings(quiet, max_examples=examples(150))
def test_a_tools_output_is_an_answer_only_if_its_turn_ended_well(data: st.DataObject) -> None:
    tool = TOOLS[data.draw(st.sampled_from(list(TOOLS)))]
    text = data.draw(texts)
    key = data.draw(st.sampled_from(list(tool.whole)))
    good = data.draw(st.booleans())
    words_ = st.sampled_from(tool.whole[key]) if good else st.one_of(st.sampled_from(tool.bad), words)
    word = data.draw(words_)
    good = word.casefold() in tool.whole[key]
    events: list[Any] = tool.prints(text, word, key)
    for noise in data.draw(
        st.lists(st.sampled_from([*tool.noise, "{banner", "Hello", "", "[1]"]), max_size=3)
    ):
        events.insert(data.draw(st.integers(0, len(events))), noise)
    kind = data.draw(st.sampled_from(["none", "none", "trouble", "late", "more", "exit", "cut", "twice"]))
    if kind == "trouble":
        events.insert(data.draw(st.integers(0, len(events))), data.draw(st.sampled_from(tool.troubles)))
    elif kind == "more":
        events.append(tool.last)
    elif kind == "late":
        events.insert(
            max(at for at, it in enumerate(events) if isinstance(it, dict) and it.get(key) == word), tool.late
        )
    lines = [
        it if isinstance(it, str) else json.dumps(it, ensure_ascii=data.draw(st.booleans())) for it in events
    ]
    if kind == "twice":
        at = data.draw(st.sampled_from([at for at, it in enumerate(events) if isinstance(it, dict)]))
        lines[at] = twice(lines[at], data)
    if kind == "cut":  # before its last word
        last = max(
            at for at, it in enumerate(events) if isinstance(it, dict) and key in it and it[key] == word
        )
        lines = [*lines[:last], lines[last][: data.draw(st.integers(0, len(lines[last]) - 1))]]
    code = data.draw(st.integers(1, 255)) if kind == "exit" else 0
    heard = tool.read(Completed(exit_code=code, stdout="\n".join(lines), stderr="", seconds=1.0))
    if good and kind == "none":
        assert isinstance(heard, CliReply), heard
        assert heard.text == text
    else:
        assert isinstance(heard, CliError), heard
        assert heard.message


# --- what a user's pattern finds in lines, however they are ended and whatever is in them that nobody sees

UNSEEN = ["", "\ufeff", "\x1b[2K", "\x1b[1;31m", "\x1b]0;title\x07", "\u200b", "\x08", "\0"]
line = st.text("Eror: fine", max_size=9) | st.sampled_from(["Error: x", "No Error: x", "fine"])


@given(st.data())
@settings(quiet, max_examples=examples(60))
def test_a_failure_is_found_where_a_line_begins_and_nowhere_else(data: st.DataObject) -> None:
    lines = data.draw(st.lists(line, min_size=1, max_size=5))
    printed = ""
    for text in lines:
        at = data.draw(st.integers(0, len(text)))
        printed += (
            data.draw(st.sampled_from(UNSEEN)) + text[:at] + data.draw(st.sampled_from(UNSEEN)) + text[at:]
        )
        printed += data.draw(st.sampled_from(["\n", "\r", "\r\n", "\r\r\n", "\x0b", "\u2028"]))
    out, err = (printed, "") if data.draw(st.booleans()) else ("fine", printed)
    heard = match_output(Completed(exit_code=0, seconds=1.0, stdout=out, stderr=err), "(?m)^Error: ", "")
    assert isinstance(heard, CliError) is any(text.startswith("Error: ") for text in lines), heard
