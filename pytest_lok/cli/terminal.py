"""Standard output and standard error, with untrusted text made harmless and broken pipes made quiet."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from pytest_lok.errors import LokError
from pytest_lok.reports.escaping import escape_ci_commands, escape_control_chars

if TYPE_CHECKING:
    from pytest_lok.core.trust.redaction import Redactor

# the reader went away, or the terminal did: nobody is left to tell
_NOBODY_LISTENS = (errno.EPIPE, errno.EIO, errno.EBADF)
# runners that take lines of a log for commands
_OBEDIENT = ("GITHUB_ACTIONS", "TF_BUILD")


class SafeStream:
    """A standard stream that can always be written to; closed, or without a reader, it swallows.

    ``failure`` is why something that was written is lost, None while nothing is. A reader that went
    away wanted no more; a stream that was closed before lok began never had one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._closed = stream is None
        self.failure: OSError | None = None
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    @property
    def encoding(self) -> str:
        """What characters become."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Its descriptor; OSError if it has none."""
        if self._stream is None:
            raise OSError(errno.EBADF, "the stream is closed")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write at once, as far as anybody reads."""
        if self._closed:
            self.failure = OSError(errno.EBADF, "the stream was closed from the beginning")
        elif self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError as failure:
                self._lose(self._stream, failure)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _lose(self, stream: TextIO, failure: OSError) -> None:
        """What is still in the buffer, and what follows, goes nowhere."""
        self._stream = None
        if failure.errno not in _NOBODY_LISTENS:
            self.failure = failure
        with contextlib.suppress(OSError, ValueError):  # not backed by a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Terminal:
    """Where results (stdout) and everything else (stderr) go.

    Results go into a pipe or a file as they are given; on a terminal, where ``CI`` is set, and always on
    stderr, control characters are spelled out. In CI no line of either is a command to the runner. A
    stream that was closed before lok began is None.
    """

    def __init__(self, environ: Mapping[str, str], out: TextIO | None, err: TextIO | None) -> None:
        self.out = SafeStream(out)
        self.err = SafeStream(err)
        self._environ = environ
        self._redraws = environ.get("TERM", "dumb") != "dumb"
        self._logged = bool(environ.get("CI"))  # a log is a screen: people read it, and runners
        self._obeyed = any(environ.get(name) for name in _OBEDIENT)

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal that things can be redrawn on."""
        return self._redraws and self.err.isatty()

    @property
    def shared(self) -> bool:
        """Whether stdout and stderr are (as far as can be told) one screen."""
        return self.out.isatty() and self.err.isatty()

    def result(self, text: str) -> None:
        """Print a result, whole, with a newline at its end; nothing for an empty one."""
        if text:
            text = escape_control_chars(text) if self.out.isatty() or self._logged else text
            self.out.write(self._tame(text if text.endswith("\n") else f"{text}\n"))

    def note(self, text: str) -> None:
        """Say something beside the results."""
        self.err.write(f"{self.escape_untrusted(text)}\n")

    def error(self, error: LokError) -> None:
        """Say what is wrong and what to do."""
        self.note(f"lok: error: {error}")

    def escape_untrusted(self, text: str) -> str:
        """Text for whoever draws on stderr by itself, without secrets: not all of it is told by a run."""
        return self._tame(escape_control_chars(self._redactor.text(text)))

    @cached_property
    def _redactor(self) -> Redactor:
        from pytest_lok.core.trust.credentials import secrets_of
        from pytest_lok.core.trust.redaction import Redactor

        return Redactor(secrets_of(self._environ))

    def _tame(self, text: str) -> str:
        return escape_ci_commands(text) if self._obeyed else text


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as aligned text; control characters are spelled out, wherever it goes."""
    rows = [[escape_control_chars(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)
