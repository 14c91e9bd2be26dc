"""An environment -> which of its variables are secrets, by their names, and every part that is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from pytest_lok.core.text.words import words
from pytest_lok.late_regex import late_regex

MIN_SECRET_LENGTH = 8  # characters; a shorter value would mask ordinary words

_NAME_WORDS = late_regex(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = late_regex(
    r".*(TOKEN(?!I[ZS])|SECRET(?!AR)|PASSWORD(?!LESS)|PASSWD|PASSPHRASE|PASSCODE|CREDENTIAL).*"
    r"|.*(?<!MON)(?<!DON)(?<!TUR)(?<!HOC)(?<!JOC)(?<!WHIS)(?<!HOT)KEYS?"
    r"|AUTH|AUTHORIZATION|BEARER|COOKIES?|JWT|CREDS|PASS|PWD|PAT"
)
"""Words that make a name the name of a secret."""
_DESCRIBING_WORDS = words("""
    FILE PATH DIR DIRECTORY SOCK SOCKET URL URI ID NAME USER USERNAME HOST PORT TYPE METHOD ALGORITHM LENGTH
    LIMIT COUNT TTL EXPIRY ENABLED
""")
"""Last words of names that say something about a secret, and hold none: ``KEY_FILE``."""
_NOT_SECRET = late_regex(r"(OLD)?PWD|GPG_KEY|SSH_AUTH_SOCK|GIT_CONFIG_KEY_[0-9]+")
_FORGE_TOKENS = late_regex(r"(GH|GITHUB|GITLAB|GITEA)(_ENTERPRISE)?_TOKEN")
"""Tokens that are set so that `gh` and `glab` can be used in commands."""
_ADDRESS_PASSWORD = late_regex(r"://[^\s/?#@:]*:([^\s/?#]+)@")
_PAIR = late_regex(r"""["']?([\w.-]+)["']?[ \t]*[=:][ \t]*["']?([^\s"'&;,]+)""")
_BREAK = late_regex(r"(?:\\r)?\\n|\r\n?|\n")


def is_secret(name: str, value: str = "") -> bool:
    """Whether a variable or key of that name holds a secret."""
    words = [word.upper() for word in _NAME_WORDS.findall(name)]
    if not words or words[-1] in _DESCRIBING_WORDS or _NOT_SECRET.fullmatch(name):
        return False
    if value.isdecimal() and "TOKENS" in words:  # a limit of a model
        return False
    if value.startswith("/") and words[-1].startswith("CREDENTIAL"):  # where they are
        return False
    return any(_SECRET.fullmatch(word) for word in words)


def withheld_variables(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables that a command only sees if its step or the settings name them."""
    return frozenset(
        name
        for name, value in environ.items()
        if is_secret(name, value) and not _FORGE_TOKENS.fullmatch(name)
    )


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """The secrets in an environment that are long enough to be masked: whole values, and parts of them."""
    found: set[str] = set()
    for name, value in environ.items():
        if is_secret(name, value):
            found |= {*secret_parts(value)}
        found |= {*_address_secrets(value)}
    return frozenset(secret for secret in found if len(secret) >= MIN_SECRET_LENGTH)


def secret_parts(secret: str) -> Iterator[str]:
    """A secret, and every part of it that can stand alone: its lines, what JSON or `name=value` holds."""
    yield secret.strip()
    if secret.lstrip()[:1] in ("{", "["):
        try:
            yield from _json_texts(json.loads(secret), secret=True)
        except (ValueError, RecursionError):
            yield from _secret_lines(secret)
    else:
        yield from _secret_lines(secret)


def _secret_lines(secret: str) -> Iterator[str]:
    """The lines of a text of several, but for those that only frame a key."""
    lines = [line.strip() for line in _BREAK.split(secret)]
    # it has been yielded as a whole
    if len(lines) == 1:
        return
    yield from (line for line in lines if line[:5] != "-----")
    yield from (value for line in lines for name, value in _PAIR.findall(line) if is_secret(name, value))


def _json_texts(value: Any, *, secret: bool) -> Iterator[str]:
    """The texts in a JSON value: in tables those whose key is a secret's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _json_texts(inner, secret=is_secret(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _json_texts(inner, secret=secret)
    elif isinstance(value, str) and secret:
        yield value.strip()
        yield from _secret_lines(value)


def _address_secrets(value: str) -> Iterator[str]:
    """The passwords in the addresses of a text, URL-encoded and decoded."""
    if "://" not in value:
        return
    for password in _ADDRESS_PASSWORD.findall(value):
        yield from (password, unquote(password))
    # keys stand in the query of an address, too
    for part in re.split(r"[?&;]", value)[1:]:
        name, equals, text = part.partition("=")
        if equals and is_secret(name, text):
            yield from (text, unquote(text))
