"""``lok resume [RUN]``: type the command of a run again, and keep what is still as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand, impose
from pytest_lok.cli.recorded import run_argument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_lok.core.approval import Approval
    from pytest_lok.store.records import Record, RecordedRun

OWN = ("verbose", "quiet", "json", "output", "reports", "trust", "timeout", "max_parallel", "fail_fast")
"""The options that a run which goes on takes from this call, and not from the recorded one."""
_GIVEN = (*OWN, "directory")


def _resume(run: str) -> int:
    call = Invocation.of(click.get_current_context())
    record = _record(call, run)
    _refuse_row(record)
    return _retype(call, record, _words(record))


def go_on(call: Invocation, record: Record, run: RecordedRun, approval: Approval) -> int:
    """Go on from a run of a record with the answer of a person; the exit code of the run that goes on.

    A run of a session of pytest goes on as one of ``lok run``, from which the next session goes on.
    """
    _refuse_row(record)
    typed = (record.beginning.command or ("",))[0] == "pytest"
    words = _as_lok_run(record, run) if typed else _words(record)
    return _retype(call, record, words, {"approval": approval})


def _as_lok_run(record: Record, run: RecordedRun) -> tuple[str, ...]:
    """The words behind ``lok`` that run the workflow of a session of pytest."""
    arguments = run.workflow.arguments if run.workflow else {}
    named = {name: value for name, value in arguments.items() if not name.isdecimal()}
    file = f"{record.beginning.root}/{run.result.path}"
    return ("run", file, *(f"--{name}={value}" for name, value in named.items()))


def _retype(
    call: Invocation, record: Record, words: tuple[str, ...], more: Mapping[str, object] | None = None
) -> int:
    """Type these words, with what the present call says; the run goes on from the one of the record."""
    from pytest_lok.cli.main import root

    context = click.get_current_context()
    given = {name: value for name in _GIVEN if (value := getattr(call.options, name))}
    imposed = {**given, "resume": record.run_id, "again": call.options.again, **(more or {})}
    lok, again = root(), replace(call, words=words)
    with lok.make_context("lok", list(words), obj=again, terminal_width=context.terminal_width) as inner:
        impose(inner, imposed)
        code: int = lok.invoke(inner)
    return code


def _record(call: Invocation, run: str) -> Record:
    """The record that is named, else the newest that says what it is of; a process may die before it does."""
    project = call.project()
    found = (
        None
        if run
        else next((it for it in project.runs.believed() if any(run.result.workflow for run in it.runs)), None)
    )
    # one of `lok gate` is found too, and that verb refuses to go on from it
    return found or (project.all_runs.find_own(run) if run else project.runs.find())


def _refuse_row(record: Record) -> None:
    """UsageError for one repository of --each: its command would run in all of them."""
    if where := record.beginning.repository:
        from pytest_lok.errors import UsageError

        hint = "type its command again; a list of fewer lines runs in fewer repositories"
        raise UsageError(f"the run {record.run_id} is that of {where}, by --each: no run goes on", hint=hint)


def _words(record: Record) -> tuple[str, ...]:
    """The words behind ``lok`` by which the run was begun; UsageError where they cannot be typed again."""
    from pytest_lok.core.trust.redaction import MASK
    from pytest_lok.errors import UsageError

    program, *words = record.beginning.command or ("",)
    if program != "lok":
        hint = "`pytest … --lok-resume`" if program == "pytest" else "type its command again, with --resume"
        raise UsageError(f"the run {record.run_id} is none of lok, but of {program or 'nothing'}", hint=hint)
    if any(MASK in word for word in words):
        hint = "type its command again, with --resume"
        raise UsageError(f"the record {record.run_id} lacks a secret that its command holds", hint=hint)
    return tuple(words)


command = OptionsCommand(
    "resume",
    params=[run_argument()],
    accepts=(*OWN, "again", *COMMON_OPTIONS),
    callback=_resume,
    help="""Go on from RUN, the newest if none is named: type its command again, and keep what still holds.

    RUN is a run id, or the start of one (`lok runs`). It may have been killed, stopped, red or green. The new
    run is recorded for itself, and names RUN.

    A step keeps its result if nothing that it reads has changed: its own keys, the arguments, the settings,
    the answers before it, the files. Errors run again, and what cannot be known. The line of each step says
    whether it was kept, run again or changed, and why. What RUN has spent counts against the budget.

    A step with effects (a push, a comment) that may be done is an error until `--again STEP`.

    \b
    Exit codes: as `lok run`; 2 also if there is no such run, or its
                command cannot be typed again
    """,
)
