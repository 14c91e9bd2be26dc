"""Step results -> pytest's reports of the items, its header and its summary."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from pytest_lok.plugin.failure_text import escape_untrusted
from pytest_lok.plugin.final_reports import FinalReports
from pytest_lok.plugin.nodes import StepItem
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.subtests import report_of_subtest, subtests_of
from pytest_lok.reports.console import closing

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult

_NAMED = 8  # workflows named in the header


class Reporting:
    """The hooks that report the steps' results."""

    def __init__(
        self, selection: WorkflowSelection, runner: WorkflowRunner, final_reports: FinalReports
    ) -> None:
        self._selection = selection
        self._runner = runner
        self._final_reports = final_reports
        self._reported: dict[str, tuple[StepItem, StepResult]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Make the report say what came of the step, not of the item that waited for the step."""
        report = yield
        if not isinstance(item, StepItem) or item.result is None or report.when == "teardown":
            return report
        if report.when == "setup":
            # waiting is no part of the set-up: fixtures are
            report.duration = max(0.0, report.duration - item.seconds_waited)
            if report.passed:
                return report
        step_report = self._runner.report(item, item.result)
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and error is item.raised:  # a hook may have ended it otherwise
            own_skip = report.skipped and not hasattr(report, "wasxfail")
            report.longrepr = step_report.skipped if own_skip else step_report.longrepr
        step_report.fill_in(report)
        # remembered: the subtests follow when it is clear that no further attempt will be made
        self._reported[report.nodeid] = item, item.result
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Send the subtests before the report of their step: once, not at each attempt.

        The ``subtests`` fixture would report while the item runs, and plugins that try again do so inside of
        that. A plugin that tries again while a report is made gives the old report the new outcome.
        """
        item, result = self._reported.get(report.nodeid, (None, None))
        if item is not None and item.result is not None and report.when == "call" and _is_final(report):
            # a rerun inside of the hook that makes reports
            if result is not item.result:
                self._runner.report(item, item.result).fill_in(report)
                self._reported[report.nodeid] = item, item.result
            self._send_subtests(item, item.result, report)
        yield

    def _send_subtests(self, item: StepItem, result: StepResult, report: pytest.TestReport) -> None:
        """Report findings, items and backends, where pytest has subtests; one is red only if the step is.

        A soft step has none: readers that do not know subtests would count it as passed as well.
        """
        if report.skipped or not item.config.pluginmanager.hasplugin("subtests"):
            return
        subtests = subtests_of(result)
        if not subtests:
            return
        step_report = self._runner.report(item, result)
        for subtest in subtests:
            if not subtest.outcome.red or report.failed:
                of_subtest = report_of_subtest(subtest, report, step_report.subtest_longrepr)
                item.ihook.pytest_runtest_logreport(report=of_subtest)
            if item.session.shouldfail:  # -x
                return

    def pytest_report_header(self) -> str:
        """Name the workflows of this session, and those that are left out."""
        names = [workflow.stem for workflow in self._selection.candidates()]
        text = f"lok: {len(names)} workflow{'' if len(names) == 1 else 's'}"
        if names:
            text += f": {', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"
        session = self._selection.session
        if session.project.record is not None:
            text += f"; recorded answers: {session.project.record}"
        if not_typed := session.not_typed:
            text += f"; not used in CI, where only the command line says it: {', '.join(not_typed)}"
        excluded = self._selection.excluded
        return f"{text} (left out: {', '.join(excluded)})" if excluded else text

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a line per workflow: outcome, seconds, backends, tokens, and what its gate set aside."""
        lines = [line for record in self._runner.records() for line in closing(record.result)]
        lines += [
            f"{name}: left out: {why}; pytest --lok-workflow {name} runs it"
            for name, why in self._selection.excluded.items()
        ]
        lines += _reasons(self._final_reports.not_run)
        if lines:
            terminalreporter.section("workflows")
            for line in lines:
                terminalreporter.line(escape_untrusted(line))


def _reasons(not_run: Mapping[str, str]) -> Iterator[str]:
    """A line for each workflow and each reason for which steps of it were not run."""
    groups: dict[tuple[str, str], list[str]] = {}
    for nodeid, why in not_run.items():
        parent, _, step = nodeid.partition("::")
        groups.setdefault((PurePosixPath(parent).stem, why), []).append(step)
    for (workflow, why), steps in groups.items():
        yield f"{workflow}: {', '.join(steps[:_NAMED])}{', …' if len(steps) > _NAMED else ''} {why}"


def _is_final(report: pytest.TestReport) -> bool:
    """Whether a report counts: plugins that try again give earlier attempts an outcome of their own."""
    return report.outcome in ("passed", "failed", "skipped") and not isinstance(report, pytest.SubtestReport)
