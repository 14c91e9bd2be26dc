"""Prompts whose JSON has a known writer: the author of the workflow, a value that was put in, or both.

The oracle never looks at the text of a prompt. A case remembers of each JSON value who wrote it; from that
follows whether an answer that mentions the value may be read as that value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.results import Json, Outcome, StepResult
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.json_in_prose import find_json
from pytest_lok.errors import OutputError
from tests.fuzz import examples

PROSE = st.sampled_from(
    ["Look at this:", "Say like this", "or, if {name} is bad,", "see [the docs]", "x[0] is so.", '"quoted"', "it's", "\n"]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["", "x", "a b", "it's", "é", "{", "}", "[", "]", "[]", '{"', '"', '"}', "\\", "a\nb"]
)
LEAVES = TEXTS | st.integers(-9, 99) | st.booleans() | st.none()
VALUES: st.SearchStrategy[Json] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
NAMES = VisibleNames(steps=frozenset(f"v{at}" for at in range(20)))
AROUND = st.sampled_from(["%s", "{%% if true %%}%s{%% endif %%}", "{%% for one in [1] %%}%s{%% endfor %%}"])
BETWEEN = st.sampled_from([" ", "\n", "\n\n"])


@dataclass(slots=True)
class Prompt:
    """A template's source, the outputs that its placeholders name, and who wrote which JSON value."""

    source: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    own: list[Json] = field(default_factory=list)
    of_others: list[Json] = field(default_factory=list)

    def placeholder(self, output: str) -> str:
        self.outputs.append(output)
        return f"{{{{ steps.v{len(self.outputs) - 1}.output }}}}"

    def read(self, literal: bool) -> str:
        """What the engine takes for text of others in this prompt."""
        done = {f"v{at}": _passed(f"v{at}", output) for at, output in enumerate(self.outputs)}
        source, scope = "".join(self.source), Scope(steps=done)
        template = Template.literal(source) if literal else Template.parse(source, NAMES)
        return template.without_author_json(scope, template.render(scope))


def _passed(name: str, output: str) -> StepResult:
    return StepResult(name=name, outcome=Outcome.PASSED, output=output)


def mentioned(value: Json, material: str) -> bool:
    """Whether an answer that mentions the value is read as it."""
    try:
        return find_json(f"I looked at it. {json.dumps(value)} That is all.", material) == value
    except OutputError:
        return False


@st.composite
def prompts(draw: st.DrawFn, anywhere: bool) -> Prompt:
    """Prose, and JSON by all kinds of writers. ``anywhere``: values may be cut inside of any token."""
    made = Prompt()
    for at in range(draw(st.integers(1, 4))):
        value: Json = {f"key{at}": draw(VALUES), "more": draw(VALUES), f"end{at}": draw(VALUES)}
        value = [value] if draw(st.booleans()) else value
        text = json.dumps(value, indent=draw(st.sampled_from([None, 1])))
        writer = draw(st.sampled_from(["author", "value", "both"]))
        (made.own if writer == "author" else made.of_others).append(value)
        if writer == "author":
            piece = text
        elif writer == "value":
            piece = made.placeholder(f"+ {text} {draw(PROSE)}")
        else:
            piece = _shared(draw, made, text, anywhere)
        made.source += [draw(PROSE), draw(BETWEEN), draw(AROUND) % piece, draw(BETWEEN)]
    made.source.append(draw(PROSE))
    return made


def _shared(draw: st.DrawFn, made: Prompt, text: str, anywhere: bool) -> str:
    """A JSON text of which one or two parts come from values."""
    places = _anywhere(draw, text) if anywhere else _tokens(draw, text)
    piece, at = "", 0
    for start, end in places:
        start = max(
            at, len(text[:start].rstrip("{"))
        )  # before a placeholder it would be a part of its bracket
        piece += text[at:start] + made.placeholder(text[start:end])
        at = end
    return piece + text[at:]


def _anywhere(draw: st.DrawFn, text: str) -> list[tuple[int, int]]:
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=4)))
    pairs = [(cuts[at], cuts[at + 1]) for at in range(0, len(cuts) - 1, 2)]
    kept = [(start, end) for start, end in pairs if text[start:end].strip()]
    return kept or [(text.index("key"), text.index("key") + 3)]


def _tokens(draw: st.DrawFn, text: str) -> list[tuple[int, int]]:
    """Where the names of keys stand, whose letters hold nothing that begins or ends anything."""
    places = [(text.index(name), text.index(name) + len(name)) for name in ("key", 'more"', "end")]
    places[1] = places[1][0], places[1][1] - 1
    return sorted(draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True)))


@given(prompts(anywhere=True), st.booleans())
@settings(max_examples=examples(40), deadline=None)
def test_what_others_wrote_in_part_is_quoted(prompt: Prompt, literal: bool) -> None:
    material = prompt.read(literal=False)
    for value in prompt.of_others:
        assert not mentioned(value, material), (prompt.source, value)
    if literal and not prompt.outputs:
        for value in prompt.own:
            assert not mentioned(value, prompt.read(literal=True)), (prompt.source, value)


@given(prompts(anywhere=False))
@settings(max_examples=examples(40), deadline=None)
def test_what_the_author_alone_wrote_is_no_quotation(prompt: Prompt) -> None:
    material = prompt.read(literal=False)
    for value in prompt.of_others:
        assert not mentioned(value, material), (prompt.source, value)
    for value in prompt.own:
        assert mentioned(value, material), (prompt.source, value)
