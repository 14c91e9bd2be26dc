"""``lok baseline WORKFLOW``: run a workflow and accept what it finds, once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup
from pytest_lok.errors import LokError, PlanError

if TYPE_CHECKING:
    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.results import Finding, RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring import Project


def _accept(call: Invocation, project: Project, plan: Plan) -> int:
    from contextlib import closing

    from pytest_lok.cli.acceptance import accept, acceptance_of, require_baseline
    from pytest_lok.cli.execute import execute
    from pytest_lok.cli.progress_lines import ProgressLines
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.cli.views import view
    from pytest_lok.core.edits.protected_names import BASELINE
    from pytest_lok.engine.ports import utc_date
    from pytest_lok.reports.console import summary

    names = [step.name for step in plan.steps if step.reviews]
    if not names:
        raise PlanError(
            f"workflow {plan.workflow.stem!r} reports no findings",
            hint='a step with output_format = "findings" does',
        )
    require_baseline(plan.workflow)
    today = utc_date()
    acceptance = acceptance_of(call, project.root, today)
    trusted = require_trust(call, project)
    quiet = call.options.json and not call.options.verbose
    lines = ProgressLines(verbose=call.options.verbose, printed="none")
    progress = view(call.terminal, lines, color=call.color, quiet=quiet)
    world = trusted.world()
    with closing(call.record(trusted, plan, world)) as record:
        result, code = execute(plan, world, progress, record=record)
        code = record.end(code)
    progress.say([(result.outcome, summary(result))])
    record.warn(call.terminal.note)
    if result.interrupted:
        return code
    new, count = accept(_found(result, names), project.root, today, acceptance)
    if call.json:
        call.deliver_document({"file": BASELINE, "new": new, "count": count, "workflow": plan.workflow.stem})
    if not quiet:
        call.terminal.note(f"{BASELINE}: {new} new, {count} in all. It counts once it is merged.")
    return 0


def _found(result: RunResult, names: list[str]) -> list[Finding]:
    """The findings whose quotes are in the files; LokError where a step has no result of its search."""
    found: list[Finding] = []
    for name in names:
        step = result.steps[name]
        if step.findings is None:
            raise LokError(f"nothing is accepted: step {name!r} found out nothing", hint=step.reason)
        found += [finding for finding in step.findings if finding.evidence_found]
    return found


command = WorkflowGroup(
    "baseline",
    action=_accept,
    accepts=(
        *("reason", "until", "author", "steps", "backend", "timeout", "max_parallel", "trust", "verbose"),
        "json",
        "output",
        *COMMON_OPTIONS,
    ),
    help="""Run WORKFLOW and add what it finds to .lok/baseline.json.

    With `baseline = "new"` below [gate], what stands in that file no longer blocks. It is read from the
    branch that a change goes to, never from the change: commit it, and it counts once it is merged.
    A finding is known by its rule, its file and the code it quotes, wherever that moves to. Each new
    entry says who accepted it and when, why (--reason) and until when (--until). An entry that ended, or
    was removed, lets the finding block again. `lok dismiss` accepts a single finding.

    \b
    Exit codes:  0  the findings were added, whatever the gate says of them
                 2  a usage or workflow-file error; nothing was run
                 3  a step could not do its work; nothing was added
    """,
)
