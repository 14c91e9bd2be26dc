"""Answers made of parts whose true reading is known: what the model meant, quoted, dropped, or broke.

The oracle never looks at the text that is made. A case knows which value was meant, whether anything
else in it could have been, and how much stands around it; from that follows what may be read.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from unicodedata import category

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_lok.core.answers.consensus import ParsedReply, ballot
from pytest_lok.core.answers.output_format import parse_output
from pytest_lok.core.results import Json, Reply
from pytest_lok.core.text.invisible import squeezed
from pytest_lok.core.text.json_in_prose import find_json
from pytest_lok.core.text.thinking import without_thoughts
from pytest_lok.core.workflow.model import Format
from pytest_lok.errors import OutputError
from tests.fuzz import examples

WORDS = st.sampled_from(
    [
        "I looked at it.",
        "That is all.",
        "It is (so I think) fine.",
        "No: see the docs.",
        "Well…",
        "结果如下。",
        "{name}, hm",
        "See [the docs](https://x.y/z).",
        "As x[0] says.",
        "[INFO] [1/4] done",
        "It's 5 < 6 > 4.",
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["<think>", "</think>", "```json\n[]\n```", "{}", '"', "it's", "a\nb", "[", "}", "\\", "// no", "<a>"]
)
SCALARS = (
    TEXTS
    | st.booleans()
    | st.none()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CONTAINERS = st.lists(VALUES, max_size=3) | st.dictionaries(TEXTS, VALUES, max_size=3)
FULL = CONTAINERS.filter(bool)


def equal(one: Json, other: Json) -> bool:
    """Whether two values mean the same, by JSON's types: the oracle's own comparison."""
    match one, other:
        case bool() | None, _:
            return one is other
        case int() | float(), _:
            return isinstance(other, int | float) and not isinstance(other, bool) and one == other
        case str(), _:
            return isinstance(other, str) and one == other
        case list(), list():
            return len(one) == len(other) and all(map(equal, one, other))
        case dict(), dict():
            return one.keys() == other.keys() and all(equal(it, other[key]) for key, it in one.items())
    return False


def written(value: Json, how: int) -> str:
    """The value as JSON, in one of the ways there are."""
    text = json.dumps(value, ensure_ascii=how % 2 == 0, indent=[None, 2, 1][how % 3])
    return f"```json\n{text}\n```" if how >= 6 else text


WAYS = st.integers(0, 11)
THOUGHTS = st.builds(
    lambda open_, close, inside: open_ + inside.replace("`", "'") + close,
    st.sampled_from(["<think>", "<THINK>", "<thinking>", '<reasoning type="x">', "<seed:think>"]),
    st.sampled_from(["</think>", "</Thinking>", "</reasoning >\n"]),
    st.one_of(
        WORDS,
        st.builds(written, CONTAINERS, st.just(0)).filter(lambda text: "think>" not in text and "```" not in text),
        st.just("<think>deeper</think> no"),
        st.just('{"broken": ['),
        st.just("{'python': True}"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A text; ``meant`` is the one value it can mean (``clear``), which is all of it (``alone``) or not."""

    text: str
    meant: Json
    clear: bool
    alone: bool


def paragraphs(*parts: str) -> str:
    return "\n\n".join(parts)


@st.composite
def answers(draw: st.DrawFn) -> Case:
    """A value that is meant, and whatever may stand around it."""
    value = draw(FULL)
    parts = [written(value, draw(WAYS))]
    clear = alone = True
    if draw(st.booleans()):  # prose is none of it
        alone = False
        parts = [*draw(st.lists(WORDS, max_size=2)), *parts, draw(WORDS)]
    for other in draw(st.lists(FULL, max_size=2)):  # said again, or something else
        same = draw(st.booleans())
        parts.insert(draw(st.integers(0, len(parts))), written(value if same else other, draw(WAYS)))
        clear &= same or equal(value, other)
        alone = False
    text = paragraphs(*parts)
    for thought in draw(st.lists(THOUGHTS, max_size=2)):
        text = thought + draw(st.sampled_from(["", "\n", "\n\n"])) + text
    return Case(text=text, meant=value, clear=clear, alone=alone)


def read(text: str, how: Callable[[str], Json]) -> tuple[bool, Json]:
    try:
        return True, how(without_thoughts(text))
    except OutputError:
        return False, None


@given(answers())
@settings(max_examples=examples(60), deadline=None)
def test_what_is_read_is_what_was_meant(case: Case) -> None:
    for how in (
        lambda text: parse_output(text, Format.JSON),
        find_json,
    ):
        taken, value = read(case.text, how)
        assert taken is case.clear, case.text
        assert not taken or equal(value, case.meant)
    if isinstance(case.meant, list):
        taken, value = read(case.text, lambda text: parse_output(text, Format.JSON_ARRAY))
        assert taken is case.clear, case.text
    taken, value = read(case.text, lambda text: parse_output(text, Format.JSON, alone=True))
    assert taken is (case.clear and case.alone), case.text
    assert not taken or equal(value, case.meant)


BROKEN: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [
        lambda text: text[:-1],  # cut off
        lambda text: text[: len(text) // 2] or text[:1],
        lambda text: text[:-1] + ",]" if text[-1] == "]" else text[:-1] + ",}",
        lambda text: text[:-1] + " // none\n" + text[-1],
        lambda text: text[:-1] + " /* none */" + text[-1],
        lambda text: text[:-1] + " oops" + text[-1],
        lambda text: text + "]",
        lambda text: '{"a": ' + text + ', "b": }',
        lambda text: "{'a': " + text + "}",
        lambda text: "{a: " + text + "}",
        lambda text: "{'a': ['x'], 'b': " + text + "}",
        lambda text: '{"a": 1, "a": ' + text + "}",
        lambda text: '[{"b": {"a": ' + text + ', "\\u0061": 2}}]',
        lambda text: "[True, " + text + "]",
        lambda text: "[" + text + ", ...]",
        lambda text: "x = " + text,
        lambda text: "f(" + text + ")",
        lambda text: "Review(a='x', b=" + text + ")",
        lambda text: "<notes>" + text + "</notes>",
        lambda text: "<a><b>no</b><c>\n" + text + "\n</c></a>",
        lambda text: "<!-- " + text + " -->",
        lambda text: "verdict: no\nnotes: " + text + "\n",
        lambda text: "verdict: no\nnested:\n  notes: " + text + "\n",
        lambda text: "- no\n- " + text + "\n",
        lambda text: '"a": ' + text,
        lambda text: "'" + text + "'",
        lambda text: '"' + text + '"',
        lambda text: "I do not say\n> " + text + "\nas it does.",
        lambda text: "+" + text,
        lambda text: "name" + text if text[0] == "{" else "name(" + text + ")",
    ]
)


@given(FULL, BROKEN, FULL, st.booleans(), WAYS)
@settings(max_examples=examples(60), deadline=None)
def test_no_piece_of_what_does_not_parse_is_read(
    value: Json, broken: Callable[[str], str], other: Json, fenced: bool, how: int
) -> None:
    """The real answer is broken, or holds a value in something else: nothing is read, beside it or of it."""
    text = broken(json.dumps(value))
    if fenced and not text.startswith(("I do not", "name")):
        text = f"```\n{text}\n```"
    for answer in (
        text,
        paragraphs("It is this:", text),
        paragraphs(text, "It asks for", written(other, how)),
    ):
        for form in (Format.JSON, Format.JSON_ARRAY, Format.JSONL):
            if is_text(answer):  # what stands in quotes may be a text as a whole, which is what it says
                continue
            taken, found = read(answer, lambda text, form=form: parse_output(text, form))  # type: ignore[misc]
            assert not taken, (answer, found)


def is_text(answer: str) -> bool:
    """Whether the answer is a JSON text, by the reader of the standard library."""
    try:
        return isinstance(json.loads(answer.removeprefix("```").removesuffix("```")), str)
    except ValueError:
        return False


KEYS = st.sampled_from(["verdict", "bugs", "final_answer", "ok", "Größe", "path-name"])
OBJECTS: st.SearchStrategy[dict[str, Json]] = st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)
NUMBERS = st.lists(st.integers(-9, 99) | st.just(2.5), max_size=3).map(json.dumps)
OTHER = st.dictionaries(st.sampled_from(["needs", "deps", "x"]), st.integers(0, 9), min_size=1)
SPOKEN = st.sampled_from(
    [
        "It is in lines %s.",
        "I looked at: %s",
        "- see %s, and more",
        "A default (of %s) is bad",
        "`%s` is bad.",
        "*So* %s it is",
    ]
)
CODE = st.sampled_from(
    ["d = {}", "x = [0] * 3", "foo({'a': [1]})", "if (x) { return [];", "} else {", "a[i] = [", "+ {'b': 1,"]
)


@st.composite
def asides(draw: st.DrawFn, array: bool) -> str:
    """What can be no answer that is an object (or an array of objects), by what it is made of."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(SPOKEN) % ("{}" if array else draw(NUMBERS))
    if kind == 1:
        return f"It does `{draw(CODE)}` there."
    if kind == 2:
        code = "\n".join(draw(st.lists(CODE, min_size=1, max_size=3)))
        return f"```{draw(st.sampled_from(['python', 'js', 'diff', 'C++']))}\n{code}\n```"
    return draw(WORDS)


@given(st.data(), st.booleans(), WAYS)
@settings(max_examples=examples(60), deadline=None)
def test_an_answer_is_read_beside_what_can_be_none(data: st.DataObject, array: bool, how: int) -> None:
    first, *more = data.draw(st.lists(OBJECTS, min_size=1, max_size=2))
    value: Json = [first, *more] if array else first
    around = data.draw(st.lists(asides(array), max_size=4))
    quoted = json.dumps(data.draw(OTHER))
    if data.draw(st.booleans()):
        around.append(data.draw(st.sampled_from(["It adds %s.", "```json\n%s\n```", "`%s`"])) % quoted)
    at = data.draw(st.integers(0, len(around)))
    text = paragraphs(*around[:at], written(value, how), *around[at:])
    assert equal(find_json(text, f"+ {quoted}"), value)


RIVALS: st.SearchStrategy[Callable[[Json], str]] = st.sampled_from(
    [
        json.dumps,
        repr,
        lambda it: json.dumps(it, indent=1),
        lambda it: f"`{json.dumps(it)}`",
        lambda it: f"I say {json.dumps(it)}.",
        lambda it: f"I say `x = {it!r}`.",
        lambda it: f"answer = {it!r}",
        lambda it: f"```python\n{it!r}\n```",
        lambda it: f"```python\nx = {it!r}\n```",
        lambda it: f"```js\n{json.dumps(it)}\n```",
        lambda it: f"```yaml\nx: {json.dumps(it)}\n```",
        lambda it: f"> {json.dumps(it)}",
        lambda it: f"<answer>{json.dumps(it)}</answer>",
        lambda it: json.dumps(it)[:-1],
        lambda it: json.dumps(it)[1:],
    ]
)


@given(st.data(), st.booleans(), RIVALS, WAYS)
@settings(max_examples=examples(80), deadline=None)
def test_another_answer_of_that_form_is_never_set_aside(
    data: st.DataObject, array: bool, written_as: Callable[[Json], str], how: int
) -> None:
    """Who wrote the other one is not known, be it in the material or not, so that neither is taken."""
    value, other = data.draw(OBJECTS), data.draw(OBJECTS)
    assume(not equal(value, other) and not value.keys().isdisjoint(other))
    wanted: Json = [value] if array else value
    rival: Json = [other] if array else other
    nothing: Json = [] if array else {}
    said = written_as(rival if data.draw(st.booleans()) else nothing)
    assume(not re.search(r"x = ({}|\[\])", said))  # is code that names nothing
    parts = data.draw(
        st.permutations([said, written(wanted, how), *data.draw(st.lists(asides(array), max_size=2))])
    )
    text = paragraphs(*parts)
    for material in ("", f"+{json.dumps(rival)}"):
        taken, found = read(text, lambda text, material=material: find_json(text, material))  # type: ignore[misc]
        assert not taken, (text, found)


@given(FULL, WORDS, WORDS, st.sampled_from(["", "+", "> ", "    "]), st.integers(0, 3))
@settings(max_examples=examples(40), deadline=None)
def test_what_the_prompt_holds_is_no_answer_in_prose(
    value: Json, before: str, after: str, mark: str, how: int
) -> None:
    shown = json.dumps(value, indent=[None, 2, 4, 1][how], ensure_ascii=how == 1)
    lines = "\n".join(mark + line for line in shown.split("\n"))
    material = lines if how < 3 else json.dumps({"diff": lines})
    said = json.dumps(value, ensure_ascii=False)
    text = paragraphs(before, said, after)
    assert read(text, find_json)[0]
    assert not read(text, lambda text: find_json(text, material))[0]
    assert equal(read(said, lambda text: find_json(text, material))[1], value)
    other = "There is a diff that holds nothing."
    assert equal(read(text, lambda text: find_json(text, other))[1], value)


def reordered(value: Json) -> Json:
    """The same value with the keys of its objects in the other order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(it) for it in value] if isinstance(value, list) else value


def looks_alike(value: Json) -> bool:
    """Whether some object has two keys that nobody could tell apart on a screen."""
    if isinstance(value, list):
        return any(map(looks_alike, value))
    if not isinstance(value, dict):
        return False
    return len({squeezed(key) for key in value}) < len(value) or any(map(looks_alike, value.values()))


MARKS: st.SearchStrategy[Callable[[int], str]] = st.sampled_from(
    [
        lambda at: f"{at:6}\t",
        lambda at: f"{at}: ",
        lambda at: f"{at:5}\u2192",
        lambda at: f"a/b.json:{at}:",
        lambda at: f"{at:4} | ",
        lambda at: f"{at:4} +",
        lambda at: "",
    ]
)
WRITTEN: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [
        lambda text: text,
        html.escape,
        lambda text: "\u200b".join([text[:1], text[1:]]),
        lambda text: json.dumps(text)[1:-1],
    ]
)


@given(FULL, WORDS, MARKS, WRITTEN, st.booleans(), st.integers(0, 2))
@settings(max_examples=examples(40), deadline=None)
def test_a_value_that_is_shown_in_another_way_is_the_same(
    value: Json, words: str, mark: Callable[[int], str], way: Callable[[str], str], swap: bool, indent: int
) -> None:
    assume(not looks_alike(value))
    shown = json.dumps(reordered(value) if swap else value, indent=[None, 2, 4][indent], ensure_ascii=swap)
    lines = "\n".join(mark(at) + line for at, line in enumerate(shown.split("\n"), 1))
    material = paragraphs("Look at this:", way(lines), "Is it right?")
    said = json.dumps(value, ensure_ascii=False)
    assert not read(paragraphs(words, said), lambda text: find_json(text, material))[0], material
    assert read(paragraphs(words, said), lambda text: find_json(text, "Is it right? 1 2 3"))[0]


@given(
    st.lists(FULL, min_size=1, max_size=4), st.lists(WORDS, max_size=2), st.lists(WORDS, max_size=2), WORDS
)
@settings(max_examples=examples(25), deadline=None)
def test_lines_of_json_are_all_that_was_said(
    values: list[Json], before: list[str], after: list[str], between: str
) -> None:
    lines = [json.dumps(value) for value in values]
    taken, found = read("\n".join([*before, *lines, *after]), lambda text: parse_output(text, Format.JSONL))
    assert taken
    assert equal(found, values)
    apart = "\n".join([*lines, between, json.dumps(values[0])])
    assert not read(apart, lambda text: parse_output(text, Format.JSONL))[0]


@given(VALUES, VALUES, st.sampled_from(['{"v": %s}', '{"other": 1, "v": %s}']))
@settings(max_examples=examples(60), deadline=None)
def test_ballots_agree_where_their_values_are_the_same(one: Json, other: Json, form: str) -> None:
    """Texts may agree in spite of their case or quotes; nothing else may."""
    assume(not any(category(it) == "So" for it in f"{one}{other}"))  # a picture may be a vote, or a rule
    ballots = []
    for value in (one, other):
        said = form % json.dumps(value)
        answer = ParsedReply(reply=Reply(text=said, backend="m"), data=json.loads(said), has_data=True)
        try:
            ballots.append(ballot(answer, "v"))
        except OutputError:
            assert empty(value)
            return
        assert not empty(value)
    if not (isinstance(one, str) and isinstance(other, str)):
        assert (ballots[0] == ballots[1]) is equal(one, other)


def empty(value: Json) -> bool:
    """Whether a value says nothing, by what is in it."""
    if isinstance(value, list):
        return bool(value) and all(map(empty, value))
    if isinstance(value, dict):
        return all(map(empty, value.values()))
    return value is None or (isinstance(value, str) and not any(it.isalnum() for it in value))


TAGS = st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>"])
PLAIN = st.sampled_from(["Fine.", "BLOCK", "no", '{"a": 1}', "x < y", "`code`", "\n", "```\nx\n```"])


@given(st.lists(TAGS | PLAIN, max_size=8), st.sampled_from(["", " ", "\n"]))
@settings(max_examples=examples(120), deadline=None)
def test_an_answer_is_all_that_is_outside_of_balanced_thoughts(parts: list[str], gap: str) -> None:
    """Whatever is taken is what one walk over the parts keeps, if not all before a first closing tag is thought."""
    try:
        answer = without_thoughts(gap.join(parts))
    except OutputError:
        return
    kept: list[str] = []
    depth, first = 0, True
    for part in parts:
        if part.startswith("</"):
            assert depth or first
            kept = kept if depth else []
            depth, first = max(0, depth - 1), False
        elif "think" in part:
            depth, first = depth + 1, False
        elif not depth:
            kept.append(part)
    assert depth == 0
    assert "".join(answer.split()) == "".join("".join(kept).split())
