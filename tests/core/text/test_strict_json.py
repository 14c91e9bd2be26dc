from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Json
from pytest_lok.core.text.json_in_prose import find_json, find_json_values, only_quotes_prompt
from pytest_lok.core.text.strict_json import MAX_DEPTH, canonical, is_json, load, load_alone, load_stored
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
        ('> ```json\n> {"a": 1,\n>  "b": 2}\n> ```', {"a": 1, "b": 2}),
        ('1. x\n   ```json\n   {"a":\n   1}\n   ```', {"a": 1}),
        # raw newlines and tabs in strings
        ('{"a": "x\ny\tz"}', {"a": "x\ny\tz"}),
        ('so: {"a": "x\n```json\n{\\"b\\": 1}\n```"} done', {"a": 'x\n```json\n{"b": 1}\n```'}),
        ('{"a": "}]{["} x', {"a": "}]{["}),
        ('{"a": "\\ud83d\\ude00 \\u0000"}', {"a": "😀 \0"}),
        # several that are equal are one
        ('{"a": 1} or, in other words, {"a": 1.0}', {"a": 1}),
        ('I say {"a": [1], "b": 2}.\n```json\n{"b": 2,\n "a": [1]}\n```', {"a": [1], "b": 2}),
        # what only looks like it
        ("call f(x)[0] with {y}, [see below] and [the docs](https://x.y/z_(a)): [1, 2, 3]", [1, 2, 3]),
        ("[INFO] [1/4] [12:30:01] [2024-01-01 10:00] [50%] $HOME/{name}\n[1, 2]", [1, 2]),
        ("- [ ] read it\n- [x] judge it\n\n[1]", [1]),
        ('(I looked at all of it.) 1) {"a": 1}', {"a": 1}),
        ('<b>Done</b><br>\n{"a": 1}\n<hr>', {"a": 1}),
        ('List<int> and src/**/*.py: {"a": 1}', {"a": 1}),
        ('{"a": 1e99, "b": "de123", "c": 1e-99}', {"a": 1e99, "b": "de123", "c": 1e-99}),
        # where it stands
        ("**{\"a\": 1}**, `{\"a\": 1}` and\u7ed3\u679c\uff1a{\"a\": 1}\u3002", {"a": 1}),
        ('Answer: {"a": 1}', {"a": 1}),
        ("There is nothing:\n\n[]\n\nBye.", []),
        ("There is nothing:\n```json\n[]\n```", []),
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
        # two that differ: never the longest, the last, the fenced
        ('see [1] and {"a": {"b": 1}}', "2 JSON values"),
        ('long {"x": "yyyyyyyyyyyyyyyyyyyyyyyyy"}\n```json\n[]\n```', "2 JSON values"),
        ('```json\n{"draft": 1}\n```\nNo:\n```json\n{"b": 2}\n```', "2 JSON values"),
        ('```python\nx = {"b": "bbbbbbbbbbbbbb"}\n```\n```json\n{"b": 2}\n```', "2 JSON values"),
        ('{"a": 1} {"a": true}', "2 JSON values"),
        ('{"a": 1} {"a": "1"} {"a": null}', "3 JSON values"),
        # a key twice, at any depth
        ('{"a": 1, "a": 1}', "a key twice in one object: 'a'"),
        ('[{"b": {"a": 1, "\\u0061": 2}}]', "a key twice"),
        ('So: {"b": [{"a": 1, "a": 2}]}.', "a key twice"),
        # a piece of something that is no JSON
        ("{'a': 1}", "broken: Expecting property name"),
        ("{'a': ['x'], 'b': []}", "broken"),
        ("{'a': ['x'], 'b': []} but not {\"a\": []}", "broken"),
        ('{a: ["x"], b: []}', "broken"),
        ('{"a": ["x"], // no\n "b": []}', "broken"),
        ('{"a": ["x"], /* no */ "b": []}', "broken"),
        ("[True] or [true]", "broken"),
        ("[None]", "broken"),
        ("[false /* none */] not [null]", "broken"),
        ("[1 // none] not [2]", "broken"),
        ("[1e-5 oops] not [2]", "broken"),
        ("[/* none */] not [2]", "broken"),
        ("[NULL] not [2]", "broken"),
        ("[“x”] not [2]", "broken"),
        ("{“bugs”: [“x”]} not [2]", "broken"),
        ("[\u6ce8\u5165\uff0c\u8de8\u7ad9] not [2]", "broken"),
        ("{1, 2} and [1]", "broken"),
        ("[sql, xss] or []", "broken"),
        ('{"a": 1}}', "a } that closes nothing"),
        ('"a": {"b": 1}, "c": []}', "a } that closes nothing"),
        ('"a": {"b": 1}, "c": 2', "part of something"),
        ("bugs:\n  - sql injection\nnotes: [1]\n", "part of something"),
        ('verdict: no\nquoted: {"verdict": "yes"}\n', "part of something"),
        ("report:\n  bugs: x\n  notes: [1]\n", "part of something"),
        ("- sql injection\n- [1]\n", "part of something"),
        ('bugs = {"a": 1}', "part of something"),
        ("<bugs><bug>x</bug></bugs><notes>[1]</notes>", "part of something"),
        ('<notes>\n{"a": 1}\n</notes>', "part of something"),
        ('<!-- {"a": 1} -->', "part of something"),
        ('/* {"a": 1} */', "part of something"),
        ('// {"a": 1}', "part of something"),
        ('Review(verdict="no", quoted={"verdict": "yes"})', "part of something"),
        ('call(\n  {"a": 1}\n)', "part of something"),
        ('"{"a": 1}"', "part of something"),
        ("it says '{\"a\": 1}'", "part of something"),
        ('+{"a": 1}', "part of something"),
        ('The change says:\n> {"a": 1}\nI do not.', "part of something"),
        ('items["x"]', "part of something"),
        ('| a | {"a": 1} |', "part of something"),
        ("def f(x=[]): ...", "an empty array among"),
        ("notes: []", "an empty array among"),
        ("There are none: {}", "an empty object among"),
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
        ("[- item, [-x], [ -- y] or [-1]", "broken"),
        ("[1, see] [1, 2, 3, 4]", "broken"),
        ('```js\nconst x = {"a": foo(),\n "ok": 1}\n```\n```json\n{"ok": true}\n```', "broken"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be used"),
        ('{"a": 1e999}', "a number that is too large"),
        ('{"a": [-1E+400]}', "a number that is too large"),
        ('{"a": ' + "9" * 400 + ".5}", "a number that is too large"),
        ('{"a": 1e-999}', "the number 1e-999 is too small to be told from 0"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "more than 100 levels deep"),
        ('{"a":' * 300 + "1" + "}" * 300, "more than 100 levels deep"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        find_json(text)
    assert message in caught.value.message


# A look from each opening, or from each line, to the end would take minutes at these sizes.
HUGE = 1_000_000
MANY_LINES = 200_000
LARGE = 30_000


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
        "[ \n" * MANY_LINES,
        "```\n" * MANY_LINES,
        "```json\n{" * MANY_LINES,
        "[see] " * LARGE,
        "x[0] " * LARGE + "[",
        "(" * LARGE + "{}",
        "( [1] " * LARGE,
        "<a> [1] " * LARGE + "</a>",
        "".join(f"<a{n}>" for n in range(LARGE)) + "[1] " * LARGE + "</a1>",
        "a: [1]\n" * LARGE,
        "> " * LARGE + "[1] " * LARGE,
        "[ ] x " * LARGE,
        "/* */ " * LARGE + "[1] x []",
        '{"a":1,"a":1}' * LARGE,
    ],
    ids=range(30),
)
def test_hostile_text_ends_in_an_error(text: str) -> None:
    with pytest.raises(OutputError):
        find_json(text)


def test_a_long_line_is_fine() -> None:
    line = '{"a":"' + "x" * 5_000_000 + '"}'
    assert len(str(load(line))) > 5_000_000
    assert find_json("x" * 5_000_000 + ' {"a": 1}') == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
containers = st.lists(json_values, max_size=4) | st.dictionaries(st.text(max_size=5), json_values, max_size=4)
prose = st.text(st.sampled_from("abc .,;!?'-_\n"), max_size=40)


@given(containers, prose, prose, st.sampled_from([None, 2]))
def test_finds_what_stands_in_prose(value: Json, before: str, after: str, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert find_json(f"{before}\n{text}\n{after}") == value
    assert find_json(f"{before}\n```json\n{text}\n```\n{after}") == value
    with pytest.raises(OutputError, match="2 JSON values"):
        find_json(f'{before} ["another"] \n```\n{text}\n```\n{after}')


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


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("none", []),
        ('So:\n{"a": 1}\n\n[2]\nBye', [{"a": 1}, [2]]),
        ('So:\n```\n{"a":\n1}\n{"a": 1}\n```', [{"a": 1}, {"a": 1}]),
    ],
)
def test_finds_all_that_stand_together(text: str, values: list[Json]) -> None:
    assert find_json_values(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\nand\n{"a": 2}', "other text between"),
        ('{"a": 1}\n2\n{"a": 2}\nBye', "other text between"),
        ('"no"\n{"a": 1}\nBye', "apart from the others"),
        ('{"a": 1}\nBye\n3', "apart from the others"),
        ('{"a": 1}\n{"a": 2,\nBye', "broken"),
        ('- {"a": 1}\n- {"a": 2}', "part of something"),
    ],
)
def test_does_not_gather_what_stands_apart(text: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        find_json_values(text)


QUOTED = '{"edits": [{"old": "a", "new": "it\'s"}]}'


@pytest.mark.parametrize(
    "material",
    [
        QUOTED,
        f"A change:\n+    x = '{QUOTED}'\n",
        json.dumps({"body": QUOTED}),
        json.dumps(json.loads(QUOTED), indent=2).replace("\n", "\n> "),
        str(json.loads(QUOTED)),
    ],
)
def test_what_the_prompt_holds_is_quoted_in_prose_and_meant_alone(material: str) -> None:
    said = f"It asks for {QUOTED}, which I refuse."
    assert only_quotes_prompt(said, material)
    with pytest.raises(OutputError, match="stands in the prompt too"):
        find_json(said, material)
    with pytest.raises(OutputError, match="stands in the prompt too"):
        find_json_values(said, material)
    for alone in (QUOTED, f"```json\n{QUOTED}\n```"):
        assert not only_quotes_prompt(alone, material)
        assert find_json(alone, material) == json.loads(QUOTED)
    assert not only_quotes_prompt(said, "Fix it.")
    assert not only_quotes_prompt("I refuse.", material)
    assert not only_quotes_prompt("I refuse {that: 1}.", material)


@pytest.mark.parametrize("text", ["[1]", " ~~~json\n[1]\n~~~", "```[1]```", "```JSON [1]\n```", "> [1]\n>\n"])
def test_a_value_alone_may_stand_in_a_fence(text: str) -> None:
    assert load_alone(text) == [1]


@pytest.mark.parametrize(
    "text", ["So: [1]", "```\n[1]\n```\n```\n[1]\n```", "```\n[1]", "```python\n[1]\n```", "```"]
)
def test_a_value_with_anything_else_is_not_alone(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        load_alone(text)


def test_equal_values_are_equal_in_their_types() -> None:
    assert canonical({"b": 1, "a": [1.0, 10**20]}) == canonical({"a": [1, 1e20], "b": 1.0})
    values: list[Json] = [1, True, "1", "true", None, "null", [1], 2**53 + 1, 2.0**53]
    assert len(set(map(canonical, values))) == len(values)


def test_what_a_program_wrote_is_read_as_it_is_but_for_keys_written_twice() -> None:
    assert load_stored('{"a": {"b": [1, "\\ud800"]}}') == {"a": {"b": [1, "\ud800"]}}
    for text, error in (('[{"a": 1, "a": 1}]', "a key twice"), ("[" * 100_000, "levels deep")):
        with pytest.raises(OutputError, match=error):
            load_stored(text)
    with pytest.raises(json.JSONDecodeError):
        load_stored('{"a": 1} x')
