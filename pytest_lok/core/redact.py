"""Text -> the same text without secrets: known values in every usual spelling, and known token shapes."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from pytest_lok.core.results import Outcome, Usage

MASK = "[redacted]"
SHORTEST = 8  # characters; a shorter value would mask ordinary words

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW(OR)?D|CREDENTIAL|AUTH(?!ORS?(_|$))", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"^(SSH_AUTH_SOCK|XAUTHORITY|GPG_KEY|.*_(FILE|PATH|DIR|SOCK|URL|ID))$", re.IGNORECASE
)

_SHAPES = (
    r"sk-ant-[A-Za-z0-9_-]{16,}",
    r"sk-(?:proj-|svcacct-|or-)?[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----",
)

_TEXTLESS = frozenset({bool, int, float, Outcome, Usage})

T = TypeVar("T")


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """The values of an environment's secret-looking variables that are long enough to be masked."""
    return frozenset(
        value.strip()
        for name, value in environ.items()
        if len(value.strip()) >= SHORTEST and _SECRET_NAME.search(name) and not _NOT_SECRET.match(name)
    )


class Redactor:
    """Masks secrets in text, and in every text of a value made of dataclasses, lists and dicts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {spelling for secret in secrets for spelling in _spellings(secret)}
        exact = [re.escape(spelling) for spelling in sorted(known, key=len, reverse=True)]
        self._pattern = re.compile("|".join([*exact, *(rf"(?<![A-Za-z0-9]){s}" for s in _SHAPES)]))

    def text(self, text: str) -> str:
        """The text with every secret replaced by a mask."""
        return self._pattern.sub(MASK, text)

    def value(self, value: T) -> T:
        """The value with every text in it masked; the very same object where nothing was."""
        return cast(T, self._masked(value))

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return value if len(value) < SHORTEST else self._pattern.sub(MASK, value)
        if isinstance(value, dict):
            return {self._masked(key): self._masked(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._masked(item) for item in value) if value else value
        if is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)
        return value

    def _dataclass(self, value: object) -> object:
        changed = {}
        for name in _field_names(cast(Hashable, type(value))):
            before = getattr(value, name)
            if not before or type(before) in _TEXTLESS:
                continue
            after = self._masked(before)
            if after is not before and after != before:
                changed[name] = after
        return replace(value, **changed) if changed else value  # type: ignore[type-var]  # the caller has checked


@functools.cache
def _field_names(cls: Hashable) -> tuple[str, ...]:
    """The fields that may hold text of others; ``kind`` is our own."""
    return tuple(field.name for field in fields(cast(Any, cls)) if field.name != "kind")


def _spellings(secret: str) -> Iterable[str]:
    """A secret as it is, and as JSON, URLs, XML and base64 (at each of its three offsets) spell it."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield escape(secret)
    raw = secret.encode("utf-8", "surrogateescape")
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * shift + raw).decode()
            # the first and last characters also carry bits of whatever stands beside the secret
            start, end = (0, 2, 3)[shift], len(encoded) - (0, 3, 2)[(shift + len(raw)) % 3]
            if end - start >= SHORTEST:
                yield encoded[start:end]
