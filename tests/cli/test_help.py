"""``lok help``, and the other ways to ask lok about itself."""

from collections.abc import Iterator

import click
import pytest

from pytest_lok.cli import main
from pytest_lok.cli.finite_range import FiniteRange
from pytest_lok.version import __version__
from tests.cli.projects import Project


@pytest.mark.parametrize(
    ("words", "as_option"),
    [
        (["help"], ["--help"]),
        (["help", "run"], ["run", "--help"]),
        (["help", "workflow", "list"], ["workflow", "list", "--help"]),
        (["help", "mine"], ["mine", "--help"]),
        (["help", "help"], ["help", "--help"]),
    ],
)
def test_help_is_what_the_option_shows(project: Project, words: list[str], as_option: list[str]) -> None:
    project.workflow("mine", 'description = "Mine alone"\n[[steps]]\nname = "a"\nshell = "true"\n')
    done = project.lok(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out == project.lok(*as_option).out
    assert done.out.startswith("Usage: lok")


def test_help_about_nothing_that_there_is(project: Project) -> None:
    done = project.lok("help", "nope")
    assert (done.code, done.out) == (2, "")
    assert "there is no workflow 'nope'" in done.err


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(project: Project, option: str) -> None:
    assert project.lok(option).out == f"lok {__version__}\n"


def test_a_workflow_is_run_below_workflow_too(project: Project) -> None:
    project.workflow("mine", '[[steps]]\nname = "a"\nshell = "echo {{ arg.1 }}"\n')
    assert project.lok("workflow", "run", "mine", "hi").out == project.lok("run", "mine", "hi").out == "hi\n"


@pytest.mark.parametrize(
    "words", [["gate"], ["baseline"], ["run"], ["plan"], ["graph"], ["gate", "--base", "x"]]
)
def test_a_workflow_that_is_not_named_is_one_line(project: Project, words: list[str]) -> None:
    done = project.lok(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"lok: error: Missing argument 'WORKFLOW'.\n  hint: `lok {words[0]} --help` shows what there is\n"
    )


def test_a_project_without_workflows_is_told_who_writes_one(project: Project) -> None:
    assert "hint: `lok init` writes a first workflow. There are: " in project.lok("first").err
    assert "hint: did you mean `lok run`? `lok init` writes a first workflow." in project.lok("rnu").err
    project.workflow("mine", '[[steps]]\nname = "a"\nshell = "true"\n')
    assert "hint: `lok init` writes it. There are: " in project.lok("first").err
    assert "lok init" not in project.lok("rnu").err


def test_no_option_of_a_range_takes_what_is_no_number() -> None:
    """No limit is ever less or more than nan."""

    def within(command: click.Command) -> Iterator[click.Parameter]:
        yield from command.params
        for inner in getattr(command, "commands", {}).values():
            yield from within(inner)

    root = main.root()
    context = click.Context(root)
    verbs = [it for name in root.list_commands(context) if (it := root.get_command(context, name))]
    ranges = [it for verb in verbs for it in within(verb) if isinstance(it.type, click.FloatRange)]
    assert {it.name for it in ranges} >= {"usd", "min_recall"}
    assert [it.name for it in ranges if not isinstance(it.type, FiniteRange)] == []
