"""An ask step to its end: answer, edits, verify, asserts; what was edited is kept or restored whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pytest_lok.core.edits import Change, changes, edits_of
from pytest_lok.core.model import Ask
from pytest_lok.core.scope import Names
from pytest_lok.core.shell import ShellTemplate
from pytest_lok.engine.ask import run_ask
from pytest_lok.engine.context import within
from pytest_lok.engine.findings import examine
from pytest_lok.engine.judge import check, hold, verify
from pytest_lok.engine.ports import Transaction
from pytest_lok.engine.record import Record
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError, TemplateError


class NotWrittenError(LokError):
    """The edits apply, and this is a dry run: ``output`` of the record is their diff."""


class _FixableError(LokError):
    """What ``fix_retries`` asks again about: ``failure`` is what it comes to when nothing helps."""

    def __init__(self, failure: StepFailedError | StepUnableError) -> None:
        super().__init__(failure.message, hint=failure.hint)
        self.failure = failure


@contextmanager
def _fixable(*kinds: type[StepFailedError] | type[StepUnableError]) -> Iterator[None]:
    try:
        yield
    except kinds as failure:
        raise _FixableError(failure) from None


async def run_and_apply(record: Record, action: Ask) -> None:
    """Ask, apply the edits of the answer, verify, check; again with what was wrong, as often as allowed.

    What may be corrected is the answer: its form, its edits, what verify and the asserts say of it. The
    gate's no is none of these.

    The workspace's lock is held from the first read of a file to the end of the checks, not while a
    backend thinks.
    """
    action = _found_out(record, action)
    feedback = ""
    for left in reversed(range(action.fix_retries + 1)):
        record.output = ""
        try:
            with _fixable(OutputError):
                await run_ask(record, action, feedback)
            await _apply_and_judge(record, action, last=not left)
        except _FixableError as fixable:
            failure = fixable.failure
            if not left:
                raise failure from None
            record.note(f"before fix {action.fix_retries - left + 1}", f"{failure.message}\n{failure.output}")
            feedback = _feedback(record.output, failure, edited=action.apply_edits)
            record.again()
        else:
            return


def _feedback(answer: str, failure: StepFailedError | StepUnableError, *, edited: bool) -> str:
    """What the next question says of the answer before (it may not have been usable at all)."""
    said = [f"Your previous answer was:\n\n{answer}"] if answer else []
    evidence = failure.output.removeprefix(answer).strip()
    why = f"It was {'undone' if edited else 'not accepted'}, since {failure.message}"
    again = f"Give the whole answer again, corrected{', for the original files' if edited else ''}."
    return "\n\n".join([*said, why, *([evidence] if evidence else []), again])


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
        except (StepFailedError, _FixableError) as failure:
            no = isinstance(failure, StepFailedError) or isinstance(failure.failure, StepFailedError)
            if last and no and not action.rollback:
                transaction.keep()
            raise
        transaction.keep()


async def _judge(record: Record, action: Ask) -> None:
    with _fixable(StepFailedError):
        await verify(record, action)
    inconclusive = await examine(record)
    with _fixable(StepFailedError, TemplateError):
        await hold(record)
    if inconclusive is not None:
        raise inconclusive


def _made(record: Record, action: Ask, transaction: Transaction) -> list[Change]:
    """What becomes of the files; StepFailedError says why the edits do not apply."""
    try:
        made, reasons = changes(edits_of(record.data), transaction.read, allow=action.allow_paths)
    except OutputError as unusable:
        failure = StepFailedError(unusable.message, hint=unusable.hint)
        raise _FixableError(failure) from None
    if reasons:
        said = "the edits do not apply: " + "; ".join(reasons)
        raise _FixableError(StepFailedError(said, output="\n".join(reasons)))
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
