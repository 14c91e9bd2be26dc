from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import UsageError
from pytest_lok.mcp_server.arguments import (
    ToolCall,
    arguments_schema,
    changes_files,
    is_listable,
    plan_of,
    runs_commands,
    take_flag,
)

ARGS = """
[args.first]
required = true
position = 1
description = "the\\u001b first"
[args.flag]
choices = ["true", "false"]
[args.kind]
choices = ["a", "b"]
default = "a"
[[steps]]
name = "s"
shell = "echo {{ arg.first }} {{ arg.flag }} {{ arg.kind }}"
"""
LOOSE = '[[steps]]\nname = "s"\nshell = "echo {{ arg.1 }} {{ arg.2 }}"\n'


def workflow(text: str) -> Workflow:
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda *_: None, backends=["claude"])


def test_the_schema_says_what_is_declared() -> None:
    schema = arguments_schema(workflow(ARGS), "how to wait")
    assert schema["required"] == ["first"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "wait": {"type": "boolean", "default": False, "description": "how to wait"},
        "first": {"type": "string", "description": "the\\x1b first"},
        "flag": {"type": "boolean"},
        "kind": {"type": "string", "default": "a", "enum": ["a", "b"]},
    }
    loose = arguments_schema(workflow(LOOSE), "")["properties"]["values"]
    assert (loose["type"], loose["items"], loose["maxItems"]) == ("array", {"type": "string"}, 2)


def test_an_argument_of_its_own_wins_over_that_of_the_tool() -> None:
    own = workflow(
        '[args.wait]\ndescription = "mine"\n[[steps]]\nname = "s"\nshell = "echo {{ arg.wait }}"\n'
    )
    assert arguments_schema(own, "how to wait")["properties"]["wait"] == {
        "type": "string",
        "description": "mine",
    }
    assert plan_of(own, {"wait": "for me"}).arguments == {"wait": "for me"}


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ({"first": "x"}, {"1": "x", "first": "x", "kind": "a"}),
        ({"first": 12, "flag": True}, {"1": "12", "first": "12", "flag": "true", "kind": "a"}),
        (
            {"first": 1.5, "flag": False, "kind": "b"},
            {"1": "1.5", "first": "1.5", "flag": "false", "kind": "b"},
        ),
        ({"first": "--x; $(id)", "flag": None}, {"1": "--x; $(id)", "first": "--x; $(id)", "kind": "a"}),
        ({"values": ["x"]}, {"1": "x", "first": "x", "kind": "a"}),
    ],
)
def test_values_of_json_become_texts(given: dict[str, Any], bound: dict[str, str]) -> None:
    assert plan_of(workflow(ARGS), given).arguments == bound


@pytest.mark.parametrize(
    ("given", "why", "hint"),
    [
        ({}, "workflow 'w' needs the argument 'first'", "its arguments: first (required), flag, kind"),
        ({"first": None}, "needs the argument 'first'", "first (required)"),
        ({"frist": "x"}, "has no argument 'frist'", "did you mean 'first'?"),
        ({"first": ["x"]}, "argument 'first' is a text, and not ['x']", ""),
        ({"first": {"a": 1}}, "argument 'first' is a text", ""),
        ({"first": "x", "kind": "c"}, "cannot be 'c'", "choose one of: a, b"),
        ({"first": "x", "values": ["y"]}, "is given twice", ""),
        ({"values": ["x", "y"]}, "takes 1 values by position, and 2 were given", "first"),
        ({"values": "x"}, "a list of texts is needed", ""),
        ({"first": "x", "z" * 9_999: 1}, "has no argument", "its arguments"),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_do(given: dict[str, Any], why: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan_of(workflow(ARGS), given)
    assert why in refused.value.message
    assert hint in refused.value.hint
    assert len(refused.value.message) < 500
    assert "--lok-arg" not in str(refused.value)


def test_positional_values_without_names() -> None:
    assert plan_of(workflow(LOOSE), {"values": ["a", 2]}).arguments == {"1": "a", "2": "2"}


def test_a_call_reads_its_arguments_by_type() -> None:
    call = ToolCall(
        tool="t", given={"text": "x", "many": ["a", 1], "one": "a", "number": 2, "table": {"a": 1}}
    )
    assert (call.text("text"), call.text("missing", "d"), call.texts("many"), call.texts("one")) == (
        "x",
        "d",
        ["a", "1"],
        ["a"],
    )
    assert (call.number("number", 0, most=2), call.number("missing", 1, most=2)) == (2, 1)
    assert (call.table("table"), call.table("missing"), call.texts("missing")) == ({"a": 1}, {}, [])
    for wrong in (
        lambda: call.text("missing"),
        lambda: call.text("many"),
        lambda: call.number("text", 0, most=9),
        lambda: call.number("number", 0, most=1),
        lambda: call.table("many"),
        lambda: call.texts("table"),
        lambda: ToolCall(tool="t", given={"x": True}).number("x", 0, most=9),
        lambda: ToolCall(tool="t", given={"x": float("nan")}).number("x", 0, most=9),
        lambda: ToolCall(tool="t", given={"x": "  "}).text("x"),
        lambda: take_flag({"wait": 1}, "wait"),
        lambda: call.check({"text": {}}),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert take_flag({"wait": True, "a": 1}, "wait") == (True, {"a": 1})
    assert take_flag({"wait": None}, "wait") == (False, {})


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("review-pr", True),
        ("a_B9", True),
        ("a b", False),
        ("a.b", False),
        ("ü", False),
        ("x" * 49, False),
        ("", False),
        ("a\n", False),
    ],
)
def test_names_that_every_client_takes(name: str, listed: bool) -> None:
    assert is_listable(name) is listed


def test_what_a_workflow_may_do() -> None:
    asks = '[[steps]]\nname = "s"\nprompt = "x"\n'
    edits = asks + "apply_edits = true\n"
    verified = edits + 'verify = "true"\n'
    assert [(changes_files(workflow(it)), runs_commands(workflow(it))) for it in (asks, edits, verified, LOOSE)] == [
        (False, False), (True, False), (True, True), (False, True)
    ]  # fmt: skip
