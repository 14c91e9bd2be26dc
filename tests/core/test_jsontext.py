from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.jsontext import MAX_DEPTH, find_json, is_json, load, scan
from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n[1, "x"]\n', [1, "x"]),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('Here it is: {"a": {"b": [1]}} and that is all.', {"a": {"b": [1]}}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n[1]\n```', [1]),
        ('Text.\n\n~~~JSON\n[1]\n~~~\n', [1]),
        ('a\r\n```json\r\n{"a": 1}\r\n```\r\n', {"a": 1}),
        ('> ```json\n> {"a": 1}\n> ```', {"a": 1}),
        ('1. x\n   ```json\n   {"a":\n   1}\n   ```', {"a": 1}),
        # raw newlines and tabs in strings
        ('{"a": "x\ny\tz"}', {"a": "x\ny\tz"}),
        ('so: {"a": "x\n```json\n{\\"b\\": 1}\n```"} done', {"a": 'x\n```json\n{"b": 1}\n```'}),
        ('{"a": "}]{["} x', {"a": "}]{["}),
        ('{"a": "\\ud83d\\ude00 \\u0000"}', {"a": "😀 \0"}),
        # which one
        ('see [1] and {"a": {"b": 1}} and [2, 3]', {"a": {"b": 1}}),
        ('long {"x": "yyyyyyyyyyyyyyyyyyyyyyyyy"}\n```json\n[]\n```', []),
        ('```json\n{"draft": 1}\n```\nNo:\n```json\n{"b": 2}\n```', {"b": 2}),
        ('```python\nx = {"a": "bbbbbbbbbbbbbb"}\n```\n```json\n{"b": 2}\n```', {"b": 2}),
        # what only looks like it
        ("call f(x)[0] with {y}, [see below], {'a': 1} or {\"q\"}: [1, 2, 3]", [1, 2, 3]),
        ('```js\nconst x = {"a": foo(),\n "b": 1}\n```\n```json\n{"ok": true}\n```', {"ok": True}),
        ('{"a": 1e99, "b": "de123", "c": 1e-999}', {"a": 1e99, "b": "de123", "c": 0.0}),
        ("[- item, [-x], [ -- y] or [-1]", [-1]),
        ("[1, see] [1, 2, 3, 4]", [1, 2, 3, 4]),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
    ],
)  # fmt: skip
def test_finds(text: str, value: Json) -> None:
    assert find_json(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the output is empty"),
        (" \n", "the output is empty"),
        ("no JSON", "the output holds no JSON"),
        ("42", "the output is a number"),
        ('"{}"', "the output is a string"),
        ("{'a': 1}", "the output holds no JSON"),
        # cut off: never a smaller piece of it
        ('[{"a": 1}, {"b": 2', "cut off"),
        ('[{"a": 1}, {"b": 2}', "cut off"),
        ('[{"a": 1}, {"b": 2},', "cut off"),
        ('[{"a": 1}, {"b": "2', "cut off"),
        ('[{"a": 1}, {"b"', "cut off"),
        ('{"findings": []\n', "cut off"),
        ('Fine.\n```json\n[{"a": 1}, {"b": "x\n```\n', "cut off"),
        ('```json\n[]\n```\nAnd then:\n```json\n[{"a": 1}', "cut off"),
        # broken: the same
        ('[{"a": 1}, {"b": oops}, {"c": 3}]', "broken: Expecting value at line 1 column 18"),
        ('{"a": 1,}', "broken"),
        ('{"a": 1 "b": 2}', "broken: Expecting ',' delimiter"),
        ('{"a": "he said "no" to it"}', "broken"),
        ('```json\n{"a": 1,}\n```\nand {"b": 2}', "broken"),
        ("[1, see the rest", "broken"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be used"),
        ('{"a": 1e999}', "a number that is too large"),
        ('{"a": [-1E+400]}', "a number that is too large"),
        ('{"a": ' + "9" * 400 + ".5}", "a number that is too large"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "more than 100 levels deep"),
        ('{"a":' * 300 + "1" + "}" * 300, "more than 100 levels deep"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        find_json(text)
    assert message in caught.value.message


HUGE = 1_000_000


@pytest.mark.timeout(60)  # a hang guard: each is one or a few looks through the text
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[" * HUGE,
        "{" * HUGE,
        '{"' * HUGE,
        "[]" * HUGE,
        "{} " * HUGE,
        "[1," * HUGE,
        "[1,x" * HUGE,
        '[1,"x' * HUGE,
        '{"a":x' * HUGE,
        '{"a":1}x{"b"' * HUGE,
        '"' * HUGE,
        '{"a":"' + "\\" * HUGE,
        "{" + " " * HUGE,
        "{ " * HUGE,
        "[ \n" * HUGE,
        "```\n" * HUGE,
        "```json\n{" * HUGE,
    ],
    ids=range(19),
)
def test_hostile_text_ends_in_an_error(text: str) -> None:
    with pytest.raises(OutputError):
        find_json(text)


def test_a_long_line_is_fine() -> None:
    line = '{"a":"' + "x" * 50_000_000 + '"}'
    assert len(str(load(line))) > 50_000_000
    assert find_json("x" * 50_000_000 + '{"a": 1}') == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
containers = st.lists(json_values, max_size=4) | st.dictionaries(st.text(max_size=5), json_values, max_size=4)
prose = st.text(st.sampled_from("abc .,:;!?'()-_\n"), max_size=40)


@given(containers, prose, prose, st.sampled_from([None, 2]))
def test_finds_what_stands_in_prose(value: Json, before: str, after: str, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert find_json(before + text + after) == value
    assert find_json(f"{before}\n```json\n{text}\n```\n{after}") == value
    assert find_json(f"{before} [1] {{}} \n```\n{text}\n```\n{after}") == value


@given(containers, st.data())
def test_a_cut_answer_is_an_error(value: Json, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(1, len(text) - 1))
    with pytest.raises(OutputError):
        find_json("Findings: " + text[:cut])


@given(st.text(alphabet='{}[]",:\\ax1 \n`', max_size=60))
def test_any_text_is_json_or_an_error(text: str) -> None:
    try:
        value = find_json(text)
    except OutputError:
        return
    assert isinstance(value, dict | list)


@given(json_values)
def test_is_json(value: Json) -> None:
    assert is_json(json.dumps(value))
    assert load(f"\n {json.dumps(value)} ") == value
    assert not is_json(json.dumps(value) + " x")


def test_scan_yields_the_outermost_values_in_order() -> None:
    found = list(scan('a [1] b {"x": [2]} c [3, no] d [4]'))
    assert [one.json for one in found] == [[1], {"x": [2]}, None, [4]]
    assert found[2].broken.startswith("Expecting value")
