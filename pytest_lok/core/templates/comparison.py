"""Two values -> equal, in each other, in order: types count, as in JSON, where true is not 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import pass_context

from pytest_lok.core.templates.limits import budget_of
from pytest_lok.core.templates.values import SEQUENCES, DataView, MissingValue, OutputValue, as_json, unwrap
from pytest_lok.core.text.strict_json import describe_type
from pytest_lok.errors import TemplateError

if TYPE_CHECKING:
    from jinja2.runtime import Context

    from pytest_lok.core.json_values import JsonType

T = TypeVar("T")

COMPARED = " compared"
"""The filter that a comparison becomes; the space keeps it out of a text's reach."""

BOOLEAN = " yes"
"""The test, and the filter, that takes nothing but true and false."""


def json_type(value: object) -> JsonType:
    """What JSON calls the value's type; "" for what is no value of it (methods, for example)."""
    match value:
        case bool():
            return "boolean"
        case str():
            return "text"
        case int() | float():
            return "number"
        case None:
            return "null"
        case dict():
            return "object"
        case MissingValue() | DataView():
            # a missing value raises an error of its own, which says more
            as_json(value)
    return "array" if isinstance(value, (list, *SEQUENCES)) else ""


def equal_json(left: Any, right: Any) -> bool:
    """Whether the two are the same value; a text, a number and a truth are never the same."""
    # a list of what is left to do, for values may be nested deeper than Python's stack
    todo = [_comparable_pair(left, right)]
    while todo:
        left, right = todo.pop()
        its = json_type(left)
        if its != json_type(right):
            return False
        if its == "array":
            left, right = list(left), list(right)
            if len(left) != len(right):
                return False
            todo += [_comparable_pair(a, b) for a, b in zip(left, right, strict=True)]
        elif its == "object":
            if left.keys() != right.keys():
                return False
            todo += [_comparable_pair(value, right[key]) for key, value in left.items()]
        elif left != right:
            return False
    return True


def _comparable_pair(left: Any, right: Any) -> tuple[Any, Any]:
    """An output is its JSON beside an array or object, and its text beside anything else."""
    if isinstance(left, OutputValue):
        left = left.unwrap() if isinstance(right, dict | list) else left.text
    if isinstance(right, OutputValue):
        right = right.unwrap() if isinstance(left, dict | list) else right.text
    return left, right


def is_in(item: Any, owner: Any) -> bool:
    """Whether a text holds a text, an array an item, or an object a key."""
    container: Any = unwrap(owner)
    # an output is a text too, whatever JSON it holds
    if isinstance(owner, OutputValue) and isinstance(item, str) and is_in(item, owner.text):
        return True
    match json_type(container):
        case "text":
            if json_type(item) != "text":
                raise TemplateError(
                    f"a text holds only texts, not {describe_type(unwrap(item))}", hint=TEXT_HINT
                )
            return plain_text(item) in container
        case "array":
            return any(equal_json(item, one) for one in container)
        case "object":
            return json_type(item) == "text" and plain_text(item) in container
    raise TemplateError(f"nothing can be in {describe_type(container)}")


TEXT_HINT = "write `| string` after a value to have it as text"


def plain_text(value: str) -> str:
    """A text without what else an output is."""
    return value.text if isinstance(value, OutputValue) else value


def compare(left: Any, right: Any) -> int:
    """Less than 0, 0, or more than 0; TemplateError unless both are numbers, or both texts."""
    left, right = _comparable_pair(left, right)
    its, other = json_type(left), json_type(right)
    if its != other or its not in ("number", "text"):
        raise TemplateError(
            f"{describe_type(unwrap(left))} and {describe_type(unwrap(right))} have no order",
            hint="compare numbers with numbers, and texts with texts; `| int` makes a number of a text",
        )
    # only NaN differs from itself
    if left != left or right != right:
        raise TemplateError("a value that is no number has no order")
    return int(left > right) - int(left < right)


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": equal_json,
    "ne": lambda left, right: not equal_json(left, right),
    "lt": lambda left, right: compare(left, right) < 0,
    "lteq": lambda left, right: compare(left, right) <= 0,
    "gt": lambda left, right: compare(left, right) > 0,
    "gteq": lambda left, right: compare(left, right) >= 0,
    "in": is_in,
    "notin": lambda item, owner: not is_in(item, owner),
}
"""By Jinja's names."""


@pass_context
def compared(context: Context, value: Any, *rest: Any) -> bool:
    """``a < b < c`` as ``compared(a, "lt", b, "lt", c)``."""
    values, operators = (value, *rest[1::2]), rest[::2]
    _charge(context, values)
    return all(OPERATORS[operator](*two) for operator, two in zip(operators, pairwise(values), strict=True))


def _charge(context: Context, values: Iterable[Any]) -> None:
    budget = budget_of(context)
    for value in values:
        budget.measure(unwrap(value))


def require_boolean(value: Any, what: str = "it") -> bool:
    """The value, if it is true or false; TemplateError says what it is instead."""
    value = unwrap(value)
    its = json_type(value)
    if isinstance(value, bool):
        return value
    said = describe_type(value) if its else "no value"
    raise TemplateError(f"{what} is {said}, not true or false", hint=COMPARISON_HINTS[its])


COMPARISON_HINTS: Mapping[JsonType, str] = {
    "text": "compare it, for example with `== 'yes'` or `!= ''`",
    "number": "compare it, for example with `> 0`",
    "array": "compare it, for example with `!= []`",
    "object": "compare it, for example with `!= {}`, or name one of its fields",
    "null": "compare it, for example with `!= none`",
    "": "call it, or name one of its fields",
}


def _test(operator: str) -> Callable[..., bool]:
    @pass_context
    def tested(context: Context, value: Any, other: Any, /) -> bool:
        _charge(context, (value, other))
        return OPERATORS[operator](value, other)

    return tested


_SPELLINGS = {
    "eq": ("==", "eq", "equalto"),
    "ne": ("!=", "ne"),
    "lt": ("<", "lt", "lessthan"),
    "lteq": ("<=", "le"),
    "gt": (">", "gt", "greaterthan"),
    "gteq": (">=", "ge"),
    "in": ("in",),
}
COMPARISONS: Mapping[str, Callable[..., bool]] = {
    name: _test(operator) for operator, names in _SPELLINGS.items() for name in names
}
"""The tests that compare, by every name they have."""


def require_one_type(values: Iterable[T], key: Callable[[T], Any]) -> list[T]:
    """The values; TemplateError where they are not all of one type, for what has to put them in order."""
    values = list(values)
    kinds = {json_type(unwrap(key(value))) for value in values}
    if len(kinds) > 1 or kinds & {"array", "object"}:
        raise TemplateError(f"there is no order among these types of values: {', '.join(sorted(kinds))}")
    return values


def distinct(values: Iterable[T], key: Callable[[T], Any]) -> Iterator[T]:
    """The values without those whose key was there before."""
    seen: set[object] = set()
    for value in values:
        if (known := _hashable(key(value))) not in seen:
            seen.add(known)
            yield value


def _hashable(value: Any) -> object:
    """A hashable value that is equal for equal JSON values alone."""
    value = unwrap(value)
    its = json_type(value)
    match its:
        case "array":
            return its, tuple(map(_hashable, value))
        case "object":
            return its, frozenset((key, _hashable(item)) for key, item in value.items())
        case _:
            return its, value
