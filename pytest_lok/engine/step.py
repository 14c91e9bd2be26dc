"""One step: decide whether it runs, act (once, or per item), judge, and say what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, assert_never

from pytest_lok.core.model import Ask, ForEach, Shell, Step
from pytest_lok.core.results import ItemResult, Json, Outcome, StepResult
from pytest_lok.core.scope import Loop, Scope
from pytest_lok.engine.context import Context
from pytest_lok.engine.judge import check
from pytest_lok.engine.record import Record
from pytest_lok.engine.shell import run_shell
from pytest_lok.engine.transaction import run_and_apply
from pytest_lok.errors import OutputError, StepFailedError, StepUnableError

Ending: TypeAlias = tuple[Outcome, str, str]
"""An outcome, its reason and its hint."""

YES: Ending = (Outcome.PASSED, "", "")


async def perform(step: Step, context: Context) -> StepResult:
    """The step's result; its ``seconds`` run from here to its end, pauses between attempts included."""
    began = context.now()
    record = Record(step, context)
    outcome, reason, hint = await _ending(record, _whole)
    underlying = None
    if outcome.red and step.continue_on_error:
        outcome, underlying = Outcome.SOFT, outcome
    return record.result(outcome, reason, hint, underlying=underlying, seconds=context.now() - began)


async def _ending(record: Record, work: Callable[[Record], Awaitable[Ending]]) -> Ending:
    """How the work ended: every expected failure becomes an outcome here, and nowhere else."""
    try:
        return await work(record)
    except (StepFailedError, StepUnableError) as failure:
        outcome = Outcome.FAILED if isinstance(failure, StepFailedError) else Outcome.ERROR
        record.output, record.data, record.has_data = failure.output or failure.message, None, False
        return outcome, failure.message, failure.hint


async def _whole(record: Record) -> Ending:
    step, scope = record.step, record.context.scope()
    if step.when is not None and not step.when.holds(scope):
        return Outcome.SKIPPED, f"when is false: {step.when.source.strip()}", ""
    if step.for_each is not None:
        return await _each(record, _items(step.for_each, scope))
    return await _once(record)


async def _once(record: Record) -> Ending:
    match record.step.action:
        case Shell() as action:
            await run_shell(record, action)
            check(record)
        case Ask() as action:
            await run_and_apply(record, action)
        case _ as never:
            assert_never(never)
    return YES


async def _each(record: Record, items: Sequence[Json]) -> Ending:
    """Every item at once, up to ``max_parallel``; the results keep the items' order."""
    if not items:
        record.output, record.data, record.has_data = "[]", [], True
        return Outcome.SKIPPED, "for_each has no items", ""
    step, context = record.step, record.context
    places = asyncio.Semaphore(step.max_parallel or context.world.limits.max_parallel)

    async def one(loop: Loop) -> tuple[Record, ItemResult, str]:
        async with places:
            began = context.now()
            part = Record(step, context, loop)
            outcome, reason, hint = await _ending(part, _once)
            seconds = context.now() - began
        return part, part.item_result(outcome, reason, seconds), hint

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(Loop(item=item, index=i))) for i, item in enumerate(items)]
    parts = [task.result() for task in tasks]
    for part, result, _ in parts:
        record.absorb(part)
        record.items.append(result)
    record.data, record.has_data = [_listed(part, result) for part, result, _ in parts], True
    record.output = json.dumps(record.data, ensure_ascii=False)
    return _together(record.items, [hint for _, _, hint in parts])


def _listed(part: Record, result: ItemResult) -> Json:
    """An item as later steps read it; the first four keys are lok's."""
    listed: dict[str, Json] = {
        "index": result.index,
        "item": result.item,
        "output": result.output,
        "success": result.outcome is Outcome.PASSED,
    }
    return {**listed, "json": part.data} if part.has_data else listed


def _together(items: Sequence[ItemResult], hints: Sequence[str]) -> Ending:
    bad = [item for item in items if item.outcome.red]
    if not bad:
        return YES
    outcome = Outcome.FAILED if any(i.outcome is Outcome.FAILED for i in bad) else Outcome.ERROR
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
    return value
