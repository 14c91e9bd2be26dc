"""What every API has in common, each in its own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_lok.backends.http import anthropic, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, web
from tests.fake_llm_api import FakeLLM

KEY = "sk-test-1234567890"


@dataclass(frozen=True)
class Case:
    """A dialect, and where the fake server speaks it."""

    dialect: HttpDialect
    path: str = ""

    def backend(self, url: str, *, environ: dict[str, str] | None = None, **more: Any) -> HttpBackend:
        more = {"model": "m1", "key_env": "MY_KEY", **more}
        api = HttpConfig(base_url=url and url + self.path, **more)
        environ = {"MY_KEY": KEY} if environ is None else environ
        return HttpBackend("it", api, self.dialect, http=HttpClient({}), environ=environ)


CASES = {
    "chat": Case(openai.CHAT, "/v1"),
    "responses": Case(openai.RESPONSES, "/v1"),
    "messages": Case(anthropic.MESSAGES),
    "generate": Case(gemini_api.GENERATE),
    "ollama": Case(ollama.CHAT),
}
HOSTED = [name for name in CASES if name != "ollama"]


@pytest.fixture(params=HOSTED)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def api() -> Iterator[FakeLLM]:
    with FakeLLM(log_bodies=True) as server:
        yield server


def test_an_answer_with_its_model_and_usage(case: Case, api: FakeLLM) -> None:
    api.set_rules([{"reply": "pöng " * 40, "usage": {"input": 11, "output": 7}}])
    reply = ask(case.backend(api.url))
    assert reply.text == "pöng " * 40
    assert (reply.backend, reply.model) == ("it", "m1")
    assert (reply.usage.calls, reply.usage.input_tokens, reply.usage.output_tokens) == (1, 11, 7)
    assert reply.usage.cost_usd is None


def test_what_is_sent(case: Case, api: FakeLLM) -> None:
    schema: Any = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    reply = ask(case.backend(api.url, max_tokens=99), "q1", system="be brief", model="m2", schema=schema)
    assert json.loads(reply.text) == {"a": 1}
    [request] = api.requests
    assert (request["prompt"], request["model"], request["stream"]) == ("q1", "m2", True)
    assert "be brief" in request["body"]
    assert "99" in request["body"]


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"status": 400}, BackendFault.BAD_REQUEST),
        ({"status": 400, "message": "prompt is too long: 9 tokens"}, BackendFault.TOO_LONG),
        ({"status": 401}, BackendFault.AUTH),
        ({"status": 403}, BackendFault.AUTH),
        ({"status": 404}, BackendFault.BAD_REQUEST),
        ({"status": 413}, BackendFault.TOO_LONG),
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
def test_every_fault_has_its_kind(case: Case, api: FakeLLM, rule: dict[str, Any], kind: BackendFault) -> None:
    api.set_rules([{"reply": "an answer of some length, so that it has a middle", **rule}])
    error = expect_error(case.backend(api.url, idle=0.3))
    assert error.kind is kind
    assert KEY not in f"{error} {error.output}"
    if "message" in rule:
        assert rule["message"] in error.message


def test_a_cut_answer_keeps_what_came(case: Case, api: FakeLLM) -> None:
    api.set_rules([{"reply": "half an answer", "stop": "length"}])
    error = expect_error(case.backend(api.url))
    assert error.output == "half an answer"
    assert "max_tokens" in error.hint


def test_the_servers_wish_to_wait(case: Case, api: FakeLLM) -> None:
    api.set_rules([{"status": 429, "retry_after": 7}])
    assert expect_error(case.backend(api.url)).retry_after == 7


def test_a_schema_the_server_refuses_is_spared(case: Case) -> None:
    """It stands in the prompt too, so nothing is lost but comfort."""
    part = next(
        named
        for name, named in case.dialect.optional_fields.items()
        if name not in ("stream_options", "max_tokens")
    )
    with FakeLLM([{"schema": True, "status": 400, "message": f"{part}: not supported"}]) as api:
        backend = case.backend(api.url)
        assert ask(backend, schema={"type": "object"}).text.startswith("OK")
        assert ask(backend, schema={"type": "object"}).text.startswith("OK")
        assert len(api.requests) == 3


# --- keys


def test_its_own_key_is_found_and_sent(case: Case) -> None:
    """To the vendor's own server, or where a variable is named for another one."""
    for variable in case.dialect.keys:
        assert case.backend("", key_env="", environ={variable: KEY}).unavailable() is None
    with FakeLLM(api_key=KEY) as api:
        assert ask(case.backend(api.url)).text
        assert expect_error(case.backend(api.url, environ={"MY_KEY": "another"})).kind is BackendFault.AUTH


def test_a_missing_key_is_known_without_asking(case: Case) -> None:
    missing = case.backend("", key_env="", environ={})
    problem = missing.unavailable()
    assert problem is not None
    assert problem.kind is BackendFault.NOT_CONFIGURED
    assert case.dialect.keys[0] in problem.hint
    assert expect_error(missing).message == problem.message


@pytest.mark.parametrize("key", ["sk-“quoted”", "two\nlines"])
def test_a_key_that_is_no_key(case: Case, key: str) -> None:
    assert expect_error(case.backend("", environ={"MY_KEY": key})).kind is BackendFault.NOT_CONFIGURED


def test_another_server_does_not_get_the_vendors_key(case: Case, api: FakeLLM) -> None:
    local = case.backend(api.url, key_env="", environ=dict.fromkeys(case.dialect.keys, KEY))
    ask(local)
    assert KEY not in json.dumps(api.requests)
    assert api.requests[0]["key_sha8"] is None


@web
def test_a_redirect_is_not_followed_with_the_key(case: Case) -> None:
    web.route(host="llm.test").respond(307, headers={"Location": "https://evil.test/v1"})
    elsewhere = web.route(host="evil.test")
    error = expect_error(case.backend("https://llm.test"))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "https://evil.test/v1" in error.message
    assert not elsewhere.called


@web
def test_a_server_that_repeats_the_key_does_not_bring_it_into_the_error(case: Case) -> None:
    web.route(host="llm.test").respond(401, json={"error": {"message": f"Incorrect key: {KEY}"}})
    error = expect_error(case.backend("https://llm.test"))
    assert "***" in error.message
    assert KEY not in f"{error} {error.output}"


@pytest.mark.parametrize("name", ["chat", "responses", "messages", "generate"])
def test_no_model_is_named(name: str) -> None:
    error = expect_error(CASES[name].backend("https://llm.test", model=""))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "model" in error.hint
