"""The one JSON value that stands free in a text."""

from __future__ import annotations

import pytest

from pytest_lok.core.text.json_in_prose import QuotedError, find_json, find_json_values, only_quotes_prompt
from pytest_lok.errors import OutputError

VALUE = {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        'So:\n```json\n{"a": 1}\n```',
        'See [below]: {"a": 1}',
        '{"a": 1} that is, {"a": 1.0}',
        '<answer>{"a": 1}</answer>',
        '\\boxed{{"a": 1}}',
    ],
)
def test_prose_around_it_makes_no_difference(text: str) -> None:
    assert find_json(text) == VALUE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "holds no JSON"),
        ("", "is empty"),
        ("5", "is a number"),
        ('{"a": 1} and {"a": 2}', "2 JSON values"),
        ('x = {"a": 1}', "a part of something"),
        ('({"a": 1})', "a part of something"),
        ('<b>{"a": 1}</b>', "a part of something"),
        ("I found [] there", "an empty array"),
        ('{"a": 1', "cut off"),
        ("] no", "closes nothing"),
    ],
)
def test_what_is_not_one_free_value_is_an_error(text: str, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        find_json(text)


def test_what_stands_in_the_material_is_quoted() -> None:
    with pytest.raises(QuotedError):
        find_json('It says {"a": 1}.', 'x {"a": 1}')
    assert find_json('{"a": 1}', 'x {"a": 1}') == VALUE, "alone it is meant"
    assert only_quotes_prompt('It says {"a": 1}.', 'x {"a": 1}')
    assert not only_quotes_prompt('It says {"a": 2}.', 'x {"a": 1}')


def test_values_stand_together_or_are_none() -> None:
    assert find_json_values('x {"a": 1}\n{"b": 2} y') == [{"a": 1}, {"b": 2}]
    assert find_json_values("none") == []
    with pytest.raises(OutputError, match="other text between"):
        find_json_values('{"a": 1} or {"a": 2}')
