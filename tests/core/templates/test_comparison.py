from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.core.results import Json
from pytest_lok.core.templates.comparison import compare, equal_json, is_in, json_type, require_boolean
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
    assert equal_json(one, other) is equal_json(other, one) is equal


def test_an_output_is_its_json_beside_json_and_else_its_text() -> None:
    output = OutputValue(StepView(as_data("a", ["x", 1]), {}))
    assert equal_json(output, ["x", 1])
    assert equal_json('["x", 1]', output)
    assert not equal_json(output, ["x", True])
    assert is_in("x", output)
    assert is_in('"x"', output)
    assert is_in(1, output)
    assert not is_in(True, output)


@pytest.mark.parametrize("pair", [(True, 1), (None, 1), ("1", 1), ({}, {}), (True, False), ([1], [2])])
def test_what_has_no_order(pair: tuple[Any, Any]) -> None:
    with pytest.raises(TemplateError, match="have no order"):
        compare(*pair)


def test_an_order() -> None:
    assert compare(1, 1.5) < 0 < compare("b", "a")
    with pytest.raises(TemplateError, match="no order"):
        compare(float("nan"), 1)


@pytest.mark.parametrize(
    ("value", "what"),
    [("false", "a string"), (1, "a number"), (None, "null"), ([], "an array"), ({}, "an object")],
)
def test_nothing_but_true_and_false_is_a_yes_or_no(value: Json, what: str) -> None:
    with pytest.raises(TemplateError, match=f"it is {what}, not true or false") as caught:
        require_boolean(value)
    assert "compare it" in caught.value.hint
    assert require_boolean(True) is True


def test_what_is_no_value_has_no_type() -> None:
    assert json_type(len) == ""
    with pytest.raises(TemplateError, match="no value, not true or false"):
        require_boolean(len)
    with pytest.raises(TemplateError, match="a text holds only texts, not a number"):
        is_in(1, "123")
    with pytest.raises(TemplateError, match="nothing can be in a number"):
        is_in(1, 123)
