"""``lok eval WORKFLOW --cases DIR``: how often a gate is right, on changes of which the answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.evaluation.evaluated import Evaluation
    from pytest_lok.core.workflow.model import Gate
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.wiring import Project
    from pytest_lok.wiring.evaluation.case_runs import CaseRuns
    from pytest_lok.workspace.cases.shelf import ShelvedCase


def evaluate(call: Invocation, project: Project, plan: Plan) -> int:
    """Run the plan on every case, and print how often it was right; returns the exit code."""
    import asyncio
    import tempfile
    from pathlib import Path

    from pytest_lok.cli.eval_results import EvalReports, RunLines, settle
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.wiring.evaluation.case_runs import CaseRuns
    from pytest_lok.wiring.evaluation.prepared import prepare_cases
    from pytest_lok.workspace.cases.shelf import read_cases

    options = call.options
    plans = [*_compared_plan(call, project, plan), plan]
    gates = [_gate_of(each, project) for each in plans]
    shelved = _chosen(read_cases(_folder_of(options.cases)), options.only)
    reports = EvalReports.of(call)
    trusted = require_trust(call, project).recording(options.record).caching(bool(options.cache))
    with tempfile.TemporaryDirectory(prefix="lok-eval-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        cases = asyncio.run(prepare_cases(trusted, shelved, folder))
        lines = RunLines(call, len(plans) * len(cases) * options.repeats, named=len(plans) > 1)
        each, repeats = options.budget_each, options.repeats
        runs = [CaseRuns(trusted, it, cases, folder, repeats=repeats, budget_each=each) for it in plans]
        for it, gate, own in zip(plans, gates, runs, strict=True):
            own.on_done = lines.listener(it, gate)
            if not options.check:
                _require_backends(it, own.world)
            _announce(call, it, own.world, len(cases))
        if options.check:
            return 0
        evaluations, interrupted = _executed(runs, plans, gates)
    return settle(call, evaluations, reports, interrupted)


def _compared_plan(call: Invocation, project: Project, plan: Plan) -> list[Plan]:
    """The plan of the workflow that this one is compared with, with the arguments that were given."""
    if not call.options.compare:
        return []
    older = project.load(call.options.compare)
    for warning in older.warnings:
        call.terminal.note(f"warning: {warning}")
    declared = plan.workflow.args
    given = {
        name: value
        for name, value in plan.arguments.items()
        if name in older.args and name in declared and value != declared[name].default
    }
    return [project.plan(older, named=given)]


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

    runs = cases * call.options.repeats
    try:
        asked = dict(_asked(plan, world))
    except BackendError as nobody:  # with --check: whoever is measured is told so
        asked = {}
        call.terminal.note(f"warning: {nobody.message}")
    count, parts, least = QuestionCount(), [], 0
    for top in plan.steps:
        for step in top.in_all():
            own = questions_of(step, max(1, len(asked.get(step.name, ()))))
            if top.for_each is None and step.for_each is None:
                count += own
            elif own.usual:
                parts.append(f"{own} for each part of `{step.name}`")
            least += own.usual if top.when is None and step.when is None else 0
    facts = [str(count.times(runs)), *parts] if count.usual or not parts else parts
    times = f", {call.options.repeats} times each" if call.options.repeats > 1 else ""
    if not call.options.quiet:
        call.terminal.note(f"{plan.workflow.stem} on {many(cases, 'case')}{times}: {', and '.join(facts)}")
    _compare_budget(call, plan, runs, least * runs)


def _compare_budget(call: Invocation, plan: Plan, runs: int, least: int) -> None:
    """Say how many calls the budget allows; UsageError if they are too few, and so would be spent in vain."""
    from pytest_lok.errors import UsageError
    from pytest_lok.reports.facts import many

    budget, options = plan.workflow.budget, call.options
    if budget is None:
        return
    limits = {
        "calls": many(budget.calls or 0, "call"),
        "tokens": f"{budget.tokens or 0:,} tokens",
        "usd": f"{budget.usd or 0:g} USD",
        "time": f"{budget.time or 0:g} s",
    }
    allowed = ", ".join(text for name, text in limits.items() if getattr(budget, name) is not None)
    of = f"each of {many(runs, 'run')}" if options.budget_each else "all runs together"
    said = f"[budget] allows {allowed} for {of}"
    short = budget.calls is not None and least > budget.calls and not options.budget_each
    # what is known already needs no call
    if short and not (options.check or options.record or options.cache):
        hint = (
            "--budget-each gives each run all of it, as in a gate; or raise it, or take fewer cases: --case"
        )
        raise UsageError(f"{said}, and {many(runs, 'run')} that all ask take {least:,} or more", hint=hint)
    if not options.quiet:
        call.terminal.note(said)


# --- running


def _executed(
    runs: Sequence[CaseRuns], plans: Sequence[Plan], gates: Sequence[Gate]
) -> tuple[list[Evaluation], int]:
    """Run all cases; the evaluations, and 128 + the number of the signal that ended them, 0 = none did."""
    import asyncio
    from dataclasses import replace

    from pytest_lok.cli.execute import stopping_on_signals
    from pytest_lok.core.evaluation.evaluated import evaluate_runs

    def stop(reason: str) -> None:
        for each in runs:
            each.stop(reason)

    async def body() -> tuple[list[Evaluation], int]:
        now = asyncio.get_running_loop().time
        began = now()
        with stopping_on_signals(stop, runs[0].world.kill) as stopped:
            # side by side, so that what is cut still has pairs
            done = await asyncio.gather(*(each.execute() for each in runs))
        seconds = now() - began
        found = [
            evaluate_runs(plan, gate, cases, seconds=seconds, cut=each.cut)
            for plan, gate, cases, each in zip(plans, gates, done, runs, strict=True)
        ]
        return found, 128 + stopped[0] if stopped else 0

    evaluations, interrupted = asyncio.run(body())
    if len({it.workflow for it in evaluations}) < len(evaluations):
        paths = [plan.workflow.path for plan in plans]
        evaluations = [replace(it, workflow=path) for it, path in zip(evaluations, paths, strict=True)]
    return evaluations, interrupted


command = WorkflowGroup(
    "eval",
    action=evaluate,
    accepts=(
        *(
            "cases",
            "only",
            "compare",
            "budget_each",
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

    --compare OLDER runs that workflow too, and tells which cases WORKFLOW has mended and broken, with the
    exact p of McNemar's test. `lok eval --compare OLDER NEWER` does the same. Limits are about the newer one.

    --record=new keeps every answer in .lok/cassettes, and asks only what is not there; --record=none asks
    nobody.
    --report junit=FILE and --report html=FILE write reports. Other kinds are refused here.

    \b
    Exit codes:  0  every case was evaluated, and no limit is missed
                 1  the recall is too low, or more is false than a limit allows
                 2  a usage or workflow-file error, or a mistake in a case
                 3  a case was not evaluated, or too many are inconclusive
                 130 Ctrl-C; what was done until then is shown
    """,
)
