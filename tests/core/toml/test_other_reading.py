"""Another reading of the same tables, by pydantic, takes and refuses the same documents."""

from __future__ import annotations

import datetime
import functools
import math
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.results import Json
from pytest_lok.core.toml.fields import (
    Bounds,
    Check,
    Convert,
    Table,
    declared_keys,
    key_types,
    keys,
)
from pytest_lok.core.toml.validation import fit
from pytest_lok.core.workflow.document import WorkflowDocument
from pytest_lok.settings import Settings

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 10**400, 0.0, 0.5, 1.5, -0.1, math.inf, math.nan),
    *("", "x", "90s", "high", "vote", "majority", "(", "(a)", [], [1], ["a"], [[]], {}, {"a": 1}),
    *({"severity": "high"}, {"severity": 3}, [{"name": "a"}], datetime.date(2026, 1, 1)),
]


def is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)


@functools.cache
def model(table: Any) -> Any:
    """The pydantic model of a table."""
    fields: dict[str, Any] = {
        name: (
            other_type(key_types(table)[name]),
            pydantic.Field(key.default, alias=key.alias or None, min_length=key.min_length or None),
        )
        for name, key in declared_keys(table).items()
    }

    def check(made: Any) -> Any:
        table(**{name: getattr(made, name) for name in made.model_fields_set}).check()
        return made

    after: dict[str, Any] = {"check": pydantic.model_validator(mode="after")(check)}
    return pydantic.create_model(
        table.__name__,
        __config__=pydantic.ConfigDict(extra="forbid", strict=True, protected_namespaces=()),
        __validators__=after,
        **fields,
    )


def other_type(kind: Any) -> Any:
    """The type that pydantic knows for one of ours."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Json:
        return pydantic.JsonValue
    if origin is Annotated:
        return functools.reduce(marked, kind.__metadata__, other_type(kind.__origin__))
    if origin in (Union, types.UnionType):
        return functools.reduce(lambda one, other: one | other, map(other_type, arguments))
    if origin in (list, dict):
        return origin[tuple(map(other_type, arguments))]
    return model(kind) if is_table(kind) else kind


def marked(kind: Any, mark: Any) -> Any:
    match mark:
        case Convert(function):
            return Annotated[kind, pydantic.BeforeValidator(function)]
        case Check(function):
            return Annotated[kind, pydantic.AfterValidator(checked(function))]
        case Bounds(ge=ge, gt=gt, le=le, finite=finite):
            said: dict[str, Any] = {"ge": ge, "gt": gt, "le": le, "allow_inf_nan": False if finite else None}
            return Annotated[kind, pydantic.Field(**{n: it for n, it in said.items() if it is not None})]
        case _:
            return kind


def checked(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        function(value)
        return value

    return run


def right(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, and some that are not quite."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return right(kind.__origin__)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(*(right(arm) for arm in arguments if arm is not types.NoneType))
    if origin is list:
        return st.lists(value(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(st.sampled_from("ab"), value(arguments[1]), max_size=2)
    if is_table(kind):
        return tables(kind)
    plain = {str: st.text(max_size=3), int: st.integers(-1, 3), float: st.floats(), bool: st.booleans()}
    return plain.get(kind, st.sampled_from(ODD))


def value(kind: Any) -> st.SearchStrategy[Any]:
    return st.one_of(*[right(kind)] * 5, st.sampled_from(ODD))


@functools.cache
def tables(table: Any) -> st.SearchStrategy[dict[str, Any]]:
    written = {key.alias or name: value(key_types(table)[name]) for name, key in declared_keys(table).items()}

    @st.composite
    def some(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from([*sorted(written), "nope"]), max_size=4, unique=True))
        return {
            key: draw(written.get(key, st.just(1))) for key in chosen if key != "nope" or draw(st.booleans())
        }

    return some()


def plain(read: Any) -> Any:
    """What was read, as values that compare: tables of either reading as dicts, numbers with their types."""
    if isinstance(read, Table):
        return {name: plain(getattr(read, name)) for name in read.written}
    if isinstance(read, pydantic.BaseModel):
        return {name: plain(getattr(read, name)) for name in read.model_fields_set}
    if isinstance(read, dict):
        return {name: plain(item) for name, item in read.items()}
    return [plain(item) for item in read] if isinstance(read, list) else (type(read), repr(read))


def both(table: Any, document: dict[str, Any]) -> tuple[Any, Any]:
    read, problems = fit(table, document, key_hint=lambda _: "")
    try:
        return (None if problems else plain(read)), plain(model(table).model_validate(document))
    except pydantic.ValidationError:
        return (None if problems else plain(read)), None


@pytest.mark.parametrize("table", [WorkflowDocument, Settings], ids=lambda it: it.__name__)
def test_both_readings_take_the_same_documents_for_the_same(table: Any) -> None:
    @settings(max_examples=200, deadline=None)
    @given(tables(table))
    def check(document: dict[str, Any]) -> None:
        ours, others = both(table, document)
        assert ours == others

    check()


def every(table: Any) -> dict[Any, None]:
    found: dict[Any, None] = {table: None}

    def walk(kind: Any) -> None:
        for inner in get_args(kind):
            walk(inner)
        if is_table(kind):
            found.update(every(kind))

    for kind in key_types(table).values():
        walk(kind)
    return found


@pytest.mark.parametrize("table", {**every(WorkflowDocument), **every(Settings)}, ids=lambda it: it.__name__)
def test_every_key_takes_the_same_values(table: Any) -> None:
    taken = 0
    for key in sorted(keys(table)):
        for odd in ODD:
            ours, others = both(table, {key: odd})
            assert ours == others, (key, odd)
            taken += ours is not None
    assert taken
