"""A reader of pytest's output that goes away (``| head``): nothing is shown any more, the session goes on."""

from __future__ import annotations

import errno
import os
from typing import Any, TextIO

import pytest

from pytest_lok.plugin._pytest_internals import wrap_terminal

_READER_GONE = (errno.EPIPE, errno.EIO)
"""The errors of writing where nobody reads: to a closed pipe, to a closed terminal window."""


class PipeSafeStream:
    """A terminal's file that discards what nobody reads, so that reports and the exit code stay right."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write as the file does; text that nobody reads counts as written."""
        try:
            return self._file.write(text)
        except OSError as error:
            self._discard_from_now_on(error)
            return len(text)

    def flush(self) -> None:
        """Flush as the file does; text that nobody reads is discarded."""
        try:
            self._file.flush()
        except OSError as error:
            self._discard_from_now_on(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _discard_from_now_on(self, error: OSError) -> None:
        """Lead the file to /dev/null, or Python would fail at its exit, when it flushes what is buffered."""
        if error.errno not in _READER_GONE:
            raise error
        # by its descriptor, for pytest and its plugins hold the file itself in many places
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._file.fileno())
        os.close(nothing)


def survive_broken_pipe(config: pytest.Config) -> None:
    """Let pytest's terminal reporter go on writing when its reader has gone away."""
    if isinstance(config.pluginmanager.getplugin("terminalreporter"), pytest.TerminalReporter):
        wrap_terminal(config, PipeSafeStream)
