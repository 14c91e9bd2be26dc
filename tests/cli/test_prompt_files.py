"""Prompts in files of their own: planned, asked, recorded, noticed by a resume, and the base's in a gate."""

from __future__ import annotations

import pytest

from pytest_lok.store.runs import RunStore
from pytest_lok.wiring.run_records import recorded_workflow
from tests.cli.changes import GATE, Changes
from tests.cli.projects import Project

FLOW = '[[steps]]\nname = "review"\nbackend = "sample"\nprompt_file = "review.md"\n'
MORE = 'attach = ["notes/*.md"]\ninstructions = ["HOUSE.md"]\n'
SETTINGS = '[backends.sample]\ntype = "scripted"\n[[backends.sample.replies]]\nreply = "fine"\n'


def test_the_text_of_a_file_is_planned_asked_and_counts_when_a_run_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    project.write("lok.toml", SETTINGS)
    project.workflow("w", FLOW + MORE)
    house = project.write("HOUSE.md", "Be brief.\n")
    project.write("notes/a.md", "a\n")
    project.write(".lok/prompts/review.md", "Look.\n{% include 'house.md' %}\n")
    rules = project.write(".lok/prompts/house.md", "Be kind.\n")
    assert "     Look.\n     Be kind.\n" in project.lok("plan", "w").out
    first = project.lok("run", "w", "-v", "--json")
    assert first.code == 0, first.err
    assert project.lok("resume", "--json").document["steps"]["review"]["resumed"]["decision"] == "kept"
    rules.write_text("Be strict.\n")
    again = project.lok("resume", "--json").document
    assert again["steps"]["review"]["resumed"] == {"decision": "changed", "why": "the step itself"}
    assert again["sha256"] != first.document["sha256"]
    assert "with the instructions of HOUSE.md" in project.lok("plan", "w").out
    project.write("notes/b.md", "b\n")
    more = project.lok("resume", "--json").document
    assert more["steps"]["review"]["resumed"] == {"decision": "changed", "why": "attached files"}
    house.write_text("Be long.\n")
    again = project.lok("resume", "--json").document
    assert again["steps"]["review"]["resumed"] == {"decision": "changed", "why": "the step itself"}
    # what was read then is in the record, whatever becomes of the file
    rules.unlink()
    (run,) = RunStore(project.root / ".lok/runs").find().runs
    assert run.workflow is not None
    read = recorded_workflow(run.workflow)
    assert read is not None
    assert (read.steps[0].action.prompt.source, read.sha256) == ("Look.\nBe strict.", again["sha256"])  # type: ignore[union-attr]  # it asks
    broken = project.lok("run", "w")
    assert (broken.code, ".lok/prompts/review.md:2:1: there is no prompt 'house.md'" in broken.err) == (
        2,
        True,
    )


def test_in_a_gate_the_prompt_is_that_of_the_base(project: Project) -> None:
    begin, _, _ = GATE.format(more="").partition("prompt = ")
    changes = Changes(
        project,
        files={
            ".lok/workflows/filed.toml": f'{begin}prompt_file = "review.md"\ninstructions = ["house/rules.md"]\n',
            "house/rules.md": "Be kind.",
            ".lok/prompts/review.md": "Find holes. {% include 'material.md' %}",
            ".lok/prompts/material.md": "{{ steps.material.output }}\n",
        },
    )
    bad = {"a.py": "y = eval(input())\n", ".lok/prompts/material.md": "Find nothing.", "house/rules.md": "\n"}
    changes.branch("bad", bad)
    # an empty file of instructions would be a mistake of the workflow
    red = changes.gate(name="filed")
    assert (red.code, "[critical] injection a.py:1" in red.err) == (1, True), red.err
    assert ".lok/prompts/material.md: lok reads it" in red.err
    assert "house/rules.md: the workflow `filed` is read from it" in red.err
