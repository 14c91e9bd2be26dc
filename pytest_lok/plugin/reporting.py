"""Step results -> pytest's reports of the items and of their parts."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_lok.plugin.nodes import StepItem
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.subtests import report_of_subtest
from pytest_lok.reports.parts import may_have_subtests

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult


class Reporting:
    """The hooks that report the steps' results."""

    def __init__(self, runner: WorkflowRunner) -> None:
        self._runner = runner
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
        if report.skipped or not may_have_subtests(result):
            return
        if not item.config.pluginmanager.hasplugin("subtests"):
            return
        step_report = self._runner.report(item, result)
        for number, subtest in enumerate(step_report.subtests(), 1):
            if not subtest.outcome.red or report.failed:
                of_subtest = report_of_subtest(
                    subtest,
                    report,
                    step_report.subtest_longrepr,
                    workflow=step_report.workflow.stem,
                    number=number,
                )
                item.ihook.pytest_runtest_logreport(report=of_subtest)
            if item.session.shouldfail:  # -x
                return


def _is_final(report: pytest.TestReport) -> bool:
    """Whether a report counts: plugins that try again give earlier attempts an outcome of their own."""
    return report.outcome in ("passed", "failed", "skipped") and not isinstance(report, pytest.SubtestReport)
