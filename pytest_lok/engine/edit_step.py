"""An ask step to its end: answer, edits, verify, asserts. All edits are kept, or all files are restored."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.answers.feedback import feedback_prompt, kept_attempt
from pytest_lok.core.edits.edits import EditDraft, FileChange, parse_edits
from pytest_lok.core.edits.protected_names import fold_name
from pytest_lok.core.edits.verification import verification
from pytest_lok.core.results import BEFORE_FIX, NO_EDITS
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.workflow.model import Ask, Nested, Shell
from pytest_lok.engine.asking.ask import run_ask
from pytest_lok.engine.asking.findings import check_findings
from pytest_lok.engine.checks import check_asserts, check_step, verify
from pytest_lok.engine.execution import DryRunError
from pytest_lok.engine.shell import run_in_slot
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError, TemplateError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.context import OuterStep
    from pytest_lok.engine.execution import StepExecution
    from pytest_lok.engine.ports import Transaction, World

_RETRY = "`fix_retries = 1` of the step asks again, and says why the edits do not apply"
_ALLOWED = "the answer edits nothing, as `allow_empty` permits"
_EMPTY = "set allow_empty = true on the step if there may be nothing to change"


class _FixableError(LokError):
    """A failure that another answer may mend.

    ``failure`` is raised when no retry of ``fix_retries`` is left.
    """

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
    """The answer passes, but its edits are undone together with those of an answer that does not."""


AskTask: TypeAlias = Coroutine[None, None, LokError | None]
RunTogether: TypeAlias = Callable[[Sequence[AskTask]], Awaitable[Sequence[LokError | None]]]
"""Runs coroutines side by side, as many as the step may, and returns their results in order."""


async def run_and_apply(execution: StepExecution, action: Ask) -> None:
    """Ask, apply the edits, verify, check; ask again with what was wrong, at most ``fix_retries`` times."""
    (failure,) = await apply_together([execution], action)
    if failure is not None:
        raise failure


async def apply_together(
    parts: Sequence[StepExecution], action: Ask, run_together: RunTogether | None = None
) -> list[LokError | None]:
    """Ask for every part, apply the edits of all answers as one transaction, verify and check each part.

    Returns the failure of each part, None where it passed; if one failed, the edits of all are undone. A part
    is asked again if its answer may be corrected: its format, its edits, or what ``verify`` and the asserts
    say. A no of the gate is final.

    The workspace's lock is held from the first read of a file to the end of the checks, and never while a
    backend thinks.
    """
    action = _with_preset_command(parts[0], action)
    feedback = [(number, "") for number in range(len(parts))]
    # Only parts whose answer can be corrected are asked again, and only if no other part has failed for good.
    for left in reversed(range(action.fix_retries + 1)):
        work = [_ask_part(parts[number], action, said) for number, said in feedback]
        asked = await run_together(work) if run_together else [await work[0]]
        failed = {number: no for (number, _), no in zip(feedback, asked, strict=True) if no is not None}
        if not failed:
            failed = await _apply_and_check(parts, action, last=not left)
        if not failed:
            break
        fixable = {number: no.failure for number, no in failed.items() if isinstance(no, _FixableError)}
        if not left or len(fixable) < len(failed):
            undone, fixes = action.apply_edits and action.rollback, action.fix_retries - left
            return _final_failures(failed, len(parts), undone=undone, fixes=fixes)
        feedback.clear()
        for number, failure in fixable.items():
            number_of_fix = action.fix_retries - left + 1
            feedback.append((number, _end_attempt(parts[number], action, failure, number_of_fix)))
    return [None] * len(parts)


async def _ask_part(part: StepExecution, action: Ask, feedback: str) -> LokError | None:
    part.output = ""
    try:
        await run_ask(part, action, feedback)
    except OutputError as unusable:
        no = await _judge_partly(part, unusable)
        # a finding that may yet block would be gone if everybody were asked for another report
        is_open = any(it.standing in ("blocks", "undecided") for it in part.findings or () if part.reported)
        return no or (unusable if is_open else _FixableError(unusable))
    except StepUnableError as failure:
        return await _judge_partly(part, failure) or failure
    except StepFailedError as failure:
        return failure
    return None


async def _judge_partly(part: StepExecution, failure: StepUnableError) -> StepFailedError | None:
    """The gate's no to what was answered before the failure; None where it says none, as it never says yes.

    The findings are kept either way.
    """
    if not part.reported:
        return None
    try:
        await check_findings(part, partly=True)
    except StepFailedError as no:
        no.message = f"{no.message}\nnot everybody has answered: {failure.message}"
        return no
    return None


def _cause_of(failure: LokError, fixes: int = 0) -> LokError:
    """The failure itself, without the mark that another answer could mend it; it says how many did not."""
    if not isinstance(failure, _FixableError):
        return failure
    cause = failure.failure
    if fixes:
        cause.message = f"{fixes} fix{'' if fixes == 1 else 'es'} did not help: {cause.message}"
    return cause


def _final_failures(
    failed: Mapping[int, LokError], parts: int, *, undone: bool, fixes: int
) -> list[LokError | None]:
    ends = [_cause_of(failed[n], fixes) if n in failed else None for n in range(parts)]
    if undone:
        first = min(failed)
        left = UndoneError(f"its edits are undone with all others of the step, since [{first}] did not pass")
        return [left if end is None else end for end in ends]
    return ends


def _end_attempt(
    part: StepExecution, action: Ask, failure: StepFailedError | StepUnableError, fix: int
) -> str:
    """Keep the attempt before that fix as a section, forget its answer, and return what the model is told."""
    answer = part.output or failure.output
    evidence = "" if answer == failure.output else failure.output.removeprefix(part.output).strip()
    evidence = "\n".join(
        filter(None, [evidence.removeprefix(failure.message).strip(), part.said_by_checks()])
    )
    # what a command has printed may hold a secret, which no backend needs to see
    masked = part.context.world.redactor.text
    said = feedback_prompt(
        masked(answer), masked(failure.message), masked(evidence), edited=action.apply_edits
    )
    part.add_section(f"{BEFORE_FIX}{fix}", kept_attempt(answer, failure.message, evidence))
    part.reset_answer()
    return said


def _with_preset_command(execution: StepExecution, action: Ask) -> Ask:
    """The action with its verify preset replaced by a command, before anything is asked in vain."""
    if not action.verify_preset:
        return action
    command = execution.context.world.workspace.verify_command(action.verify_preset)
    return replace(action, verify=ShellTemplate.parse(command, VisibleNames()), verify_preset="")


async def _apply_and_check(parts: Sequence[StepExecution], action: Ask, *, last: bool) -> dict[int, LokError]:
    """Apply the edits and check the parts.

    Returns failures by the part's number; files are restored if any.
    """
    if not action.apply_edits:
        return await _check_parts(parts, action)
    world = parts[0].context.world
    async with world.workspace.transaction() as transaction:
        draft, failed = _draft_edits(parts, action, transaction)
        if failed:
            return failed
        if world.dry_run:
            return await _show_edits(parts)
        await _checkpoint(parts[0])
        memory, name = parts[0].context.memory, parts[0].step.name
        tree = await memory.before_edits(name)
        transaction.write(draft.changes)
        failed = await _check_parts(parts, action)
        if (
            not failed
            and not action.allow_empty
            and all(_is_restored(change, transaction) for change in draft.changes)
        ):
            failed = {0: _no_change("`verify` has put every file back")}
        # Without `rollback` the edits of a last attempt stay, but only if the checks have really said no.
        certain = all(isinstance(_cause_of(no), StepFailedError) for no in failed.values())
        if not failed or (last and certain and not action.rollback):
            transaction.commit()
            await memory.after_edits(name, tree)
            parts[0].edits = tuple(it.counted() for it in draft.changes if it.before != it.after)
        return failed


async def _check_parts(parts: Sequence[StepExecution], action: Ask) -> dict[int, LokError]:
    failed: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        try:
            await _check_part(part, action)
        except (StepFailedError, StepUnableError, _FixableError) as failure:
            failed[number] = failure
    return failed


async def _show_edits(parts: Sequence[StepExecution]) -> dict[int, LokError]:
    """A dry run: make the checks that need no edits, and show the edits as each part's output."""
    shown: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        try:
            await check_step(part)
        except (StepFailedError, StepUnableError) as failure:
            shown[number] = failure
            continue
        diff = next((section.text for section in reversed(part.sections) if section.title == "edits"), "")
        part.sections = [section for section in part.sections if section.title != "edits"]
        part.output, part.data, part.has_data = diff, None, False
        message = "dry run: its edits apply, and are shown instead of made"
        shown[number] = DryRunError(message, hint="run it without --dry-run")
    return shown


async def _check_part(execution: StepExecution, action: Ask) -> None:
    # whoever rules is not asked again because of the ruling, only for its form or for lost evidence
    ruling, unable = execution.step.is_ruling, None
    by_verify = () if ruling and not action.apply_edits else (StepFailedError,)
    by_assert = () if ruling else (StepFailedError, TemplateError)
    try:
        with _fixable(*by_verify):
            await verify(execution, action)
    except StepUnableError as failure:
        unable = failure
    inconclusive = await check_findings(execution, partly=unable is not None)
    if unable is not None:
        raise unable
    with _fixable(*by_assert):
        await check_asserts(execution)
    if inconclusive is not None:
        raise inconclusive


def _draft_edits(
    parts: Sequence[StepExecution], action: Ask, transaction: Transaction
) -> tuple[EditDraft, dict[int, LokError]]:
    """The changed files, and the parts whose edits do not apply, by number."""
    commands = {(_verify_text(part, action), "`verify`") for part in parts} | set(_later_commands(parts[0]))
    judges = [
        verification(command, transaction.read, who=who, installed=_is_importable)
        for command, who in sorted(commands)
        if command
    ]

    instructions = set(_instructions(parts[0]))

    def decides(path: str) -> str | None:
        if fold_name(path) in instructions:
            return "models work by it (`instructions`)"
        return next(filter(None, (each.decides(path) for each in judges)), None)

    draft = EditDraft(transaction.read, allow=action.allow_paths, decides=decides)
    failed: dict[int, LokError] = {}
    for number, part in enumerate(parts):
        made, reasons = draft.add(parse_edits(part.data))
        changed = {change.file for change in made if change.before != change.after}
        if reasons:
            said = "the edits do not apply: " + "; ".join(reasons)
            failed[number] = _FixableError(
                StepFailedError(said, hint="" if action.fix_retries else _RETRY, output="\n".join(reasons))
            )
        elif not changed and not action.allow_empty:
            failed[number] = _no_change("they leave every file as it was" if made else "there are none")
        else:
            part.add_section("edits" if changed else NO_EDITS, "".join(it.diff() for it in made) or _ALLOWED)
            lifted = [f"{file}: {why}" for file, why in draft.protected_edits.items() if file in changed]
            part.add_section("edits of what decides what is run, as allow_paths permits", "\n".join(lifted))
    if not failed and not draft.changes and not action.allow_empty:
        failed = {0: _no_change("those of one item undo those of another")}
    return draft, failed


def _instructions(part: StepExecution) -> Iterator[str]:
    """The files of instructions of all steps of the workflow, as names are compared."""
    for step in part.context.plan.workflow.in_all():
        if isinstance(step.action, Ask):
            yield from (fold_name(it.path) for it in step.action.instructions)


def _is_restored(change: FileChange, transaction: Transaction) -> bool:
    try:
        return transaction.read(change.file) == change.before
    except ValueError:  # it is no file any more
        return False


def _no_change(why: str) -> _FixableError:
    return _FixableError(StepFailedError(f"no change by the edits: {why}", hint=_EMPTY))


def _later_commands(execution: StepExecution | OuterStep) -> Iterator[tuple[str, str]]:
    """The commands of the steps that depend on this one, with the step's name: they judge its edits too.

    A step of a workflow that another step runs is judged by what follows that one, too, and in a loop by
    every step of the next round.
    """
    outer = execution.context.outer
    runs_again = outer and isinstance(outer.step.action, Nested) and outer.step.action.until is not None
    after = {execution.step.name}
    # a plan lists every step after its dependencies
    for step in execution.context.plan.steps:
        if after.isdisjoint(step.needs) and not runs_again:
            continue
        after.add(step.name)
        for each in step.in_all():
            if command := _judging_command(each, execution.context.world):
                yield command, f"the step {each.name!r}"
    if outer is not None:
        yield from _later_commands(outer)


def _judging_command(step: Step, world: World) -> str:
    """What the step runs; "" = nothing."""
    match step.action:
        case Shell(shell=ShellTemplate() as shell):
            return shell.source
        case Shell(argv=argv):
            return shlex.join(part.source for part in argv)
        case Ask(verify_preset=preset) if preset:
            return world.workspace.verify_command(preset)
        case Ask(verify=verify) if verify:
            return verify.source
        case _:
            return ""


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _verify_text(part: StepExecution, action: Ask) -> str:
    """The verify command with its values in place of their variables; "" = there is none."""
    if action.verify is None:
        return ""
    command = action.verify.render(part.scope())
    text = command.text
    for name, value in command.values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


async def _checkpoint(execution: StepExecution) -> None:
    """Let git-agent note the state before the edits, if it is used here; a failure is only a section."""
    world, limit = execution.context.world, execution.context.timeout_of(execution.step)
    command = world.workspace.checkpoint(f"pre-edit: {execution.step.name}")
    if command is None:
        return
    try:
        done = await run_in_slot(execution, command)
        trouble = f"{done.stdout}\n{done.stderr}" if done.exit_code else ""
    except TimeoutError:
        trouble = f"no answer within {limit:g} s"
    except StepUnableError as failure:
        trouble = failure.message
    execution.add_section("git-agent made no checkpoint", trouble)
