from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import MAX_RETRY_AFTER, HttpClient, page_words
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.openai import CHAT, RESPONSES
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web
from tests.fake_llm_api import FakeLLM

KEY = "sk-test-1234567890"
SERVER = "https://llm.test/v1"


@pytest.fixture
def api() -> Iterator[FakeLLM]:
    with FakeLLM(log_bodies=True) as server:
        yield server


def backend(url: str = SERVER, **more: Any) -> HttpBackend:
    more.setdefault("key_env", "MY_KEY")
    more.setdefault("model", "m1")
    return HttpBackend(
        "gpt", HttpConfig(base_url=url, **more), CHAT, http=HttpClient({}), environ={"MY_KEY": KEY}
    )


def sent(api: FakeLLM) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in api.requests]


# --- a server that behaves


def test_an_answer_with_its_model_and_usage(api: FakeLLM) -> None:
    api.set_rules([{"match": "ping", "reply": "pöng " * 40, "usage": {"input": 11, "output": 7}}])
    reply = ask(backend(api.url + "/v1"), "ping")
    assert reply.text == "pöng " * 40
    assert (reply.backend, reply.model) == ("gpt", "m1")
    assert (reply.usage.calls, reply.usage.input_tokens, reply.usage.output_tokens) == (1, 11, 7)
    assert reply.usage.cost_usd is None
    assert reply.seconds > 0


def test_what_is_sent(api: FakeLLM) -> None:
    ask(
        backend(api.url + "/v1/", max_tokens=99),
        "question",
        system="be brief",
        model="m2",
        schema={"type": "object"},
    )
    [body] = sent(api)
    assert body["model"] == "m2"
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "question"},
    ]
    assert body["max_tokens"] == 99
    assert body["stream"] is True
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_the_whole_path_may_be_given(api: FakeLLM) -> None:
    assert ask(backend(api.url + "/v1/chat/completions")).text.startswith("OK")


def test_an_answer_with_line_separators_inside(api: FakeLLM) -> None:
    api.set_rules([{"reply": "a\u2028b\u0085c\x1dd"}])
    assert ask(backend(api.url + "/v1")).text == "a\u2028b\u0085c\x1dd"


# --- a server that does not


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"status": 400}, BackendFault.BAD_REQUEST),
        ({"status": 400, "message": "maximum context length is 8192 tokens"}, BackendFault.TOO_LONG),
        ({"status": 401}, BackendFault.AUTH),
        ({"status": 403}, BackendFault.AUTH),
        ({"status": 404}, BackendFault.BAD_REQUEST),
        ({"status": 429}, BackendFault.RATE_LIMIT),
        ({"status": 500}, BackendFault.OVERLOAD),
        ({"status": 503}, BackendFault.OVERLOAD),
        ({"status": 529}, BackendFault.OVERLOAD),
        ({"stop": "length"}, BackendFault.TRUNCATED),
        ({"stop": "refusal"}, BackendFault.REFUSED),
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
    error = expect_error(backend(api.url + "/v1", idle=0.3))
    assert error.kind is kind
    assert error.hint
    assert KEY not in str(error)
    if "message" in rule:
        assert rule["message"] in error.message


def test_a_cut_answer_keeps_what_came(api: FakeLLM) -> None:
    api.set_rules([{"reply": "half an answer", "stop": "length"}])
    assert expect_error(backend(api.url + "/v1")).output == "half an answer"


def test_the_time_of_the_prompt_bounds_a_slow_stream(api: FakeLLM) -> None:
    api.set_rules([{"reply": "x" * 2000, "chunk_chars": 1, "chunk_delay": 0.05}])
    error = expect_error(backend(api.url + "/v1"), timeout=0.3)
    assert error.kind is BackendFault.TIMEOUT
    assert "0.3 s" in error.message


def test_nobody_listens() -> None:
    error = expect_error(backend("http://127.0.0.1:9/v1"))
    assert error.kind is BackendFault.NETWORK
    assert "http://127.0.0.1:9/v1" in error.hint


@pytest.mark.parametrize("url", ["llm.test/v1", "ftp://llm.test", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    error = expect_error(backend(url))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "base_url" in error.hint


# --- keys


def test_a_wrong_key_names_its_variable() -> None:
    with FakeLLM(api_key="another") as api:
        error = expect_error(backend(api.url + "/v1"))
    assert error.kind is BackendFault.AUTH
    assert "MY_KEY" in error.hint


def test_a_missing_key_is_known_without_asking() -> None:
    missing = HttpBackend("gpt", HttpConfig(model="m1"), CHAT, http=HttpClient({}), environ={})
    problem = missing.unavailable()
    assert problem is not None
    assert problem.kind is BackendFault.NOT_CONFIGURED
    assert "OPENAI_API_KEY" in problem.hint
    assert expect_error(missing).message == problem.message


def test_a_key_that_is_no_key() -> None:
    broken = HttpBackend(
        "gpt", HttpConfig(model="m1"), CHAT, http=HttpClient({}), environ={"OPENAI_API_KEY": "sk-“quoted”"}
    )
    assert expect_error(broken).kind is BackendFault.NOT_CONFIGURED


def test_another_server_does_not_get_the_key_of_openai(api: FakeLLM) -> None:
    local = HttpBackend(
        "local",
        HttpConfig(base_url=api.url + "/v1", model="m1"),
        CHAT,
        http=HttpClient({}),
        environ={"OPENAI_API_KEY": KEY},
    )
    assert local.unavailable() is None
    ask(local)
    assert api.requests[0]["key_sha8"] is None


def test_no_model_is_named() -> None:
    error = expect_error(backend(model=""))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "model" in error.hint


@web
def test_a_server_that_repeats_the_key_does_not_bring_it_into_the_error() -> None:
    web.post(SERVER + "/chat/completions").respond(401, json={"error": {"message": f"Incorrect key: {KEY}"}})
    error = expect_error(backend())
    assert "***" in error.message
    assert KEY not in f"{error} {error.output}"


@web
def test_a_redirect_is_not_followed_with_the_key() -> None:
    web.post(SERVER + "/chat/completions").respond(307, headers={"Location": "https://evil.test/v1"})
    elsewhere = web.route(host="evil.test")
    error = expect_error(backend())
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "https://evil.test/v1" in error.message
    assert not elsewhere.called


# --- waiting


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "0.5"}, 0.5, 0.5),
        ({"Retry-After": "-3"}, 0, 0),
        ({"Retry-After": "99999999999"}, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        ({"Retry-After": "1e999"}, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5, 1.5),
    ],
    ids=str,
)
@web
def test_the_servers_wish_to_wait(headers: dict[str, str], low: float, high: float) -> None:
    web.post(SERVER + "/chat/completions").respond(429, headers=headers, json={})
    error = expect_error(backend())
    assert error.transient
    assert error.retry_after is not None
    assert low <= error.retry_after <= high


@pytest.mark.parametrize(("minutes", "low", "high"), [(10, 400, 600), (-10, 0, 0)])
@web
def test_a_wish_to_wait_until_a_date(minutes: int, low: float, high: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    web.post(SERVER + "/chat/completions").respond(503, headers={"Retry-After": date}, json={})
    wish = expect_error(backend()).retry_after
    assert wish is not None
    assert low <= wish <= high


@pytest.mark.parametrize("value", ["", "soon", "nan", "Mon, 99 Foo 2020"])
@web
def test_a_wish_that_is_none(value: str) -> None:
    web.post(SERVER + "/chat/completions").respond(429, headers={"Retry-After": value}, text="slow down")
    error = expect_error(backend())
    assert error.retry_after is None
    assert "slow down" in error.message


# --- servers differ


def _events(*events: Any) -> httpx.Response:
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text="".join(lines))


def _said(text: str, run_async: str | None = None) -> dict[str, Any]:
    return {"model": "m1", "choices": [{"delta": {"content": text}, "finish_reason": run_async}]}


@web
def test_comments_carriage_returns_and_other_fields_are_passed_over() -> None:
    text = ': keep-alive\r\n\r\nevent: x\r\nid: 1\r\ndata:{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\r\n\r\n'
    web.post(SERVER + "/chat/completions").respond(
        200, headers={"Content-Type": "text/event-stream"}, text=text
    )
    assert ask(backend()).text == "hi"


@web
def test_an_end_without_a_reason_may_be_a_cut() -> None:
    web.post(SERVER + "/chat/completions").mock(return_value=_events(_said("hi"), "[DONE]"))
    error = expect_error(backend())
    assert (error.kind, error.output) == (BackendFault.NETWORK, "hi")


@web
def test_a_reason_without_an_end_is_an_end() -> None:
    web.post(SERVER + "/chat/completions").mock(return_value=_events(_said("hi", "stop")))
    assert ask(backend()).text == "hi"


@web
def test_neither_is_a_cut() -> None:
    web.post(SERVER + "/chat/completions").mock(return_value=_events(_said("hi")))
    error = expect_error(backend())
    assert (error.kind, error.output) == (BackendFault.NETWORK, "hi")


@web
def test_a_body_of_no_bytes_is_a_cut() -> None:
    web.post(SERVER + "/chat/completions").respond(200, headers={"Content-Type": "text/event-stream"})
    assert expect_error(backend()).kind is BackendFault.NETWORK


@web
def test_a_refusal_in_its_own_field() -> None:
    event = {"choices": [{"delta": {"refusal": "I will not"}, "finish_reason": "stop"}]}
    web.post(SERVER + "/chat/completions").mock(return_value=_events(event))
    error = expect_error(backend())
    assert error.kind is BackendFault.REFUSED
    assert "I will not" in error.message


@pytest.mark.parametrize(
    "content", ["whole", [{"type": "text", "text": "who"}, {"type": "text", "text": "le"}]]
)
@web
def test_a_server_that_does_not_stream(content: Any) -> None:
    document = {
        "model": "m9",
        "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    web.post(SERVER + "/chat/completions").respond(200, json=document)
    reply = ask(backend())
    assert (reply.text, reply.model, reply.usage.tokens) == ("whole", "m9", 7)


@web
def test_a_page_instead_of_an_answer() -> None:
    web.post(SERVER + "/chat/completions").respond(200, html="<html>Sign in</html>")
    error = expect_error(backend())
    assert error.kind is BackendFault.BAD_OUTPUT
    assert error.message.endswith('it sent a page that says "Sign in"')


@web
def test_of_a_page_that_tells_of_an_error_its_title_is_shown() -> None:
    page = (
        "<!DOCTYPE html><html><head><style>b {}</style><title>504 Gateway&#32;Time-out</title></head>"
        "<body><center><h1>504</h1></center><hr>nginx</body></html>"
    )
    web.post(SERVER + "/chat/completions").respond(504, html=page)
    error = expect_error(backend())
    assert error.message.endswith('HTTP 504 Gateway Timeout: a page that says "504 Gateway Time-out"')


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<p>Down for <b>repair</b>.<script>if (a) {}</script>", "Down for repair ."),
        ("<title> </title><h1>Busy</h1>", "Busy"),
        ("<" * 100_000, "<" * 199 + "…"),
    ],
    ids=["words", "empty title", "no end"],
)
def test_the_words_of_a_page(page: str, words: str) -> None:
    assert page_words(page) == f'a page that says "{words}"'


def _picky(part: str, message: str) -> Callable[[httpx.Request], httpx.Response]:
    """A server that refuses a part of the request, in its own words."""

    def answer(request: httpx.Request) -> httpx.Response:
        if part in json.loads(request.content):
            return httpx.Response(400, json={"error": {"message": message}})
        return _events(_said("fine", "stop"), "[DONE]")

    return answer


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ("response_format", "response_format is not supported by this model"),
    ],
)
@web
def test_what_a_server_refuses_is_spared_from_then_on(part: str, message: str) -> None:
    route = web.post(SERVER + "/chat/completions").mock(side_effect=_picky(part, message))
    picky = backend(max_tokens=50)
    assert ask(picky, schema={"type": "object"}).text == "fine"
    assert ask(picky, schema={"type": "object"}).text == "fine"
    assert len(route.calls) == 3
    last = json.loads(route.calls.last.request.content)
    assert ("max_completion_tokens" in last) is (part == "max_tokens")


@web
def test_what_cannot_be_spared_is_refused_once() -> None:
    refusing = {"error": {"message": "stream_options, max_completion_tokens and response_format are wrong"}}
    route = web.post(SERVER + "/chat/completions").respond(400, json=refusing)
    assert expect_error(backend(max_tokens=5)).kind is BackendFault.BAD_REQUEST
    assert len(route.calls) == 4


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"error": {"message": "x", "code": 429}}, BackendFault.RATE_LIMIT),
        ({"error": "rate limit reached"}, BackendFault.RATE_LIMIT),
        ({"error": {"message": "boom"}}, BackendFault.OVERLOAD),
        ([1], BackendFault.BAD_OUTPUT),
        ("{", BackendFault.BAD_OUTPUT),
    ],
)
@web
def test_an_error_inside_the_stream(event: Any, kind: BackendFault) -> None:
    web.post(SERVER + "/chat/completions").mock(return_value=_events(_said("begun"), event))
    assert expect_error(backend()).kind is kind


# --- responses


def responder() -> HttpBackend:
    environ = {"OPENAI_API_KEY": KEY}
    return HttpBackend("gpt", HttpConfig(model="m1"), RESPONSES, http=HttpClient({}), environ=environ)


RESPONSES_URL = "https://api.openai.com/v1/responses"


def _response(status: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": list(content)}]
    return {
        "object": "response",
        "model": "m1-2026",
        "status": status,
        "output": output,
        "error": None,
        **more,
    }


@web
def test_a_response_that_is_not_streamed() -> None:
    usage = {"input_tokens": 3, "output_tokens": 4}
    document = _response("completed", {"type": "output_text", "text": "whole"}, usage=usage)
    route = web.post(RESPONSES_URL).respond(200, json=document)
    reply = ask(responder(), system="be brief")
    assert (reply.text, reply.model, reply.usage.tokens) == ("whole", "m1-2026", 7)
    sent = json.loads(route.calls.last.request.content)
    assert sent == {
        "model": "m1",
        "input": "hello",
        "instructions": "be brief",
        "stream": True,
        "store": False,
        "truncation": "disabled",
    }


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (_response("completed", {"type": "refusal", "refusal": "I will not"}), BackendFault.REFUSED),
        (_response("incomplete", incomplete_details={"reason": "max_output_tokens"}), BackendFault.TRUNCATED),
        (_response("incomplete", incomplete_details={"reason": "content_filter"}), BackendFault.REFUSED),
        (_response("cancelled"), BackendFault.BAD_OUTPUT),
        (
            _response("failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
            BackendFault.RATE_LIMIT,
        ),
        ({"type": "error", "code": "server_error", "message": "oh"}, BackendFault.OVERLOAD),
    ],
    ids=str,
)
@web
def test_a_response_that_is_no_answer(document: dict[str, Any], kind: BackendFault) -> None:
    web.post(RESPONSES_URL).respond(200, json=document)
    assert expect_error(responder()).kind is kind


@web
def test_a_refusal_of_a_response_comes_in_pieces_and_once() -> None:
    events = [
        {"type": "response.refusal.delta", "delta": "I "},
        {"type": "response.refusal.delta", "delta": "will not"},
        {
            "type": "response.completed",
            "response": _response("completed", {"type": "refusal", "refusal": "I will not"}),
        },
    ]
    web.post(RESPONSES_URL).mock(return_value=_events(*events))
    assert expect_error(responder()).message == "gpt: the model refused: I will not"


def test_pieces_of_an_answer_are_handed_on_as_they_come(api: FakeLLM) -> None:
    api.set_rules([{"match": "ping", "reply": "pong " * 20}])
    pieces: list[str] = []
    reply = ask(backend(api.url + "/v1"), "ping", on_text=pieces.append)
    assert "".join(pieces) == reply.text
    assert len(pieces) > 1
