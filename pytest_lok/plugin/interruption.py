"""Sessions that end early: signals become an orderly end, and what did not run is reported as such."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin._pytest_internals import junit_writer
from pytest_lok.plugin.junit import remove
from pytest_lok.plugin.outcome import StepReport

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import LokSession

_TERMINATING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that would end the process at once, and leave its children behind."""


class EarlyExitHooks:
    """The hooks of a session that may not get to its end."""

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._is_worker = hasattr(desk.config, "workerinput")
        self._may_handle_signals = threading.current_thread() is threading.main_thread()
        self._handlers: dict[signal.Signals, Any] = {}
        self._session: pytest.Session
        self._items: Sequence[pytest.Item] = ()
        self._ids: dict[str, None] = {}
        self._told: set[str] = set()
        self._node: dict[str, object] = {}
        self._caught: signal.Signals | None = None
        self._second_signal_installed = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Catch signals; a report of an earlier session must not be taken for this one's."""
        self._session = session
        for number in _TERMINATING if self._may_handle_signals else ():
            if signal.getsignal(number) is signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, self._on_signal)
        if (xml := junit_writer(self._desk.config)) is not None:
            remove(Path(xml.logfile))

    def pytest_unconfigure(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The process that has xdist's workers collects nothing itself."""
        self._ids.update(dict.fromkeys(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every item has to be accounted for."""
        self._items = session.items
        self._raise_if_signalled()

    @pytest.hookimpl(trylast=True)  # the session has counted its failures by then
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what is told; where the session has had enough, so have the runs."""
        if report.when != "setup" or not report.passed:
            self._told.add(report.nodeid)
        elif hasattr(report, "node"):
            self._node[report.nodeid] = report.node
        enough = self._session.shouldfail or self._session.shouldstop
        if enough and not self._is_worker:
            self._desk.running.stop(str(enough), Outcome.SKIPPED)
        self._raise_if_signalled()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C, SIGTERM or ``pytest.exit()``: nothing more is waited for."""
        self._caught = None
        self._install_second_signal()
        of_pytests_own = isinstance(
            excinfo.value, pytest.Session.Interrupted
        )  # bad collection, or enough failures
        if not self._is_worker and not of_pytests_own:
            self._desk.running.stop(str(excinfo.value) or "interrupted by Ctrl-C", Outcome.ERROR)

    @pytest.hookimpl(tryfirst=True)  # before reports are written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Report every selected step that has not been, with what is known of it."""
        config, self._caught = self._desk.config, None
        running = self._desk.running
        ids = dict.fromkeys([*self._ids, *(item.nodeid for item in self._items)])
        untold = [nodeid for nodeid in ids if nodeid not in self._told]
        # xdist gives up what dead workers had; after errors of collection nothing was to run
        lost = bool(self._ids and untold) and exitstatus != pytest.ExitCode.INTERRUPTED
        if self._is_worker or config.getoption("setuponly", False) or not (self._desk.stop.happened or lost):
            return
        self._install_second_signal()
        running.stop("the pytest-xdist worker that had it died", Outcome.ERROR)
        running.end()
        enough = session.shouldfail
        # --sw goes on from the first failure, not from the last one told
        stepwise = [config.pluginmanager.get_plugin("stepwiseplugin")]
        tell = config.pluginmanager.subset_hook_caller("pytest_runtest_logreport", filter(None, stepwise))
        for report in self._missing(untold, ids):
            tell(report=report)
        if enough:
            session.shouldfail = enough  # as it was when the session stopped
        if session.testsfailed and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _missing(self, untold: Iterable[str], ids: Iterable[str]) -> Iterator[pytest.TestReport]:
        running = self._desk.running
        left: dict[str, Mapping[str, StepResult]] = {}
        records = {record.result.path: record for record in self._desk.records()}
        selected: dict[str, set[str]] = {}
        for nodeid in ids:
            place, _, name = nodeid.partition("::")
            selected.setdefault(place, set()).add(name)
        for nodeid in untold:
            found = self._desk.step_at(nodeid)
            if found is None:  # a Python test
                continue
            workflow, step = found
            place = nodeid.partition("::")[0]
            record = records.get(workflow.path)
            result = record.result.steps.get(step.name) if record else None
            if result is None and self._ids:
                if place not in left:
                    left[place] = running.left(place)
                result = left[place].get(step.name)
            if result is None:
                begun = record is not None and step.name in record.running
                result = self._desk.stop.cut(step.name, begun=begun)
            file = self._desk.request.root / step.path
            account = StepReport(
                workflow=workflow,
                step=step,
                file=file,
                result=self._desk.stop.told(result),
                run_id=self._desk.runs.run_id,
            )
            report = account.report(nodeid, selected[place])
            if nodeid in self._node:
                report.node = self._node[nodeid]  # type: ignore[attr-defined]  # xdist's; JUnit tells cases by it
            yield report

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """End the session: here, or soon, where somebody's ``except Exception`` swallows it here."""
        self._caught = signal.Signals(number)
        self._install_second_signal()
        if not self._is_worker:
            self._desk.running.stop(_by(self._caught), Outcome.ERROR)
        self._raise_if_signalled()

    def _install_second_signal(self) -> None:
        """The session ends: the next signal means hurry and no more, for reports are still to be written."""
        if not self._second_signal_installed:
            self._second_signal_installed = True
            if self._may_handle_signals and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._handlers[signal.SIGINT] = signal.default_int_handler
            for number in self._handlers:
                signal.signal(number, self._force_exit)

    def _force_exit(self, _number: int, _frame: FrameType | None) -> None:
        """Wait for no process. One more signal ends whatever it is that hangs."""
        for number in self._handlers:
            signal.signal(number, signal.default_int_handler)
        self._desk.running.kill_now()

    def _raise_if_signalled(self) -> None:
        if self._caught is not None:
            pytest.exit(_by(self._caught), returncode=128 + self._caught)


def _by(number: signal.Signals) -> str:
    return f"stopped by {number.name}"
