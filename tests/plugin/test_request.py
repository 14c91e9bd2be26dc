from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.errors import UsageError
from pytest_lok.plugin.request import WorkflowArguments
from tests.plugin.conftest import Suite


def workflow(*args: Argument) -> Workflow:
    return Workflow(stem="w", name="w", steps=(), args={arg.name: arg for arg in args})


def test_values_by_name_and_by_position() -> None:
    arguments = WorkflowArguments.of(["focus=auth=all", "2=b", "1=a", "focus=last wins", "empty="])
    assert arguments.named == {"focus": "last wins", "empty": ""}
    assert arguments.positional == ("a", "b")


@pytest.mark.parametrize("pair", ["focus", "=x", "", "0=x", "2=b"])
def test_what_is_no_argument_is_said(pair: str) -> None:
    with pytest.raises(UsageError, match="--lok-arg"):
        WorkflowArguments.of([pair])


def test_a_workflow_gets_what_it_declares_and_has_a_place_for() -> None:
    arguments = WorkflowArguments.of(["focus=auth", "other=x", "1=a", "2=b"])
    assert arguments.keys == {"focus", "other", "1", "2"}
    for places, values in ((0, ()), (1, ("a",)), (3, ("a", "b"))):
        mine = replace(workflow(Argument(name="focus")), positional_count=places)
        assert arguments.for_workflow(mine) == {"named": {"focus": "auth"}, "positional": values}


def test_a_required_argument_is_missing_unless_its_name_or_place_is_given() -> None:
    first = Argument(name="first", required=True, position=1)
    other = Argument(name="other", required=True)
    optional = Argument(name="optional")
    needy = workflow(first, other, optional)
    assert WorkflowArguments().missing(needy) == ["first", "other"]
    assert WorkflowArguments.of(["1=x"]).missing(needy) == ["other"]
    assert WorkflowArguments.of(["first=x", "other=y"]).missing(needy) == []


@pytest.fixture
def below(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of a project, in which pytest is started and finds its root directory."""
    suite.shells("review", a="true")
    suite.write("sub/deep/pytest.ini", "[pytest]")
    suite.write("sub/deep/test_one.py", "def test_one(): pass")
    monkeypatch.chdir(suite.root / "sub" / "deep")
    return suite.root / "sub"


def test_the_nearest_project_above_is_taken(suite: Suite, below: Path) -> None:
    result = suite.run("--lok", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["lok/review::a PASSED*"])


def test_a_project_above_the_repository_is_not_taken(suite: Suite, below: Path) -> None:
    (below / ".git").mkdir()
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no workflow in */sub/deep/.lok/workflows"])


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
def test_a_project_above_that_is_somebody_elses_is_not_taken(suite: Suite, below: Path) -> None:
    os.chown(suite.root / ".lok", 12345, 12345)
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*hint: {suite.root} has workflows, but is another user's*"])
