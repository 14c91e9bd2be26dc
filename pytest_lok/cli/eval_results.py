"""Evaluations -> what `lok eval` tells: a line for each run, the tables, the reports, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.evaluation.comparison import ComparedWorkflows
    from pytest_lok.core.evaluation.evaluated import Evaluation
    from pytest_lok.core.evaluation.judges import ReviewRun
    from pytest_lok.core.workflow.model import Gate
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring.evaluation.prepared import PreparedCase
    from pytest_lok.wiring.report_files import ReportFile

_FAILED, _UNABLE = 1, 3
_KINDS = ("junit", "html")


def settle(
    call: Invocation, evaluations: Sequence[Evaluation], reports: EvalReports, interrupted: int
) -> int:
    """Tell what came of it, and write the reports; returns the exit code.

    The last evaluation is the one that counts; one before it is what it is compared with.
    """
    from pytest_lok.core.evaluation.comparison import ComparedWorkflows

    newer = evaluations[-1]
    comparison = ComparedWorkflows.of(evaluations[0], newer) if len(evaluations) > 1 else None
    reasons = [*_reasons(call, newer)]
    if comparison is not None:
        reasons += [(code, why) for code, why in _unfinished(comparison.old)]
    # what is surely missed outweighs what is not known
    code = interrupted or max((it for it, _ in reasons), default=0, key=lambda it: (it == _FAILED, it))
    code = reports.write(call, evaluations, comparison) or code
    _tell(call, newer, comparison, code, [why for _, why in reasons])
    return code


class RunLines:
    """A line on stderr for each run that has ended; ``named``: with the name of its workflow."""

    def __init__(self, call: Invocation, total: int, *, named: bool) -> None:
        self._call = call
        self._total = total
        self._named = named
        self._ended = 0

    def listener(self, plan: Plan, gate: Gate) -> Callable[[PreparedCase, int, ReviewRun], None]:
        """What tells of the runs of one workflow."""
        from functools import partial

        return partial(self._has_ended, plan, gate)

    def _has_ended(self, plan: Plan, gate: Gate, case: PreparedCase, number: int, run: ReviewRun) -> None:
        from pytest_lok.core.evaluation.judges import WORKFLOW, reviewing, ruling_of
        from pytest_lok.core.evaluation.scores import marked
        from pytest_lok.reports.console import duration
        from pytest_lok.reports.evaluation.table import mark_of

        self._ended += 1
        options = self._call.options
        if options.quiet or (options.json and not options.verbose):
            return
        ruling = ruling_of(WORKFLOW, gate, reviewing(plan.steps), run, allow_skip=plan.workflow.allow_skip)
        mark = mark_of(marked(case.expected, ruling)) if ruling else "not asked"
        name = f"{case.case.name} ({number + 1})" if options.repeats > 1 else case.case.name
        name = f"{plan.workflow.stem}  {name}" if self._named else name
        at = f"{self._ended:>{len(str(self._total))}}/{self._total}"
        self._call.terminal.note(f"{at}  {mark:<12}  {duration(run.result.seconds):>6}  {name}")


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
    yield from _unfinished(evaluation)
    for option, most, number, code in counted:
        if most is not None and number > most:
            what = option.removeprefix("--max-").replace("-", " ")
            yield code, f"{what} in {number} case{'s' * (number != 1)}, and {option} is {most}"
    recall, least = row.scores.recall.share, options.min_recall
    if least is not None and recall is None:
        yield _UNABLE, "no case with a problem was evaluated, so there is no recall"
    elif least is not None and recall is not None and recall < least and evaluation.done == evaluation.wanted:
        yield _FAILED, f"the recall is {recall:.3g}, and --min-recall is {least:g}"


def _unfinished(evaluation: Evaluation) -> Iterator[tuple[int, str]]:
    if evaluation.done < evaluation.wanted:
        done = f"{evaluation.done} of {evaluation.wanted} runs"
        yield _UNABLE, f"{done} of {evaluation.workflow} came to their end: {evaluation.cut}"


def _tell(
    call: Invocation,
    newer: Evaluation,
    comparison: ComparedWorkflows | None,
    code: int,
    reasons: Sequence[str],
) -> None:
    from pytest_lok.reports.evaluation.comparison import compared_table, comparison_document
    from pytest_lok.reports.evaluation.document import evaluation_document
    from pytest_lok.reports.evaluation.table import table

    options, terminal = call.options, call.terminal
    if call.json:
        document = comparison_document(comparison, code) if comparison else evaluation_document(newer, code)
        call.deliver_document(document)
    elif not options.quiet or options.output is not None:
        width = terminal.width if call.screen_width else 80
        every = options.verbose
        text = compared_table(comparison, width=width, every=every) if comparison else None
        call.deliver(text or table(newer, width=width, every=every))
    if options.json:
        return
    for why in reasons:
        terminal.note(f"lok: {why}")
    verdict = {0: "evaluated", _FAILED: "evaluated, and not good enough"}.get(
        code, "not all of it is evaluated"
    )
    terminal.note(f"{verdict} (exit code {code})")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReports:
    """The report files that were asked for; those of an earlier evaluation are gone."""

    files: tuple[ReportFile, ...]

    @classmethod
    def of(cls, call: Invocation) -> EvalReports:
        """The reports of this call; UsageError if one cannot be written."""
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
                named = f"two reports name one file: {report.path}"
                raise UsageError(named, hint="give each a file of its own")
            found.append(report)
        for report in found:
            report.remove_old()
        return cls(files=tuple(found))

    def write(
        self, call: Invocation, evaluations: Sequence[Evaluation], comparison: ComparedWorkflows | None
    ) -> int:
        """Write all of them; 3 where one cannot be written, else 0."""
        from pytest_lok.errors import LokError
        from pytest_lok.files import write_output
        from pytest_lok.reports.evaluation.junit import render_junit
        from pytest_lok.reports.evaluation.page import render_page

        code = 0
        for report in self.files:
            junit = report.kind == "junit"
            text = render_junit(evaluations) if junit else render_page(evaluations, comparison)
            try:
                write_output(report.path, text)
            except LokError as failure:
                call.terminal.error(LokError(f"no {report.kind} report: {failure.message}"))
                code = _UNABLE
        return code
