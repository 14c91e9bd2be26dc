"""The reports of a session that ``--lok-report`` and the ini key ``lok_report`` ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.results import RunResult
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import UsageError
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.wiring.report_files import (
    ReportFile,
    report_files,
    said_of_automatic,
    write_reports,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_lok.core.events import BackendAsked

    _Questions = Mapping[str, Mapping[str, Sequence[BackendAsked]]]


def asked_for(config: pytest.Config) -> tuple[ReportFile, ...]:
    """The reports to write; UsageError where one cannot be written. The option adds to the ini key."""
    return report_files(_given(config), os.environ, log="/dev/stdout")


def remove_each(config: pytest.Config) -> None:
    """Remove the old reports that can be, where one of them cannot be written: no other may stay for it."""
    for text, directory in _given(config):
        with suppress(UsageError):
            ReportFile.of(text, directory).remove_old()


def _given(config: pytest.Config) -> list[tuple[str, Path]]:
    typed: list[str] = config.known_args_namespace.lok_report
    usual: list[str] = config.getini("lok_report")
    inside = config.inipath.parent if config.inipath else config.invocation_params.dir
    here = config.invocation_params.dir
    return [*((text, inside) for text in usual), *((text, here) for text in typed)]


class ReportFiles:
    """The hooks that write the reports when everything else of the session is over."""

    def __init__(
        self, selection: WorkflowSelection, runner: WorkflowRunner, files: tuple[ReportFile, ...]
    ) -> None:
        self._selection = selection
        self._runner = runner
        self._files = files

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # the last word on the session has been said by then
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Write the files; a session whose report cannot be written is red."""
        yield
        if self._selection.session.config.option.collectonly:
            return
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if isinstance(terminal, pytest.TerminalReporter):
            terminal.flush()  # a report on standard output begins a line
        root = self._selection.session.project.root
        code = int(session.exitstatus) or (1 if self._selection.session.is_green is False else 0)
        for unwritten in write_reports(self._files, self._runs(code), os.environ, root=root):
            if terminal is not None:
                level = "ERROR" if unwritten.fails else "warning"
                terminal.write_line(f"{level}: {unwritten.text}", red=unwritten.fails)
            if unwritten.fails and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if terminal is not None:
            for said in said_of_automatic(self._files, os.environ, option="--lok-report"):
                terminal.write_line(said)

    def _runs(self, code: int) -> Iterator[ReportedRun]:
        """The session's runs; in a session that is not green also those that did not begin."""
        workflows = {workflow.path: workflow for workflow in self._selection.candidates()}
        records = self._runner.records()
        arguments = self._selection.session.request.arguments
        # few kinds of reports show prompts, and the journals may be large
        questions = cache(lambda: self._selection.session.runs.questions())
        for record in records:
            path = record.result.path
            workflow = workflows.get(path)
            # what has run had a plan
            plan = Plan.of(workflow, **arguments.for_workflow(workflow)) if workflow else None
            yield ReportedRun.of(
                record.result,
                workflow,
                code,
                partial(_asked, questions, path),
                arguments=plan.arguments if plan else {},
            )
        begun = {record.result.path for record in records}
        why = f"not run: the session ended with exit status {code}" if code else ""
        for path, workflow in workflows.items():
            if path not in begun and (code or not begun):
                result = RunResult(run_id="", workflow=workflow.stem, path=path, interrupted=why)
                yield ReportedRun.of(result, workflow, code)
        if not begun and not workflows:
            yield ReportedRun.of(RunResult(run_id="", workflow="pytest", interrupted=why), None, code)


def _asked(questions: Callable[[], _Questions], path: str, step: str) -> Sequence[BackendAsked]:
    return questions().get(path, {}).get(step, ())
