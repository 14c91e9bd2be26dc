from __future__ import annotations

import pytest

from pytest_lok.core.answers.output_format import parse_output
from pytest_lok.core.results import Json
from pytest_lok.core.workflow.model import Format
from pytest_lok.errors import OutputError


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (Format.TEXT, ' {"a": 1} ', ' {"a": 1} '),
        (Format.JSON, '{"a": 1}', {"a": 1}),
        (Format.JSON, "3", 3),
        (Format.JSON, "null", None),
        (Format.JSON, '"x"', "x"),
        (Format.JSON, "So: [1, 2].", [1, 2]),
        (Format.JSON_ARRAY, "[]", []),
        (Format.JSON_ARRAY, "```json\n[1]\n```", [1]),
        (Format.JSONL, '{"a": 1}\n\n[2]\r\n"x"\n4\n', [{"a": 1}, [2], "x", 4]),
        (Format.JSONL, "", []),
        (Format.JSONL, 'Here:\n```jsonl\n{"a": 1}\n{"a": "x\ny"}\n```\nBye', [{"a": 1}, {"a": "x\ny"}]),
        (Format.JSONL, '{\n "a": 1\n}\n{\n "a": 2\n}', [{"a": 1}, {"a": 2}]),
        (Format.LINES, " a \n\n\tb\r\n\u2028c\n", ["a", "b", "c"]),
        (Format.LINES, " \n", []),
    ],
)
def test_parses(form: Format, text: str, value: Json) -> None:
    assert parse_output(text, form) == value


@pytest.mark.parametrize(
    ("form", "text", "message", "hint"),
    [
        (Format.JSON, "", "the output is empty", "```json"),
        (Format.JSON, "prose", "the output holds no JSON", "```json"),
        (Format.JSON, '{"a": [1, 2', "cut off", ""),
        (Format.JSON_ARRAY, '{"a": 1}', "is a JSON object, not an array", "ask for a JSON array"),
        (Format.JSON_ARRAY, '{"findings": [1], "b": 2}', "is a JSON object", "in the field 'findings'"),
        (Format.JSON_ARRAY, "3", "the output is a number", ""),
        (Format.JSONL, "prose alone", "no lines of JSON", "one JSON value per line"),
        (Format.JSONL, '{"a": 1}\n{"a": }\n{"a": 3}', "broken: Expecting value at line 2", ""),
        (Format.JSONL, '{"a": 1}\n{"a": 2', "cut off", ""),
    ],
)
def test_refuses(form: Format, text: str, message: str, hint: str) -> None:
    with pytest.raises(OutputError) as caught:
        parse_output(text, form)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", [Format.JSON, Format.JSON_ARRAY, Format.JSONL, Format.LINES])
def test_large_output_does_no_harm(form: Format) -> None:
    line = '{"a": "' + "x" * 1000 + '"}\n'
    text = line * 20_000
    if form in (Format.JSON, Format.JSON_ARRAY):
        text = "[" + ",".join([line] * 20_000) + "]"
    value = parse_output(text, form)
    assert isinstance(value, list)
    assert len(value) == 20_000
