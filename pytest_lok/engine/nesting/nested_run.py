"""A step that runs a workflow: its steps in a run of their own, inside of the outer one.

That run has the world, the places and the budget of the outer one. It keeps nothing and resumes nothing by
itself: the outer step is kept as a whole, or runs again as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.events import (
    BackendAnswering,
    BackendAsked,
    BackendBusy,
    BackendRefused,
    BackendReplied,
    Event,
    StepFinished,
    StepProgressed,
    StepRetrying,
)
from pytest_lok.core.results import Json, NestedRun, Outcome, RunResult, StepResult
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Nested
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.context import OuterStep, time_limit
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.engine.execution import DryRunError, StepExecution
from pytest_lok.engine.nesting.rounds import Last, run_rounds
from pytest_lok.errors import PlanError, StepFailedError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.engine.context import InnerRun


async def run_nested(execution: StepExecution, action: Nested) -> bool:
    """Run the workflow; the step's output is what it hands on. False = every step of it was skipped.

    StepFailedError where a step of it failed. StepUnableError where one could not do its work, or where
    nothing was judged.
    """
    step, until = execution.step, action.until
    try:
        with time_limit(step.timeout or float("inf")):
            if until is None:
                return await _run_once(execution, action)
            return await run_rounds(execution, action, until, partial(_run_once, execution, action))
    except TimeoutError:
        raise StepUnableError(
            f"the workflow {action.workflow.stem} timed out after {step.timeout:g} s",
            hint=f"raise `timeout` of step {step.name}",
        ) from None


async def _run_once(
    execution: StepExecution, action: Nested, round_: int | None = None, last: Last = None
) -> bool:
    """One run of the workflow, or one round of a loop, that reads what the ``last`` one has handed on."""
    plan = await _plan(execution, action, last)
    execution.attempts = 1
    execution.begin()
    # before anything of it has an effect
    execution.context.announce(execution.step.name)
    execution.output, execution.data, execution.has_data, execution.cut = "", None, False, False
    part = f"{execution.item} {round_}"
    outer = OuterStep(step=execution.step, context=execution.context, part=part, last=last)
    listener = _Listener(execution, len(plan.steps), round_)
    run = execution.context.begin_inner(plan, listener, outer)
    try:
        await run.execute()
    finally:
        result = run.result()
        _take_over(execution, result, round_)
    return await _judged(execution, action, run, result)


async def _plan(execution: StepExecution, action: Nested, last: Last) -> Plan:
    scope, texts = replace(execution.scope(), last=last), action.arguments
    values = await evaluate(
        execution,
        scope,
        texts.values(),
        lambda scope: {name: text.render(scope) for name, text in texts.items()},
    )
    try:
        return Plan.of(action.workflow, named=values)
    except PlanError as wrong:
        raise StepUnableError(wrong.message, hint="see `with` of the step") from wrong


def _take_over(execution: StepExecution, result: RunResult, round_: int | None) -> None:
    """Add what the inner run has done and found to the outer step, however it ended."""
    steps = tuple(result.steps.values())
    nested = NestedRun(workflow=result.workflow, steps=steps, item=execution.item, round=round_)
    execution.nested.append(nested)
    # what a round before this one has found may be mended by now
    if any(step.findings is not None for step in steps):
        execution.findings, execution.aside = None, ()
    execution.usage += result.usage
    for step in steps:
        execution.replies += [replace(it, item=execution.item) for it in step.replies]
        execution.refusals += [replace(it, item=execution.item) for it in step.refusals]
        execution.edits += step.edits
        if step.findings is not None:
            from pytest_lok.core.findings.reading import merge_attempts

            execution.findings = merge_attempts([*(execution.findings or ()), *step.findings])
        execution.aside += step.set_aside
    execution.context.note_backends(steps)


async def _judged(execution: StepExecution, action: Nested, run: InnerRun, result: RunResult) -> bool:
    """What the outcome of the inner run means for the step, as ``run_nested`` says."""
    stem = action.workflow.stem
    shown = [it for it in result.steps.values() if it.blocked_by == it.name and it.attempts]
    if shown and not any(it.outcome.red for it in result.steps.values()):
        execution.output = "\n".join(it.output for it in shown)
        raise DryRunError(f"step {shown[0].name} of {stem}: {shown[0].reason}")
    if result.outcome.red or result.interrupted:
        reason, hint = _reason(result.steps.values(), result)
        failure = StepFailedError if result.outcome is Outcome.FAILED else StepUnableError
        raise failure(f"{stem}: {reason}", hint=hint)
    if result.outcome is Outcome.SKIPPED and action.workflow.allow_skip:
        # as any step that is skipped by its own `when`, it has not run
        execution.attempts = 0
        return False
    if result.outcome is not Outcome.PASSED or (result.idle and not action.workflow.allow_skip):
        names = ", ".join(name for name, it in result.steps.items() if not it.passed)
        raise StepUnableError(
            f"{stem}: nothing was judged: {names} did not pass",
            hint=f"`allow_skip` in {action.workflow.path or stem} says that all of it may be skipped",
        )
    await _hand_on(execution, action, run.scope(), result)
    return True


def _reason(steps: Iterable[StepResult], result: RunResult) -> tuple[str, str]:
    """The first step that made the run red, with its outcome and its reason; and the step's hint."""
    wanted = Outcome.FAILED if result.outcome is Outcome.FAILED else Outcome.ERROR
    red = next((it for it in steps if it.outcome is wanted), None)
    if red is None:
        return result.interrupted or "a step of it did not run", ""
    return f"step {red.name}: {red.outcome}: {red.reason}", red.hint


async def _hand_on(execution: StepExecution, action: Nested, scope: Scope, result: RunResult) -> None:
    """Make the step's output: the named ones as JSON, or what the last steps of the workflow said."""
    texts = action.workflow.outputs
    if not texts:
        execution.output = result.output
        execution.cut = any(result.steps[name].cut for name in result.leaves if name in result.steps)
        return

    def values(scope: Scope) -> Mapping[str, Json]:
        return {
            name: text.render(scope) if isinstance(text, Template) else text.kept(scope)
            for name, text in texts.items()
        }

    execution.data, execution.has_data = dict(await evaluate(execution, scope, texts.values(), values)), True
    execution.output = json.dumps(execution.data, ensure_ascii=False)


class _Listener:
    """Hears the inner run, and tells the outer one what it wants to know, in the name of the outer step."""

    def __init__(self, execution: StepExecution, total: int, round_: int | None) -> None:
        self._execution = execution
        self._total = total
        self._round = round_
        self._ended = 0
        if round_ is not None:
            self._tell_progress()

    def _tell_progress(self) -> None:
        # a loop over items counts these
        if self._execution.item is None:
            emit, name = self._execution.context.emit, self._execution.step.name
            emit(StepProgressed(step=name, finished=self._ended, total=self._total, round=self._round))

    def __call__(self, event: Event) -> None:
        outer, item, emit = self._execution.step.name, self._execution.item, self._execution.context.emit
        match event:
            case StepFinished():
                self._ended += 1
                self._tell_progress()
            case BackendAsked() | BackendAnswering() | BackendBusy() | BackendReplied() | BackendRefused():
                emit(replace(event, step=outer, item=item))
            case StepRetrying():
                emit(replace(event, step=outer, item=item, reason=f"{event.step}: {event.reason}"))
            case _:
                pass
