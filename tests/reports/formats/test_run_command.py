"""The command that runs a workflow again: what a shell reads of it are the arguments of the run."""

import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.reports.formats.run_command import run_command

WORKFLOW = Workflow(
    stem="review",
    name="review",
    steps=(),
    origin=Origin.PROJECT,
    positional_count=3,
    args={
        "base": Argument(name="base", default="main", position=1),
        "focus": Argument(name="focus"),
    },
)


def command(workflow: Workflow = WORKFLOW, **given: Any) -> str:
    return run_command(workflow, Plan.of(workflow, **given).arguments)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "lok run review"),
        ({"named": {"base": "main"}}, "lok run review"),
        ({"positional": ["dev"]}, "lok run review --base=dev"),
        ({"named": {"focus": "a b"}}, "lok run review '--focus=a b'"),
        ({"positional": ["dev", "-x"]}, "lok run review -- dev -x"),
        ({"positional": ["main", "x"], "named": {"focus": "y"}}, "lok run review --focus=y -- main x"),
        ({"named": {"focus": "\x1b[31m"}}, ""),
        ({"named": {"focus": "x" * 1000}}, ""),
    ],
)
def test_the_arguments_of_a_run_are_given_again(given: dict[str, Any], expected: str) -> None:
    assert command(**given) == expected


def test_a_workflow_that_nobody_can_name_has_no_command() -> None:
    assert run_command(replace(WORKFLOW, origin=Origin.VERB), {}) == ""
    assert (
        run_command(replace(WORKFLOW, origin=Origin.PATH, path="other/x.toml"), {}) == "lok run other/x.toml"
    )


@given(st.text(max_size=40))
def test_a_shell_reads_the_value_as_it_was(value: str) -> None:
    words = shlex.split(command(named={"focus": value}))
    assert words == [] or words[3:] == [f"--focus={value}"]
