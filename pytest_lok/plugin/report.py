"""Results -> pytest's reports, header and summary."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from pytest_lok.plugin.collect import StepItem
from pytest_lok.plugin.failure_text import escape_untrusted
from pytest_lok.plugin.outcome import StepReport
from pytest_lok.plugin.subtests import parts, subreport
from pytest_lok.reports.console import closing

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult
    from pytest_lok.plugin.desk import LokSession

_NAMED = 8  # workflows named in the header


class Reporting:
    """The hooks that tell what came of the steps."""

    def __init__(self, desk: LokSession, left: Callable[[], Mapping[str, str]]) -> None:
        """``left`` gives the steps that were promised and not run, and why."""
        self._desk = desk
        self._left = left
        self._told: dict[str, tuple[StepItem, StepResult]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A step's report tells of the step, not of the item that waited for it."""
        report = yield
        if not isinstance(item, StepItem) or item.result is None or report.when == "teardown":
            return report
        if report.when == "setup":
            report.duration = max(0.0, report.duration - item.waited)
            if report.passed:
                return report
        account = self._desk.running.account(item, item.result)
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and error is item.ended:  # a hook may have ended it otherwise
            own_skip = report.skipped and not hasattr(report, "wasxfail")
            report.longrepr = account.skipped if own_skip else account.longrepr
        account.complete(report)
        self._told[report.nodeid] = item, item.result
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """The parts of a step go before it, when its last word is said, and not at each attempt.

        A plugin that tries again while a report is made gives the old one the new outcome.
        """
        item, result = self._told.get(report.nodeid, (None, None))
        if item is not None and item.result is not None and report.when == "call" and _is_final(report):
            account = self._desk.running.account(item, item.result)
            if result is not item.result:
                account.complete(report)
                self._told[report.nodeid] = item, item.result
            self._tell_parts(account, item, report)
        yield

    def _tell_parts(self, account: StepReport, item: StepItem, report: pytest.TestReport) -> None:
        """Items and backends as subtests, where pytest has them; a part is red only where the step is.

        A soft step has none: readers that do not know subtests would count it as passed as well.
        """
        if report.skipped or not self._desk.config.pluginmanager.hasplugin("subtests"):
            return
        for part in parts(account.result):
            if not part.outcome.red or report.failed:
                item.ihook.pytest_runtest_logreport(report=subreport(part, report, account.longrepr_of))
            if item.session.shouldfail:  # -x
                return

    def pytest_report_header(self) -> str:
        """Which workflows this session has, and which it leaves out."""
        names = [workflow.stem for workflow in self._desk.candidates()]
        text = f"lok: {len(names)} workflow{'' if len(names) == 1 else 's'}"
        if names:
            text += f": {', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"
        if self._desk.project.record is not None:
            text += f"; recorded answers: {self._desk.project.record}"
        if taken := self._desk.not_typed:
            text += f"; not used in CI, where only the command line says it: {', '.join(taken)}"
        left_out = self._desk.left_out
        return f"{text} (left out: {', '.join(left_out)})" if left_out else text

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line per workflow: outcome, seconds, backends, tokens; and what its gates set aside."""
        lines = [line for record in self._desk.records() for line in closing(record.result)]
        lines += [
            f"{name}: left out: {why}; pytest --lok-workflow {name} runs it"
            for name, why in self._desk.left_out.items()
        ]
        lines += _said(self._left())
        if lines:
            terminalreporter.section("workflows")
            for line in lines:
                terminalreporter.line(escape_untrusted(line))


def _said(left: Mapping[str, str]) -> Iterator[str]:
    """A line for each reason for which steps of a workflow were left out."""
    groups: dict[tuple[str, str], list[str]] = {}
    for nodeid, why in left.items():
        place, _, step = nodeid.partition("::")
        groups.setdefault((PurePosixPath(place).stem, why), []).append(step)
    for (workflow, why), steps in groups.items():
        yield f"{workflow}: {', '.join(steps[:_NAMED])}{', …' if len(steps) > _NAMED else ''} {why}"


def _is_final(report: pytest.TestReport) -> bool:
    """Whether it has an outcome of pytest's own: those that try again name others for what does not count."""
    return report.outcome in ("passed", "failed", "skipped") and not isinstance(report, pytest.SubtestReport)
