"""A step that is about to ask in parts -> how many questions that pays for, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World

Announce: TypeAlias = "Callable[[str, int], str]"
"""The name of a step and how many parts it has -> what is said of its questions, "" if it asks none."""


def announcement(plan: Plan, world: World) -> Announce:
    """What is said before the first part is asked about: the questions, and what the budget allows."""
    steps = {step.name: step for step in plan.steps}

    def said(name: str, parts: int) -> str:
        from pytest_lok.core.workflow.model import Ask, Strategy
        from pytest_lok.engine.asking.route import names_of
        from pytest_lok.errors import BackendError
        from pytest_lok.reports.questions import questions_of

        step = steps[name]
        if not isinstance(step.action, Ask):
            return ""
        ask = step.action
        try:
            names, _ = names_of(
                ask.backends, ask.prompt.source, world, keeps_all=ask.consensus is Strategy.ALL
            )
        except BackendError:  # the step itself says that nobody can answer
            return ""
        count = questions_of(step, len(names))
        total = count.times(parts) if step.for_each is not None else count
        budget = plan.workflow.budget
        allowed = f"; [budget] allows {budget.calls:,}" if budget and budget.calls is not None else ""
        return f"{total}{allowed}"

    return said
