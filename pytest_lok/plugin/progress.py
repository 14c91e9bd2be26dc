"""Running steps and their seconds -> a line of the terminal, shown as long as an item waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import pytest

from pytest_lok.reports.console import duration
from pytest_lok.reports.untrusted import escape_untrusted

_DRAW_DELAY = 0.5  # seconds of waiting before anything is drawn
_SAVE, _RESTORE, _CLEAR = "\x1b7", "\x1b8", "\x1b[K"


class Progress:
    """A line that is drawn on the main thread only, as pytest writes, and only on a terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._since = 0.0
        self._drawn = False

    def begin(self) -> None:
        """Note that an item begins to wait."""
        self._since = time.monotonic()

    def show(self, running: Mapping[str, float]) -> None:
        """Draw the running steps with their seconds, longest first, behind what stands in pytest's line."""
        terminal = self._terminal()
        if terminal is None or time.monotonic() - self._since < _DRAW_DELAY:
            return
        steps = sorted(running.items(), key=lambda item: -item[1])
        text = escape_untrusted(" · ".join(f"{name} {duration(seconds)}" for name, seconds in steps))
        with self._capture_suspended():  # only then is there a terminal, and it has a width
            writer = self._config.get_terminal_writer()
            # a line that wraps cannot be cleared by one escape sequence
            text = _fit(text, writer.fullwidth - writer.width_of_current_line - 2)
            terminal.write_raw(f"{_SAVE} {text}{_CLEAR}{_RESTORE}", flush=True)
        self._drawn = True

    def end(self) -> None:
        """Clear what was drawn: the item goes on."""
        if self._drawn:
            self._drawn = False
            terminal = self._terminal()
            if terminal is not None:
                with self._capture_suspended():
                    terminal.write_raw(_CLEAR, flush=True)

    def _terminal(self) -> pytest.TerminalReporter | None:
        """Where to draw: a terminal, not a pipe, not an xdist worker, not with -q or -s."""
        config = self._config
        terminal = config.pluginmanager.getplugin("terminalreporter")
        if (
            not isinstance(terminal, pytest.TerminalReporter)
            or not terminal.isatty
            or hasattr(config, "workerinput")
            or config.get_verbosity() < 0
            or config.getoption("capture") == "no"
        ):
            return None
        return terminal

    def _capture_suspended(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        quiet: AbstractContextManager[None] = (
            capture.global_and_fixture_disabled() if capture is not None else nullcontext()
        )
        return quiet


def _fit(text: str, columns: int) -> str:
    """The start of a text that fits into so many columns; some characters take two."""
    from rich.cells import cell_len

    while cell_len(text) > max(0, columns):
        text = text[:-1]
    return text
