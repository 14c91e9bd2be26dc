"""What a session says of its workflows before its items and after them: pytest's header, pytest's summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import pytest

from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.plugin.final_reports import FinalReports
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.step_errors import NAMED, StepErrors
from pytest_lok.reports.case_table import case_lines
from pytest_lok.reports.console import closing, status
from pytest_lok.reports.facts import done, some
from pytest_lok.reports.failure_text import table_of
from pytest_lok.reports.untrusted import escape_untrusted

_LEGEND = {
    "xfailed": "x, XFAIL: a soft step: it failed or had an error, and has `continue_on_error`",
    "failed": "u, SUBFAILED: a part of a step: one item, one finding, one backend or one step inside",
}
"""What letters mean that pytest shows for steps and seldom for tests, by the kind of pytest's reports."""


class Summary:
    """The hooks that write the header, and the section about workflows."""

    def __init__(
        self,
        selection: WorkflowSelection,
        runner: WorkflowRunner,
        final_reports: FinalReports,
        step_errors: StepErrors,
    ) -> None:
        self._selection = selection
        self._runner = runner
        self._final_reports = final_reports
        self._step_errors = step_errors

    def pytest_report_header(self) -> str:
        """Name the workflows of this session, and those that are left out."""
        names = [workflow.stem for workflow in self._selection.candidates()]
        text = f"lok: {len(names)} workflow{'' if len(names) == 1 else 's'}"
        if names:
            text += f": {some(names, NAMED)}"
        session = self._selection.session
        if session.project.record is not None:
            text += f"; recorded answers: {session.project.record}"
        if not_typed := session.not_typed:
            text += f"; not used in CI, where only the command line says it: {', '.join(not_typed)}"
        excluded = self._selection.excluded
        return f"{text} (left out: {', '.join(excluded)})" if excluded else text

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a line per workflow: outcome, seconds, backends, tokens, and what its gate set aside.

        With ``-v`` a line per step as well, and tables of items and backends.
        """
        self._step_errors.put_back()
        is_verbose = terminalreporter.config.get_verbosity() > 0
        lines: list[str] = []
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for record in self._runner.records():
            lines += _steps(record.result) if is_verbose else []
            lines += case_lines(record.result, width)
            lines += closing(record.result)
            lines += self._selection.session.passed_over(record.result)
        lines += [
            f"{name}: left out: {why}; pytest --lok-workflow {name} runs it"
            for name, why in self._selection.excluded.items()
        ]
        lines += _reasons(self._final_reports.not_run)
        lines += _legend(terminalreporter)
        if lines:
            terminalreporter.section("workflows")
            for line in lines:
                terminalreporter.line(escape_untrusted(line))


def _steps(result: RunResult) -> Iterator[str]:
    """Each step's outcome, what was decided and done, and who said what."""
    for step in result.steps.values():
        yield f"  {status(step, max(map(len, result.steps)))}"
        yield from (f"    {line}" for line in (*table_of(step), *done(step, whole=True)))


def _reasons(not_run: Mapping[str, str]) -> Iterator[str]:
    """A line for each workflow and each reason for which steps of it were not run."""
    groups: dict[tuple[str, str], list[str]] = {}
    for nodeid, why in not_run.items():
        parent, _, step = nodeid.partition("::")
        groups.setdefault((PurePosixPath(parent).stem, why), []).append(step)
    for (workflow, why), steps in groups.items():
        yield f"{workflow}: {some(steps, NAMED)} {why}"


def _legend(terminal: pytest.TerminalReporter) -> Iterator[str]:
    """A line for each letter of the session that a reader of pytest's output may not know."""
    for kind, text in _LEGEND.items():
        if any(_is_soft(r) or hasattr(r, "lok_part") for r in terminal.stats.get(kind, ())):
            yield text


def _is_soft(report: pytest.TestReport) -> bool:
    return getattr(report, "lok", {}).get("outcome") == Outcome.SOFT
