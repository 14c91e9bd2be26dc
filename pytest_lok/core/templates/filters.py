"""Filters and tests in which types count: those of numbers, and those that choose, order and group."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import jinja2.filters
import jinja2.tests
from jinja2 import Environment, pass_context, pass_environment

from pytest_lok.core.templates.comparison import BOOLEAN, distinct, require_one_type
from pytest_lok.core.templates.limits import MAX_BITS, budget_of
from pytest_lok.core.templates.values import unwrap
from pytest_lok.core.text.strict_json import describe_type
from pytest_lok.core.text.truncation import truncate
from pytest_lok.errors import TemplateError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from jinja2.runtime import Context

Filter = Callable[..., Any]
T = TypeVar("T")

# --- numbers


_NUMBER = late_regex(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = late_regex(r"[+-]?\d+", re.ASCII)
_LONGEST = MAX_BITS // 4
"""Digits of a number."""

_MAX_SHOWN = 40
_NO_DEFAULT: Any = object()


def number(value: object) -> int | float | None:
    """The number that a value is, or that a text says and nothing else; None where there is none."""
    value = unwrap(value)
    if isinstance(value, str):
        text = value.strip()
        # float() would take nan, inf and underscores; int() of many digits takes for ever
        if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
            return None
        value = int(text) if _WHOLE.fullmatch(text) else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def to_int(value: Any, default: Any = _NO_DEFAULT, base: int = 10) -> Any:
    """``| int``: a whole number, what is behind the point left out."""
    if base != 10 and isinstance(unwrap(value), str):
        try:
            return int(unwrap(value)[:_LONGEST], base)  # type: ignore[index]  # it is a text
        except ValueError:
            return _default_or_error(value, default, "int")
    found = number(value)
    return _default_or_error(value, default, "int") if found is None else int(found)


def to_float(value: Any, default: Any = _NO_DEFAULT) -> Any:
    """``| float``: a number, with what is behind the point."""
    found = number(value)
    return _default_or_error(value, default, "float") if found is None else float(found)


def _default_or_error(value: Any, default: Any, name: str) -> Any:
    if default is not _NO_DEFAULT:
        return default
    value = unwrap(value)
    shown = describe_type(value)
    if isinstance(value, str):
        shown = repr(truncate(value, _MAX_SHOWN))
    hint = f"let the answer be a number alone, or say what it counts as: `{name}(99)`"
    raise TemplateError(f"{shown} is no number", hint=hint)


@pass_environment
def sum_numbers(
    environment: Environment, value: Any, attribute: str | int | None = None, start: float = 0
) -> Any:
    """``| sum``, of numbers alone: adding up lists takes for ever, and true is not 1."""
    get, what = _key(environment, attribute), "added up"
    return sum((_numeric(get(item), what) for item in value), _numeric(start, what))


def _numeric(value: Any, what: str = "counted with") -> Any:
    value = unwrap(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TemplateError(
        f"only numbers can be {what}, not {describe_type(value)}", hint="`| int` makes one of a text"
    )


def _of_numbers(function: Filter) -> Filter:
    @functools.wraps(function)
    def counted(value: Any, *args: Any, **kwargs: Any) -> Any:
        return function(_numeric(value), *args, **kwargs)

    return counted


def reject_booleans(*operands: Any) -> None:
    """TemplateError where an operand of an operation is true or false."""
    if any(isinstance(operand, bool) for operand in operands):
        raise TemplateError("true and false cannot be counted with", hint="compare them: `== true`")


NUMERIC: Mapping[str, Filter] = {
    "abs": _of_numbers(abs),
    "float": to_float,
    "int": to_int,
    "round": _of_numbers(jinja2.filters.do_round),
    "sum": sum_numbers,
}
NUMERIC_TESTS: Mapping[str, Filter] = {
    "divisibleby": _of_numbers(jinja2.tests.test_divisibleby),
    "even": _of_numbers(jinja2.tests.test_even),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": _of_numbers(jinja2.tests.test_odd),
}


# --- choosing and ordering


_JINJA: Mapping[str, Filter] = jinja2.filters.FILTERS


def _selecting(name: str, given: int) -> Filter:
    """Jinja's, which without a test goes by a value's truth: where that decides, it has to be one."""
    function = _JINJA[name]

    @functools.wraps(function)
    def chosen(context: Context, value: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        # in a prompt, where nothing is decided, Jinja's truth is as good
        if len(args) == given and budget_of(context).strict:
            args = (*args, BOOLEAN)
        return function(context, value, *args, **kwargs)  # type: ignore[no-any-return]  # Jinja's

    return pass_context(chosen)


def _key(environment: Environment, attribute: str | int | None) -> Callable[[Any], Any]:
    return unwrap if attribute is None else jinja2.filters.make_attrgetter(environment, attribute)


def _ordering(name: str) -> Filter:
    """Jinja's, of values of one type: ``max`` of false and 0.5 is no number."""
    function = _JINJA[name]

    @functools.wraps(function)
    def ordered(environment: Environment, value: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        value = list(value)
        attribute = kwargs.get("attribute", args[-1] if len(args) > _BEFORE[name] else None)
        for one in attribute.split(",") if isinstance(attribute, str) else [attribute]:
            require_one_type(value, _key(environment, one))
        return function(environment, value, *args, **kwargs)

    return pass_environment(ordered)


_BEFORE = {"max": 1, "min": 1, "sort": 2}
"""How many options come before the attribute."""


@pass_environment
def _grouped(
    environment: Environment,
    value: Iterable[Any],
    attribute: str | int,
    default: Any = None,
    case_sensitive: bool = False,
) -> Any:
    get = jinja2.filters.make_attrgetter(environment, attribute, default=default)
    items = require_one_type(value, get)
    return _JINJA["groupby"](environment, items, attribute, default, case_sensitive)


@pass_environment
def _unique(
    environment: Environment,
    value: Iterable[T],
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> Iterator[T]:
    get = _key(environment, attribute)

    def key(item: T) -> Any:
        found = unwrap(get(item))
        return found.casefold() if isinstance(found, str) and not case_sensitive else found

    # Jinja's would put true and 1 together
    return distinct(value, key)


COMPARING: Mapping[str, Filter] = {
    **{name: _selecting(name, 0) for name in ("reject", "select")},
    **{name: _selecting(name, 1) for name in ("rejectattr", "selectattr")},
    **{name: _ordering(name) for name in _BEFORE},
    "groupby": _grouped,
    "unique": _unique,
}
