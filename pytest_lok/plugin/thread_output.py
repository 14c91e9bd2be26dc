"""What the engine's threads print, log and warn of -> their steps, and never the test that runs meanwhile."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, SupportsIndex

import pytest

from pytest_lok.engine.aside import ASIDE, on_engine
from pytest_lok.plugin._pytest_internals import captured_files

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import LokSession

LOG = "stray-output.log"
"""What was said outside of steps, in the directory of the session's runs."""


class ThreadOutputCapture:
    """The hooks that begin and end it. Capturing, filters of warnings and hooks are the whole process's."""

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._undo = ExitStack()

    def pytest_sessionstart(self) -> None:
        """Every test begins and ends its own capturing and filters inside of this."""
        with ExitStack() as undo:
            for kind in captured_files():
                undo.callback(setattr, kind, "write", kind.write)
                kind.write = _dividing(kind.write, self._keep)  # type: ignore[method-assign]  # see above
            undo.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
            sys.unraisablehook = self._unraisable(sys.unraisablehook)
            undo.callback(setattr, warnings, "filters", warnings.filters)
            ours = ("ignore", _OfTheEngine(self._keep), Warning, None, 0)
            warnings.filters = _Filters([ours, *warnings.filters])
            self._divide_logs(undo)
            self._undo = undo.pop_all()

    def pytest_unconfigure(self) -> None:
        """As it was."""
        self._undo.close()

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where to look, if something was said outside of steps: a backend that could not be closed."""
        if self._desk.is_recorded and (log := self._desk.runs.path / LOG).exists():
            terminalreporter.line(f"backends said something outside of steps: {log}")

    def _keep(self, text: str) -> None:
        """Add to what the step says that runs in this context, else to the session's file."""
        aside = ASIDE.get()
        if aside is not None:
            aside.append(text)
        elif self._desk.is_recorded:
            file = self._desk.runs.path / LOG
            with suppress(FileNotFoundError), file.open("a", encoding="utf-8", errors="replace") as log:
                log.write(text)

    def _divide_logs(self, undo: ExitStack) -> None:
        logs = self._desk.config.pluginmanager.getplugin("logging-plugin")
        for name in ("caplog_handler", "report_handler", "log_cli_handler", "log_file_handler"):
            handler = getattr(logs, name, None)
            if isinstance(handler, logging.Handler):
                handler.addFilter(_not_from_the_engine)
                undo.callback(handler.removeFilter, _not_from_the_engine)
        ours = _Handler(self._keep)
        logging.getLogger().addHandler(ours)
        undo.callback(logging.getLogger().removeHandler, ours)

    def _unraisable(self, usual: Callable[[Any], object]) -> Callable[[Any], None]:
        def hook(unraisable: Any) -> None:
            if not on_engine():
                usual(unraisable)
                return
            text = "".join(traceback.format_exception(unraisable.exc_value))
            self._keep(f"{unraisable.err_msg or 'Exception ignored in'}: {unraisable.object!r}\n{text}")

        return hook


def _dividing(usual: Callable[[Any, str], int], keep: Callable[[str], None]) -> Callable[[Any, str], int]:
    def write(file: Any, text: str) -> int:
        if not on_engine():
            return usual(file, text)
        keep(text)
        return len(text)

    return write


class _Handler(logging.Handler):
    """Takes the engine's records, from ``WARNING`` on."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._keep = keep
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is one."""
        if on_engine():
            self._keep(f"{self.format(record)}\n")


def _not_from_the_engine(_record: logging.LogRecord) -> bool:
    return not on_engine()


class _OfTheEngine:
    """Stands for the pattern of messages in a filter: matches whatever the engine's threads warn of.

    A filter is the one place that is asked by every way to warn, before a warning is shown or raised.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep

    def match(self, text: str) -> bool:
        """Whether it is theirs, and then it is kept."""
        if not on_engine():
            return False
        where = sys._getframe(1)
        self._keep(f"{where.f_code.co_filename}:{where.f_lineno}: warning: {text}\n")
        return True


class _Filters(list[Any]):
    """``warnings.filters`` whose first entry stays first, whatever a test puts in front or copies."""

    def insert(self, place: SupportsIndex, entry: Any) -> None:
        """Behind ours at the earliest."""
        super().insert(max(1, place.__index__()), entry)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(key, slice):
            return found
        first = super().__getitem__(0)
        return _Filters(found if found and found[0] is first else [first, *found])

    def __setitem__(self, key: Any, value: Any) -> None:
        """``filters[:] = []`` is how all of them are reset."""
        super().__setitem__(key, [self[0], *value] if isinstance(key, slice) else value)
