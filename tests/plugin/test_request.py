from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_lok.core.workflow.model import Argument, Workflow
from pytest_lok.errors import UsageError
from pytest_lok.plugin.request import WorkflowArguments


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
