"""Conditions over random JSON: an evaluator of its own, which knows no Jinja, says what each comes to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
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


Document = Mapping[str, Json]


@dataclass(frozen=True)
class Part:
    """An expression's text and its value over a document (a call, since it may have none)."""

    text: str
    value: Callable[[Document], Any]
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


def truth(part: Part, over: Document) -> bool:
    value = part.value(over)
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
    return Part(text or json.dumps(value), lambda _: value)


def comparison(left: Part, operator: str, right: Part) -> Part:
    two = (left, right)

    def value(over: Document) -> bool:
        a, b = left.value(over), right.value(over)
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
    def value(over: Document) -> bool:
        if word == "and":
            return truth(left, over) and truth(right, over)
        return truth(left, over) or truth(right, over)

    return Part(f"({left.text} {word} {right.text})", value, decides=(left, right))


def negated(part: Part) -> Part:
    return Part(f"(not {part.text})", lambda over: not truth(part, over), decides=(part,))


def chosen(test: Part, one: Part, other: Part) -> Part:
    return Part(
        f"({one.text} if {test.text} else {other.text})",
        lambda over: one.value(over) if truth(test, over) else other.value(over),
        decides=(test,),
        inside=(one, other),
    )


def converted(part: Part, default: int | None) -> Part:
    text = f"({part.text} | int{'' if default is None else f'({default})'})"
    return Part(text, lambda over: whole(part.value(over), default), inside=(part,))


def picked(part: Part, item: Part) -> Part:
    """How many of an array are a value, by a filter."""

    def value(over: Document) -> int:
        wanted = typed(item.value(over))
        return sum(typed(one) == wanted for one in part.value(over))

    text = f"({part.text} | select('eq', {item.text}) | list | length)"
    return Part(text, value, inside=(part, item))


def field(name: str) -> Part:
    return Part(f"json.{name}", lambda over: over[name])


# Made once: a strategy that is built anew in each example costs more than what it draws.
documents = st.fixed_dictionaries(
    {
        "k": values,
        "m": values,
        "n": values,
        "p": st.lists(values, max_size=3),
        "q": st.lists(scalars, max_size=3),
    }
)
arrays = st.sampled_from([field("p"), field("q")])
fields = st.one_of(st.sampled_from([field("k"), field("m"), field("n")]), arrays)
leaf = st.one_of(fields, scalars.map(literal))


def more(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    return st.one_of(
        st.builds(comparison, inner, st.sampled_from(["==", "!=", "<", ">=", "in", "not in"]), inner),
        st.builds(joined, inner, st.sampled_from(["and", "or"]), inner),
        st.builds(negated, inner),
        st.builds(chosen, inner, inner, inner),
        st.builds(converted, fields, st.sampled_from([None, 99])),
        st.builds(picked, arrays, leaf),
    )


conditions = more(st.recursive(leaf, more, max_leaves=5))


@settings(max_examples=examples(400), deadline=None)
@given(documents, conditions)
def test_a_condition_is_a_yes_or_a_no_of_the_right_kind_or_an_error(
    document: dict[str, Json], part: Part
) -> None:
    try:
        condition = Condition.parse(part.text, VisibleNames(own=True))
    except SourceError:
        # known before it runs: some part that decides cannot be true or false, whatever is reached
        deciding = [part, *(one for each in part.all() for one in each.decides)]
        assert any(undecided(one, document) for one in deciding)
        return
    scope = Scope(own=as_data("me", document))
    try:
        expected: bool | None = truth(part, document)
    except NoValueError:
        expected = None
    try:
        found: bool | None = condition.holds(scope)
    except TemplateError:
        found = None
    assert found is expected


def undecided(part: Part, over: Document) -> bool:
    try:
        return truth(part, over) not in (True, False)
    except NoValueError:
        return True
