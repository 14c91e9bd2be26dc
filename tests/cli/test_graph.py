"""``lok graph``: a drawing of a workflow, and nothing is run."""

import xml.etree.ElementTree as ET

from tests.cli.projects import Project

WORKFLOW = """
description = "Look at a range"
[args.range]
required = true
[[steps]]
name = "diff"
shell = "touch ran; git diff {{ arg.range }}"
[[steps]]
name = "bugs"
backends = ["claude", "codex"]
consensus = "vote"
prompt = "bugs? {{ steps.diff.output }}"
[[steps]]
name = "style"
when = "steps.diff.output != ''"
continue_on_error = true
prompt = "style?"
[[steps]]
name = "join"
depends_on = ["bugs", "style"]
argv = ["true"]
"""


def test_in_the_terminal(project: Project) -> None:
    project.workflow("w", WORKFLOW)
    done = project.lok("graph", "w")
    assert done.code == 0
    assert done.out.splitlines() == [
        "w: Look at a range",
        "",
        "○   diff  $ touch ran; git diff {{ arg.range }}",
        "├─○ bugs  asks claude, codex (vote)",
        "○ │ style  conditional · may fail · asks the default backend",
        "●─╯ join  $ true",
    ]
    assert not (project.root / "ran").exists()


def test_as_mermaid_and_as_a_picture(project: Project) -> None:
    project.workflow("w", WORKFLOW)
    made = project.lok("graph", "w", "--format", "mermaid").out
    assert made.startswith("flowchart TD\n")
    assert made.count(" --> ") == 4
    assert project.lok("graph", "w", "--format=svg", "-o", "w.svg").code == 0
    texts = [it.text for it in ET.parse(project.root / "w.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert {"diff", "bugs", "style", "join"} <= {*texts}


def test_for_programs(project: Project) -> None:
    project.workflow("w", WORKFLOW)
    steps = {it["name"]: it for it in project.lok("graph", "w", "--json").document["steps"]}
    assert steps["join"] == {"name": "join", "kind": "command", "needs": ["bugs", "style"], "does": "$ true"}
    assert steps["bugs"]["kind"] == "question"


def test_a_workflow_that_is_not_there(project: Project) -> None:
    done = project.lok("graph", "gone")
    assert done.code == 2
    assert "gone" in done.err


def test_every_built_in_workflow_has_a_drawing(project: Project) -> None:
    listed = project.lok("workflow", "list", "--json").document
    for entry in listed:
        assert project.lok("graph", entry["name"]).code == 0
