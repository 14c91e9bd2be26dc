from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.core.results import Json
from pytest_lok.core.templates.comparison import among, kind, ordered, same, yes
from pytest_lok.core.templates.values import OutputValue, StepView
from pytest_lok.errors import TemplateError
from tests.core.scopes import as_data


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        ("true", True, False),
        (None, False, False),
        (None, "", False),
        ([], {}, False),
        ([1, [True]], [1, [1]], False),
        ([1, [True]], (1, [True]), True),
        ({"a": 1, "b": None}, {"b": None, "a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
    ],
)
def test_same(one: Json, other: Json, equal: bool) -> None:
    assert same(one, other) is same(other, one) is equal


def test_an_output_is_its_json_beside_json_and_else_its_text() -> None:
    output = OutputValue(StepView(as_data("a", ["x", 1]), {}))
    assert same(output, ["x", 1])
    assert same('["x", 1]', output)
    assert not same(output, ["x", True])
    assert among("x", output)
    assert among('"x"', output)
    assert among(1, output)
    assert not among(True, output)


@pytest.mark.parametrize("pair", [(True, 1), (None, 1), ("1", 1), ({}, {}), (True, False), ([1], [2])])
def test_what_has_no_order(pair: tuple[Any, Any]) -> None:
    with pytest.raises(TemplateError, match="have no order"):
        ordered(*pair)


def test_an_order() -> None:
    assert ordered(1, 1.5) < 0 < ordered("b", "a")
    with pytest.raises(TemplateError, match="no order"):
        ordered(float("nan"), 1)


@pytest.mark.parametrize(
    ("value", "what"),
    [("false", "a string"), (1, "a number"), (None, "null"), ([], "an array"), ({}, "an object")],
)
def test_nothing_but_true_and_false_is_a_yes_or_no(value: Json, what: str) -> None:
    with pytest.raises(TemplateError, match=f"it is {what}, not true or false") as caught:
        yes(value)
    assert "compare it" in caught.value.hint
    assert yes(True) is True


def test_what_is_no_value_has_no_type() -> None:
    assert kind(len) == ""
    with pytest.raises(TemplateError, match="no value, not true or false"):
        yes(len)
    with pytest.raises(TemplateError, match="a text holds only texts, not a number"):
        among(1, "123")
    with pytest.raises(TemplateError, match="nothing can be in a number"):
        among(1, 123)
