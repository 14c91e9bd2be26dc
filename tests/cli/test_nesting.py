"""Steps that run a workflow, as users meet them: the plan, the run, its record, the gate."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.changes import GATE, Changes
from tests.cli.projects import Project

SETTINGS = """
[backends.ann]
type = "scripted"
[[backends.ann.replies]]
reply = "fine"
[backends.dear]
type = "anthropic"
model = "dear-1"
[prices."dear-1"]
input = 4
output = 2
"""
OUTER = """
[[steps]]
name = "first"
workflow = "inner"
with = { word = "hello" }
for_each = [1, 2]
[[steps]]
name = "check"
shell = "test {{ steps.first.output[0].json.said }} = fine"
"""
INNER = """
collect = false
[args.word]
required = true
[outputs]
said = "{{ steps.ask.output }}"
[[steps]]
name = "ask"
backend = "ann"
prompt = "say {{ arg.word }}"
[[steps]]
name = "deep"
workflow = "inner/leaf.toml"
"""
LEAF = """
[[steps]]
name = "leaf"
shell = "echo leaf"
"""


@pytest.fixture
def nested(project: Project) -> Project:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", OUTER)
    project.workflow("inner", INNER)
    project.workflow("inner/leaf", LEAF)
    return project


def test_the_plan_shows_what_is_inside_and_counts_and_prices_its_questions(nested: Project) -> None:
    done = nested.lok("plan", "w")
    assert "1. first: runs the workflow inner\n" in done.out
    assert "     ask: asks ann\n         say hello\n" in done.out
    assert "2 questions, at most 4. Nothing was run.\n" in done.out
    document = nested.lok("plan", "w", "--json").document
    ask, deep = document["steps"][0]["steps"]
    assert (ask["prompt"], ask["prompt_known"]) == ("say hello", True)
    assert (deep["kind"], deep["steps"][0]["command"]) == ("workflow", "echo leaf")
    nested.workflow("inner", INNER.replace('"ann"', '"dear"'))
    estimate = nested.lok("plan", "w", "--json").document["estimate"]
    # two questions of 3 tokens, with answers of 500
    assert estimate["cost_usd"] == pytest.approx(2 * (3 * 4 + 500 * 2) / 1e6)
    nested.workflow("w", LEAF + OUTER.replace("[1, 2]", '"steps.leaf.output"').replace("hello", "{{ item }}"))
    assert "for each item of first: 1 question, at most 2. Nothing was run.\n" in nested.lok("plan", "w").out


def test_a_run_shows_what_is_inside_and_its_record_outlives_the_files(nested: Project) -> None:
    done = nested.lok("run", "w", "--report", "html=out.html", "--report", "junit=out.xml")
    assert done.code == 0, done.err
    lines = [line.split()[:2] for line in done.err.splitlines()]
    item = [["passed", "ask"], ["passed", "deep"], ["passed", "leaf"]]
    assert lines[:10] == [
        ["passed", "first"],
        ["item", "0"],
        *item,
        ["item", "1"],
        *item,
        ["passed", "check"],
    ]
    assert ">item 1: ask<" in (nested.root / "out.html").read_text()
    assert "item 0: deep/leaf" in (nested.root / "out.xml").read_text()
    shutil.rmtree(nested.root / ".lok/workflows")
    assert nested.lok("report", "--format", "html", "-o", "again.html").code == 0
    again = (nested.root / "again.html").read_text()
    assert "runs inner" in again, "the workflow is read from the record"
    assert ">item 1: ask<" in again


def test_problems_of_a_workflow_inside_stand_at_their_place_in_its_file(nested: Project) -> None:
    nested.workflow("inner/leaf", LEAF.replace("shell", "shel"))
    done = nested.lok("run", "w")
    assert done.code == 2
    assert ".lok/workflows/inner/leaf.toml:4:1" in done.err


REVIEW = '[[steps]]\nname = "all"\nworkflow = "first"\n'


def test_the_gate_takes_what_is_inside_from_the_base(project: Project) -> None:
    changes = Changes(project, files={".lok/workflows/outer.toml": REVIEW})
    bad = {"a.py": "x = 1\ny = eval(input())\n"}
    changes.branch("bad", {**bad, ".lok/workflows/first.toml": '[[steps]]\nname = "x"\nshell = "true"\n'})
    red = changes.gate("--report", "sarif=out.sarif", name="outer")
    assert (red.code, "[critical] injection a.py:2" in red.err) == (1, True), red.err
    assert '"injection"' in (project.root / "out.sarif").read_text()
    assert "lok/configuration-changed" in red.err, "the change of a file inside is told"


def test_the_gate_refuses_commands_inside_that_may_run_the_change(project: Project) -> None:
    inside = GATE.format(more="") + '[[steps]]\nname = "test"\nshell = "make test"\n'
    files = {".lok/workflows/outer.toml": REVIEW, ".lok/workflows/first.toml": inside}
    changes = Changes(project, files=files)
    changes.branch("good", {"a.py": "x = 2\n"})
    refused = changes.gate(name="outer")
    assert refused.code == 2
    assert ".lok/workflows/first.toml" in refused.err


ROUNDS = """
[[steps]]
name = "outer"
workflow = "middle"
until = "last.output contains 'x'"
max_rounds = 3
for_each = [1, 2]
"""


def test_the_plan_multiplies_the_rounds_of_loops_in_loops(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", ROUNDS)
    project.workflow("middle", ROUNDS.replace("middle", "ask").replace("for_each = [1, 2]\n", ""))
    project.workflow("ask", '[[steps]]\nname = "ask"\nbackend = "ann"\nprompt = "say"\n')
    done = project.lok("plan", "w")
    assert "   until last.output contains 'x', at most 3 rounds\n" in done.out
    # each answer that cannot be used is asked for once more: 2 items x 3 rounds x 3 rounds x 2
    assert "1 step, 2 questions, at most 36. Nothing was run.\n" in done.out
    ran = project.lok("run", "w")
    assert ran.code == 3
    assert "    item 1, round 1\n" in ran.err
    assert "item 1, round 2" not in ran.err, "a round that is red ends the loop"
