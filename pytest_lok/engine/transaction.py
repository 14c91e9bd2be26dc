"""An ask step to its end: answer, edits, verify, asserts; what was edited is kept or restored whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_lok.core.edits import Change, changes, edits_of
from pytest_lok.core.model import Ask
from pytest_lok.core.scope import Names
from pytest_lok.core.shell import ShellTemplate
from pytest_lok.engine.ask import run_ask
from pytest_lok.engine.context import within
from pytest_lok.engine.judge import check, verify
from pytest_lok.engine.ports import Transaction
from pytest_lok.engine.record import Record
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError


class NotWrittenError(LokError):
    """The edits apply, and this is a dry run: ``output`` of the record is their diff."""


class _NotFixedError(StepFailedError):
    """The edits do not apply, or verify says no: what ``fix_retries`` asks again about."""


async def run_and_apply(record: Record, action: Ask) -> None:
    """Ask, apply the edits of the answer, verify, check; again after a failed apply or verify, as allowed.

    The workspace's lock is held from the first read of a file to the end of the checks, not while a
    backend thinks.
    """
    action = _found_out(record, action)
    feedback = ""
    for left in reversed(range(action.fix_retries + 1)):
        await run_ask(record, action, feedback)
        try:
            await _apply_and_judge(record, action, last=not left)
        except _NotFixedError as failure:
            if not left:
                raise
            record.note(f"before fix {action.fix_retries - left + 1}", f"{failure.message}\n{failure.output}")
            feedback = (
                f"Your previous answer was:\n\n{record.output}\n\nIt was undone, since {failure.message}\n"
                f"\n{failure.output}\n\nGive the whole answer again, corrected, for the original files."
            )
            record.again()
        else:
            return


def _found_out(record: Record, action: Ask) -> Ask:
    """The action with the command its preset stands for: where there is none, nothing is asked in vain."""
    if not action.verify_preset:
        return action
    command = record.context.world.workspace.verify_command(action.verify_preset)
    return replace(action, verify=ShellTemplate.parse(command, Names()), verify_preset="")


async def _apply_and_judge(record: Record, action: Ask, *, last: bool) -> None:
    if not action.apply_edits:
        await _judge(record, action)
        return
    world = record.context.world
    async with world.workspace.transaction() as transaction:
        made = _made(record, action, transaction)
        if world.dry_run:
            await check(record)
            record.output, record.data, record.has_data = _diff(made), None, False
            raise NotWrittenError(
                "dry run: its edits apply, and are shown instead of made", hint="run it without --dry-run"
            )
        await _checkpoint(record)
        transaction.write(made)
        record.note("edits", _diff(made) or "no edits")
        try:
            await _judge(record, action)
        except StepFailedError:
            if last and not action.rollback:
                transaction.keep()
            raise
        transaction.keep()


async def _judge(record: Record, action: Ask) -> None:
    try:
        await verify(record, action)
    except StepFailedError as failure:
        raise _NotFixedError(failure.message, hint=failure.hint, output=failure.output) from None
    await check(record)


def _made(record: Record, action: Ask, transaction: Transaction) -> list[Change]:
    """What becomes of the files; StepFailedError says why the edits do not apply."""
    try:
        made, reasons = changes(edits_of(record.data), transaction.read, allow=action.allow_paths)
    except OutputError as unusable:
        raise _NotFixedError(unusable.message, hint=unusable.hint) from None
    if reasons:
        raise _NotFixedError("the edits do not apply: " + "; ".join(reasons), output="\n".join(reasons))
    return made


def _diff(made: Sequence[Change]) -> str:
    return "".join(change.diff() for change in made)


async def _checkpoint(record: Record) -> None:
    """Let git-agent note the state before the edits, where it keeps a history; nothing depends on it."""
    world, limit = record.context.world, record.context.limit(record.step)
    command = world.workspace.checkpoint(f"pre-edit: {record.step.name}")
    if command is None:
        return
    try:
        async with within(limit):
            done = await world.shell.run(command)
        trouble = f"{done.stdout}\n{done.stderr}" if done.exit_code else ""
    except TimeoutError:
        trouble = f"no answer within {limit:g} s"
    except StepUnableError as failure:
        trouble = failure.message
    record.note("git-agent made no checkpoint", trouble)
