"""``lok run WORKFLOW``: run a workflow, print what its last steps say, exit with its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.cli.progress_lines import ProgressLines
    from pytest_lok.cli.reports import RunReports
    from pytest_lok.cli.views import RunView
    from pytest_lok.core.events import ResumeState
    from pytest_lok.core.results import RunResult, StepResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.wiring import Project

ACCEPTS = (
    "steps",
    "backend",
    "everybody",
    "fail_fast",
    "each",
    "jobs",
    "dry_run",
    "timeout",
    "max_parallel",
    "cache",
    "record",
    "resume",
    "again",
    "trust",
    "verbose",
    "quiet",
    "json",
    "output",
    "reports",
    "reviewed",
    "reviewed_from",
    *COMMON_OPTIONS,
)


def run_plan(
    call: Invocation,
    project: Project,
    plan: Plan,
    *,
    report: Callable[[RunResult], str] | None = None,
    known: Sequence[StepResult] = (),
) -> int:
    """Run the plan and print the results; returns the exit code.

    ``report`` makes the text of the results; the default is the outputs of the last steps. ``known`` are
    results of steps of the plan that do not run.
    """
    if call.options.each is not None:
        from pytest_lok.cli.each import run_each

        return run_each(call, project, plan)
    if call.options.jobs is not None:
        from pytest_lok.errors import UsageError

        raise UsageError("--jobs says how many repositories of --each run at once", hint="add --each FILE")
    from contextlib import ExitStack, closing
    from dataclasses import replace
    from functools import partial

    from pytest_lok.cli.execute import execute
    from pytest_lok.cli.reviewed import prior_review
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.cli.views import view
    from pytest_lok.engine.run import ignore_event
    from pytest_lok.reports.json_report import json_report

    options, terminal = call.options, call.terminal
    reports = _reports(call, workflow=report is None)
    answering = require_trust(call, project).recording(options.record).caching(bool(options.cache))
    review = prior_review(call, answering, plan)
    world = review.world()
    lines = _progress_lines(call, plan, world, report)
    quiet = options.quiet or (options.json and not options.verbose)
    shown = view(terminal, lines, color=call.color, quiet=quiet)
    world = _with_approver(call, plan, world, shown)
    listener = reports.note if reports else ignore_event
    with ExitStack() as held:
        begun = replace(_goes_on(call, project, plan, held), results=tuple(known))
        record = held.enter_context(closing(call.record(project, plan, world)))
        run = partial(execute, plan, view=shown, on_event=listener, known=begun, record=record)
        result, code = review.executed(partial(run, fail_fast=options.fail_fast), world)
        code = record.settle(code or project.exit_code(result, plan.workflow))
        code = record.end(reports.write(call, project.root, plan, result, code) if reports else code)
    text = json_report(result, code) if call.json else _said(call, plan, result, report)
    _tell(call, text, result, lines, shown, _accepted_here(project, result))
    record.warn(terminal.note)
    if project.judged is not None and not quiet:  # which lies outside of the clone
        terminal.note(f"run {record.run_id}, recorded in {record.path}")
    return code


def _tell(
    call: Invocation,
    text: str,
    result: RunResult,
    lines: ProgressLines,
    shown: RunView,
    notes: Sequence[tuple[str, str]],
) -> None:
    """Deliver the text of the results, and end the progress with the notes and the verdict."""
    from pytest_lok.reports.case_table import case_lines
    from pytest_lok.reports.console import recap, summary

    options, terminal = call.options, call.terminal
    columns = terminal.width if terminal.err.isatty() else 0
    blank = [("", "")] if _is_for_people(call) and text else []
    shown.say(blank)
    if not (options.quiet and options.output is None and not call.json):
        call.deliver(text)
    again = recap(lines.out_of_sight(text if blank else ""), lines.name_width, columns=columns)
    tables = [("", line) for line in case_lines(result, columns)]
    shown.say([*blank, *again, *tables, *notes, (result.outcome, summary(result))])
    if options.quiet and not options.json:
        terminal.note(summary(result))


def _with_approver(call: Invocation, plan: Plan, world: World, shown: RunView) -> World:
    """The world in which the person at the terminal is asked what a step waits for."""
    from pytest_lok.core.workflow.model import Approve

    if not any(isinstance(step.action, Approve) for step in plan.steps):
        return world
    from dataclasses import replace

    from pytest_lok.cli.approver import terminal_approver

    return replace(world, approver=terminal_approver(call, shown))


def _progress_lines(
    call: Invocation, plan: Plan, world: World, report: Callable[[RunResult], str] | None
) -> ProgressLines:
    """The lines of progress, for the options and the terminal of this call."""
    from pytest_lok.cli.progress_lines import ProgressLines
    from pytest_lok.cli.question_count import announcement

    options, terminal = call.options, call.terminal
    about = plan.workflow.description
    lines = ProgressLines(
        verbose=options.verbose,
        printed="none" if report else _printed_elsewhere(call),
        title=f"{plan.workflow.stem}: {about}" if about else "",
        needs=plan.declared,
        width=terminal.width if terminal.err.isatty() else 0,
        every=options.verbose or report is None,
    )
    lines.announce = announcement(plan, world)
    return lines


def _goes_on(call: Invocation, project: Project, plan: Plan, held: ExitStack) -> ResumeState:
    """What the run begins with: nothing, or what is left of the run that it goes on from.

    That run is ``held`` until this one has ended.
    """
    from pytest_lok.core.events import FRESH_START

    options = call.options
    if not options.resume:
        if options.again:
            from pytest_lok.errors import UsageError

            raise UsageError("--again says what runs again of an earlier run", hint="add --resume")
        return FRESH_START
    from contextlib import closing
    from dataclasses import replace

    from pytest_lok.wiring.resume import Resumption, require_unanswered

    resumption = held.enter_context(closing(Resumption(project.runs)))
    state = resumption.state(plan, options.resume, options.again)
    if options.approval is not None:
        # once more, now that nobody else goes on from that run
        workflow = plan.workflow.path, plan.workflow.stem
        require_unanswered(project.runs, workflow, state.resumes, options.approval.step)
        state = replace(state, approvals=(*state.approvals, options.approval))
    return state


def _reports(call: Invocation, *, workflow: bool) -> RunReports | None:
    """The reports of this run, those that nobody asked for too; the ones of an earlier run are gone."""
    from pytest_lok.settings import takes_reports

    if not call.options.reports and not (workflow and takes_reports(call.environ)):
        return None
    from pytest_lok.cli.reports import RunReports

    return RunReports.of(call)


def _accepted_here(project: Project, result: RunResult) -> list[tuple[str, str]]:
    """A line on findings that block although they are accepted in the work tree, where there are some."""
    findings = [it for step in result.steps.values() for it in step.findings or () if it.blocking]
    if not findings or project.judged is not None:
        return []
    from pytest_lok.cli.acceptance import not_yet_merged
    from pytest_lok.engine.ports import utc_date

    said = not_yet_merged(findings, project.root, utc_date())
    return [("", said)] if said else []


def _is_for_people(call: Invocation) -> bool:
    """Whether the results are read on a terminal."""
    return call.screen_width is not None and not call.json


def _printed_elsewhere(call: Invocation) -> Literal["leaves", "all", "none"]:
    """Of which steps the output goes to stdout, and from there to the same log as the progress."""
    if call.json or call.options.dry_run or call.terminal.out.isatty() or call.terminal.err.isatty():
        return "none"
    return "all" if call.options.verbose else "leaves"


def _said(call: Invocation, plan: Plan, result: RunResult, report: Callable[[RunResult], str] | None) -> str:
    """What the steps said: as it is for programs, under headings for people."""
    from pytest_lok.core.workflow.model import Origin
    from pytest_lok.reports.console import outputs, previews

    if call.options.dry_run and (diffs := previews(result)):
        return diffs
    if report is not None:
        return report(result)
    # of several answers to a task nobody would know which one is whose
    leaves = [result.steps[name] for name in result.leaves if name in result.steps]
    several = len(leaves) > 1 or any(len(step.replies) > 1 for step in leaves)
    if (several and plan.workflow.origin is Origin.SETTINGS) or _is_for_people(call):
        from pytest_lok.reports.answers import answers

        shown_why = _is_for_people(call) and call.terminal.err.isatty()
        return answers(result, every=call.options.verbose, complete=not shown_why)
    return outputs(result, every=call.options.verbose)


command = WorkflowGroup(
    "run",
    action=run_plan,
    accepts=ACCEPTS,
    help="""Run WORKFLOW: a name (`lok workflow list`), or the path of a .toml file.

    The outputs of its last steps go to stdout (-v: of all steps), progress and reasons to stderr. On a
    terminal each output stands under the name of its step. The last line is the verdict.
    `lok run WORKFLOW --help` shows its arguments. Where an argument has the name of an option below,
    give the option before WORKFLOW. A value that begins with `-` goes after `--`.

    --json has the run's workflow, outcome, exit_code, output, seconds and usage, and its `steps` by name:
    each with outcome, reason, hint, output, cut, data (parsed JSON), exit_code, seconds, attempts, backend,
    replies, refusals, answered, verdict, items, findings, set_aside, scores, sections and usage. Durations
    are seconds; null is not known.

    --each FILE runs WORKFLOW in each repository that the file lists, and prints a table. The exit code is
    that of the worst: 1 before 3. --json then has `repositories`, each with its `run`.

    \b
    Exit codes:  0  the work was done, and every check held
                 1  a step did its work and judged: no
                 2  a usage or workflow-file error; nothing was run
                 3  a step could not do its work, and none failed; in CI also:
                    every step was skipped by its own `when`, and the file
                    does not say `allow_skip = true`
                 4  nothing is wrong but that a step waits for a person's
                    answer (`lok approve`)
                 130 Ctrl-C, 143 SIGTERM, 70 a bug of lok's own
    """,
)
