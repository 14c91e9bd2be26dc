"""``lok run WORKFLOW``: run a workflow, print what its last steps say, exit with its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring import Project

ACCEPTS = (
    "steps",
    "backend",
    "fail_fast",
    "dry_run",
    "timeout",
    "max_parallel",
    "cache",
    "record",
    "trust",
    "verbose",
    "json",
    "output",
    *COMMON_OPTIONS,
)


_NOTHING_JUDGED = 3


def run_plan(
    call: Invocation, project: Project, plan: Plan, *, report: Callable[[RunResult], str] | None = None
) -> int:
    """Run the plan and print the results; returns the exit code.

    ``report`` makes the text of the results; the default is the outputs of the last steps.
    """
    from pytest_lok.cli.execute import execute
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.cli.views import ProgressLines, view
    from pytest_lok.reports.console import closing, outputs, previews
    from pytest_lok.reports.json_report import json_report
    from pytest_lok.settings import in_ci

    verbose = call.options.verbose
    answering = require_trust(call, project).recording(call.options.record).caching(bool(call.options.cache))
    world = replace(answering.world(), dry_run=call.options.dry_run)
    printed: Literal["leaves", "all", "none"] = "all" if verbose else "leaves"
    if call.json or world.dry_run:
        printed = "none"
    progress = view(call.terminal, ProgressLines(verbose=verbose, printed=printed), color=call.color)
    result, code = execute(plan, world, progress, fail_fast=call.options.fail_fast)
    # in CI a gate that skipped everything must not look like a yes
    if result.idle and not plan.workflow.allow_skip and in_ci(project.environ):
        code = code or _NOTHING_JUDGED
    call.terminal.note("\n".join(closing(result)))
    said = report(result) if report else outputs(result, every=verbose)
    if world.dry_run:
        said = previews(result) or said
    call.deliver(json_report(result, code) if call.json else said)
    return code


command = WorkflowGroup(
    "run",
    action=run_plan,
    accepts=ACCEPTS,
    short_help="Run a workflow.",
    help="""Run WORKFLOW: a name (`lok workflow list`), or the path of a .toml file.

    The outputs of its last steps go to stdout (-v: of all steps), progress and reasons to stderr.
    `lok run WORKFLOW --help` shows its arguments. Where an argument has the name of an option below,
    give the option before WORKFLOW. A value that begins with `-` goes after `--`.

    --json has the run's workflow, outcome, exit_code, output, seconds and usage, and its `steps` by name:
    each with outcome, reason, hint, output, cut, data (parsed JSON), exit_code, seconds, attempts, backend,
    replies, refusals, verdict, items, findings, set_aside, sections and usage. Durations are
    seconds; null is not known.

    \b
    Exit codes:  0  the work was done, and every check held
                 1  a step did its work and judged: no
                 2  a usage or workflow-file error; nothing was run
                 3  a step could not do its work, and none failed; in CI also: every step was skipped
                    by its own `when`, and the file does not say `allow_skip = true`
                 130 Ctrl-C, 143 SIGTERM, 70 a bug of lok's own
    """,
)
