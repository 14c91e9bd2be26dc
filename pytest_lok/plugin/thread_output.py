"""What the engine's threads print, log and warn of -> their steps, never the test that runs meanwhile.

Capturing, filters of warnings and hooks such as ``sys.unraisablehook`` belong to the whole process, and
tests replace and restore them while the engine works on another thread. So what a thread says is told apart
where it is written: each of the four ways out gets a switch that asks ``is_engine_thread()`` who it is.

* Prints: ``write`` of the classes that pytest puts in the place of ``sys.stdout``. Replacing ``sys.stdout``
  would not do, for every test has one of its own.
* Log records: a filter for each handler of pytest's, and one handler of ours.
* Warnings: the first entry of ``warnings.filters``, in a list that keeps this entry first. Without it a
  test under ``-W error`` would turn warnings of a backend's library into errors of its step.
* Unraisable exceptions: ``sys.unraisablehook``.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, SupportsIndex

import pytest

from pytest_lok.engine.stray_output import STRAY_OUTPUT, is_engine_thread
from pytest_lok.plugin._pytest_internals import captured_files
from pytest_lok.plugin.session import LokSession

_LOG = "stray-output.log"
"""The file in the directory of the session's runs for what was said outside of steps."""


class ThreadOutputCapture:
    """The hooks that put the switches in and take them out."""

    def __init__(self, session: LokSession) -> None:
        self._session = session
        self._undo = ExitStack()

    def pytest_sessionstart(self) -> None:
        """Put the switches in: every test begins and ends its own capturing and filters inside of them."""
        with ExitStack() as undo:
            for kind in captured_files():
                undo.callback(setattr, kind, "write", kind.write)
                kind.write = _switched_write(kind.write, self._keep)  # type: ignore[method-assign]  # see above
            undo.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
            sys.unraisablehook = self._switched_unraisablehook(sys.unraisablehook)
            undo.callback(setattr, warnings, "filters", warnings.filters)
            ours = ("ignore", _EngineMessage(self._keep), Warning, None, 0)
            warnings.filters = _FiltersWithFirst([ours, *warnings.filters])
            self._switch_logs(undo)
            self._undo = undo.pop_all()

    def pytest_unconfigure(self) -> None:
        """Restore everything as it was before."""
        self._undo.close()

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the file, if something was said outside of steps: a backend that could not be closed."""
        if self._session.is_recorded and (log := self._session.runs.path / _LOG).exists():
            terminalreporter.line(f"backends said something outside of steps: {log}")

    def _keep(self, text: str) -> None:
        """Add a text to the output of the step that runs in this context, else to the session's file."""
        stray = STRAY_OUTPUT.get()
        if stray is not None:
            stray.append(text)
        elif self._session.is_recorded:
            file = self._session.runs.path / _LOG
            with suppress(FileNotFoundError), file.open("a", encoding="utf-8", errors="replace") as log:
                log.write(text)

    def _switch_logs(self, undo: ExitStack) -> None:
        logs = self._session.config.pluginmanager.getplugin("logging-plugin")
        for name in ("caplog_handler", "report_handler", "log_cli_handler", "log_file_handler"):
            handler = getattr(logs, name, None)
            if isinstance(handler, logging.Handler):
                handler.addFilter(_is_not_of_engine)
                undo.callback(handler.removeFilter, _is_not_of_engine)
        ours = _EngineLogHandler(self._keep)
        logging.getLogger().addHandler(ours)
        undo.callback(logging.getLogger().removeHandler, ours)

    def _switched_unraisablehook(self, usual: Callable[[Any], object]) -> Callable[[Any], None]:
        def hook(unraisable: Any) -> None:
            if not is_engine_thread():
                usual(unraisable)
                return
            text = "".join(traceback.format_exception(unraisable.exc_value))
            self._keep(f"{unraisable.err_msg or 'Exception ignored in'}: {unraisable.object!r}\n{text}")

        return hook


def _switched_write(
    usual: Callable[[Any, str], int], keep: Callable[[str], None]
) -> Callable[[Any, str], int]:
    def write(file: Any, text: str) -> int:
        if not is_engine_thread():
            return usual(file, text)
        keep(text)
        return len(text)

    return write


class _EngineLogHandler(logging.Handler):
    """Keeps the log records of the engine's threads, from ``WARNING`` on."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._keep = keep
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of an engine's thread, ignore others."""
        if is_engine_thread():
            self._keep(f"{self.format(record)}\n")


def _is_not_of_engine(_record: logging.LogRecord) -> bool:
    return not is_engine_thread()


class _EngineMessage:
    """Stands for the message pattern of a warnings filter: matches whatever the engine's threads warn of.

    A filter is the one place that is asked by every way to warn, before a warning is shown or raised.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep

    def match(self, text: str) -> bool:
        """Whether the warning is of an engine's thread; its text is kept then."""
        if not is_engine_thread():
            return False
        where = sys._getframe(1)
        self._keep(f"{where.f_code.co_filename}:{where.f_lineno}: warning: {text}\n")
        return True


class _FiltersWithFirst(list[Any]):
    """``warnings.filters`` whose first entry stays first, whatever a test puts in front or copies."""

    def insert(self, place: SupportsIndex, entry: Any) -> None:
        """Insert an entry, behind ours at the earliest."""
        super().insert(max(1, place.__index__()), entry)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(key, slice):
            return found
        first = super().__getitem__(0)
        return _FiltersWithFirst(found if found and found[0] is first else [first, *found])

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set entries; ours stays after ``filters[:] = []``, which is how all filters are reset."""
        super().__setitem__(key, [self[0], *value] if isinstance(key, slice) else value)
