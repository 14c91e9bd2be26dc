"""A reader of pytest's output that goes away (``| head``) -> nothing is shown any more; the rest goes on."""

from __future__ import annotations

import errno
import os
from typing import Any, TextIO

import pytest

from pytest_lok.plugin._pytest_internals import wrap_terminal

_GONE = (errno.EPIPE, errno.EIO)
"""Nobody reads: the other end of a pipe is closed, the window of a terminal is."""


class PipeSafeStream:
    """A terminal's file; what nobody reads is thrown away, and reports and verdict are as ever."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """As the file does, or into nothing."""
        try:
            return self._file.write(text)
        except OSError as error:
            self._sink(error)
            return len(text)

    def flush(self) -> None:
        """The same."""
        try:
            self._file.flush()
        except OSError as error:
            self._sink(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _sink(self, error: OSError) -> None:
        """What is still buffered, and what comes, has to go somewhere: Python writes it out at its end."""
        if error.errno not in _GONE:
            raise error
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._file.fileno())
        os.close(nothing)


def keep_writing(config: pytest.Config) -> None:
    """Let pytest's terminal survive its reader."""
    if isinstance(config.pluginmanager.getplugin("terminalreporter"), pytest.TerminalReporter):
        wrap_terminal(config, PipeSafeStream)
