"""Results -> pytest's reports, header and summary."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import TerminalRepr

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin.collect import Step
from pytest_lok.plugin.explain import bounded, explain, short
from pytest_lok.plugin.verdict import is_verdict, shown
from pytest_lok.reports.console import summary
from pytest_lok.reports.neutral import uncommanded, visible

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import Desk

_SECTION = 64_000  # characters of one section of a report


class Reporting:
    """The hooks that tell what came of the steps."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A step's report carries its own time, its output and plain facts about it."""
        report = yield
        if isinstance(item, Step) and item.result is not None and report.when != "teardown":
            if call.excinfo is not None and is_verdict(call.excinfo.value):
                report.longrepr = self._explained(item, item.result)
            _complete(report, item, item.result)
        return report

    def _explained(self, item: Step, result: StepResult) -> TerminalRepr:
        """The step's own words, in both phases alike; nothing of our code is in them."""
        running = self._desk.running
        text = explain(result, item.step, asked=running.asked(item), root=running.root_cause(item))
        return shown(text, path=str(item.file), line=item.step.line, reason=short(result))

    def pytest_report_header(self) -> str:
        """Which workflows this session has, and which it leaves out."""
        names = [workflow.stem for workflow in self._desk.candidates()]
        text = f"lok: {len(names)} workflow{'' if len(names) == 1 else 's'}"
        if names:
            text += f": {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
        left_out = self._desk.left_out
        return f"{text} (left out: {', '.join(left_out)})" if left_out else text

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line per workflow: outcome, seconds, backends, tokens."""
        lines = [summary(result) for result in self._desk.results()]
        lines += [
            f"{name}: left out: {why}; pytest --lok-workflow {name} runs it"
            for name, why in self._desk.left_out.items()
        ]
        if lines:
            terminalreporter.section("workflows")
            for line in lines:
                terminalreporter.line(uncommanded(visible(line)))


def _complete(report: pytest.TestReport, item: Step, result: StepResult) -> None:
    decided = report.when == "call" or not report.passed
    if report.when == "setup":
        report.duration = max(0.0, report.duration - item.waited)  # fixtures only: waiting is nobody's work
    if not decided:
        return
    report.duration = result.seconds
    if report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = (str(item.file), item.step.line, f"Skipped: {short(result)}")
    if report.passed or hasattr(report, "wasxfail"):
        report.sections += [
            (title, uncommanded(visible(bounded(text, lines=2_000, chars=_SECTION))))
            for title, text in _told(result)
        ]
    report.lok = _plain(facts(item, result))  # type: ignore[attr-defined]  # reports take any attribute


def _told(result: StepResult) -> list[tuple[str, str]]:
    told = [("output", result.output)] if result.output else []
    return told + [(section.title, section.text) for section in result.sections]


def facts(item: Step, result: StepResult) -> dict[str, object]:
    """What other plugins and processes may know of a step."""
    return {
        "workflow": item.workflow.model.stem,
        "step": result.name,
        "outcome": result.outcome.value,
        "underlying": result.underlying.value if isinstance(result.underlying, Outcome) else "",
        "reason": result.reason,
        "blocked_by": result.blocked_by,
        "seconds": result.seconds,
        "attempts": result.attempts,
        "backends": [reply.backend for reply in result.replies],
        "models": [reply.model for reply in result.replies if reply.model],
        "tokens": result.usage.tokens,
        "cost_usd": result.usage.cost_usd,
    }


def _plain(value: dict[str, object]) -> Any:
    """JSON's own types and nothing else: one that is not ends an xdist session."""
    return json.loads(json.dumps(value))
