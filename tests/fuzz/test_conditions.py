"""Conditions over random JSON: an evaluator of its own, which knows no Jinja, says what each comes to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.results import Json
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import SourceError, TemplateError
from tests.core.scopes import as_data
from tests.fuzz import examples

scalars = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-2, 2),
    st.sampled_from([0.0, 1.0, 0.5, -1.5]),
    st.sampled_from(["", "true", "false", "1", "0", "no", "a", "ab", "null", "9/10", " 1 ", "1.0", "nan"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=5,
)


class NoValueError(Exception):
    """There is no such value."""


@dataclass(frozen=True)
class Part:
    """An expression's text and its value (a call, since it may have none)."""

    text: str
    value: Callable[[], Any]
    decides: tuple[Part, ...] = ()
    inside: tuple[Part, ...] = ()

    def all(self) -> Iterator[Part]:
        yield self
        for part in (*self.decides, *self.inside):
            yield from part.all()


def typed(value: Any) -> Any:
    """The value with the type of everything in it, so that Python's own == is strict."""
    match value:
        case bool():
            return ("truth", str(value))
        case int() | float():
            return ("number", float(value))
        case str():
            return ("text", value)
        case None:
            return ("null",)
        case list():
            return ("array", tuple(typed(item) for item in value))
    return ("object", tuple(sorted((key, typed(item)) for key, item in value.items())))


def truth(part: Part) -> bool:
    value = part.value()
    if value is not True and value is not False:
        raise NoValueError
    return bool(value)


def less(left: Any, right: Any) -> bool:
    kinds = typed(left)[0], typed(right)[0]
    if kinds not in (("number", "number"), ("text", "text")):
        raise NoValueError
    return bool(left < right)


def holds(item: Any, owner: Any) -> bool:
    match owner:
        case str():
            if not isinstance(item, str):
                raise NoValueError
            return item in owner
        case list():
            return typed(item) in [typed(one) for one in owner]
        case dict():
            return isinstance(item, str) and item in owner
    raise NoValueError


def whole(value: Any, default: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    text = value.strip() if isinstance(value, str) else "-"
    if text in ("1", "0"):
        return int(text)
    if text == "1.0":
        return 1
    if default is None:
        raise NoValueError
    return default


def literal(value: Any) -> Part:
    text = (
        {True: "true", False: "false", None: "none"}[value]
        if value in (None,) or isinstance(value, bool)
        else None
    )
    return Part(text or json.dumps(value), lambda: value)


def comparison(left: Part, operator: str, right: Part) -> Part:
    two = (left, right)

    def value() -> bool:
        a, b = left.value(), right.value()
        match operator:
            case "==":
                return bool(typed(a) == typed(b))
            case "!=":
                return bool(typed(a) != typed(b))
            case "<":
                return less(a, b)
            case ">=":
                return not less(a, b)
            case "in":
                return holds(a, b)
        return not holds(a, b)

    return Part(f"({left.text} {operator} {right.text})", value, inside=two)


def joined(left: Part, word: str, right: Part) -> Part:
    def value() -> bool:
        if word == "and":
            return truth(left) and truth(right)
        return truth(left) or truth(right)

    return Part(f"({left.text} {word} {right.text})", value, decides=(left, right))


def negated(part: Part) -> Part:
    return Part(f"(not {part.text})", lambda: not truth(part), decides=(part,))


def chosen(test: Part, one: Part, other: Part) -> Part:
    return Part(
        f"({one.text} if {test.text} else {other.text})",
        lambda: one.value() if truth(test) else other.value(),
        decides=(test,),
        inside=(one, other),
    )


def converted(part: Part, default: int | None) -> Part:
    text = f"({part.text} | int{'' if default is None else f'({default})'})"
    return Part(text, lambda: whole(part.value(), default), inside=(part,))


def picked(part: Part, item: Part) -> Part:
    """How many of an array are a value, by a filter."""

    def value() -> int:
        owner = part.value()
        if not isinstance(owner, list):
            raise NoValueError
        return sum(typed(one) == typed(item.value()) for one in owner)

    text = f"({part.text} | select('eq', {item.text}) | list | length)"
    return Part(text, value, inside=(part, item))


@st.composite
def conditions(draw: st.DrawFn) -> tuple[dict[str, Json], Part]:
    document = draw(st.dictionaries(st.sampled_from(["k", "m", "n"]), values, min_size=1, max_size=3))
    fields = [Part(f"json.{key}", lambda key=key: document[key]) for key in document]  # type: ignore[misc]
    leaf = st.one_of(st.sampled_from(fields), scalars.map(literal))
    arrays = [f for f in fields if isinstance(f.value(), list)]

    def more(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
        kinds = [
            st.builds(comparison, inner, st.sampled_from(["==", "!=", "<", ">=", "in", "not in"]), inner),
            st.builds(joined, inner, st.sampled_from(["and", "or"]), inner),
            st.builds(negated, inner),
            st.builds(chosen, inner, inner, inner),
            st.builds(converted, st.sampled_from(fields), st.sampled_from([None, 99])),
        ]
        if arrays:
            kinds.append(st.builds(picked, st.sampled_from(arrays), leaf))
        return st.one_of(kinds)

    return document, draw(more(st.recursive(leaf, more, max_leaves=5)))


@settings(max_examples=examples(400), deadline=None)
@given(conditions())
def test_a_condition_is_a_yes_or_a_no_of_the_right_kind_or_an_error(
    case: tuple[dict[str, Json], Part],
) -> None:
    document, part = case
    try:
        condition = Condition.parse(part.text, VisibleNames(own=True))
    except SourceError:
        # known before it runs: some part that decides cannot be true or false, whatever is reached
        assert any(map(undecided, [part, *(one for each in part.all() for one in each.decides)]))
        return
    scope = Scope(own=as_data("me", document))
    try:
        expected: bool | None = truth(part)
    except NoValueError:
        expected = None
    try:
        found: bool | None = condition.holds(scope)
    except TemplateError:
        found = None
    assert found is expected


def undecided(part: Part) -> bool:
    try:
        return truth(part) not in (True, False)
    except NoValueError:
        return True
