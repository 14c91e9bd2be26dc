"""Calls of tools as JSON: only a call of a tool that was offered, with one text, satisfies the schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.asking.tools import MOST_CALLS, Tool, ToolCalls, answer_schema, indecision

TOOLS = (Tool(name="ask_bob", description="Asks bob."), Tool(name="ask_cy", description="Asks cy."))
NAMES = [tool.name for tool in TOOLS]


def collected(*calls: tuple[Any, Any]) -> ToolCalls:
    found = ToolCalls()
    for place, (name, arguments) in enumerate(calls):
        found.take(place, name, arguments)
    return found


def is_valid(text: str) -> bool:
    """By another library than the engine's."""
    return bool(jsonschema.Draft202012Validator(answer_schema(TOOLS)).is_valid(json.loads(text)))


def test_an_answer_without_calls() -> None:
    assert json.loads(ToolCalls().to_json("yes", TOOLS)) == {"answer": "yes", "ask_bob": [], "ask_cy": []}
    assert ToolCalls().to_json(" \n", TOOLS) == ""


def test_pieces_of_two_calls_are_put_together() -> None:
    calls = ToolCalls()
    calls.take(0, "ask_bob", "")
    calls.take(0, None, '{"ques')
    calls.take(1, "ask_bob", {"question": "and you?"})
    calls.take(0, "", 'tion": "why?"}')
    said = json.loads(calls.to_json("I ask bob.", TOOLS))
    assert said == {"answer": "", "ask_bob": ["why?", "and you?"], "ask_cy": []}
    assert indecision(said) == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rm", {"question": "x"}),
        ("answer", {"question": "x"}),
        ("", {"question": "x"}),
        (None, None),
        (7, {"question": "x"}),
        ("ask_bob", None),
        ("ask_bob", ""),
        ("ask_bob", "{"),
        ("ask_bob", "[]"),
        ("ask_bob", '{"question": "a", "question": "b"}'),
        ("ask_bob", {"question": ""}),
        ("ask_bob", {"question": 7}),
        ("ask_bob", {"question": "x", "more": 1}),
        ("ask_bob", ["x"]),
    ],
)
def test_a_call_that_is_none_is_not_valid(name: Any, arguments: Any) -> None:
    assert not is_valid(collected((name, arguments)).to_json("", TOOLS))
    assert not is_valid(collected(("ask_cy", {"question": "x"}), (name, arguments)).to_json("", TOOLS))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["question", "x"]), inner),
    max_leaves=4,
)
_ARGUMENTS = _ANYTHING | _ANYTHING.map(json.dumps) | st.text(max_size=12)


@given(
    st.lists(st.tuples(st.sampled_from([*NAMES, "rm", "answer", ""]) | st.none(), _ARGUMENTS), max_size=7),
    st.text(max_size=5),
)
def test_whatever_is_called_only_good_calls_are_valid(calls: list[tuple[Any, Any]], answer: str) -> None:
    text = collected(*calls).to_json(answer, TOOLS)
    if not calls and not answer.strip():
        assert text == ""
        return
    good = all(name in NAMES and _question(arguments) for name, arguments in calls)
    few = all(sum(name == one for name, _ in calls) <= MOST_CALLS for one in NAMES)
    assert is_valid(text) is (good and few)
    if good and few:
        assert indecision(json.loads(text)) == ""


def _question(arguments: Any) -> str:
    """An oracle of its own: the text of a call with one text."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return ""
    match arguments:
        case {"question": str(text), **others} if not others:
            return text
    return ""


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"answer": "yes", "ask_bob": []}, ""),
        ({"answer": "", "ask_bob": ["x"]}, ""),
        ({"answer": "", "ask_bob": []}, "neither"),
        ({"answer": " ", "ask_bob": []}, "neither"),
        ({"answer": "yes", "ask_bob": ["x"]}, "both answers and calls ask_bob"),
    ],
)
def test_an_answer_decides(said: dict[str, Any], problem: str) -> None:
    assert problem in indecision(said)
    assert bool(indecision(said)) is bool(problem)
