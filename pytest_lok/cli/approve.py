"""``lok approve RUN STEP --yes|--no``: answer a step that waits for a person, and go on with the run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.recorded import RunType
from pytest_lok.cli.resume import OWN, go_on

if TYPE_CHECKING:
    from pytest_lok.store.records import Record, RecordedRun


def _approve(run: str, step: str, yes: bool, no: bool) -> int:
    from pytest_lok.cli.approver import caller
    from pytest_lok.core.approval import Approval
    from pytest_lok.errors import UsageError
    from pytest_lok.wiring.resume import inputs_of, require_unanswered
    from pytest_lok.workspace.processes.descendants import MARK

    call = Invocation.of(click.get_current_context())
    if yes == no:
        raise UsageError("an answer is --yes or --no", hint=f"lok approve {run} {step} --yes")
    if call.environ.get(MARK):
        hint = "call it from a terminal, when the run has ended"
        raise UsageError("people answer, and this is a step of a workflow or a model's tool", hint=hint)
    runs = call.project().all_runs
    record = runs.find_own(run)
    if record.state == "running":
        raise UsageError(f"the run {record.run_id} still goes on", hint="answer it when it has ended")
    waiting = _waiting(record, step)
    result = waiting.result
    require_unanswered(runs, (result.path, result.workflow), result.run_id, step)
    question = result.steps[step].waiting
    if not (call.json or call.options.quiet):
        call.terminal.note(f"{step} asks: {question}")
    inputs = inputs_of(waiting, step)
    if not inputs:
        raise UsageError(
            f"what step {step!r} of {record.run_id} had read is not known, so no answer can be kept for it",
            hint=f"answer it at a terminal, when `lok run {result.workflow}` asks",
        )
    approval = Approval(
        step=step,
        question=question,
        yes=yes,
        who=caller(call),
        time=time.time(),
        reason=" ".join(call.options.reason.split()),
        inputs=inputs,
    )
    return go_on(call, record, waiting, approval)


def _waiting(record: Record, step: str) -> RecordedRun:
    """The run of the record in which that step waits; UsageError where none does, or several do."""
    from pytest_lok.core.results import Outcome
    from pytest_lok.core.text.suggestions import did_you_mean
    from pytest_lok.errors import UsageError

    found = [run for run in record.runs if (it := run.result.steps.get(step)) and it.waiting]
    if len(found) > 1:
        names = ", ".join(run.result.workflow for run in found)
        hint = f"answer them one by one: `lok run NAME` with each of: {names}"
        raise UsageError(f"several workflows of {record.run_id} wait at a step {step!r}", hint=hint)
    if found:
        return found[0]
    waits = [it.name for run in record.runs for it in run.result.steps.values() if it.waiting]
    there = f"these wait: {', '.join(waits)}" if waits else "none of its steps waits"
    known = {it.name: it for run in record.runs for it in run.result.steps.values()}
    if step not in known:
        hint = did_you_mean(step, known) or there
        raise UsageError(f"the run {record.run_id} has no step {step!r}", hint=hint)
    it = known[step]
    said = f" ({it.approval})" if it.approval else ""
    was = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.ERROR: "had an error"}.get(
        it.outcome, "was skipped"
    )
    raise UsageError(f"step {step!r} of {record.run_id} does not wait: it {was}{said}", hint=there)


command = OptionsCommand(
    "approve",
    params=[
        click.Argument(["run"], metavar="RUN", type=RunType()),
        click.Argument(["step"], metavar="STEP"),
        click.Option(["--yes"], is_flag=True, help="Yes: what depends on the step may run."),
        click.Option(["--no"], is_flag=True, help="No: the step fails, and what depends on it does not run."),
    ],
    accepts=("reason", "author", *OWN, *COMMON_OPTIONS),
    helps={
        "reason": "Why; stands in the record and in the reports.",
        "author": "Who answers, beside the name of the account.  [default: whom CI names]",
    },
    callback=_approve,
    help="""Answer STEP, which waits for a person in RUN, and go on with the run as `lok resume` does.

    RUN is a run id, the start of one, or `last`. STEP has `approve = "…"` in the workflow. The answer is for
    that run and for the very text that was asked: if the text, or what the step reads, has changed by now,
    it waits again. Who answered, when and why stands in the record and in the reports.

    \b
    Exit codes: as `lok run` (4: something still waits);
                2 also if there is no such run, or STEP does not wait
    """,
)
