"""The options of an answer: what is right, by an oracle of another make, and what is said of what is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_lok.core.asking.answer_options import (
    ANYBODY,
    MCP,
    OPTIONS_OF,
    RESPONSES,
    Answerer,
    fault_of,
    in_words,
    who_knows,
)

KNOWN = [(kind, name) for kind, options in OPTIONS_OF.items() for name in options]
WORDS = sorted({word for kind, name in KNOWN for word in OPTIONS_OF[kind][name].words})
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-5, 1005),
    st.integers(),
    st.floats(-3, 3, allow_nan=False),
    st.sampled_from([*WORDS, "", " "]),
    st.lists(st.sampled_from([*WORDS, "Write", 1]), max_size=3),
    st.just({}),
)


@given(st.sampled_from(KNOWN), VALUES)
def test_a_value_is_right_where_its_schema_says_so(known: tuple[str, str], value: object) -> None:
    kind, name = known
    option = OPTIONS_OF[kind][name]
    right = Draft202012Validator(dict(option.schema)).is_valid(value)
    # JSON Schema takes 1.0 for a whole number, has no largest one, and knows no files
    if option.kind == "whole number":
        right = right and not isinstance(value, float) and isinstance(value, int) and abs(value) < 2**63
    if option.kind == "file":
        right = isinstance(value, str) and bool(value.strip())
    if option.kind == "number" and isinstance(value, (int, float)):
        right = right and value <= option.most
    assert (fault_of(Answerer(kind=kind), name, value) is None) is right
    if right:
        assert fault_of(ANYBODY, name, value) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "name"), [it for it in KNOWN if OPTIONS_OF[it[0]][it[1]].kind == "number"])
def test_what_is_no_finite_number_is_none(kind: str, name: str, value: float) -> None:
    assert fault_of(Answerer(kind=kind), name, value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "message", "hint"),
    [
        ("claude", "temperature", 0, 'of type "claude" knows no option `temperature`', "known to: anthropic, openai"),
        (RESPONSES, "seed", 1, f'of type "{RESPONSES}" knows no option `seed`', "known to: openai, gemini-api"),
        ("parrot", "seed", 1, 'of type "parrot" knows no option `seed`', "it knows none"),
        ("openai", "heat", 1, "knows no option `heat`", "it knows: temperature, top_p, seed"),
        ("anthropic", "temperature", 1.5, "must be a number from 0 to 1", ""),
        ("claude", "max_usd", 0, "must be a number, more than 0", ""),
        ("codex", "reasoning_effort", "max", 'must be one of "none", "minimal"', ""),
        ("claude", "tools", ["Read", "Write"], 'a list of tools that only read, which are "Read", "Grep", "Glob"', ""),
        ("scripted", "heat", 1, "`heat` is no option of any backend", "there are: frequency_penalty"),
        ("scripted", "seed", "1", "`seed` must be a whole number", ""),
    ],
)  # fmt: skip
def test_a_fault_says_what_is_wrong(kind: str, name: str, value: object, message: str, hint: str) -> None:
    found = fault_of(Answerer(kind=kind), name, value)
    assert found is not None
    assert message in found[0]
    assert hint in found[1]


@pytest.mark.parametrize("name", ["tools", MCP])
def test_no_tool_goes_beyond_the_access(name: str) -> None:
    value: object = ["Read"] if name == "tools" else "servers.json"
    assert fault_of(Answerer(kind="claude"), name, value) is None
    found = fault_of(Answerer(kind="claude", access="none"), name, value)
    assert found is not None
    assert 'access = "none"' in found[0]


def test_options_in_words() -> None:
    servers: Any = {"mcpServers": {"docs": {"command": "d", "env": {"KEY": "secret"}}}}
    assert (
        in_words({"seed": 1, "tools": ["Read"], MCP: servers})
        == 'seed = 1, tools = ["Read"], mcp = servers docs'
    )
    assert who_knows("max_usd") == ("claude",)
