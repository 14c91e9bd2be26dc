"""The composition root of the plugin: makes the parts of a session, and registers their hooks with pytest.

The parts know each other in one direction: session <- selection <- nodes <- runner <- the hooks that report.
Nobody but the entry module imports this one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.plugin._pytest_internals import junit_writer
from pytest_lok.plugin.broken_pipe import survive_broken_pipe
from pytest_lok.plugin.collection_args import arrange, check_arguments, check_finds_workflows
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.interruption import EarlyExitHooks
from pytest_lok.plugin.nodes import STEP_RESULTS
from pytest_lok.plugin.request import Request
from pytest_lok.plugin.required_steps import RequiredSteps
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selected_steps import SelectedSteps
from pytest_lok.plugin.selection import SELECTION, WorkflowSelection
from pytest_lok.plugin.session import LokSession
from pytest_lok.settings import takes_reports

if TYPE_CHECKING:
    from pytest_lok.engine.ports import Backend
    from pytest_lok.plugin.fixtures import Lok
    from pytest_lok.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """The parts of a session that keep its state; the others are hooks around them."""

    session: LokSession
    selection: WorkflowSelection
    selected: SelectedSteps
    runner: WorkflowRunner


_PARTS = pytest.StashKey[SessionParts]()


def install(
    config: pytest.Config, *, started: float, keyword: str, is_typed: bool, names_lok_path: bool
) -> LokSession:
    """Bring in the plugin's parts for a session with workflows.

    ``started`` is when the session began, in seconds since the epoch. See ``Request`` for the others.
    """
    try:
        request = Request.of(config, keyword=keyword, is_typed=is_typed, names_lok_path=names_lok_path)
        parts = _make_parts(config, request, started)
        arrange(parts.selection)
        required = RequiredSteps(parts.selection)
        if not parts.session.is_worker:
            check_finds_workflows(parts.selection, required)
            check_arguments(parts.selection)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    # a session without workflows keeps pytest's own behaviour
    survive_broken_pipe(config)
    _register(config, _hooks(config, parts, required))
    return parts.session


def session_of(config: pytest.Config, started: float) -> LokSession:
    """This process's session; one for the fixtures alone where no workflows are in play."""
    return _parts_of(config, started).session


def lok_of(
    request: pytest.FixtureRequest,
    backends: Mapping[str, Backend],
    settings: Settings,
    started: float,
) -> Lok:
    """The value of the ``lok`` fixture for one test."""
    from pytest_lok.plugin.fixtures import Lok

    parts = _parts_of(request.config, started)
    return Lok(request, parts.session, parts.runner, backends, settings)


def _parts_of(config: pytest.Config, started: float) -> SessionParts:
    if _PARTS not in config.stash:
        try:
            parts = _make_parts(config, Request.of(config), started)
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        _install_early_exit(parts)
    return config.stash[_PARTS]


def _make_parts(config: pytest.Config, request: Request, started: float) -> SessionParts:
    session = LokSession(config, request, started)
    selection = WorkflowSelection(session)
    selected = SelectedSteps()
    runner = WorkflowRunner(selection, selected, EarlyExit(session))
    parts = SessionParts(session=session, selection=selection, selected=selected, runner=runner)
    config.stash[_PARTS] = parts
    config.stash[SELECTION] = selection
    config.stash[STEP_RESULTS] = runner
    config.add_cleanup(session.close)
    return parts


def _hooks(config: pytest.Config, parts: SessionParts, required: RequiredSteps) -> dict[str, object]:
    """The hooks by the names under which pytest knows them, in the order of their registration."""
    # imported here, for a session that only uses the fixtures needs none of them
    from pytest_lok.plugin.collection import CollectionHooks
    from pytest_lok.plugin.final_reports import FinalReports
    from pytest_lok.plugin.garbage import GarbageCollection
    from pytest_lok.plugin.last_failed import LastFailed
    from pytest_lok.plugin.reporting import Reporting
    from pytest_lok.plugin.step_errors import StepErrors
    from pytest_lok.plugin.summary import Summary
    from pytest_lok.plugin.thread_output import ThreadOutputCapture
    from pytest_lok.plugin.timeouts import Timeouts

    selection, runner = parts.selection, parts.runner
    final_reports = FinalReports(selection, runner, required)
    step_errors = StepErrors(runner.early_exit)
    hooks: dict[str, object] = {}
    if not parts.session.is_worker:
        # first, so that pytest calls it last: steps that the end of a session has caught are reported by then
        hooks["final-reports"] = final_reports
    hooks |= {
        "garbage": GarbageCollection(),
        "collection": CollectionHooks(selection, parts.selected, runner),
        "required-steps": required,
        "runner": runner,
        "reporting": Reporting(runner),
        "summary": Summary(selection, runner, final_reports, step_errors),
        "step-errors": step_errors,
        "early-exit": EarlyExitHooks(selection, runner),
        "thread-output": ThreadOutputCapture(parts.session),
        "timeouts": Timeouts(),
    }
    if not parts.session.is_worker:
        if config.option.lok_report or config.getini("lok_report") or takes_reports(os.environ):
            from pytest_lok.plugin.report_files import ReportFiles, asked_for

            hooks["report-files"] = ReportFiles(selection, runner, asked_for(config))
        hooks["last-failed"] = LastFailed(config)
        if junit_writer(config) is not None:
            from pytest_lok.plugin.junit import InterruptedTests, JUnitHooks

            hooks |= {"junit": JUnitHooks.install(config), "interrupted-tests": InterruptedTests.of(config)}
    return hooks


def _install_early_exit(parts: SessionParts) -> None:
    """From the first use of a fixture on, let a session of Python tests end like one with workflows."""
    config = parts.session.config
    session = config.pluginmanager.get_plugin("session")
    if isinstance(session, pytest.Session):
        early_exit = EarlyExitHooks(parts.selection, parts.runner)
        # pytest has called these hooks before the plugin was registered
        early_exit.pytest_sessionstart(session)
        early_exit.pytest_collection_finish(session)
        _register(config, {"early-exit": early_exit})
        if junit_writer(config) is not None:
            from pytest_lok.plugin.junit import InterruptedTests

            _register(config, {"interrupted-tests": InterruptedTests.of(config)})


def _register(config: pytest.Config, hooks: Mapping[str, object]) -> None:
    for name, plugin in hooks.items():
        if plugin is not None:
            config.pluginmanager.register(plugin, f"lok-{name}")
