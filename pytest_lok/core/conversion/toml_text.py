"""Values → TOML as people write it: texts over several lines stay so, and all else stands in one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lok.late_regex import late_regex

_BARE = late_regex(r"[A-Za-z0-9_-]+")
_LITERAL = late_regex(r"[^'\x00-\x1f\x7f\ud800-\udfff]*")
_WIDE = 100
_MOST_VALUES = 50_000


def key_line(key: str, value: Any) -> str:
    """``key = value``; ValueError where TOML cannot say the value."""
    return f"{_key(key)} = {_value(value)}"


def plain(value: Any) -> Any:
    """A copy of a value with what TOML can say: texts, numbers, booleans, lists, tables; null is ``""``.

    ValueError where there are too many values: aliases of YAML may stand for very many.
    """
    return _plain(value, [_MOST_VALUES])


def _plain(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"it holds more than {_MOST_VALUES:,} values")
    if isinstance(value, Mapping):
        return {str(key): _plain(held, left) for key, held in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(held, left) for held in value]
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return "" if value is None else str(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)


def quoted(text: str) -> str:
    """The text between quotes, in one line."""
    return '"' + re.sub(r'[\x00-\x1f\x7f"\\]', _escaped, _whole(text)) + '"'


def _whole(text: str) -> str:
    """The text without half characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _escaped(match: re.Match[str]) -> str:
    short = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return short.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _lines(text: str) -> str:
    """The text between three quotes, over several lines."""
    escaped = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\\]", _escaped, _whole(text))
    return '"""\n' + re.sub(r'"(?=""|\Z)', r"\"", escaped) + '"""'


def _value(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return _lines(value)
    inline = _inline(value)
    if isinstance(value, list) and len(inline) > _WIDE:
        return "[\n" + "".join(f"  {_inline(held)},\n" for held in value) + "]"
    return inline


def _inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            # what holds quotes is easier to read between single ones
            return f"'{value}'" if '"' in value and _LITERAL.fullmatch(value) else quoted(value)
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case dict():
            inside = ", ".join(f"{_key(key)} = {_inline(held)}" for key, held in value.items())
            return f"{{ {inside} }}" if inside else "{}"
    raise ValueError(f"TOML has no {type(value).__name__}")
