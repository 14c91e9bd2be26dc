"""Text -> the same text without secrets: known values in every usual spelling, and known token shapes."""

from __future__ import annotations

import base64
import functools
import json
import re
import shlex
from collections.abc import Hashable, Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus

from pytest_lok.core.history import DigestsOnDemand
from pytest_lok.core.results import Outcome, Usage
from pytest_lok.core.trust.credentials import MIN_SECRET_LENGTH

MASK = "[redacted]"

# Every shape begins with a text that is quickly looked for, so that text without it costs nothing, nor
# does the shape, which is compiled where it is first needed. What stands before it is looked at behind
# that text; a run of a shape's own characters is read once.
_TOKEN_SHAPES = tuple(
    (start, rf"{start}(?<![A-Za-z0-9]{start}){rest}")
    for start, rest in (
        ("sk-", r"(?:ant-[A-Za-z0-9_-]{16,}|[A-Za-z0-9_-]{20,})"),
        *((f"gh{kind}_", r"[A-Za-z0-9]{20,}") for kind in "pousr"),
        ("github_pat_", r"[A-Za-z0-9_]{20,}"),
        ("glpat-", r"[A-Za-z0-9_.-]{16,}"),
        ("AKIA", r"[A-Z0-9]{16}"),
        ("ASIA", r"[A-Z0-9]{16}"),
        ("xox", r"[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("AIza", r"[A-Za-z0-9_-]{30,}"),
        ("hf_", r"[A-Za-z0-9]{30,}"),
        ("gsk_", r"[A-Za-z0-9]{40,}"),
        ("npm_", r"[A-Za-z0-9]{36}"),
        ("pypi-", r"AgE[A-Za-z0-9_-]{40,}"),
        ("eyJ", r"(?<![_-]eyJ)[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+"),
    )
)
_PEM_FRAME = "PRIVATE KEY-----"
_PEM = rf"-----BEGIN [A-Z ]{{0,40}}{_PEM_FRAME}(?:[^-]|-(?!----))++-----END [A-Z ]{{0,40}}{_PEM_FRAME}"
# the first group stays, for it says what was masked
_MASKED_BEHIND = (
    ("://", r"""(://[^\s/?#@:]{0,256}+:)[^\s/?#"'<>,]{1,512}(?=@)"""),
    (
        "uthorization",
        r"""(uthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:[Bb]asic|[Bb]earer|token) )[A-Za-z0-9._~+/=-]{8,}""",
    ),
)

_WITHOUT_TEXT = frozenset({bool, int, float, DigestsOnDemand, Outcome, Usage})
_STEP, _PIECE_LENGTH = 4, 5
"""A text of ``MIN_SECRET_LENGTH`` characters holds a whole piece that starts at a multiple of ``_STEP``."""
_FEW_SPELLINGS = 64
"""So many are looked for one by one in less time than a text is cut into pieces."""
_REMEMBERED_LENGTH = 50_000

T = TypeVar("T")


class Redactor:
    """Masks secrets in text, and in every text of a value made of dataclasses, lists and dicts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {spelling for secret in secrets for spelling in _spellings(secret)}
        self._spellings = sorted(
            (one for one in known if len(one) >= MIN_SECRET_LENGTH), key=len, reverse=True
        )
        self._pieces = {
            one[at : at + _PIECE_LENGTH]
            for one in self._spellings
            for at in range(len(one) - _PIECE_LENGTH + 1)
        }
        # several events about one answer hold the same texts
        self._remembered = functools.lru_cache(maxsize=256)(self._searched)

    def text(self, text: str) -> str:
        """The text with every secret replaced by a mask."""
        # most texts are short, and every event passes here
        if len(text) < MIN_SECRET_LENGTH:
            return text
        return self._remembered(text) if len(text) <= _REMEMBERED_LENGTH else self._searched(text)

    def _searched(self, text: str) -> str:
        # longest first, so that no part of a secret is left beside the mask of another
        if self._may_hold(text) and (here := [one for one in self._spellings if one in text]):
            text = re.sub("|".join(map(re.escape, here)), MASK, text)
        for start, shape in _TOKEN_SHAPES:
            if start in text:
                text = re.sub(shape, MASK, text)
        for start, shape in _MASKED_BEHIND:
            if start in text:
                text = re.sub(shape, rf"\1{MASK}", text)
        return re.sub(_PEM, MASK, text) if _PEM_FRAME in text else text

    def value(self, value: T) -> T:
        """The value with every text in it masked; the very same object where nothing was."""
        return cast(T, self._masked(value))

    def _may_hold(self, text: str) -> bool:
        """Whether a known secret may stand there: if many are known, they are looked up piece by piece."""
        if len(self._spellings) <= _FEW_SPELLINGS:
            return True
        return not self._pieces.isdisjoint(
            [text[at : at + _PIECE_LENGTH] for at in range(0, len(text), _STEP)]
        )

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._masked(key): self._masked(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._masked(item) for item in value) if value else value
        changed = {}
        for name in _field_names(cast(Hashable, type(value))):
            before = getattr(value, name)
            if type(before) in _WITHOUT_TEXT or not before:
                continue
            after = self._masked(before)
            if after is not before and after != before:
                changed[name] = after
        return replace(cast(Any, value), **changed) if changed else value


@functools.cache
def _field_names(cls: Hashable) -> tuple[str, ...]:
    """The fields of a dataclass that may hold text of others; ``kind`` is our own. None of another class."""
    names = (field.name for field in fields(cast(Any, cls))) if is_dataclass(cls) else ()
    return tuple(name for name in names if name != "kind")


def mask_secret(text: str, secret: str) -> str:
    """The text with stars for one secret; one that is short is masked only where it stands as a word."""
    if len(secret) >= MIN_SECRET_LENGTH:
        return text.replace(secret, "***")
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text) if secret else text


def _spellings(secret: str) -> Iterable[str]:
    """A secret as it is, and as JSON, URLs, XML, shells, Python and base64 (at each offset) spell it."""
    yield secret
    yield secret.replace("\r\n", "\n")
    yield secret.replace("\r\n", "\n").replace("\n", "\r\n")
    for spelled in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (spelled, spelled.replace("/", "\\/"), json.dumps(spelled)[1:-1])
    for spelled in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield from (spelled, re.sub("%..", lambda octet: octet[0].lower(), spelled))
    in_xml = secret.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")
    in_quotes = in_xml.replace('"', "&quot;")
    yield from (in_xml, in_quotes, in_quotes.replace("'", "&#x27;"))
    yield from (shlex.quote(secret).removeprefix("'").removesuffix("'"), repr(secret)[1:-1])
    raw = secret.encode("utf-8", "surrogateescape")
    yield from (raw.hex(), raw.hex().upper())
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * shift + raw).decode()
            # the first and last characters also carry bits of whatever stands beside the secret
            start, end = (0, 2, 3)[shift], len(encoded) - (0, 3, 2)[(shift + len(raw)) % 3]
            yield encoded[start:end]
            if not shift:  # as `base64` and `openssl` break it into lines
                yield from (
                    encoded[at : at + width]
                    for width in (64, 76)
                    if end > width
                    for at in range(0, end, width)
                )
