"""Secrets made at random, put into text in every spelling that a program may give them: none is seen."""

from __future__ import annotations

import base64
import binascii
import html
import json
import random
import shlex
import string
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.trust.credentials import secrets_of
from pytest_lok.core.trust.redaction import MASK, Redactor
from tests.fuzz import examples

ORDINARY = [
    "the",
    "gate",
    "says",
    "that",
    "a",
    "change",
    "is",
    "whole,",
    "and",
    "12",
    "of",
    "its",
    "40",
    "lines",
    "were",
    "read:",
    "src/app.py:7",
    "(ok)",
    "a=b",
]
SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda text: json.dumps({"a": text}),
    "JSON in letters": lambda text: json.dumps([text], ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps([text])),
    "a URL": lambda text: f"https://h/{quote(text, safe='')}",
    "a path": lambda text: quote(text),
    "a query": lambda text: urlencode({"k": text}),
    "a form": quote_plus,
    "small octets": lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    "XML": escape,
    "an attribute": lambda text: quoteattr(text.replace("\n", " ") if "\n" in text else text),
    "HTML": html.escape,
    "a shell": shlex.quote,
    "Python": repr,
    "hex": lambda text: binascii.hexlify(text.encode()).decode(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(b"a" + text.encode() + b"zz").decode(),
    "base64 of still more": lambda text: base64.b64encode(b"ab" + text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "other newlines": lambda text: text.replace("\n", "\r\n"),
}
HOLDERS: Mapping[str, Callable[[str], str]] = {
    "APP_TOKEN": str,
    "my_password": str,
    "MISTRAL_API_KEY": str,
    "CREDENTIALS": lambda secret: json.dumps({"kind": "account", "private_key": secret}),
    "SECRET_ENV": lambda secret: f"user: somebody\nDB_PASSWORD='{secret}'\n",
    "DATABASE_URL": lambda secret: f"postgres://user:{quote(secret, safe='')}@db.example:5432/app",
}

alphabet = string.ascii_letters + string.digits + "/+=_-.!$%&*()?<>\"'\\é~^ #@:;,"
line = st.builds(
    lambda seed, size: "".join(random.Random(seed).choices(alphabet, k=size)).strip() + "Zq9",
    st.integers(0, 2**32),
    st.integers(8, 40),
)
word = st.builds(
    lambda seed, size: "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=size)),
    st.integers(0, 2**32),
    st.integers(8, 70),
)
ordinary = st.lists(st.sampled_from(ORDINARY), max_size=12).map(" ".join)


def pieces(text: str, size: int = 8) -> set[str]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


@settings(max_examples=examples(150))
@given(
    secret=st.one_of(line, word, st.lists(st.one_of(line, word), min_size=2, max_size=5).map("\n".join)),
    holder=st.sampled_from(["APP_TOKEN", "my_password", "MISTRAL_API_KEY"]),
    spelling=st.sampled_from(sorted(SPELLINGS)),
    before=ordinary,
    after=ordinary,
)
def test_no_spelling_of_a_secret_is_seen(
    secret: str, holder: str, spelling: str, before: str, after: str
) -> None:
    spelled = SPELLINGS[spelling](secret)
    masked = Redactor(secrets_of({holder: secret})).text(f"{before} {spelled} {after}")
    assert MASK in masked
    assert not any(len(part) >= 8 and part in masked for part in secret.split("\n"))
    left = masked.removeprefix(before).removesuffix(after)
    assert len(pieces(spelled, 12) & pieces(left, 12)) <= 2 * (1 + spelled.count("\n")), left


@settings(max_examples=examples(100))
@given(
    lines=st.lists(st.one_of(line, word), min_size=2, max_size=5),
    at=st.integers(0, 4),
    newline=st.sampled_from(["\n", "\r\n", "\\n"]),
    spelling=st.sampled_from(["plain", "JSON", "a URL", "XML", "hex", "base64", "a shell", "HTML", "Python"]),
)
def test_nor_is_any_line_of_it(lines: list[str], at: int, newline: str, spelling: str) -> None:
    lines = [one.replace("\\n", "-n").replace("\\r", "-r") for one in lines]
    alone = lines[at % len(lines)]
    masked = Redactor(secrets_of({"DEPLOY_KEY": newline.join(lines)})).text(
        f"so {SPELLINGS[spelling](alone)} it is"
    )
    assert MASK in masked
    assert not pieces(SPELLINGS[spelling](alone), 14) & pieces(masked, 14)


@settings(max_examples=examples(100))
@given(secret=word, holder=st.sampled_from(sorted(HOLDERS)), text=ordinary)
def test_what_stands_alone_in_a_larger_one_is_masked_and_the_rest_is_not(
    secret: str, holder: str, text: str
) -> None:
    redactor = Redactor(secrets_of({holder: HOLDERS[holder](secret)}))
    assert redactor.text(f"{text} {secret} {text}") == f"{text} {MASK} {text}"
    assert redactor.text(f"{text} somebody account db.example") == f"{text} somebody account db.example"


@settings(max_examples=examples(100))
@given(
    secrets=st.lists(st.one_of(line, word, st.text(max_size=7)), max_size=8),
    text=st.lists(
        st.sampled_from([*ORDINARY, "KEY=", "token", "sk-short", "eyJx", "://", "a@b", "-----BEGIN"]),
        max_size=40,
    ),
)
def test_ordinary_text_stays_whatever_is_secret(secrets: list[str], text: list[str]) -> None:
    environ = {f"S{at}_TOKEN": secret for at, secret in enumerate(secrets)}
    said = " ".join(text)
    assert Redactor(secrets_of(environ)).text(said) == said
