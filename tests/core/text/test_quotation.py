"""Whether a value of an answer stands in what the answer is to."""

from __future__ import annotations

import pytest

from pytest_lok.core.results import Json
from pytest_lok.core.text.quotation import is_quoted, without_values

VALUE: dict[str, Json] = {"a": 1, "b": "x"}
SOURCE = '{"a": 1, "b": "x"}'


@pytest.mark.parametrize(
    "material",
    [
        SOURCE,
        '{"b": "x", "a": 1.0}',
        '+ {"a": 1,\n+  "b": "x"}',
        '{\\"a\\": 1, \\"b\\": \\"x\\"}',
        "{'a': 1, 'b': 'x'}",
        '1: {"a": 1,\n2: "b": "x"}',
        "{&quot;a&quot;: 1, &quot;b&quot;: &quot;x&quot;}",
        '[0, {"c": {"a": 1, "b": "\\u0078"}}]',
    ],
)
def test_a_value_is_known_however_it_is_written(material: str) -> None:
    assert is_quoted(VALUE, SOURCE, f"before {material} after")


@pytest.mark.parametrize("material", ["", '{"a": 2, "b": "x"}', '{"a": 1}', '{"a": 1, "b": "x", "c": 0}'])
def test_another_value_is_not_it(material: str) -> None:
    assert not is_quoted(VALUE, SOURCE, material)


@pytest.mark.parametrize(
    ("pieces", "others", "left"),
    [
        (['a {"b": 1} c', "[1] d"], False, ["a  c", " d"]),
        (["a [1]", ' {"x": 2}'], True, ["a ", " "]),
        (['{"b": ', "} [1] x"], True, ['{"b": ', "}  x"]),
        (["[1] a]"], True, ["[1] a]"]),
        (['{"a": [1], "b": ', "}"], True, ['{"a": [1], "b": ', "}"]),
        (["no [words] {here}"], False, ["no [words] {here}"]),
    ],
)
def test_only_what_the_author_alone_wrote_is_left_out(
    pieces: list[str], others: bool, left: list[str]
) -> None:
    assert without_values(pieces, others=others) == left
