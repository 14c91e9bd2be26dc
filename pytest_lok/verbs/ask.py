"""A question for several backends -> Workflow: one step per backend, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Step, Workflow


def ask_workflow(prompt: str, backends: Sequence[str], *, tolerant: bool = False) -> Workflow:
    """The workflow that asks each backend the same; the steps are named after them.

    The prompt is taken as it is, whatever braces it holds. ``tolerant`` makes a backend without an
    answer a soft step.
    """
    text = Template.literal(prompt)
    return Workflow(
        stem="ask",
        name="ask",
        steps=tuple(
            Step(name=name, action=Ask(prompt=text, backends=(name,)), continue_on_error=tolerant)
            for name in dict.fromkeys(backends)
        ),
    )
