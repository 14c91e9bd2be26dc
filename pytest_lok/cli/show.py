"""``lok show [RUN] [STEP]``: a recorded run, or all that happened in one of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.recorded import run_argument
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.store.records import Record, RecordedRun


def _show(run: str, step: str) -> int:
    from pytest_lok.cli.recorded import record_document, utc
    from pytest_lok.reports.recorded.pages import run_page
    from pytest_lok.wiring.run_records import run_entries

    call = Invocation.of(click.get_current_context())
    record = call.project().all_runs.find(run, note=call.terminal.note)
    if step:
        return _show_step(call, _with_step(record, step), step.rpartition("::")[2])
    if call.json:
        call.deliver_document(record_document(record))
        return 0
    began = utc(record.beginning.time)
    columns = call.screen_width or 0
    whole = call.options.verbose
    pages = [run_page(entry, began, whole=whole, columns=columns) for entry in run_entries(record)]
    call.deliver("\n\n".join(pages) or f"run {record.run_id}: {record.state} before it had a workflow")
    return 0


def _show_step(call: Invocation, run: RecordedRun, name: str) -> int:
    from pytest_lok.reports.json_report import step_as_json
    from pytest_lok.reports.recorded.pages import step_page

    step = run.result.steps.get(name)
    if call.json:
        about = step_as_json(step) if step else {"name": name, "outcome": None}
        events = [event for event in run.events() if getattr(event, "step", "") == name]
        call.deliver_document({**about, "run_id": run.result.run_id, "events": events})
        return 0
    call.deliver(step_page(step, name, run.events()))
    return 0


def _with_step(record: Record, said: str) -> RecordedRun:
    """The run of a record that has the step, or of ``WORKFLOW::STEP``; UsageError if that is not clear."""
    from pytest_lok.core.text.suggestions import did_you_mean

    workflow, _, name = said.rpartition("::")
    runs = [run for run in record.runs if workflow in ("", run.result.workflow)]
    found = [run for run in runs if name in run.result.steps or name in run.running]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{run.result.workflow}::{name}" for run in found)
        raise UsageError(f"several workflows of {record.run_id} have a step {name!r}", hint=f"say {names}")
    known = [step for run in record.runs for step in run.result.steps]
    hint = did_you_mean(name, known) or f"it has: {', '.join(known)}"
    raise UsageError(f"the run {record.run_id} has no step {said!r}", hint=hint)


command = OptionsCommand(
    "show",
    callback=_show,
    params=[run_argument(), click.Argument(["step"], required=False, default="", metavar="[STEP]")],
    accepts=("verbose", "json", "output", *COMMON_OPTIONS),
    helps={"verbose": "Show the sections of every step, and cut nothing."},
    help="""Show what RUN came to: an id (`lok runs`), the beginning of one, `last` (the default), or the path
    of a record. With STEP, show all that happened in that step: its result, each prompt, each answer, each
    attempt, and its output. Where a session of pytest ran several workflows, STEP is WORKFLOW::STEP.

    Nothing is run. The exit code says whether there is such a run, and not what it came to.

    \b
    Exit codes:  0  shown
                 2  there is no such run or step
                 3  the record was changed, or lok has not written it here
    """,
)
