"""``extends`` between every two places a workflow can lie, and for every key it can have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.core.toml.fields import keys
from pytest_lok.core.workflow.document import WorkflowDocument
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.errors import WorkflowError
from pytest_lok.wiring import Project


class Shelves:
    """A project and a user's directory with workflows; built-in ones are there already."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "project"
        self.places = {
            "project": self.root / ".lok/workflows",
            "user": tmp_path / "config/workflows",
            "path": self.root / "elsewhere",
        }
        for place in self.places.values():
            place.mkdir(parents=True)
        self._project = Project.open(self.root, environ={"LOK_CONFIG_DIR": str(tmp_path / "config")})

    def put(self, place: str, name: str, text: str) -> Path:
        file = self.places[place] / f"{name}.toml"
        file.write_text(text)
        return file

    def load(self, place: str, name: str) -> Workflow:
        return self._project.load(self.places[place] / f"{name}.toml" if place == "path" else name)


@pytest.fixture
def shelves(tmp_path: Path) -> Shelves:
    return Shelves(tmp_path)


def steps(*names: str) -> str:
    return "".join(
        f'[[steps]]\nname = "{name}"\nshell = "echo {{{{ arg.1 | default(1) }}}}"\n' for name in names
    )


BASE = steps("first", "second", "third")
OWN = steps("second", "own")


@pytest.mark.parametrize("child", ["project", "user", "path"])
@pytest.mark.parametrize("parent", ["project", "user", "path"])
def test_a_file_extends_another(shelves: Shelves, child: str, parent: str) -> None:
    base = shelves.put(parent, "base", BASE)
    name = "base"
    if parent == "path":
        name = "base.toml" if child == "path" else str(base)
    shelves.put(child, "own", f"extends = {json.dumps(name)}\n{OWN}")
    loaded = shelves.load(child, "own")
    assert [step.name for step in loaded.steps] == ["first", "second", "third", "own"]
    whose = [Path(step.path).stem for step in loaded.steps]
    assert whose == ["base", "own", "base", "own"]
    assert [step.line for step in loaded.steps] == [1, 2, 7, 5]


@pytest.mark.parametrize("child", ["project", "user", "path"])
def test_a_file_extends_a_built_in_one(shelves: Shelves, child: str) -> None:
    shelves.put(child, "own", f'extends = "explain"\n{steps("own")}')
    built_in = [step.name for step in shelves.load("project", "explain").steps]
    assert [step.name for step in shelves.load(child, "own").steps] == [*built_in, "own"]


def test_each_extends_the_one_it_shadows_down_to_the_built_in(shelves: Shelves) -> None:
    built_in = [step.name for step in shelves.load("project", "audit").steps]
    shelves.put("user", "audit", f'extends = "audit"\n{steps("users")}')
    assert [step.name for step in shelves.load("user", "audit").steps] == [*built_in, "users"]
    shelves.put("project", "audit", f'extends = "audit"\n{steps("projects")}')
    assert [step.name for step in shelves.load("project", "audit").steps] == [*built_in, "users", "projects"]


def test_one_that_shadows_nothing_has_no_parent(shelves: Shelves) -> None:
    shelves.put("project", "own", f'extends = "own"\n{steps("a")}')
    with pytest.raises(WorkflowError, match="there is no workflow `own`"):
        shelves.load("project", "own")


def test_a_circle_across_shelves_is_named(shelves: Shelves) -> None:
    shelves.put("project", "one", f'extends = "two"\n{steps("a")}')
    shelves.put("user", "two", f'extends = "three"\n{steps("b")}')
    shelves.put("project", "three", f'extends = "one"\n{steps("c")}')
    with pytest.raises(WorkflowError, match="one -> two -> three -> one"):
        shelves.load("project", "one")


def test_a_schema_lies_beside_the_file_that_names_it(shelves: Shelves) -> None:
    for place, kind in (("user", "array"), ("project", "object")):
        (shelves.places[place] / "answer.json").write_text(json.dumps({"type": kind}))
    asking = '[[steps]]\nname = "{}"\nprompt = "?"\noutput_schema = "answer.json"\n'
    shelves.put("user", "base", asking.format("theirs"))
    shelves.put("project", "own", f'extends = "base"\n{asking.format("ours")}')
    found = {step.name: step.output_schema for step in shelves.load("project", "own").steps}
    assert found == {"theirs": {"type": "array"}, "ours": {"type": "object"}}


def test_a_step_of_the_parent_may_read_one_of_the_child(shelves: Shelves) -> None:
    reads = '[[steps]]\nname = "reads"\nargv = ["echo", "{{ steps.second.output }}"]\n'
    shelves.put("user", "base", BASE + reads)
    shelves.put("project", "own", f'extends = "base"\n{OWN}')
    assert shelves.load("project", "own").step("reads").needs == ("second",)


# What each key means where the parent has it, the child has it, or both: (parent, child, name of the
# field, what it is by the parent, by the child). Steps, arguments and rules are merged by name.
KEYS: dict[str, tuple[str, str, str, Any, Any]] = {
    "description": ('"theirs"', '"ours"', "description", "theirs", "ours"),
    "timeout": ('"1m"', '"2m"', "timeout", 60.0, 120.0),
    "collect": ("false", "true", "collect", False, True),
    "tags": ('["theirs"]', '["ours"]', "tags", ("theirs",), ("ours",)),
    "max_parallel": ("1", "2", "max_parallel", 1, 2),
    "exclusive": ("true", "false", "exclusive", True, False),
    "allow_skip": ("true", "false", "allow_skip", True, False),
}
TABLES: dict[str, tuple[str, str, Callable[[Workflow], Any], Any, Any]] = {
    "budget": ("calls = 1", "calls = 2", lambda w: w.budget and w.budget.calls, 1, 2),
    "gate": (
        'fail_on = "low"',
        'fail_on = "critical"',
        lambda w: w.gate and w.gate.fail_on,
        "low",
        "critical",
    ),
    "untrusted": (
        'configuration = "report"',
        'configuration = "block"',
        lambda w: w.untrusted and w.untrusted.configuration,
        "report",
        "block",
    ),
}
ELSEWHERE = {"name", "extends", "steps", "args", "rules", "outputs", "continue_on_error"}
FINDINGS = '[[steps]]\nname = "judge"\nprompt = "?"\noutput_format = "findings"\n'


def test_every_key_has_a_case() -> None:
    assert KEYS.keys() | TABLES.keys() | ELSEWHERE == keys(WorkflowDocument)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_the_childs_else_the_parents(shelves: Shelves, key: str) -> None:
    theirs, ours, field, of_parent, of_child = KEYS[key]
    for parent, child, expected in (
        (theirs, None, of_parent),
        (theirs, ours, of_child),
        (ours, theirs, of_parent),
        (None, ours, of_child),
    ):
        shelves.put("user", "base", (f"{key} = {parent}\n" if parent else "") + BASE)
        shelves.put("project", "own", f'extends = "base"\n{f"{key} = {child}" if child else ""}\n{OWN}')
        assert getattr(shelves.load("project", "own"), field) == expected


@pytest.mark.parametrize("key", TABLES)
def test_a_table_is_the_childs_whole_else_the_parents(shelves: Shelves, key: str) -> None:
    theirs, ours, value, of_parent, of_child = TABLES[key]
    shelves.put("user", "base", f"{FINDINGS}[{key}]\n{theirs}\n")
    shelves.put("project", "own", 'extends = "base"\n')
    assert value(shelves.load("project", "own")) == of_parent
    shelves.put("project", "own", f'extends = "base"\n[{key}]\n{ours}\n')
    assert value(shelves.load("project", "own")) == of_child


def test_a_name_is_never_inherited(shelves: Shelves) -> None:
    shelves.put("user", "base", f'name = "Theirs"\n{BASE}')
    shelves.put("project", "own", f'extends = "base"\n{OWN}')
    assert shelves.load("project", "own").name == "own"


@pytest.mark.parametrize(
    ("parent", "child", "soft"), [("true", "false", False), ("true", None, True), ("false", "true", True)]
)
def test_a_child_has_the_last_word_about_failures(
    shelves: Shelves, parent: str, child: str | None, soft: bool
) -> None:
    own = f"continue_on_error = {child}\n" if child else ""
    shelves.put("user", "base", f"continue_on_error = {parent}\n{BASE}")
    shelves.put("project", "own", f'extends = "base"\n{own}{OWN}')
    assert {step.continue_on_error for step in shelves.load("project", "own").steps} == {soft}


def test_arguments_and_rules_are_merged_by_name(shelves: Shelves) -> None:
    shelves.put(
        "user",
        "base",
        f'[args.focus]\ndefault = "theirs"\n[args.depth]\ndefault = 1\n[rules]\nstyle = "low"\nsql = "low"\n{FINDINGS}',
    )
    shelves.put("project", "own", 'extends = "base"\n[args.focus]\ndefault = "ours"\n[rules]\nsql = "high"\n')
    loaded = shelves.load("project", "own")
    assert {name: argument.default for name, argument in loaded.args.items()} == {
        "focus": "ours",
        "depth": "1",
    }
    assert {name: rule.severity for name, rule in loaded.rules.items()} == {"style": "low", "sql": "high"}


def test_a_step_that_runs_its_own_workflow_s_name_runs_the_one_that_it_shadows(shelves: Shelves) -> None:
    shelves.put("user", "own", steps("users"))
    shelves.put("project", "own", '[[steps]]\nname = "x"\nworkflow = "own"\n')
    assert [step.name for step in shelves.load("project", "own").in_all()] == ["x", "users"]
    shelves.put("user", "own", '[[steps]]\nname = "x"\nworkflow = "own"\n')
    with pytest.raises(WorkflowError, match="workflows run each other: own -> own -> own"):
        shelves.load("project", "own")


def test_outputs_are_merged_by_their_names(shelves: Shelves) -> None:
    shelves.put("user", "base", f"[outputs]\nboth = 'theirs'\nold = 'old'\n{BASE}")
    shelves.put("project", "own", f"extends = 'base'\n[outputs]\nboth = 'ours'\nnew = 'new'\n{OWN}")
    outputs = shelves.load("project", "own").outputs
    assert {name: it.source for name, it in outputs.items()} == {"both": "ours", "old": "old", "new": "new"}
