"""Results -> pytest's reports, header and summary."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_lok.plugin.collect import Step
from pytest_lok.plugin.explain import harmless
from pytest_lok.plugin.parts import PartError
from pytest_lok.plugin.verdict import announced
from pytest_lok.reports.console import summary

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import Desk

_NAMED = 8  # workflows named in the header


class Reporting:
    """The hooks that tell what came of the steps."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A step's report tells of the step, not of the item that waited for it."""
        report = yield
        if not isinstance(item, Step) or item.result is None or report.when == "teardown":
            return report
        if report.when == "setup":
            report.duration = max(0.0, report.duration - item.waited)
            if report.passed:
                return report
        account = self._desk.running.account(item, item.result)
        error = call.excinfo.value if call.excinfo is not None else None
        if item.telling_parts:
            if isinstance(error, PartError):
                report.longrepr = account.longrepr_of(error.part)
                part = error.part
                report.lok_part = {"name": part.name, "file": part.path, "line": part.line}  # type: ignore[attr-defined]  # reports take any attribute
            return report
        if error is not None and announced(error):
            report.longrepr = account.longrepr
        elif report.skipped:
            report.longrepr = account.skipped
        account.complete(report)
        return report

    def pytest_report_header(self) -> str:
        """Which workflows this session has, and which it leaves out."""
        names = [workflow.stem for workflow in self._desk.candidates()]
        text = f"lok: {len(names)} workflow{'' if len(names) == 1 else 's'}"
        if names:
            text += f": {', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"
        if self._desk.project.record is not None:
            text += f"; recorded answers: {self._desk.project.record}"
        left_out = self._desk.left_out
        return f"{text} (left out: {', '.join(left_out)})" if left_out else text

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line per workflow: outcome, seconds, backends, tokens."""
        lines = [summary(record.result) for record in self._desk.records()]
        lines += [
            f"{name}: left out: {why}; pytest --lok-workflow {name} runs it"
            for name, why in self._desk.left_out.items()
        ]
        if lines:
            terminalreporter.section("workflows")
            for line in lines:
                terminalreporter.line(harmless(line))
