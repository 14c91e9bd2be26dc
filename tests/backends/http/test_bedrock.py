from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_lok.backends.http.bedrock import TOKEN, BedrockBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.core.asking.images import Image
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error
from tests.backends.fake_bedrock import ACCESS, SECRET, FakeBedrock, answer, message

MODEL = "us.anthropic.claude-v2:0"
KEYS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.fixture
def api() -> Iterator[FakeBedrock]:
    with FakeBedrock() as server:
        yield server


def backend(url: str = "", environ: dict[str, str] = KEYS, **more: Any) -> BedrockBackend:
    api = HttpConfig(base_url=url, **{"model": MODEL, **more})
    return BedrockBackend("rock", api, http=HttpClient({}), environ=environ)


def test_a_signed_question_and_its_answer(api: FakeBedrock) -> None:
    """The server computes the signature itself."""
    api.messages = answer("fïne", inputTokens=3, cacheReadInputTokens=40, outputTokens=5)
    reply = ask(backend(api.url, max_tokens=99), "question", system="be brief")
    assert (reply.text, reply.model) == ("fïne", MODEL)
    assert (reply.usage.calls, reply.usage.input_tokens, reply.usage.output_tokens) == (1, 43, 5)
    [request] = api.requests
    assert request["path"] == "/model/us.anthropic.claude-v2%3A0/converse-stream"
    assert request["body"] == {
        "messages": [{"role": "user", "content": [{"text": "question"}]}],
        "system": [{"text": "be brief"}],
        "inferenceConfig": {"maxTokens": 99},
    }


def test_images_stand_before_the_text(api: FakeBedrock) -> None:
    image = Image.of("a.png", b"\x89PNG\r\n\x1a\n\0")
    assert image is not None
    ask(backend(api.url), "What?", images=(image,))
    [asked] = api.requests[0]["body"]["messages"]
    shown = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoA"}}}
    assert asked == {"role": "user", "content": [shown, {"text": "What?"}]}


def test_a_wrong_secret_is_refused(api: FakeBedrock) -> None:
    error = expect_error(backend(api.url, {**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    assert error.kind is BackendFault.AUTH
    assert "aws sso login" in error.hint


def test_a_token_needs_no_signature(api: FakeBedrock) -> None:
    environ = {"AWS_REGION": "eu-west-1", "MY_TOKEN": "abc-token-123"}
    assert ask(backend(api.url, environ, key_env="MY_TOKEN")).text == "fine"
    assert api.requests[0]["headers"]["authorization"] == "Bearer abc-token-123"


def test_another_server_does_not_get_the_token_of_aws(api: FakeBedrock) -> None:
    ask(backend(api.url, {**KEYS, TOKEN: "abc-token-123"}))
    assert "abc-token-123" not in str(api.requests)


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "The provided model identifier is invalid.", BackendFault.BAD_REQUEST),
        (400, "Input is too long: maximum context", BackendFault.TOO_LONG),
        (403, "You don't have access to the model", BackendFault.AUTH),
        (408, "took too long", BackendFault.TIMEOUT),
        (429, "Too many tokens, please wait", BackendFault.RATE_LIMIT),
        (503, "unavailable", BackendFault.OVERLOAD),
    ],
)
def test_what_a_status_means(api: FakeBedrock, status: int, said: str, kind: BackendFault) -> None:
    api.status, api.said = status, said
    error = expect_error(backend(api.url))
    assert error.kind is kind
    assert said in error.message


HALF = answer("half")[:2]


@pytest.mark.parametrize(
    ("messages", "kind", "output"),
    [
        (answer("half", "max_tokens"), BackendFault.TRUNCATED, "half"),
        (answer("half", "guardrail_intervened"), BackendFault.REFUSED, "half"),
        (answer("half", "content_filtered"), BackendFault.REFUSED, "half"),
        (answer("half", "tool_use"), BackendFault.BAD_OUTPUT, "half"),
        ([message("contentBlockStart", {"start": {"image": {"format": "png"}}}), *answer("half")], BackendFault.BAD_OUTPUT, "half"),
        ([message("contentBlockDelta", {"delta": {"a_new_one": "x"}}), *answer("half")], BackendFault.BAD_OUTPUT, "half"),
        ([message("contentBlockDelta", {"delta": {"text": ["x"]}}), *answer("half")], BackendFault.BAD_OUTPUT, "half"),
        (answer(""), BackendFault.EMPTY, ""),
        (HALF, BackendFault.NETWORK, "half"),
        ([*HALF, answer("x")[1][:-3]], BackendFault.NETWORK, "half"),
        ([*HALF, message("throttlingException", {"message": "slow"}, exception=True)], BackendFault.RATE_LIMIT, ""),
        ([*HALF, message("modelStreamErrorException", {"message": "oh"}, exception=True)], BackendFault.OVERLOAD, ""),
        ([*HALF, b"<html>no event stream at all</html>"], BackendFault.BAD_OUTPUT, ""),
        ([*HALF, message("messageStop", b"{")], BackendFault.BAD_OUTPUT, ""),
        ([*HALF, message("messageStop", [1])], BackendFault.BAD_OUTPUT, ""),
    ],
    ids=[
        "truncated", "guardrail", "filtered", "tool", "image", "unknown", "texts", "empty", "cut", "cut inside", "throttled", "broken off",
        "no stream", "no json", "no table",
    ],
)  # fmt: skip
def test_every_fault_has_its_kind(
    api: FakeBedrock, messages: list[bytes], kind: BackendFault, output: str
) -> None:
    api.messages = messages
    error = expect_error(backend(api.url))
    assert (error.kind, error.output) == (kind, output)


def test_a_dead_stream(api: FakeBedrock) -> None:
    api.hangs = True
    assert expect_error(backend(api.url, idle=0.3)).kind is BackendFault.TIMEOUT


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({}, "AWS_REGION"),
        ({"AWS_REGION": "evil.test/"}, "no region"),
        ({"AWS_REGION": "eu-west-1"}, "MY_TOKEN"),
    ],
)
def test_what_is_missing_is_known_without_asking(environ: dict[str, str], word: str) -> None:
    problem = backend("", environ, key_env="MY_TOKEN").unavailable()
    assert problem is not None
    assert problem.kind is BackendFault.NOT_CONFIGURED
    assert word in problem.message


def test_no_model_is_named(api: FakeBedrock) -> None:
    assert expect_error(backend(api.url, model="")).kind is BackendFault.NOT_CONFIGURED


def test_a_profile_that_is_not_there_is_told(api: FakeBedrock) -> None:
    error = expect_error(backend(api.url, {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "no-such-profile"}))
    assert error.kind is BackendFault.AUTH
    assert "no-such-profile" in error.message


def test_without_the_extra_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["botocore"] = None  # as if it were not there
from pytest_lok.backends.http.bedrock import BedrockBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
problem = BedrockBackend("rock", HttpConfig(model="m"), http=HttpClient({}), environ={"AWS_REGION": "us-east-1"}).unavailable()
print(problem.kind.name, problem.hint)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "NOT_INSTALLED pip install 'pytest-lok[bedrock]'", done.stderr
