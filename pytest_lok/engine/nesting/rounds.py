"""A step that runs a workflow again and again, until a condition holds: its rounds, and what ends them.

A round that does not pass ends the loop, as it would end the step without one. So whatever a model says,
the rounds are at most ``max_rounds``, and a loop passes by a round that passed, and by its condition.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.engine.evaluation import evaluate
from pytest_lok.errors import StepFailedError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.workflow.model import Nested
    from pytest_lok.engine.execution import StepExecution

Last: TypeAlias = "Mapping[str, Json] | None"
"""What a round reads of the one before it, by name; None = it is the first."""


async def run_rounds(
    execution: StepExecution,
    action: Nested,
    until: Condition,
    run_round: Callable[[int, Last], Awaitable[bool]],
) -> bool:
    """Run rounds until the condition holds; the step's output is that of the last one. False as in a round.

    StepFailedError and StepUnableError of a round, which they name; StepUnableError where the condition does
    not hold after ``max_rounds``, or rounds have brought nothing new.
    """
    stall = _Stall(execution, action.stalled)
    last: Last = None
    for number in range(1, action.max_rounds + 1):
        try:
            did_anything = await run_round(number, last)
        except (StepFailedError, StepUnableError) as failure:
            failure.message = f"round {number}: {failure.message}"
            raise
        if not did_anything:
            if number == 1:
                return False
            raise StepUnableError(f"round {number}: every step was skipped by its own `when`")
        last = _outputs(execution, action)
        scope = replace(execution.scope(), last=last)
        if await evaluate(execution, scope, [until], until.holds):
            return True
        said = until.explain(scope)
        if await stall.is_reached():
            why = f"{action.stalled} rounds in a row have left the same files and said the same"
            raise _ended(
                execution, said, f"after round {number}: {why}", "raise `stalled`, or change what is asked"
            )
    message = f"`until` does not hold after {action.max_rounds} round{'s' if action.max_rounds > 1 else ''}"
    raise _ended(
        execution, said, f"{message}: {until.source.strip()}", "raise `max_rounds`, or change what is asked"
    )


def _outputs(execution: StepExecution, action: Nested) -> Mapping[str, Json]:
    """What the round that has just ended hands on, by name."""
    named = execution.data if action.workflow.outputs else None
    # of a text without its middle nothing is read
    whole: dict[str, Json] = {} if execution.cut else {"output": execution.output}
    return {**(named if isinstance(named, dict) else {}), **whole}


def _ended(execution: StepExecution, values: str, message: str, hint: str) -> StepUnableError:
    """The error of a loop that has ended without its condition, with what its last round said."""
    execution.add_section("until", values)
    output = f"{execution.output}\n{message}".strip()
    return StepUnableError(message, hint=hint, output=output, cut=execution.cut)


class _Stall:
    """Sees whether rounds bring nothing new: the same files, and the same output.

    Files whose state nobody knows are never the same.
    """

    def __init__(self, execution: StepExecution, limit: int) -> None:
        self._execution = execution
        self._limit = limit
        self._before: tuple[str, str] | None = None
        self._equal = 1

    async def is_reached(self) -> bool:
        """Whether the round that has just ended is the one too many."""
        look = self._execution.context.world.tree_state
        if not self._limit or look is None:
            return False
        tree = await look()
        now = (tree, self._execution.output) if tree and not self._execution.cut else None
        self._equal = self._equal + 1 if now is not None and now == self._before else 1
        self._before = now
        return self._equal >= self._limit
