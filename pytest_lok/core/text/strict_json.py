"""Text -> JSON: the value that a text is as a whole, each key written once; never a guess at a broken one."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NoReturn, TypeAlias, cast

from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError
from pytest_lok.late_regex import late_regex

Container: TypeAlias = "dict[str, Json] | list[Json]"

MAX_DEPTH = 100
"""Levels of nesting; beyond it, readers further on (journals, reports) would fail."""


def describe_type(value: object) -> str:
    """What JSON calls a value, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value)) or ("a number" if isinstance(value, int | float) else type(value).__name__)


def load(text: str) -> Json:
    """The value a text is as a whole; JSONDecodeError if it is none, OutputError if it cannot be used."""
    text = text.strip().removeprefix("\ufeff").lstrip()
    value, end = decode(text, 0)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def load_alone(text: str) -> Json:
    """The value a text is, or is but for one fence around it; errors as of ``load``."""
    try:
        return load(text)
    except json.JSONDecodeError:
        inner = unfenced(text)
        if inner == text:
            raise
        return load(inner)


def unfenced(text: str) -> str:
    """The content of a text that is one fence or one block quote; any other text as it is."""
    text = text.strip().removeprefix("\ufeff").strip()
    # an answer that is quoted as a whole, as in a mail
    if text.startswith(">") and all(line.lstrip()[:1] in ("", ">") for line in text.split("\n")):
        text = re.sub(r"^[ \t]*>[ \t]?", "", text, flags=re.MULTILINE).strip()
    opening = _FENCE.match(text)
    if opening is None or len(text) < opening.end() + len(opening[1]) or not text.endswith(opening[1]):
        return text
    return text[opening.end() : -len(opening[1])]


def load_stored(text: str) -> Any:
    """What a program wrote as JSON, each key once; JSONDecodeError if it is none, OutputError if unusable."""
    try:
        return _STORED.decode(text)
    except RecursionError:
        raise _too_deep() from None


def is_json(text: str) -> bool:
    """Whether the text as a whole is one JSON value."""
    try:
        load(text)
    except (json.JSONDecodeError, OutputError):
        return False
    return True


def canonical(value: Json) -> str:
    """The value as text that is the same for equal values alone: 1 equals 1.0, and neither true nor "1"."""
    return json.dumps(_numbers(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def decode(text: str, start: int) -> tuple[Json, int]:
    """The value at ``start`` and where it ends; JSONDecodeError if it is none, OutputError if unusable."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _too_deep() from None
    # a constant like NaN, or a number of thousands of digits
    except ValueError as bad:
        raise OutputError(f"the JSON in the output cannot be used: {bad}") from None
    # no copy of a long text that is one value
    _check(value, text if (start, end) == (0, len(text)) else text[start:end])
    return cast("Json", value), end


def broken_json(text: str, error: json.JSONDecodeError) -> OutputError:
    """What to say of something that began like JSON and is none."""
    if error.msg.startswith("Unterminated") or not text[error.pos :].strip(" \t\r\n`~"):
        return OutputError("the JSON is cut off: the output ends in the middle of it")
    where = f"{error.msg} at line {error.lineno} column {error.colno}"
    return OutputError(f"the JSON in the output is broken: {where}", hint="ask for JSON alone")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(pairs)
    # Python keeps the last of two values, and other readers the first
    if len(once) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise OutputError(
            f"the JSON in the output has a key twice in one object: {twice[:80]!r}",
            hint="only one of them can be meant",
        )
    return once


def _float(text: str) -> float:
    value = float(text)
    # 1e-400 becomes 0, which is another number
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise ValueError(f"the number {text[:80]} is too small to be told from 0")
    return value


# strict=False takes raw newlines inside strings: the one repair models need all the time
_DECODER = json.JSONDecoder(
    strict=False, parse_constant=_no_constant, parse_float=_float, object_pairs_hook=_unique_keys
)
_STORED = json.JSONDecoder(object_pairs_hook=_unique_keys)
_FENCE = late_regex(r"(`{3,}|~{3,})[ \t]*(?:json[lc5]?\b)?", re.IGNORECASE)
# half a character, or perhaps no finite number
_SUSPECT = late_regex(r"\\u[dD][89a-fA-F]|[eE]\+?\d{3}|\d{300}")


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


def _numbers(value: Json) -> Json:
    """The value with whole numbers as integers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return {key: _numbers(item) for key, item in value.items()} if isinstance(value, dict) else value
