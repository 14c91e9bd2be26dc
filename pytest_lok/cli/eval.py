"""``lok eval WORKFLOW --cases DIR``: how often a gate is right, on changes of which the answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.evaluation.evaluated import Evaluation
    from pytest_lok.core.evaluation.judges import ReviewRun
    from pytest_lok.core.workflow.model import Gate
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.wiring import Project
    from pytest_lok.wiring.evaluation.case_runs import CaseRuns
    from pytest_lok.wiring.evaluation.prepared import PreparedCase
    from pytest_lok.wiring.report_files import ReportFile
    from pytest_lok.workspace.cases.shelf import ShelvedCase

_FAILED, _UNABLE = 1, 3
_KINDS = ("junit", "html")


def evaluate(call: Invocation, project: Project, plan: Plan) -> int:
    """Run the plan on every case, and print how often it was right; returns the exit code."""
    import asyncio
    import tempfile
    from pathlib import Path

    from pytest_lok.cli.trust import require_trust
    from pytest_lok.wiring.evaluation.case_runs import CaseRuns
    from pytest_lok.wiring.evaluation.prepared import prepare_cases
    from pytest_lok.workspace.cases.shelf import read_cases

    options = call.options
    gate = _gate_of(plan, project)
    shelved = _chosen(read_cases(_folder_of(options.cases)), options.only)
    reports = _reports(call)
    trusted = require_trust(call, project).recording(options.record).caching(bool(options.cache))
    with tempfile.TemporaryDirectory(prefix="lok-eval-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        cases = asyncio.run(prepare_cases(trusted, shelved, folder))
        told = _RunLines(call, plan, gate, len(cases) * options.repeats)
        runs = CaseRuns(trusted, plan, cases, folder, repeats=options.repeats, on_done=told.has_ended)
        if not options.check:
            _require_backends(plan, runs.world)
        _announce(call, plan, runs.world, len(cases))
        if options.check:
            return 0
        evaluation, interrupted = _executed(runs, plan, gate)
    reasons = [*_reasons(call, evaluation)]
    code = interrupted or max((it for it, _ in reasons), default=0, key=lambda it: (it == _FAILED, it))
    for report in reports:
        code = _write(call, report, evaluation) or code
    _tell(call, evaluation, code, [why for _, why in reasons])
    return code


def _folder_of(said: Path | None) -> Path:
    from pytest_lok.errors import UsageError

    if said is None:
        hint = "--cases DIR; each case is a directory with a case.toml (docs/eval.md)"
        raise UsageError("the directory of the cases is not named", hint=hint)
    return said.resolve()


def _chosen(shelved: list[ShelvedCase], patterns: tuple[str, ...]) -> list[ShelvedCase]:
    """The cases that one of the patterns names, all without any; UsageError for one that names none."""
    from fnmatch import fnmatchcase

    from pytest_lok.core.text.suggestions import did_you_mean
    from pytest_lok.errors import UsageError

    names = [it.case.name for it in shelved]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"there is no case {pattern!r}", hint=did_you_mean(pattern, names))
    wanted = [not patterns or any(fnmatchcase(name, it) for it in patterns) for name in names]
    return [it for it, is_wanted in zip(shelved, wanted, strict=True) if is_wanted]


def _gate_of(plan: Plan, project: Project) -> Gate:
    """The gate that is measured; an error where there is none, or where it must not judge changes."""
    from pytest_lok.core.evaluation.judges import reviewing
    from pytest_lok.core.workflow.untrusted import refusals
    from pytest_lok.errors import UsageError, WorkflowError

    workflow = plan.workflow
    if workflow.gate is None or not reviewing(plan.steps):
        missing = "[gate]" if workflow.gate is None else 'step with output_format = "findings"'
        hint = "a gate, and a step that reports findings, are what can be measured"
        raise UsageError(f"workflow {workflow.stem!r} has no {missing}", hint=hint)
    if inner := [step.name for step in plan.steps if step.reviews and step not in reviewing(plan.steps)]:
        hint = "measure the workflow that it runs, by its own name"
        raise UsageError(f"step {inner[0]!r} runs a workflow that reports findings", hint=hint)
    if workflow.gate.fail_on == "never":
        hint = 'measure it as it is to be: fail_on = "high"'
        raise UsageError('the gate blocks nothing (fail_on = "never"), so nothing can be missed', hint=hint)
    if found := refusals(workflow, project.settings.defaults.command_wrapper):
        raise WorkflowError(found)
    return workflow.gate


# --- before anybody is asked


def _require_backends(plan: Plan, world: World) -> None:
    """BackendError where one of those that are to be measured cannot answer at all."""
    from pytest_lok.engine.asking.route import problem_of

    for name in dict.fromkeys(name for _, names in _asked(plan, world) for name in names):
        backend = world.backends.get(name)
        problem = None if backend is None else problem_of(backend)
        if problem is not None:
            problem.hint = " ".join(filter(None, [problem.hint, "(-b measures others)"]))
            raise problem


def _asked(plan: Plan, world: World) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each step that asks, and whom."""
    from pytest_lok.core.workflow.model import Ask, Strategy
    from pytest_lok.engine.asking.route import names_of

    for step in (each for top in plan.steps for each in top.in_all()):
        if isinstance(step.action, Ask):
            ask = step.action
            every = ask.consensus is Strategy.ALL
            yield step.name, names_of(ask.backends, ask.prompt.source, world, keeps_all=every)[0]


def _announce(call: Invocation, plan: Plan, world: World, cases: int) -> None:
    """Say how many questions that comes to, and what the budget allows."""
    from pytest_lok.errors import BackendError
    from pytest_lok.reports.facts import many
    from pytest_lok.reports.questions import QuestionCount, questions_of

    if call.options.quiet:
        return
    runs = cases * call.options.repeats
    try:
        asked = dict(_asked(plan, world))
    except BackendError as nobody:  # with --check: whoever is measured is told so
        asked = {}
        call.terminal.note(f"warning: {nobody.message}")
    count, parts = QuestionCount(), []
    for top in plan.steps:
        for step in top.in_all():
            own = questions_of(step, max(1, len(asked.get(step.name, ()))))
            if top.for_each is None and step.for_each is None:
                count += own
            elif own.usual:
                parts.append(f"{own} for each part of `{step.name}`")
    facts = [str(count.times(runs)), *parts]
    times = f", {call.options.repeats} times each" if call.options.repeats > 1 else ""
    call.terminal.note(f"{plan.workflow.stem} on {many(cases, 'case')}{times}: {', and '.join(facts)}")
    budget = plan.workflow.budget
    if budget is not None and budget.calls is not None:
        call.terminal.note(f"[budget] allows {many(budget.calls, 'call')} for all runs together")


# --- running


def _executed(runs: CaseRuns, plan: Plan, gate: Gate) -> tuple[Evaluation, int]:
    """Run all cases; the evaluation, and 128 + the number of the signal that ended it, 0 = none did."""
    import asyncio

    from pytest_lok.cli.execute import stopping_on_signals
    from pytest_lok.core.evaluation.evaluated import evaluate_runs

    async def body() -> tuple[Evaluation, int]:
        now = asyncio.get_running_loop().time
        began = now()
        with stopping_on_signals(runs.stop, runs.world.kill) as stopped:
            cases = await runs.execute()
        evaluation = evaluate_runs(plan, gate, cases, seconds=now() - began, cut=runs.cut)
        return evaluation, 128 + stopped[0] if stopped else 0

    return asyncio.run(body())


class _RunLines:
    """A line on stderr for each run that has ended."""

    def __init__(self, call: Invocation, plan: Plan, gate: Gate, total: int) -> None:
        self._call = call
        self._plan = plan
        self._gate = gate
        self._total = total
        self._ended = 0

    def has_ended(self, case: PreparedCase, number: int, run: ReviewRun) -> None:
        """Tell what one run came to."""
        from pytest_lok.core.evaluation.judges import WORKFLOW, reviewing, ruling_of
        from pytest_lok.core.evaluation.scores import marked
        from pytest_lok.reports.console import duration
        from pytest_lok.reports.evaluation.table import mark_of

        self._ended += 1
        options = self._call.options
        if options.quiet or (options.json and not options.verbose):
            return
        ruling = ruling_of(WORKFLOW, self._gate, reviewing(self._plan.steps), run)
        mark = mark_of(marked(case.expected, ruling)) if ruling else "not asked"
        name = f"{case.case.name} ({number + 1})" if options.repeats > 1 else case.case.name
        at = f"{self._ended:>{len(str(self._total))}}/{self._total}"
        self._call.terminal.note(f"{at}  {mark:<12}  {duration(run.result.seconds):>6}  {name}")


# --- afterwards


def _reasons(call: Invocation, evaluation: Evaluation) -> Iterator[tuple[int, str]]:
    """Why the exit code is not 0, each with its code; what is not reached is 1, what is not known 3."""
    options, row = call.options, evaluation.own
    ruled = [case for case in row.cases if case.rulings]
    counted = (
        (
            "--max-false-greens",
            options.max_false_greens,
            sum(it.share("missed") > 0 for it in ruled),
            _FAILED,
        ),
        ("--max-false-reds", options.max_false_reds, sum(it.false_red_share > 0 for it in ruled), _FAILED),
        (
            "--max-inconclusive",
            options.max_inconclusive,
            sum(it.share("inconclusive") > 0 for it in ruled),
            _UNABLE,
        ),
    )
    if evaluation.done < evaluation.wanted:
        yield _UNABLE, f"{evaluation.done} of {evaluation.wanted} runs came to their end: {evaluation.cut}"
    for option, most, number, code in counted:
        if most is not None and number > most:
            what = option.removeprefix("--max-").replace("-", " ")
            yield code, f"{what} in {number} case{'s' * (number != 1)}, and {option} is {most}"
    recall, least = row.scores.recall.share, options.min_recall
    if least is not None and recall is None:
        yield _UNABLE, "no case with a problem was evaluated, so there is no recall"
    elif least is not None and recall is not None and recall < least and evaluation.done == evaluation.wanted:
        yield _FAILED, f"the recall is {recall:.3g}, and --min-recall is {least:g}"


def _tell(call: Invocation, evaluation: Evaluation, code: int, reasons: list[str]) -> None:
    from pytest_lok.reports.evaluation.document import evaluation_document
    from pytest_lok.reports.evaluation.table import table

    options, terminal = call.options, call.terminal
    if call.json:
        call.deliver_document(evaluation_document(evaluation, code))
    elif not options.quiet or options.output is not None:
        width = terminal.width if call.screen_width else 80
        call.deliver(table(evaluation, width=width, every=options.verbose))
    if options.json:
        return
    for why in reasons:
        terminal.note(f"lok: {why}")
    verdict = {0: "evaluated", _FAILED: "evaluated, and not good enough"}.get(
        code, "not all of it is evaluated"
    )
    terminal.note(f"{verdict} (exit code {code})")


def _reports(call: Invocation) -> list[ReportFile]:
    """The reports that were asked for; those of an earlier evaluation are gone."""
    from pathlib import Path

    from pytest_lok.errors import UsageError
    from pytest_lok.wiring.report_files import NONE, ReportFile

    found: list[ReportFile] = []
    for text in call.options.reports:
        if text == NONE:
            continue
        report = ReportFile.of(text, Path.cwd())
        if report.kind not in _KINDS:
            hint = f"one of: {', '.join(_KINDS)}; --json has everything for programs"
            raise UsageError(f"`lok eval` has no {report.kind} report", hint=hint)
        if report.path in [it.path for it in found]:
            raise UsageError(f"two reports name one file: {report.path}", hint="give each a file of its own")
        found.append(report)
    for report in found:
        report.remove_old()
    return found


def _write(call: Invocation, report: ReportFile, evaluation: Evaluation) -> int:
    """Write a report; 3 where that is not possible, else 0."""
    from pytest_lok.errors import LokError
    from pytest_lok.files import write_output
    from pytest_lok.reports.evaluation.junit import render_junit
    from pytest_lok.reports.evaluation.page import render_page

    render = render_junit if report.kind == "junit" else render_page
    try:
        write_output(report.path, render(evaluation))
    except LokError as failure:
        call.terminal.error(LokError(f"no {report.kind} report: {failure.message}"))
        return _UNABLE
    return 0


command = WorkflowGroup(
    "eval",
    action=evaluate,
    accepts=(
        *(
            "cases",
            "only",
            "repeats",
            "check",
            "min_recall",
            "max_false_greens",
            "max_false_reds",
            "max_inconclusive",
        ),
        *("steps", "backend", "everybody", "timeout", "max_parallel", "cache", "record", "trust"),
        *("verbose", "quiet", "json", "output", "reports"),
        *COMMON_OPTIONS,
    ),
    help="""Measure a gate: run WORKFLOW on changes of which it is known what a review has to say.

    --cases DIR holds the cases, each a directory with a case.toml: a change, the findings that must block,
    and what must not. Each change is judged as `lok gate` would, in a tree of its own. Nothing is recorded
    as a run, and the project's files are not touched.

    A row of the table is a judge: the workflow as it is, each backend alone, and each quorum that the
    backends could have. They rule on the same answers, so more rows ask no more questions. Recall is the
    share of the changes with a problem that were blocked for all of it. An answer that is missing is
    inconclusive, and never a right one. Intervals are Wilson's, of 95 %, and their unit is the case.

    --record asks once and keeps the answers in .lok/cassettes, --record=none evaluates them offline.
    --report junit=FILE and --report html=FILE write reports.

    \b
    Exit codes:  0  every case was evaluated, and no limit is missed
                 1  the recall is below --min-recall, or more is false than --max-false-... allow
                 2  a usage or workflow-file error, or a mistake in a case; nobody was asked
                 3  a case was not evaluated, or more are inconclusive than --max-inconclusive
                 130 Ctrl-C; what was done until then is shown
    """,
)
