"""An ask step to its end: answer, edits, verify, asserts; what was edited is kept or restored whole."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from pytest_lok.core.edits.edits import EditDraft, FileChange, edits_of
from pytest_lok.core.edits.verification import verification
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.workflow.model import Ask, Shell
from pytest_lok.engine.asking.ask import run_ask
from pytest_lok.engine.asking.findings import examine
from pytest_lok.engine.checks import check, hold, verify
from pytest_lok.engine.context import time_limit
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.ports import Transaction
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError, TemplateError

_EMPTY = "set allow_empty = true on the step if there may be nothing to change"


class DryRunError(LokError):
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


class UndoneError(DryRunError):
    """The answer holds, and its edits are undone with those of another that does not."""


Work: TypeAlias = Coroutine[None, None, LokError | None]
AtOnce: TypeAlias = Callable[[Sequence[Work]], Awaitable[Sequence[LokError | None]]]
"""Runs coroutines side by side, as many as a step may, and gives what they return in their order."""


async def run_and_apply(record: StepExecution, action: Ask) -> None:
    """Ask, apply the edits of the answer, verify, check; again with what was wrong, as often as allowed."""
    (failure,) = await apply_together([record], action)
    if failure is not None:
        raise failure


async def apply_together(
    parts: Sequence[StepExecution], action: Ask, at_once: AtOnce | None = None
) -> list[LokError | None]:
    """Ask for every part, apply the edits of all answers as one transaction, verify and check each part.

    Returns what each part failed with, None where it did not; where one did, the others' edits are
    undone too. What may be corrected by asking again is the answer: its form, its edits, what verify
    and the asserts say of it. The gate's no is none of these.

    The workspace's lock is held from the first read of a file to the end of the checks, not while a
    backend thinks.
    """
    action = _found_out(parts[0], action)
    feedback = [(number, "") for number in range(len(parts))]
    for left in reversed(range(action.fix_retries + 1)):
        work = [_asked(parts[number], action, said) for number, said in feedback]
        asked = await at_once(work) if at_once else [await work[0]]
        failed = {number: no for (number, _), no in zip(feedback, asked, strict=True) if no is not None}
        if not failed:
            failed = await _apply_and_judge(parts, action, last=not left)
        if not failed:
            break
        fixable = {number: no.failure for number, no in failed.items() if isinstance(no, _FixableError)}
        if not left or len(fixable) < len(failed):
            return _in_the_end(failed, len(parts), undone=action.apply_edits and action.rollback)
        feedback.clear()
        for number, failure in fixable.items():
            part = parts[number]
            part.note(f"before fix {action.fix_retries - left + 1}", f"{failure.message}\n{failure.output}")
            feedback.append((number, _feedback(part.output, failure, edited=action.apply_edits)))
            part.again()
    return [None] * len(parts)


async def _asked(part: StepExecution, action: Ask, feedback: str) -> LokError | None:
    part.output = ""
    try:
        await run_ask(part, action, feedback)
    except OutputError as unusable:
        return _FixableError(unusable)
    except (StepFailedError, StepUnableError) as failure:
        return failure
    return None


def _behind(failure: LokError) -> LokError:
    """The failure itself, whether or not another answer could correct it."""
    return failure.failure if isinstance(failure, _FixableError) else failure


def _in_the_end(failed: Mapping[int, LokError], parts: int, *, undone: bool) -> list[LokError | None]:
    ends: list[LokError | None] = [_behind(failed[n]) if n in failed else None for n in range(parts)]
    if undone:
        first = min(failed)
        left = UndoneError(f"its edits are undone with all others of the step, since [{first}] did not pass")
        return [left if end is None else end for end in ends]
    return ends


def _feedback(answer: str, failure: StepFailedError | StepUnableError, *, edited: bool) -> str:
    """What the next question says of the answer before (it may not have been usable at all)."""
    said = [f"Your previous answer was:\n\n{answer}"] if answer else []
    evidence = failure.output.removeprefix(answer).strip()
    why = f"It was {'undone' if edited else 'not accepted'}, since {failure.message}"
    again = f"Give the whole answer again, corrected{', for the original files' if edited else ''}."
    return "\n\n".join([*said, why, *([evidence] if evidence else []), again])


def _found_out(record: StepExecution, action: Ask) -> Ask:
    """The action with the command its preset stands for: where there is none, nothing is asked in vain."""
    if not action.verify_preset:
        return action
    command = record.context.world.workspace.verify_command(action.verify_preset)
    return replace(action, verify=ShellTemplate.parse(command, VisibleNames()), verify_preset="")


async def _apply_and_judge(parts: Sequence[StepExecution], action: Ask, *, last: bool) -> dict[int, LokError]:
    """What the parts fail with, by number; nothing of the edits stays if one does."""
    if not action.apply_edits:
        return await _judged(parts, action)
    world = parts[0].context.world
    async with world.workspace.transaction() as transaction:
        draft, failed = _drafted(parts, action, transaction)
        if failed:
            return failed
        if world.dry_run:
            return await _shown(parts)
        await _checkpoint(parts[0])
        transaction.write(draft.changes)
        failed = await _judged(parts, action)
        if (
            not failed
            and not action.allow_empty
            and all(_as_before(change, transaction) for change in draft.changes)
        ):
            failed = {0: _unchanged("`verify` has put every file back")}
        certain = all(isinstance(_behind(no), StepFailedError) for no in failed.values())
        if not failed or (last and certain and not action.rollback):
            transaction.keep()
        return failed


async def _judged(parts: Sequence[StepExecution], action: Ask) -> dict[int, LokError]:
    failed: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        try:
            await _judge(part, action)
        except (StepFailedError, StepUnableError, _FixableError) as failure:
            failed[number] = failure
    return failed


async def _shown(parts: Sequence[StepExecution]) -> dict[int, LokError]:
    """A dry run: the checks that need no edits, and the edits as each part's output."""
    shown: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        try:
            await check(part)
        except (StepFailedError, StepUnableError) as failure:
            shown[number] = failure
            continue
        diff = next((section.text for section in reversed(part.sections) if section.title == "edits"), "")
        part.sections = [section for section in part.sections if section.title != "edits"]
        part.output, part.data, part.has_data = diff, None, False
        message = "dry run: its edits apply, and are shown instead of made"
        shown[number] = DryRunError(message, hint="run it without --dry-run")
    return shown


async def _judge(record: StepExecution, action: Ask) -> None:
    with _fixable(StepFailedError):
        await verify(record, action)
    inconclusive = await examine(record)
    with _fixable(StepFailedError, TemplateError):
        await hold(record)
    if inconclusive is not None:
        raise inconclusive


def _drafted(
    parts: Sequence[StepExecution], action: Ask, transaction: Transaction
) -> tuple[EditDraft, dict[int, LokError]]:
    """What becomes of the files, and which parts' edits do not apply, by number, each with why not."""
    commands = {(_command(part, action), "`verify`") for part in parts} | set(_later(parts[0]))
    judges = [
        verification(command, transaction.read, who=who, installed=_installed)
        for command, who in sorted(commands)
        if command
    ]

    def decides(path: str) -> str | None:
        return next(filter(None, (each.decides(path) for each in judges)), None)

    draft = EditDraft(transaction.read, allow=action.allow_paths, decides=decides)
    failed: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        made, reasons = draft.add(edits_of(part.data))
        changed = {change.file for change in made if change.before != change.after}
        if reasons:
            said = "the edits do not apply: " + "; ".join(reasons)
            failed[number] = _FixableError(StepFailedError(said, output="\n".join(reasons)))
        elif not changed and not action.allow_empty:
            failed[number] = _unchanged("they leave every file as it was" if made else "there are none")
        else:
            part.note("edits", "".join(change.diff() for change in made) or "no text is changed")
            lifted = [f"{file}: {why}" for file, why in draft.lifted.items() if file in changed]
            part.note("edits of what decides what is run, as allow_paths permits", "\n".join(lifted))
    if not failed and not draft.changes and not action.allow_empty:
        failed = {0: _unchanged("those of one item undo those of another")}
    return draft, failed


def _as_before(change: FileChange, transaction: Transaction) -> bool:
    try:
        return transaction.read(change.file) == change.before
    except ValueError:  # it is no file any more
        return False


def _unchanged(why: str) -> _FixableError:
    return _FixableError(StepFailedError(f"no change by the edits: {why}", hint=_EMPTY))


def _later(record: StepExecution) -> Iterator[tuple[str, str]]:
    """The commands of the steps that build on this one, each with whose it is: they judge its edits too."""
    world, after = record.context.world, {record.step.name}
    for step in record.context.plan.steps:  # what a step needs stands before it
        if after.isdisjoint(step.needs):
            continue
        after.add(step.name)
        match step.action:
            case Shell(shell=ShellTemplate() as shell):
                command = shell.source
            case Shell(argv=argv):
                command = shlex.join(part.source for part in argv)
            case Ask(verify_preset=preset) if preset:
                command = world.workspace.verify_command(preset)
            case Ask(verify=verify):
                command = verify.source if verify else ""
        yield command, f"the step {step.name!r}"


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _command(part: StepExecution, action: Ask) -> str:
    """The verify command as it will run, with its values where their names are; "" = nothing verifies."""
    if action.verify is None:
        return ""
    command = action.verify.render(part.context.scope(part.loop))
    text = command.text
    for name, value in command.values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


async def _checkpoint(record: StepExecution) -> None:
    """Let git-agent note the state before the edits, where it keeps a history; nothing depends on it."""
    world, limit = record.context.world, record.context.limit(record.step)
    command = world.workspace.checkpoint(f"pre-edit: {record.step.name}")
    if command is None:
        return
    try:
        with time_limit(limit):
            done = await world.shell.run(command)
        trouble = f"{done.stdout}\n{done.stderr}" if done.exit_code else ""
    except TimeoutError:
        trouble = f"no answer within {limit:g} s"
    except StepUnableError as failure:
        trouble = failure.message
    record.note("git-agent made no checkpoint", trouble)
