"""A question for several backends -> Workflow: one step for each, side by side, or one for all."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.core.results import RunResult
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Step, Strategy, Workflow

_UNABLE = 3


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


def consensus_workflow(prompt: str, backends: Sequence[str], strategy: Strategy) -> Workflow:
    """The workflow that asks the backends for one answer, with the step ``answer``; the prompt as above."""
    action = Ask(prompt=Template.literal(prompt), backends=tuple(dict.fromkeys(backends)), consensus=strategy)
    return Workflow(stem="ask", name="ask", steps=(Step(name="answer", action=action),))


def ask_exit_code(result: RunResult) -> int:
    """The exit code of ``lok ask``: a soft step is no answer, so 3 where there are only such."""
    answered = any(step.passed for step in result.steps.values())
    return result.exit_code or (0 if answered else _UNABLE)
