"""Sessions that end early: signals become an orderly end, and what did not run is reported as such."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin._pytest_internals import junit_writer
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selection import WorkflowSelection

_TERMINATING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that would end the process at once, and leave its children behind."""


class EarlyExitHooks:
    """The hooks of a session that may not get to its end."""

    def __init__(self, selection: WorkflowSelection, runner: WorkflowRunner) -> None:
        self._selection = selection
        self._runner = runner
        self._config = selection.session.config
        self._is_worker = selection.session.is_worker
        self._may_handle_signals = threading.current_thread() is threading.main_thread()
        self._handlers: dict[signal.Signals, Any] = {}
        self._session: pytest.Session
        self._items: Sequence[pytest.Item] = ()
        self._worker_ids: dict[str, None] = {}
        self._reported: set[str] = set()
        self._xdist_nodes: dict[str, object] = {}
        self._signal: signal.Signals | None = None
        self._is_reporting = False
        self._interrupted = False
        self._second_signal_installed = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Handle signals, and remove the JUnit file of an earlier session, which is none of this one."""
        self._session = session
        for number in _TERMINATING if self._may_handle_signals else ():
            # a program that runs pytest inside of it may handle them in its own way
            if signal.getsignal(number) is signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, self._on_signal)
        if (xml := junit_writer(self._config)) is not None:
            from pytest_lok.plugin.junit import remove_old_report

            remove_old_report(Path(xml.logfile))

    def pytest_unconfigure(self) -> None:
        """Restore the signal handlers that were there before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note what a worker has collected: the process that has xdist's workers collects nothing itself."""
        self._worker_ids.update(dict.fromkeys(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the selected items: each has to be reported by the end."""
        self._items = session.items
        self._raise_if_signalled()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Note what is reported; stop the runs when the session has had enough failures."""
        with self._uninterrupted():
            yield
            if report.when != "setup" or not report.passed:
                self._reported.add(report.nodeid)
            elif hasattr(report, "node"):
                self._xdist_nodes[report.nodeid] = report.node
        enough = self._session.shouldfail or self._session.shouldstop
        if enough and not self._is_worker:
            self._runner.stop(str(enough), Outcome.SKIPPED)
        self._raise_if_signalled()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Stop the runs after Ctrl-C, SIGTERM or ``pytest.exit()``."""
        self._signal = None
        self._install_second_signal()
        # pytest's own: errors of collection, or enough failures
        of_pytests_own = isinstance(excinfo.value, pytest.Session.Interrupted)
        if not self._is_worker and not of_pytests_own:
            self._runner.stop(str(excinfo.value) or "interrupted by Ctrl-C", Outcome.ERROR)

    @pytest.hookimpl(tryfirst=True)  # before reports are written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Report every selected step that has not been reported, with what is known of it."""
        config, runner, self._signal = self._config, self._runner, None
        ids = dict.fromkeys([*self._worker_ids, *(item.nodeid for item in self._items)])
        unreported = [nodeid for nodeid in ids if nodeid not in self._reported]
        # xdist gives up what dead workers had; after errors of collection nothing was to run
        lost = bool(self._worker_ids and unreported) and exitstatus != pytest.ExitCode.INTERRUPTED
        if self._is_worker or config.getoption("setuponly", False):
            return
        if not (runner.early_exit.happened or lost):
            return
        self._install_second_signal()
        runner.stop("the pytest-xdist worker that had it died", Outcome.ERROR)
        runner.end()
        enough = session.shouldfail
        # --sw goes on from the first failure, not from the last one reported
        stepwise = [config.pluginmanager.get_plugin("stepwiseplugin")]
        log = config.pluginmanager.subset_hook_caller("pytest_runtest_logreport", filter(None, stepwise))
        for report in self._missing_reports(unreported, ids):
            log(report=report)
        if enough:
            session.shouldfail = enough  # as it was when the session stopped
        if session.testsfailed and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _missing_reports(self, unreported: Iterable[str], ids: Iterable[str]) -> Iterator[pytest.TestReport]:
        early_exit, session = self._runner.early_exit, self._selection.session
        of_dead_workers: dict[str, Mapping[str, StepResult]] = {}
        records = {record.result.path: record for record in self._runner.records()}
        selected: dict[str, set[str]] = {}
        for nodeid in ids:
            parent, _, name = nodeid.partition("::")
            selected.setdefault(parent, set()).add(name)
        for nodeid in unreported:
            found = self._selection.step_at(nodeid)
            if found is None:  # a Python test
                continue
            workflow, step = found
            parent = nodeid.partition("::")[0]
            record = records.get(workflow.path)
            result = record.result.steps.get(step.name) if record else None
            if result is None and self._worker_ids:
                if parent not in of_dead_workers:
                    of_dead_workers[parent] = self._runner.results_of_dead_workers(parent)
                result = of_dead_workers[parent].get(step.name)
            if result is None:
                begun = record is not None and step.name in record.running
                result = early_exit.interrupted_result(step.name, begun=begun)
            result = early_exit.as_reported(result)
            report = self._runner.report_without_item(
                nodeid, result, selected[parent], run_id=session.runs.run_id
            )
            if nodeid in self._xdist_nodes:
                report.node = self._xdist_nodes[nodeid]  # type: ignore[attr-defined]  # xdist's; JUnit tells cases by it
            yield report

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """Put the first signal off to the end of a report, or one that some have seen would be sent again."""
        self._is_reporting, self._interrupted = True, False
        if self._may_handle_signals and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._put_off)
        try:
            yield
        finally:
            self._is_reporting = False
            # by now it may be what a second signal does
            if signal.getsignal(signal.SIGINT) == self._put_off:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._interrupted:
            raise KeyboardInterrupt

    def _put_off(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the second one waits for nobody

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """End the session here, or at the next report if an ``except Exception`` swallows it here."""
        self._signal = signal.Signals(number)
        self._install_second_signal()
        if not self._is_worker:
            self._runner.stop(_stopped_by(self._signal), Outcome.ERROR)
        if not self._is_reporting:
            self._raise_if_signalled()

    def _install_second_signal(self) -> None:
        """Make the next signal kill processes only: reports are still to be written."""
        if not self._second_signal_installed:
            self._second_signal_installed = True
            ours = (signal.default_int_handler, self._put_off)
            if self._may_handle_signals and signal.getsignal(signal.SIGINT) in ours:
                self._handlers[signal.SIGINT] = signal.default_int_handler
            for number in self._handlers:
                signal.signal(number, self._force_exit)

    def _force_exit(self, _number: int, _frame: FrameType | None) -> None:
        """Kill every process. One more signal after this ends pytest itself, whatever it is that hangs."""
        for number in self._handlers:
            signal.signal(number, signal.default_int_handler)
        self._runner.kill_now()

    def _raise_if_signalled(self) -> None:
        if self._signal is not None:
            pytest.exit(_stopped_by(self._signal), returncode=128 + self._signal)


def _stopped_by(number: signal.Signals) -> str:
    return f"stopped by {number.name}"
