"""Steps in error -> blocks of pytest's summary whose titles say so, one for all that an interrupt ended.

pytest's own title, "ERROR at setup of", would blame a fixture: a step ends its item in the set-up if it could
not do its work. In pytest's numbers, in the short summary and in JUnit it is an error all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping

import pytest

from pytest_lok.core.results import Outcome
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.outcome import CANCELLED, NOT_RUN
from pytest_lok.reports.facts import some
from pytest_lok.reports.untrusted import escape_untrusted

NAMED = 8
"""Workflows or steps that one line names."""


class StepErrors:
    """The hook around pytest's summary that shows the errors of steps before those of tests.

    ``put_back`` has to be called by a hook inside of the summary, before pytest writes its last lines.
    """

    def __init__(self, early_exit: EarlyExit) -> None:
        self._early_exit = early_exit
        self._errors: list[pytest.TestReport] = []
        self._of_summary: list[pytest.TestReport] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> Generator[None, None, None]:
        """Show the errors of steps, and keep pytest from showing them again.

        What the end of the session alone has ended is not listed in the short summary either.
        """
        if config.option.tbstyle == "no" or not isinstance(terminalreporter, pytest.TerminalReporter):
            return (yield)
        everything = list(errors := terminalreporter.stats.get("error", []))
        ended = [report for report in errors if self._was_ended(report)]
        self._errors, self._of_summary = errors, [r for r in errors if not self._was_ended(r)]
        own = [report for report in self._of_summary if _is_step_error(report)]
        errors[:] = [report for report in self._of_summary if not _is_step_error(report)]
        if own or ended:
            terminalreporter.write_sep("=", "ERRORS")
        for report in own:
            terminalreporter.write_sep("_", f"{report.head_line} could not do its work", red=True, bold=True)
            _show(report, config)
        if ended:
            terminalreporter.write_sep("_", self._early_exit.reason, red=True, bold=True)
            for line in _ended_lines(ended):
                terminalreporter.line(escape_untrusted(line))
        try:
            return (yield)
        finally:
            errors[:] = everything

    def put_back(self) -> None:
        """Give pytest the errors of steps again, for its short summary."""
        self._errors[:] = self._of_summary

    def _was_ended(self, report: pytest.TestReport) -> bool:
        """Whether a step has no answer for no other reason than that the session ended early."""
        reason, early_exit = getattr(report, "lok", {}).get("reason", ""), self._early_exit
        ends = [began + early_exit.reason for began in (CANCELLED, NOT_RUN)] if early_exit.happened else ()
        return _is_step_error(report) and reason in ends


def _is_step_error(report: pytest.TestReport) -> bool:
    """Whether an error is of a step or of one of its parts, and not of a test."""
    return getattr(report, "lok", {}).get("outcome") == Outcome.ERROR or hasattr(report, "lok_part")


def _ended_lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """The steps that were running and those that had not begun, by workflow."""
    groups: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        facts: Mapping[str, str] = report.lok
        words = "not begun" if "not_run" in facts else "ended while running"
        groups.setdefault((facts["workflow"], words), []).append(report.nodeid.partition("::")[2])
    for (workflow, words), steps in groups.items():
        yield f"{workflow}: {words}: {some(steps, NAMED)}"


def _show(report: pytest.TestReport, config: pytest.Config) -> None:
    """Write the text of a report and what its fixtures have printed, as pytest shows a report."""
    writer = config.get_terminal_writer()
    report.toterminal(writer)
    wanted = config.option.showcapture
    for title, text in report.sections:
        if wanted != "no" and (wanted == "all" or wanted in title):
            writer.sep("-", title)
            writer.line(text.rstrip("\n"))
