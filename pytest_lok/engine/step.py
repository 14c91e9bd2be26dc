"""One step: decide whether it runs, act (once, or per item), judge, and say what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar, assert_never

from pytest_lok.core.results import ItemResult, Json, Outcome, StepResult
from pytest_lok.core.templates.scope import Loop, Scope
from pytest_lok.core.workflow.model import MOST_ITEMS, Ask, ForEach, Shell, Step
from pytest_lok.engine.aside import ASIDE
from pytest_lok.engine.asking.findings import InconclusiveError
from pytest_lok.engine.checks import check
from pytest_lok.engine.context import RunContext
from pytest_lok.engine.edit_step import DryRunError, apply_together, run_and_apply
from pytest_lok.engine.evaluation import worked_out
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.shell import run_shell
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError

T = TypeVar("T")

Ending: TypeAlias = tuple[Outcome, str, str]
"""An outcome, its reason and its hint."""

Ended: TypeAlias = tuple[StepExecution, ItemResult, str]
"""An item that is done, what came of it, and its hint."""

YES: Ending = (Outcome.PASSED, "", "")


async def perform(step: Step, context: RunContext) -> StepResult:
    """The step's result; its ``seconds`` run from here to its end, pauses between attempts included."""
    began = context.now()
    record = StepExecution(step, context)
    aside: list[str] = []
    ASIDE.set(aside)
    outcome, reason, hint = await _ending(record, _whole)
    record.note("said meanwhile", "".join(aside))
    underlying = Outcome.ERROR if outcome is Outcome.SOFT else None
    if outcome.red and step.continue_on_error:
        outcome, underlying = Outcome.SOFT, outcome
    result = record.result(outcome, reason, hint, underlying=underlying, seconds=context.now() - began)
    # edits that are only shown keep from running what counts on them
    return replace(result, blocked_by=step.name) if outcome is Outcome.SKIPPED and record.attempts else result


async def _ending(record: StepExecution, work: Callable[[StepExecution], Awaitable[Ending]]) -> Ending:
    """How the work ended: every expected failure becomes an outcome here, and nowhere else."""
    try:
        return await work(record)
    except (StepFailedError, StepUnableError) as failure:
        outcome = Outcome.FAILED if isinstance(failure, StepFailedError) else Outcome.ERROR
        if isinstance(failure, InconclusiveError) and failure.soft:
            outcome = Outcome.SOFT
        record.output, record.data, record.has_data = failure.output or failure.message, None, False
        record.cut = isinstance(failure, StepFailedError) and failure.cut
        return outcome, failure.message, failure.hint
    except DryRunError as shown:
        return Outcome.SKIPPED, shown.message, shown.hint


async def _whole(record: StepExecution) -> Ending:
    step, scope = record.step, record.context.scope()
    if step.when is not None and not await worked_out(record, scope, [step.when], step.when.holds):
        return Outcome.SKIPPED, f"when is false: {step.when.source.strip()}", ""
    if step.for_each is not None:
        items = partial(_items, step.for_each)
        return await _each(record, await worked_out(record, scope, [step.for_each.expression], items))
    return await _once(record)


async def _once(record: StepExecution) -> Ending:
    match record.step.action:
        case Shell() as action:
            await run_shell(record, action)
            await check(record)
        case Ask() as action:
            await (_repeatedly if action.repeat > 1 else run_and_apply)(record, action)
        case _ as never:
            assert_never(never)
    return YES


async def _repeatedly(record: StepExecution, action: Ask) -> None:
    """Independent answers to one prompt; enough must pass every check. The first that does is kept."""
    wanted = action.required_passes or action.repeat

    async def work(part: StepExecution) -> Ending:
        await run_and_apply(part, action)
        return YES

    parts = [StepExecution(record.step, record.context, record.loop, sample=n) for n in range(action.repeat)]
    endings = await _together([_ending(part, work) for part in parts], record)
    for part in parts:
        record.absorb(part, f"answer {part.sample + 1}")
    passed = [part for part, (outcome, _, _) in zip(parts, endings, strict=True) if outcome is Outcome.PASSED]
    if len(passed) >= wanted:
        record.adopt(passed[0])
        return
    said = "; ".join(f"answer {n}: {reason}" for n, (_, reason, _) in enumerate(endings, 1) if reason)
    message = f"{len(passed)} of {action.repeat} answers passed, {wanted} needed ({said})"
    unclear = [outcome for outcome, _, _ in endings if outcome in (Outcome.ERROR, Outcome.SOFT)]
    if len(passed) + len(unclear) >= wanted:
        hint = next((hint for _, _, hint in endings if hint), "")
        raise InconclusiveError(message, hint=hint, soft=Outcome.ERROR not in unclear)
    raise StepFailedError(message)


async def _together(work: Sequence[Coroutine[None, None, T]], record: StepExecution) -> list[T]:
    """Everything at once, up to ``max_parallel``; the results keep the order."""
    wanted, limits, line = record.step.max_parallel, record.context.world.limits, record.context.line
    places = asyncio.Semaphore(limits.own(wanted))
    in_all = limits.in_all(wanted)

    async def one(part: Coroutine[None, None, T]) -> T:
        async with places:
            await line.enter(lambda: in_all)
            try:
                return await part
            finally:
                line.leave()

    with line.lent():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(part)) for part in work]
    return [task.result() for task in tasks]


async def _each(record: StepExecution, items: Sequence[Json]) -> Ending:
    """Every item at once, up to ``max_parallel``; the results keep the items' order."""
    if not items:
        record.output, record.data, record.has_data = "[]", [], True
        return Outcome.SKIPPED, "for_each has no items", ""
    step, context = record.step, record.context

    async def one(part: StepExecution) -> Ended:
        began = context.now()
        outcome, reason, hint = await _ending(part, _once)
        return part, part.item_result(outcome, reason, context.now() - began), hint

    each = [StepExecution(step, context, Loop(item=item, index=i)) for i, item in enumerate(items)]
    if isinstance(step.action, Ask) and step.action.apply_edits:
        parts = await _edited(each, step.action, record)
    else:
        parts = await _together([one(part) for part in each], record)
    for part, result, _ in parts:
        record.absorb(part, str(part.item))
        record.items.append(result)
    record.data, record.has_data = [_listed(part, result) for part, result, _ in parts], True
    record.output = json.dumps(record.data, ensure_ascii=False)
    record.cut = any(item.cut for item in record.items)
    return _summed(record.items, [hint for _, _, hint in parts])


async def _edited(parts: Sequence[StepExecution], action: Ask, record: StepExecution) -> list[Ended]:
    """Items whose answers are edits: those of all are applied, or none."""
    began = record.context.now()
    failures: Sequence[LokError | None]
    try:
        failures = await apply_together(parts, action, lambda work: _together(work, record))
    except (StepFailedError, StepUnableError) as trouble:
        failures = [trouble] * len(parts)
    seconds = record.context.now() - began
    ended: list[Ended] = []
    for part, failure in zip(parts, failures, strict=True):
        outcome, reason, hint = await _ending(part, partial(_told, failure))
        ended.append((part, part.item_result(outcome, reason, seconds), hint))
    return ended


async def _told(failure: LokError | None, part: StepExecution) -> Ending:  # noqa: ARG001 - called like other work
    if failure is not None:
        raise failure
    return YES


def _listed(part: StepExecution, result: ItemResult) -> Json:
    """An item as later steps read it; the first four keys are lok's."""
    listed: dict[str, Json] = {
        "index": result.index,
        "item": result.item,
        "output": result.output,
        "success": result.outcome is Outcome.PASSED,
    }
    return {**listed, "json": part.data} if part.has_data else listed


def _summed(items: Sequence[ItemResult], hints: Sequence[str]) -> Ending:
    bad = [item for item in items if item.outcome is not Outcome.PASSED]
    if not bad:
        return YES
    outcomes = {item.outcome for item in bad}
    outcome = next(o for o in (Outcome.FAILED, Outcome.ERROR, Outcome.SOFT, Outcome.SKIPPED) if o in outcomes)
    shown = "; ".join(f"[{item.index}] {item.reason}" for item in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    hint = next((hint for hint in hints if hint), "")
    return outcome, f"{len(bad)} of {len(items)} items did not pass: {shown}{more}", hint


def _items(for_each: ForEach, scope: Scope) -> Sequence[Json]:
    if for_each.expression is None:
        return for_each.inline
    value = for_each.expression.value(scope)
    if not isinstance(value, list):
        kind = "an object" if isinstance(value, dict) else "no array"
        raise OutputError(
            f"for_each needs a JSON array, but {for_each.expression.source.strip()} is {kind}",
            hint='name the field that holds the array, or set output_format = "json_array" on that step',
        )
    if len(value) > MOST_ITEMS:
        raise StepUnableError(
            f"for_each got {len(value):,} items; at most {MOST_ITEMS:,} are run",
            hint="hand it fewer, for example by a command before it",
        )
    return value
