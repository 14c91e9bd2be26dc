"""Values -> numbers: what is no number is an error, and true and false are none."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2.filters
import jinja2.tests
from jinja2 import Environment, pass_environment

from pytest_lok.core.templates.limits import MAX_BITS
from pytest_lok.core.templates.values import plain
from pytest_lok.core.text.strict_json import describe_type
from pytest_lok.core.text.truncation import truncate
from pytest_lok.errors import TemplateError

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST = MAX_BITS // 4
"""Digits of a number."""

_SHOWN = 40
_NO_DEFAULT: Any = object()


def number(value: object) -> int | float | None:
    """The number that a value is, or that a text says and nothing else; None where there is none."""
    value = plain(value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
            return None
        value = int(text) if _WHOLE.fullmatch(text) else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def whole(value: Any, default: Any = _NO_DEFAULT, base: int = 10) -> Any:
    """``| int``: a whole number, what is behind the point left out."""
    if base != 10 and isinstance(plain(value), str):
        try:
            return int(plain(value)[:_LONGEST], base)  # type: ignore[index]  # it is a text
        except ValueError:
            return _otherwise(value, default, "int")
    found = number(value)
    return _otherwise(value, default, "int") if found is None else int(found)


def decimal(value: Any, default: Any = _NO_DEFAULT) -> Any:
    """``| float``."""
    found = number(value)
    return _otherwise(value, default, "float") if found is None else float(found)


def _otherwise(value: Any, default: Any, name: str) -> Any:
    if default is not _NO_DEFAULT:
        return default
    value = plain(value)
    shown = describe_type(value)
    if isinstance(value, str):
        shown = repr(truncate(value, _SHOWN))
    hint = f"let the answer be a number alone, or say what it counts as: `{name}(99)`"
    raise TemplateError(f"{shown} is no number", hint=hint)


@pass_environment
def total(environment: Environment, value: Any, attribute: str | int | None = None, start: float = 0) -> Any:
    """``| sum``, of numbers alone: adding up lists takes for ever, and true is not 1."""
    get = jinja2.filters.make_attrgetter(environment, attribute) if attribute is not None else plain
    what = "added up"
    return sum((_numeric(get(item), what) for item in value), _numeric(start, what))


def _numeric(value: Any, what: str = "counted with") -> Any:
    value = plain(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TemplateError(
        f"only numbers can be {what}, not {describe_type(value)}", hint="`| int` makes one of a text"
    )


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def counted(value: Any, *args: Any, **kwargs: Any) -> Any:
        return function(_numeric(value), *args, **kwargs)

    return counted


def arithmetic(*operands: Any) -> None:
    """TemplateError where an operand of an operation is true or false."""
    if any(isinstance(operand, bool) for operand in operands):
        raise TemplateError("true and false cannot be counted with", hint="compare them: `== true`")


NUMERIC: Mapping[str, Callable[..., Any]] = {
    "abs": _of_numbers(abs),
    "float": decimal,
    "int": whole,
    "round": _of_numbers(jinja2.filters.do_round),
    "sum": total,
}
NUMERIC_TESTS: Mapping[str, Callable[..., Any]] = {
    "divisibleby": _of_numbers(jinja2.tests.test_divisibleby),
    "even": _of_numbers(jinja2.tests.test_even),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": _of_numbers(jinja2.tests.test_odd),
}
