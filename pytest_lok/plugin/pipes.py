"""A reader of pytest's output that goes away (``| head``) -> nothing is shown any more; the rest goes on."""

from __future__ import annotations

import os
from typing import Any, TextIO

import pytest


class Unbroken:
    """A terminal's file; what nobody reads is thrown away, and reports and verdict are as ever."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """As the file does, or into nothing."""
        try:
            return self._file.write(text)
        except BrokenPipeError:
            self._sink()
            return len(text)

    def flush(self) -> None:
        """The same."""
        try:
            self._file.flush()
        except BrokenPipeError:
            self._sink()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _sink(self) -> None:
        """What is still buffered, and what comes, has to go somewhere: Python writes it out at its end."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._file.fileno())
        os.close(nothing)


def keep_writing(config: pytest.Config) -> None:
    """Let pytest's terminal survive its reader."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if isinstance(terminal, pytest.TerminalReporter):
        terminal._tw._file = Unbroken(terminal._tw._file)  # no public way in
