from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.events import StepFinished
from pytest_lok.core.results import Outcome, Reply, Section, StepResult
from pytest_lok.core.trust.credentials import secrets_of
from pytest_lok.core.trust.redaction import MASK, Redactor

SECRET = 'p4ss/"wörd"&=?\\end'
# few secrets are looked for in another way than many
FEW, MANY = Redactor([SECRET]), Redactor([SECRET, *(f"other-{n}-secret" for n in range(40))])


@pytest.mark.parametrize("redactor", [FEW, MANY], ids=["few", "many"])
@given(before=st.text(max_size=12), after=st.text(max_size=12))
def test_a_known_value_is_masked_in_every_spelling(redactor: Redactor, before: str, after: str) -> None:
    redact = redactor.text
    for spelled in (SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe=""), quote(SECRET)):
        masked = redact(f"{before}{spelled}{after}")
        assert spelled not in masked
        assert MASK in masked


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("shown", ["\n", "\r\n"])
def test_a_value_of_several_lines_is_masked_with_either_newline(newline: str, shown: str) -> None:
    lines = ["abcd", "efgh", "ijkl"]
    assert Redactor([newline.join(lines)]).text(shown.join(["<", *lines, ">"])) == f"<{shown}{MASK}{shown}>"


@pytest.mark.parametrize("redactor", [FEW, MANY], ids=["few", "many"])
@given(
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_base64_is_masked_wherever_the_value_stands_in_it(redactor, before, after, encode) -> None:  # type: ignore[no-untyped-def]  # two library functions
    encoded = encode(before + SECRET.encode() + after).decode()
    masked = redactor.text(f"x {encoded} y")
    assert MASK in masked
    assert len(masked) - len(MASK) < len(encoded) - len(SECRET)


@pytest.mark.parametrize(
    "token",
    [
        "sk-ant-" + "api03-" + "aB1_" * 8,
        "sk-proj-abcdefghijklmnopqrstuv",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "A1b2" * 6,
        "glpat-" + "x" * 20,
        "AKIA" + "ABCD1234" * 2,
        "hf_" + "x1" * 16,
        "gsk_" + "x1" * 25,
        "npm_" + "x1" * 18,
        "xoxb-123456789012-abc",
        "AIza" + "x" * 35,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXh4",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_known_shapes_are_masked_whoever_they_belong_to(token: str) -> None:
    assert Redactor().text(f"key={token}, next") == f"key={MASK}, next"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://user:pw@db.example:5432/x", f"postgres://user:{MASK}@db.example:5432/x"),
        ("redis://:p@ss@h and http://h:80/a@b", f"redis://:{MASK}@h and http://h:80/a@b"),
        ("Authorization: Bearer abc.def-0123", f"Authorization: Bearer {MASK}"),
        ("authorization: Basic dXNlcjpwYXNz", f"authorization: Basic {MASK}"),
        ("git@github.com:org/repo https://user@host/", "git@github.com:org/repo https://user@host/"),
        (
            r'{"k": "-----BEGIN PRIVATE KEY-----\nMII-x\n-----END PRIVATE KEY-----\n"}',
            rf'{{"k": "{MASK}\n"}}',
        ),
        (
            "a line may say -----BEGIN PRIVATE KEY----- alone",
            "a line may say -----BEGIN PRIVATE KEY----- alone",
        ),
    ],
)
def test_of_an_address_and_a_header_the_secret_part_alone_is_masked(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    "text", ["eyJ", "-eyJ", "sk-", "://a:", "-----BEGIN PRIVATE KEY-----", "xoxb-", "AKIA", "-"]
)
def test_masking_is_linear_whatever_the_text(text: str) -> None:
    redactor = Redactor(["a-secret-0123456789"])

    def seconds(size: int) -> float:
        long = text * (size // len(text)) + "PRIVATE KEY-----"
        begun = time.process_time()
        redactor.text(long)
        return time.process_time() - begun

    assert seconds(1_000_000) < 20 * max(seconds(100_000), 0.01)


@pytest.mark.parametrize(
    "text", ["task-force", "a sk-short", "disk-based-storage-of-many-things-here", "eyJx"]
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_which_variables_are_secret() -> None:
    found = secrets_of(
        {
            "OPENAI_API_KEY": "abcdefgh1",
            "my_password": "abcdefgh2",
            "GH_TOKEN": "abcdefgh3",
            "SHORT_KEY": "abc",
            "PATH": "/usr/bin:/bin",
            "SSH_AUTH_SOCK": "/run/agent.sock",
            "AWS_ACCESS_KEY_ID": "abcdefgh4",
            "TOKEN_FILE": "/run/secrets/x",
        }
    )
    assert found == {"abcdefgh1", "abcdefgh2", "abcdefgh3"}


def test_every_text_of_an_event_is_masked_and_the_rest_stays() -> None:
    redactor = Redactor(["topsecret"])
    dirty = StepResult(
        name="a",
        outcome=Outcome.FAILED,
        reason="topsecret!",
        output="x topsecret",
        data={"topsecret": ["topsecret", 1, None]},
        has_data=True,
        replies=(Reply(text="topsecret", backend="b"),),
        sections=(Section(title="stderr", text="topsecret"),),
    )
    masked = redactor.value(StepFinished(result=dirty, at=1.0))
    assert "topsecret" not in repr(masked)
    assert masked.result.outcome is Outcome.FAILED
    assert masked.result.data == {MASK: [MASK, 1, None]}
    clean = StepFinished(result=StepResult(name="a", outcome=Outcome.PASSED, output="fine text"), at=1.0)
    assert redactor.value(clean) is clean


def test_ten_megabytes_take_linear_time() -> None:
    hostile = "-----BEGIN PRIVATE KEY-----" * 100_000 + "sk-" * 1_000_000 + "eyJ" * 1_000_000
    masked = Redactor(["topsecret"]).text(hostile + " topsecret")
    assert masked.startswith("-----BEGIN PRIVATE KEY-----")
    assert masked.endswith(f" {MASK}")
