"""One step: whether it runs, its action (once, repeated, or for each item), its checks, its outcome.

Every expected failure becomes an outcome in ``_outcome_of``. Exceptions that pass it are bugs of lok, and end
the run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, assert_never

from pytest_lok.core.events import StepProgressed
from pytest_lok.core.results import ItemResult, Json, Outcome, StepResult
from pytest_lok.core.templates.scope import Loop
from pytest_lok.core.text.truncation import one_line
from pytest_lok.core.workflow.items import items_of
from pytest_lok.core.workflow.model import Approve, Ask, Nested, Shell
from pytest_lok.engine.asking.concurrency import FifoQueue
from pytest_lok.engine.checks import check_asserts, check_step
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.engine.execution import DryRunError, InconclusiveError, StepExecution
from pytest_lok.engine.shell import run_shell
from pytest_lok.engine.stray_output import STRAY_OUTPUT
from pytest_lok.errors import LokError, StepFailedError, StepUnableError

if TYPE_CHECKING:
    pass

T = TypeVar("T")

StepOutcome: TypeAlias = tuple[Outcome, str, str]
"""An outcome, its reason and its hint; the texts are "" for a step that passed."""

FinishedItem: TypeAlias = tuple[StepExecution, ItemResult, str]
"""The execution of an item that has ended, its result, and its hint."""

PASSED: StepOutcome = (Outcome.PASSED, "", "")


async def run_step(execution: StepExecution) -> StepResult:
    """Run the execution's step to its result. ``seconds`` of the result include the pauses between attempts.

    They do not include the wait for the first place at a backend.
    """
    step, made = execution.step, execution.context.now()
    stray: list[str] = []
    STRAY_OUTPUT.set(stray)
    outcome, reason, hint = await _with_earlier(execution, await _outcome_of(execution, _run_selected))
    execution.add_section("backend output", "".join(stray))
    # A gate with on_inconclusive = "warn" is soft by itself; continue_on_error makes any red outcome soft.
    underlying = Outcome.ERROR if outcome is Outcome.SOFT else None
    if outcome.red and step.continue_on_error and not execution.waiting:
        outcome, underlying = Outcome.SOFT, outcome
    result = execution.result(outcome, reason, hint, underlying=underlying, seconds=execution.seconds(made))
    # a dry run: the steps that count on edits which were only shown must not run
    return (
        replace(result, blocked_by=step.name) if outcome is Outcome.SKIPPED and execution.attempts else result
    )


def interrupted_step(execution: StepExecution, reason: str, seconds: float) -> StepResult:
    """The result of a step that was stopped: an error with all that it has got, or failed if an item has."""
    execution.interrupt(reason)
    outcome = Outcome.ERROR
    if execution.items:
        outcome, said, _ = _combine(execution.items, ())
        reason = f"{reason}; {said}"
    execution.attempts = max(execution.attempts, 1)
    execution.output, execution.cut = reason, False
    return execution.result(outcome, reason, seconds=seconds)


async def _outcome_of(
    execution: StepExecution, work: Callable[[StepExecution], Awaitable[StepOutcome]]
) -> StepOutcome:
    """How the work ended. Every expected failure becomes an outcome here, and nowhere else."""
    try:
        return await work(execution)
    except (StepFailedError, StepUnableError) as failure:
        outcome = Outcome.FAILED if isinstance(failure, StepFailedError) else Outcome.ERROR
        if isinstance(failure, InconclusiveError) and failure.soft:
            outcome = Outcome.SOFT
        execution.output, execution.data, execution.has_data = failure.output or failure.message, None, False
        execution.cut = failure.cut
        return outcome, failure.message, failure.hint
    except DryRunError as shown:
        return Outcome.SKIPPED, shown.message, shown.hint


async def _with_earlier(execution: StepExecution, own: StepOutcome) -> StepOutcome:
    """The outcome with what an earlier review of the change has found in the rest of it."""
    gate = execution.context.plan.workflow.gate
    if gate is None or gate.since == "base":
        return own
    from pytest_lok.engine.carried import with_carried

    return await with_carried(execution, own)


async def _run_selected(execution: StepExecution) -> StepOutcome:
    gate = execution.context.plan.workflow.gate
    if gate is not None and gate.since == "reviewed":
        from pytest_lok.engine.carried import require_whole

        require_whole(execution)
    step, scope = execution.step, execution.scope()
    if step.when is not None and not await evaluate(execution, scope, [step.when], step.when.holds):
        return Outcome.SKIPPED, f"when is false: {one_line(step.when.source, 160)}", ""
    if step.for_each is not None:
        items = partial(items_of, step.for_each)
        return await _run_items(
            execution, await evaluate(execution, scope, [step.for_each.expression], items)
        )
    return await _run_action(execution)


async def _run_action(execution: StepExecution) -> StepOutcome:
    match execution.step.action:
        case Shell() as action:
            await run_shell(execution, action)
            await check_step(execution)
        case Ask() as action:
            from pytest_lok.engine.edit_step import run_and_apply

            await (_run_repeats if action.repeat > 1 else run_and_apply)(execution, action)
        case Nested() as action:
            from pytest_lok.engine.nesting.nested_run import run_nested

            if not await run_nested(execution, action):
                said = f"every step of {action.workflow.stem} was skipped by its own `when`"
                return Outcome.SKIPPED, said, ""
            await check_asserts(execution)
        case Approve() as action:
            from pytest_lok.engine.people.approval import run_approval

            await run_approval(execution, action)
        case _ as never:
            assert_never(never)
    return PASSED


async def _run_repeats(execution: StepExecution, action: Ask) -> None:
    """Get independent answers to one prompt. Enough must pass every check; the first that does is kept."""
    wanted = action.required_passes or action.repeat

    from pytest_lok.engine.edit_step import run_and_apply

    async def work(part: StepExecution) -> StepOutcome:
        await run_and_apply(part, action)
        return PASSED

    parts = [
        StepExecution(execution.step, execution.context, execution.loop, sample=n)
        for n in range(action.repeat)
    ]
    execution.parts = parts
    outcomes = await _gather_limited([_outcome_of(part, work) for part in parts], execution)
    execution.parts = ()
    for part in parts:
        execution.absorb_part(part, f"answer {part.sample + 1}")
    passed = [
        part for part, (outcome, _, _) in zip(parts, outcomes, strict=True) if outcome is Outcome.PASSED
    ]
    if len(passed) >= wanted:
        execution.adopt_answer(passed[0])
        return
    said = "; ".join(f"answer {n}: {reason}" for n, (_, reason, _) in enumerate(outcomes, 1) if reason)
    message = f"{len(passed)} of {action.repeat} answers passed, {wanted} needed ({said})"
    # Answers without a judgement might have passed: only if they could not change the count is it a no.
    unclear = [outcome for outcome, _, _ in outcomes if outcome in (Outcome.ERROR, Outcome.SOFT)]
    if len(passed) + len(unclear) >= wanted:
        hint = next((hint for _, _, hint in outcomes if hint), "")
        raise InconclusiveError(message, hint=hint, soft=Outcome.ERROR not in unclear)
    raise StepFailedError(message)


async def _gather_limited(work: Sequence[Coroutine[None, None, T]], execution: StepExecution) -> list[T]:
    """Run the coroutines side by side, up to the step's ``max_parallel``; the results keep the order."""
    step, context = execution.step, execution.context
    limits, holds_slot = context.world.limits, context.holds_slot(step)
    at_once, total = limits.parallel_for(step.max_parallel), limits.total_for(step.max_parallel)
    parts, finished = FifoQueue(), 0

    async def one(part: Coroutine[None, None, T]) -> T:
        async with parts.slot(at_once), context.queue.slot(total) if holds_slot else nullcontext():
            result = await part
        nonlocal finished
        finished += 1
        _emit_progress(execution, finished, len(work))
        return result

    _emit_progress(execution, 0, len(work))
    # The step only waits while its parts run, and each part needs a slot of its own.
    with context.queue.released() if holds_slot else nullcontext():
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(part)) for part in work]
        finally:
            # those that were cancelled before they began
            for part in work:
                part.close()
    return [task.result() for task in tasks]


def _emit_progress(execution: StepExecution, finished: int, total: int) -> None:
    # several answers about one item of a loop: the loop counts its items
    if execution.item is None and total > 1:
        progress = StepProgressed(step=execution.step.name, finished=finished, total=total)
        execution.context.emit(progress)


async def _run_items(execution: StepExecution, items: Sequence[Json]) -> StepOutcome:
    """Run the action for every item side by side; the results keep the items' order."""
    step, context = execution.step, execution.context
    if not items:
        from pytest_lok.engine.asking.material import check_items

        assert step.for_each is not None  # noqa: S101 - there are items of it, or might be
        check_items(execution, step.for_each.expression)
        execution.output, execution.data, execution.has_data = "[]", [], True
        return Outcome.SKIPPED, "for_each has no items", ""

    async def one(part: StepExecution) -> FinishedItem:
        made = context.now()
        outcome, reason, hint = await _outcome_of(part, _run_item)
        part.ended = part.item_result(outcome, reason, part.seconds(made))
        return part, part.ended, hint

    each = [StepExecution(step, context, Loop(item=item, index=i)) for i, item in enumerate(items)]
    execution.parts = each
    if isinstance(step.action, Ask) and step.action.apply_edits:
        parts = await _run_edit_items(each, step.action, execution)
    else:
        parts = await _gather_limited([one(part) for part in each], execution)
    execution.parts = ()
    for part, result, _ in parts:
        execution.absorb_part(part, str(part.item))
        execution.items.append(result)
    execution.data, execution.has_data = [_item_document(part, result) for part, result, _ in parts], True
    execution.output = json.dumps(execution.data, ensure_ascii=False)
    execution.cut = any(item.cut for item in execution.items)
    return _combine(execution.items, [hint for _, _, hint in parts])


async def _run_item(part: StepExecution) -> StepOutcome:
    """Run the action for one item. An item that says of itself why it is ``unreadable`` is an error."""
    item = part.loop.item if part.loop is not None else None
    if isinstance(item, dict) and (why := item.get("unreadable")):
        raise StepUnableError(f"{item.get('name', 'the item')} cannot be shown: {why}")
    return await _run_action(part)


async def _run_edit_items(
    parts: Sequence[StepExecution], action: Ask, execution: StepExecution
) -> list[FinishedItem]:
    """Run the items of a step with edits: the edits of all items are applied, or none."""
    from pytest_lok.engine.edit_step import apply_together

    began = execution.context.now()
    failures: Sequence[LokError | None]
    try:
        failures = await apply_together(parts, action, lambda work: _gather_limited(work, execution))
    except (StepFailedError, StepUnableError) as trouble:
        failures = [trouble] * len(parts)
    seconds = execution.context.now() - began
    ended: list[FinishedItem] = []
    for part, failure in zip(parts, failures, strict=True):
        outcome, reason, hint = await _outcome_of(part, partial(_reraise, failure))
        ended.append((part, part.item_result(outcome, reason, seconds), hint))
    return ended


async def _reraise(failure: LokError | None, part: StepExecution) -> StepOutcome:  # noqa: ARG001 - called like other work
    if failure is not None:
        raise failure
    return PASSED


def _item_document(part: StepExecution, result: ItemResult) -> Json:
    """An item as later steps read it in ``data``. The keys are part of the workflow language."""
    listed: dict[str, Json] = {
        "index": result.index,
        "item": result.item,
        "output": part.result(result.outcome).handed_on,
        "success": result.outcome is Outcome.PASSED,
    }
    return {**listed, "json": part.data} if part.has_data else listed


def _combine(items: Sequence[ItemResult], hints: Sequence[str]) -> StepOutcome:
    bad = [item for item in items if item.outcome is not Outcome.PASSED]
    if not bad:
        return PASSED
    outcomes = {item.outcome for item in bad}
    outcome = next(o for o in (Outcome.FAILED, Outcome.ERROR, Outcome.SOFT, Outcome.SKIPPED) if o in outcomes)
    shown = "; ".join(f"[{item.index}] {item.reason}" for item in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    hint = next((hint for hint in hints if hint), "")
    return outcome, f"{len(bad)} of {len(items)} items did not pass: {shown}{more}", hint
