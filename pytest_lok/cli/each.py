"""``lok run WORKFLOW --each FILE``: the workflow once in each repository of a list, under one verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from pytest_lok.cli.execute import stopping_on_signals
from pytest_lok.cli.reports import require_apart
from pytest_lok.core.events import Event, StepFinished
from pytest_lok.each.driver import EachDriver
from pytest_lok.each.listing import Row, read_rows
from pytest_lok.each.options import EachOptions
from pytest_lok.errors import LokError, PlanError, UsageError
from pytest_lok.reports.console import details, status
from pytest_lok.reports.each.rows import RepositoryRun, outcome, worst
from pytest_lok.reports.each.table import diffs, each_document, progress_line, reasons, table, verdict_line
from pytest_lok.store.calls import RecordedCall
from pytest_lok.wiring.report_files import NONE, ReportFile, report_files, write_reports

if TYPE_CHECKING:
    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.store.runs import RunStore
    from pytest_lok.wiring import Project

_JOBS = 4
_UNABLE = 3
_REPORTS = ("junit", "markdown", "html")
_ALONE = {
    "resume": "--resume goes on from one run, and --each begins one in each repository",
    "again": "--again says what runs again of an earlier run, and --each goes on from none",
    "record": "--record keeps the answers about one repository, and --each asks about many",
    "reviewed": "--reviewed is the state of one review, and --each makes one in each repository",
    "reviewed_from": "--reviewed-from is the state of one review, and --each makes one in each repository",
}


def run_each(call: Invocation, project: Project, plan: Plan) -> int:
    """Run the plan in each repository of the list and print the table; returns the exit code of the worst."""
    from pytest_lok.cli.trust import require_trust

    options = call.options
    assert options.each is not None  # noqa: S101 - that is why this is called
    for name, why in _ALONE.items():
        if getattr(options, name):
            raise UsageError(why, hint="leave one of the two out")
    _refuse_questions(plan)
    rows = read_rows(options.each)
    reports = _report_files(call)
    answering = require_trust(call, project).caching(bool(options.cache))
    answering.world()  # what is wrong with the settings is no matter of one repository
    _say_what_tools_see(call, answering, plan)
    began = time.monotonic()
    days = project.settings.runs.keep_days
    with closing(RecordedCall(project.each_folder, root=project.place, days=days)) as records:
        if records.is_elsewhere:
            there, here = records.store.folder, project.each_folder
            call.terminal.note(f"lok: {here} cannot be written to, so the runs are recorded in {there}")
        done, stopped = _executed(call, answering, plan, rows, records.store, asked=bool(reports))
    code = stopped or worst(done)
    for unwritten in write_reports(reports, [row.run for row in done], {}, root=None):
        call.terminal.error(LokError(unwritten.text))
        code = code or _UNABLE
    _tell(call, plan, done, code, time.monotonic() - began)
    return code


def _refuse_questions(plan: Plan) -> None:
    """PlanError where a step waits for a person: no run goes on from one of these."""
    from pytest_lok.core.workflow.model import Approve

    steps = (inner for step in plan.steps for inner in step.in_all())
    waits = next((step for step in steps if isinstance(step.action, Approve)), None)
    if waits is not None:
        place = f"{waits.path}:{waits.line}"
        raise PlanError(
            f"{place}: step `{waits.name}` waits for a person, and no run of --each goes on",
            hint="leave the step out, or run the workflow in one repository after the other",
        )


def _report_files(call: Invocation) -> tuple[ReportFile, ...]:
    """The reports that are wanted, the old ones gone; UsageError for a kind that is about one repository."""
    from pathlib import Path

    for text in call.options.reports:
        kind = text.partition("=")[0]
        if kind not in (*_REPORTS, NONE) and kind:
            said = "places findings in the files of one repository, and --each runs in many"
            raise UsageError(f"the report {text!r} {said}", hint=f"write one of: {', '.join(_REPORTS)}")
    # no report is written that nobody asked for: those are about the repository that CI runs for
    files = report_files(((text, Path.cwd()) for text in call.options.reports), {}, log="")
    require_apart(files, call.options.output)
    return tuple(file for file in files if file.make_room(call.terminal.note))


def _say_what_tools_see(call: Invocation, project: Project, plan: Plan) -> None:
    """A line where a tool that reads the project elsewhere may be asked, and here sees its prompt alone."""
    from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Ask
    from pytest_lok.settings import CLI_TYPES

    settings = project.settings
    usual = settings.defaults.backends if "backend" in settings.defaults.written else (AUTO,)
    named = {
        name
        for step in plan.steps
        if isinstance(step.action, Ask)
        for name in settings.members(step.action.backends or usual)
    }
    reading = [
        name
        for name, backend in settings.backends.items()
        if backend.enabled
        and backend.type in CLI_TYPES
        and backend.access == "read"
        and named & {name, AUTO, EVERYBODY}
    ]
    if reading and _is_shown(call):
        some = f"{', '.join(reading[:3])}{' and others' if len(reading) > 3 else ''}"
        call.terminal.note(f"note: with --each no file of a repository is read by {some}: the prompt is all")


def _executed(
    call: Invocation, project: Project, plan: Plan, rows: Sequence[Row], store: RunStore, *, asked: bool
) -> tuple[list[RepositoryRun], int]:
    """What came of each row, and 128 + the number of the signal that stopped all, 0 = none did."""
    options, terminal, shown = call.options, call.terminal, _is_shown(call)
    number = 0

    def done(row: RepositoryRun) -> None:
        nonlocal number
        number += 1
        if shown:
            # where the table goes to the same screen, it says why
            told = row.verdict == "passed" or terminal.shared
            said = [] if told else [f"    {reason}" for reason in reasons(row)]
            terminal.note("\n".join([progress_line(row, number, len(rows), columns=_columns(call)), *said]))

    def begun(row: Row) -> None:
        if options.verbose and shown:
            terminal.note(f"begins  {row.repository.label}")

    def heard(row: Row, event: Event) -> None:
        if options.verbose and shown and isinstance(event, StepFinished):
            result = event.result
            lines = [status(result), *details(result, output=True)]
            terminal.note("\n".join(f"{row.repository.label}: {line}" for line in lines))

    driver = EachDriver(
        project,
        plan,
        rows,
        store,
        EachOptions(
            jobs=options.jobs or _JOBS,
            fail_fast=options.fail_fast,
            dry_run=options.dry_run,
            asked=asked,
            command=("lok", *call.words),
            on_event=heard,
            on_begun=begun,
            on_done=done,
            warn=lambda text: terminal.note(f"lok: warning: {text}"),
        ),
    )

    async def body() -> tuple[list[RepositoryRun], int]:
        def stop(reason: str) -> None:
            if shown:
                terminal.note(f"stopping: {reason}")
            driver.stop(reason)

        with stopping_on_signals(stop, project.shared.kill) as stopped:
            ended = await driver.execute()
        return ended, 128 + stopped[0] if stopped else 0

    return asyncio.run(body())


def _tell(call: Invocation, plan: Plan, done: Sequence[RepositoryRun], code: int, seconds: float) -> None:
    """Deliver the table or the document, and end with the verdict."""
    word, stem = outcome(done), plan.workflow.stem
    # who stopped all has no verdict of all
    word = word if not code or word != "passed" else "inconclusive"
    if call.json:
        call.deliver_document(
            each_document(done, workflow=stem, outcome=word, exit_code=code, seconds=seconds)
        )
    elif not call.options.quiet or call.options.output is not None:
        edits = diffs(done) if call.options.dry_run else ""
        call.deliver("\n\n".join(filter(None, [table(done, width=call.screen_width), edits])))
    if not call.options.json:
        call.terminal.note(verdict_line(stem, done, word, seconds, columns=_columns(call)))


def _columns(call: Invocation) -> int:
    """Columns of the terminal on stderr, 0 where there is none."""
    return call.terminal.width if call.terminal.err.isatty() else 0


def _is_shown(call: Invocation) -> bool:
    """Whether the progress is shown: not for -q, and with --json only where -v asks for it."""
    return not (call.options.quiet or (call.options.json and not call.options.verbose))
