"""A step that waits for a person: its question is answered already, by somebody who is there, or not yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.text.truncation import one_line
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.engine.execution import DryRunError
from pytest_lok.errors import StepFailedError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Approve
    from pytest_lok.engine.execution import StepExecution

_SHOWN = 300


async def run_approval(execution: StepExecution, action: Approve) -> None:
    """Get the answer of a person.

    StepFailedError where it is no. StepUnableError where there is none, and then ``execution.waiting`` is
    the question that it waits for.
    """
    context, step = execution.context, execution.step
    template = action.question
    text = await evaluate(execution, context.scope(), [template], template.render)
    # only what is seen can be approved, and a record has no secrets
    question = context.world.redactor.text(text.strip())
    if not question:
        raise StepUnableError("it asks nothing: its text is empty", hint="put into `approve` what is asked")
    execution.attempts = 1
    if context.world.dry_run:
        raise DryRunError(f"it would ask: {one_line(question, _SHOWN)}")
    approval = context.memory.approval(step.name, question)
    if approval is None and context.world.approver is not None:
        approval = await context.world.approver.ask(step.name, question)
    execution.begin()
    if approval is None:
        execution.waiting = question
        command = f"lok approve {context.memory.run_id} {step.name}"
        raise StepUnableError(
            f"waits for an answer: {one_line(question, _SHOWN)}",
            hint=f"`{command} --yes` goes on, `{command} --no` ends it",
        )
    execution.approval = approval
    execution.add_section("asked", question)
    execution.add_section("answered", str(approval))
    if not approval.yes:
        raise StepFailedError(str(approval))
    execution.output = "yes"
