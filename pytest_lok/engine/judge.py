"""What a step did -> whether the answer is yes: its verify command, then its asserts."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.core.model import Ask
from pytest_lok.core.results import Outcome
from pytest_lok.core.scope import Names
from pytest_lok.core.shell import ShellTemplate
from pytest_lok.engine.record import Record
from pytest_lok.engine.shell import execute, shell_command
from pytest_lok.errors import StepFailedError


async def verify(record: Record, action: Ask) -> None:
    """Run the step's verify command, if it has one; StepFailedError with its output if it says no."""
    world = record.context.world
    template = action.verify
    if template is None:
        if not action.verify_preset:
            return
        template = ShellTemplate.parse(world.workspace.verify_command(action.verify_preset), Names())
    command = shell_command(template, record.context.scope(record.loop), world)
    try:
        done = await execute(record, command)
    except StepFailedError as failure:
        record.note("verify", failure.output)
        raise StepFailedError(
            f"verify failed: {template.source.strip()} ({failure.message})", output=failure.output
        ) from None
    record.note("verify", f"{done.stdout}\n{done.stderr}")


def check(record: Record) -> None:
    """Hold the step's asserts against what it did; StepFailedError says which said no, and what it saw."""
    if not record.step.asserts:
        return
    scope = replace(record.context.scope(record.loop), own=record.result(Outcome.PASSED))
    for condition in record.step.asserts:
        if not condition.holds(scope):
            values = condition.explain(scope)
            record.note("assert", values)
            raise StepFailedError(f"assert failed: {condition.source.strip()}", output=values)
