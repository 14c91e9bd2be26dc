"""Text -> JSON: the value a text is, or holds in prose or a fenced block; never a piece of a broken one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, cast

from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError

MAX_DEPTH = 100
"""Levels of nesting; beyond it, readers further on (journals, reports) would fail."""

MAX_VALUES = 100_000
"""Values one text may hold; a text with more is no answer."""

KIND = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def kind_of(value: object) -> str:
    """What JSON calls a value: object, array, string, number, boolean or null."""
    return KIND.get(type(value), "number")


def is_json(text: str) -> bool:
    """Whether the text as a whole is one JSON value."""
    try:
        load(text)
    except (json.JSONDecodeError, OutputError):
        return False
    return True


def find_json(text: str) -> dict[str, Json] | list[Json]:
    """The object or array a text is, or holds; OutputError where there is none, or it is broken or cut off.

    A value right after the opening line of a fenced block wins (the last one), else the longest.
    """
    try:
        value = load(text)
    except json.JSONDecodeError:
        pass
    else:
        if isinstance(value, dict | list):
            return value
    best: Found | None = None
    for found in scan(text):
        if best is None or found.fenced > best.fenced:
            best = found
        elif found.fenced == best.fenced and (found.fenced or found.length > best.length):
            best = found
    if best is None:
        raise OutputError("the output holds no JSON", hint="ask for JSON alone, in one ```json block")
    return best.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value in a text; ``fenced``: it follows the opening line of a fenced block."""

    value: dict[str, Json] | list[Json]
    start: int
    end: int
    fenced: bool

    @property
    def length(self) -> int:
        return self.end - self.start


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# strict=False takes raw newlines inside strings: the one repair models need all the time
_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)
_OPENER = re.compile(r'\{\s*["}]|\[\s*(?:[\[\]{"\-0-9]|true\b|false\b|null\b)')
_FENCE = re.compile(r"(?:^|\n)[ \t>]*(?:`{3,}|~{3,})[ \t]*(?:json\w*)?[ \t]*\r?\n\s*$", re.IGNORECASE)
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def load(text: str) -> Json:
    """The JSON value a text is as a whole; JSONDecodeError if it is none, OutputError if it cannot be used."""
    text = text.strip().removeprefix("\ufeff").lstrip()
    value, end = _decode(text, 0)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _decode(text: str, start: int) -> tuple[Json, int]:
    """The value at ``start`` and where it ends; JSONDecodeError if it is none, OutputError if unusable."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise OutputError(f"the JSON is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError as bad:  # a constant like NaN, or a number of thousands of digits
        raise OutputError(f"the JSON cannot be used: {bad}") from None
    _check(value, text[start:end] if start or end != len(text) else text)
    return cast("Json", value), end


def _check(value: object, source: str) -> None:
    if source.count("[") + source.count("{") > MAX_DEPTH:
        level = [value]
        for _ in range(MAX_DEPTH + 1):
            level = [child for node in level for child in _children(node)]
        if level:
            raise OutputError(f"the JSON is nested more than {MAX_DEPTH} levels deep")
    if _SURROGATE.search(source):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise OutputError("the JSON holds half a character (a lone surrogate)") from None


def _children(node: object) -> list[object]:
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in values if isinstance(child, dict | list)]


def scan(text: str) -> Iterator[Found]:
    """Every top-level object and array in the text, left to right, in linear time.

    What starts like JSON and breaks off half-way is never searched for smaller pieces: a broken
    answer must not become a smaller valid one. Cut off at the end of the text, it is an error.
    """
    at = count = 0
    while (opener := _OPENER.search(text, at)) is not None:
        start = opener.start()
        count += 1
        if count > MAX_VALUES:
            raise OutputError(f"the output holds more than {MAX_VALUES} JSON values")
        try:
            value, at = _decode(text, start)
        except json.JSONDecodeError as broken:
            at = _after_broken(text, start, broken)
            continue
        if isinstance(value, dict | list):
            fenced = _FENCE.search(text[max(0, start - 200) : start]) is not None
            yield Found(value=value, start=start, end=at, fenced=fenced)


def _after_broken(text: str, start: int, broken: json.JSONDecodeError) -> int:
    """Where to look on after something that only began like JSON; OutputError if it was cut off."""
    consumed = text[start + 1 : broken.pos].strip()
    if not consumed and not broken.msg.startswith("Unterminated"):
        return start + 1
    end = _closing(text, start)
    if end < 0:
        if broken.msg.startswith("Unterminated") or broken.pos >= len(text.rstrip()):
            raise OutputError("the JSON is cut off: the output ends in the middle of it")
        raise OutputError(f"the JSON is broken: {_where(text, broken)}, and it is never closed")
    if "\n" in text[start:end] or end - start > 40:
        raise OutputError(f"the JSON is broken: {_where(text, broken)}")
    return end


def _where(text: str, broken: json.JSONDecodeError) -> str:
    return f"{broken.msg} at line {broken.lineno} column {broken.colno} of the output"


def _closing(text: str, start: int) -> int:
    """The end of the bracket that opens at ``start``, -1 if it is never closed."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        char = text[match.start()]
        if char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1
