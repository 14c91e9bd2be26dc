"""The values of arguments by their types: read in one way, or refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Json
from pytest_lok.core.value_types import TypeName, ValueType
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import PlanError, WorkflowError
from pytest_lok.mcp_server.arguments import arguments_schema, plan_of
from tests.cli.conftest import project
from tests.cli.projects import Project
from tests.mcp_server.test_arguments import workflow
from tests.plugin.conftest import Suite, suite

__all__ = ["project", "suite"]  # fixtures

WORKFLOW = """
[args.count]
type = "int"
min = 1
max = 9
default = 2
position = 1
[args.loud]
type = "bool"
[args.names]
type = "list"
pattern = "[a-z]+"
default = ["a"]
[args.file]
type = "path"
default = "here.txt"
[[steps]]
name = "say"
when = "arg.count > 1 and arg.1 < 9"
argv = ["echo", "{{ arg.count }} {{ arg.names }} {{ arg.file }}"]
[[steps]]
name = "each"
for_each = "arg.names"
argv = ["echo", "{{ item }}"]
[[steps]]
name = "shout"
when = "arg.loud | default(false)"
argv = ["echo", "LOUD {{ arg.loud }}"]
"""


def typed() -> Workflow:
    return workflow(WORKFLOW)


@given(st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_what_json_reads(number: float) -> None:
    assert ValueType(name="float").read(json.dumps(number)) == number
    if isinstance(number, int):
        assert ValueType(name="int").read(str(number)) == number
        fits = -5 <= number <= 5
        bounded = ValueType(name="int", least=-5, most=5)
        assert _read(bounded, str(number)) == ([number] if fits else [])


@given(st.integers(-(10**17), 10**17), st.sampled_from([-1, 0, 1]))
def test_limits_and_choices_of_numbers_are_exact_in_what_they_allow_and_say(number: int, off: int) -> None:
    given_ = str(number + off)
    for kind in (
        ValueType(name="int", least=number, most=number),
        ValueType(name="int", choices=("no number", str(number))),
    ):
        assert _read(kind, given_) == ([number] if off == 0 else [])
    assert ValueType(name="int", least=number, most=number).about == [
        f"at least {number}",
        f"at most {number}",
    ]


@given(st.sampled_from(["int", "float"]), st.text("0123456789-+.eE_ x\n\u0661\u221enaif", max_size=9))
def test_a_text_is_no_number_unless_it_is_json(name: TypeName, text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    good = isinstance(value, int) or (name == "float" and isinstance(value, float) and math.isfinite(value))
    for found in _read(ValueType(name=name), text):
        assert good
        assert text == text.strip()
        assert found == value


@given(st.lists(st.text(max_size=5), max_size=4))
def test_a_list_is_read_back_from_its_text(items: list[str]) -> None:
    kind = ValueType(name="list")
    assert kind.read(kind.text(list(items))) == items
    joined = ",".join(items)
    for found in _read(kind, joined) if not joined.startswith("[") else []:
        assert found == (joined.split(",") if joined else [])


@pytest.mark.parametrize("text", ["", "/etc", "..", "../x", "a/../../x", "\0", "a\0b"])
def test_a_path_stays_inside_of_the_project(text: str) -> None:
    assert _read(ValueType(name="path"), text) == []
    assert _read(ValueType(name="path"), "a/./b/../c") == ["a/c"]


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"count": "ten"}, "'count' of workflow 'w' must be a whole number, and not 'ten'"),
        ({"count": "0"}, "must be at least 1"),
        ({"count": "10"}, "must be at most 9"),
        ({"count": "2.0"}, "must be a whole number"),
        ({"count": "9" * 19}, "must be a whole number of at most 18 digits, and not"),
        ({"loud": "yes"}, "must be true or false"),
        ({"names": "a,B"}, r"must match \[a-z\]\+, and 'B' does not"),
        ({"names": "a, b"}, "a space beside a comma"),
        ({"names": "[1]"}, "must be a list"),
        ({"file": "../x"}, "inside of the project"),
    ],
)
def test_a_wrong_value_is_one_error_by_name_and_by_place(given_: dict[str, str], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        Plan.of(typed(), named=given_)
    if "count" in given_:
        with pytest.raises(PlanError, match=why):
            Plan.of(typed(), positional=[given_["count"]])


def test_the_tool_shows_the_types_and_takes_their_json() -> None:
    properties = arguments_schema(typed(), "")["properties"]
    assert properties["count"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 2}
    assert properties["loud"] == {"type": "boolean"}
    names = {"type": "array", "items": {"type": "string", "pattern": "^(?:[a-z]+)$"}, "default": ["a"]}
    assert properties["names"] == names
    values = plan_of(typed(), {"count": 3, "loud": True, "names": ["x", "y"]}).values
    assert values == {"count": 3, "1": 3, "loud": True, "names": ["x", "y"], "file": "here.txt"}


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ('type = "int"\ndefault = "x"', "the default of `x` must be a whole number"),
        ("min = 1", "`min` bounds a number"),
        ('type = "int"\nmin = 3\nmax = 2', "no number is at least 3"),
        ('pattern = "("', "the regular expression is wrong"),
        ('type = "int"\npattern = "x"', "`pattern` is about texts"),
        ('type = "bool"\nchoices = ["true"]', "nothing to choose"),
        ('type = "int"\nchoices = ["a"]', "a choice of `x` must be a whole number"),
        ('default = ["a"]', "is a list"),
        ('type = "integer"', "type"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_told_at_load(declared: str, why: str) -> None:
    with pytest.raises(WorkflowError, match=why):
        workflow(f"[args.x]\n{declared}\n[[steps]]\nname = 's'\nargv = ['echo']\n")


@pytest.mark.parametrize(
    ("kind", "when", "good"),
    [
        ("bool", "arg.x", True),
        ("bool", "not arg.x", True),
        ("bool", "arg.x == 'true'", False),
        ("bool", "arg.x in ['true', 'yes']", False),
        ("int", "arg.x == 3", True),
        ("int", "arg.x", False),
        ("int", "'3' == arg.x", False),
        ("list", "'a' in arg.x", True),
        ("list", "arg.x == 'a'", False),
        ("path", "arg.x == 'a'", True),
    ],
)
def test_a_condition_takes_the_type_into_account(kind: str, when: str, good: bool) -> None:
    text = f"[args.x]\ntype = '{kind}'\n[[steps]]\nname = 's'\nwhen = \"{when}\"\nargv = ['echo']\n"
    if good:
        workflow(text)
    else:
        with pytest.raises(WorkflowError, match=r"arg\.x|condition is true or false"):
            workflow(text)


def test_lok_run_reads_the_types_and_refuses_before_anything_runs(project: Project) -> None:
    project.workflow("w", WORKFLOW)
    project.write("here.txt", "x")
    done = project.lok("w", "3", "--names", "x,y", "--loud", "-v")
    assert done.code == 0, done.err
    assert '3 ["x", "y"] here.txt' in done.out
    assert "LOUD true" in done.out
    assert "LOUD" not in project.lok("w", "-v").out
    for words, why in ((("12",), "at most 9"), (("--file", "gone"), "there is no 'gone'")):
        refused = project.lok("run", "w", *words)
        assert (refused.code, refused.out) == (2, "")
        assert why in refused.err
    shown = project.lok("w", "--help").out
    assert "INT" in shown
    assert "at most 9" in shown


def test_pytest_reads_them_too(suite: Suite) -> None:
    suite.workflow("w", WORKFLOW)
    refused = suite.run("--lok-workflow", "w", "--lok-arg", "count=x")
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(["*'count' of workflow 'w' must be a whole number, and not 'x'*"])


def _read(kind: ValueType, text: str) -> list[Json]:
    try:
        return [kind.read(text)]
    except ValueError:
        return []
