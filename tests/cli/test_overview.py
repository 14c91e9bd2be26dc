"""``lok --help``: every verb and every workflow in one line each, at 80 columns, in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

import pytest_lok.workflows
from pytest_lok.cli.main import VERBS
from tests.cli.projects import Project

BUILT_IN = {path.stem for path in Path(pytest_lok.workflows.__file__).parent.glob("*.toml")}


def names(page: str) -> list[str]:
    return [line.split()[0] for line in page.splitlines() if line.startswith("  ") and line[2] not in " -"]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]], ids=" ".join)
def test_every_verb_and_workflow_is_there_once_and_nothing_wraps(project: Project, words: list[str]) -> None:
    project.workflow("mine", 'description = "What \\"we\\" hold"\n[[steps]]\nname = "a"\nshell = "true"\n')
    project.workflow(
        "broken", "description = 'It has a \x07 bell and is far too long for one line of a terminal'\n[["
    )
    page = project.lok(*words).out
    listed = names(page)
    for name in {*VERBS, *BUILT_IN, "mine", "broken"}:
        assert listed.count(name) == 1, name
    assert 'What "we" hold' in page
    assert all(len(line) < 80 for line in page.splitlines())
    assert "\x1b" not in page
    assert "\x07" not in page
    sections = [
        line for line in page.splitlines() if line and not line.startswith(" ") and line.endswith(":")
    ]
    assert [section.split(" (")[0].rstrip(":") for section in sections] == [
        "Ask", "Review", "This project", "Workflows", "Runs", "Agents", "Setup", "Options",
    ]  # fmt: skip


def test_a_project_with_many_workflows_stays_a_page(project: Project) -> None:
    for number in range(30):
        project.workflow(f"w{number:02}", '[[steps]]\nname = "a"\nshell = "true"\n')
    page = project.lok("--help").out
    assert "and 10 more: `lok workflow list`" in page
    assert "w19" in page
    assert "w20" not in page


def test_the_page_comes_where_settings_are_broken(project: Project) -> None:
    project.write("lok.toml", "broken = = =")
    assert project.lok("--help").code == 0


def test_the_options_that_verbs_share_have_a_page_of_their_own(project: Project) -> None:
    page = project.lok("help", "options").out
    for option in ("--json", "--output", "--backend", "--timeout", "--trust"):
        assert option in page
        assert f"{option} " not in project.lok("--help").out.partition("Options:")[0]
