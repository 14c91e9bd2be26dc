"""Text -> JSON: the value a text is, or holds in prose or a fenced block; never a piece of a broken one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, cast

from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError

Container: TypeAlias = "dict[str, Json] | list[Json]"

MAX_DEPTH = 100
"""Levels of nesting; beyond it, readers further on (journals, reports) would fail."""

MAX_VALUES = 100_000
"""Values one text may hold between other text; one with more is no answer."""

MAX_UNCLOSED = 1
"""Values of one text that may begin, break and never end; each costs a look through the rest of the text."""


def kind_of(value: object) -> str:
    """What JSON calls a value, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value)) or ("a number" if isinstance(value, int | float) else type(value).__name__)


def load(text: str) -> Json:
    """The value a text is as a whole; JSONDecodeError if it is none, OutputError if it cannot be used."""
    text = text.strip().removeprefix("\ufeff").lstrip()
    value, end = _decode(text, 0)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def is_json(text: str) -> bool:
    """Whether the text as a whole is one JSON value."""
    try:
        load(text)
    except (json.JSONDecodeError, OutputError):
        return False
    return True


def find_json(text: str) -> Container:
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
        raise OutputError(f"the output is {kind_of(value)}, where a JSON object or array was expected")
    best: Found | None = None
    for found in scan(text):
        if best is None or found.rank >= best.rank:
            best = found
    if best is None:
        what = "the output holds no JSON" if text.strip() else "the output is empty, where JSON was expected"
        raise OutputError(what, hint="ask for JSON alone, in one ```json block")
    return best.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object or array in a text, or what only began like one: then ``broken`` says why it is none."""

    start: int
    end: int
    fenced: bool
    json: Container | None = None
    broken: str = ""

    @property
    def rank(self) -> tuple[bool, int]:
        """Its claim to be what the text is about: being in a fenced block, else its length."""
        return self.fenced, 0 if self.fenced else self.end - self.start

    @property
    def value(self) -> Container:
        """The JSON; OutputError if it is broken."""
        if self.json is None:
            raise OutputError(f"the JSON in the output is broken: {self.broken}")
        return self.json


def scan(text: str) -> Iterator[Found]:
    """Every outermost object and array in the text, left to right, in linear time.

    What begins like JSON and breaks is never searched for smaller pieces: a broken answer must not
    become a smaller valid one. Cut off by the end of the text, it is an OutputError.
    """
    at = count = unclosed = 0
    while (opener := _OPENER.search(text, at)) is not None:
        start = opener.start()
        count += 1
        if count > MAX_VALUES:
            raise OutputError(f"the output holds more than {MAX_VALUES:,} JSON values")
        fenced = _FENCE.search(text[max(0, start - 200) : start]) is not None
        try:
            value, at = _decode(text, start)
        except json.JSONDecodeError as error:
            if not _began(text, start, error):
                at = start + 1
                continue
            end, at = _end_of_broken(text, start, error)
            unclosed += end == len(text)
            why = f"{error.msg} at line {error.lineno} column {error.colno}"
            found = Found(start=start, end=end, fenced=fenced, broken=why)
            if unclosed > MAX_UNCLOSED:
                found.value  # noqa: B018 - raises, naming the last of them
        else:
            found = Found(start=start, end=at, fenced=fenced, json=cast("Container", value))
        yield found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# strict=False takes raw newlines inside strings: the one repair models need all the time
_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)
_OPENER = re.compile(r'\{\s*["}]|\[\s*(?:[\[\]{"\-0-9]|true\b|false\b|null\b)')
_FENCE = re.compile(r"(?:^|\n)[ \t>]*(?:`{3,}|~{3,})[ \t]*(?:json\w*)?[ \t]*\r?\n\s*$", re.IGNORECASE)
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_SUSPECT = re.compile(r"\\u[dD][89a-fA-F]|[eE]\+?\d{3}|\d{300}")  # half a character, or no finite number


def _decode(text: str, start: int) -> tuple[Json, int]:
    """The value at ``start`` and where it ends; JSONDecodeError if it is none, OutputError if unusable."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as bad:  # a constant like NaN, or a number of thousands of digits
        raise OutputError(f"the JSON in the output cannot be used: {bad}") from None
    _check(value, text if (start, end) == (0, len(text)) else text[start:end])
    return cast("Json", value), end


def _too_deep() -> OutputError:
    return OutputError(f"the JSON in the output is nested more than {MAX_DEPTH} levels deep")


def _check(value: object, source: str) -> None:
    """OutputError for what parses and still cannot be stored or sent on."""
    if source.count("[") + source.count("{") > MAX_DEPTH:
        level = [value]
        for _ in range(MAX_DEPTH):
            level = [child for node in level for child in _children(node)]
        if level:
            raise _too_deep()
    if _SUSPECT.search(source):
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise OutputError("the JSON in the output holds half a character (a lone surrogate)") from None
        except ValueError:
            raise OutputError("the JSON in the output holds a number that is too large") from None


def _children(node: object) -> list[object]:
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in values if isinstance(child, dict | list)]


def _began(text: str, start: int, error: json.JSONDecodeError) -> bool:
    """Whether more than the bracket was JSON: ``[see`` in prose is not, ``[1, see`` is."""
    return error.msg.startswith("Unterminated") or bool(text[start + 1 : error.pos].strip())


def _end_of_broken(text: str, start: int, error: json.JSONDecodeError) -> tuple[int, int]:
    """Where a broken value ends and where to look on; OutputError if the text ends in the middle of it."""
    depth = 0
    for match in _BRACKET.finditer(text, start):
        char = text[match.start()]
        depth += (char in "[{") - (char in "]}")
        if depth == 0:
            return match.end(), match.end()
    if error.msg.startswith("Unterminated") or not text[error.pos :].strip():
        raise OutputError("the JSON is cut off: the output ends in the middle of it")
    return len(text), max(error.pos, start + 1)
