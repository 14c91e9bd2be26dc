"""Workflows as values."""

from __future__ import annotations

import pytest

from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Quorum, Step, Strategy, Workflow, needed_replies


@pytest.mark.parametrize(
    ("quorum", "strategy", "configured", "needed"),
    [
        (None, Strategy.VOTE, 4, 3),
        (None, Strategy.WEIGHTED_VOTE, 5, 3),
        (None, Strategy.SYNTHESIS, 5, 1),
        (None, Strategy.FIRST, 5, 1),
        ("majority", Strategy.FIRST, 2, 2),
        ("all", Strategy.VOTE, 3, 3),
        (2, Strategy.VOTE, 3, 2),
    ],
)
def test_how_many_backends_must_answer(
    quorum: Quorum | None, strategy: Strategy, configured: int, needed: int
) -> None:
    assert needed_replies(quorum, strategy, configured) == needed


def test_a_step_is_found_by_its_name() -> None:
    step = Step(name="a", action=Ask(prompt=Template.literal("p")))
    workflow = Workflow(stem="w", name="w", steps=(step,))
    assert workflow.step("a") is step
    with pytest.raises(KeyError):
        workflow.step("b")
