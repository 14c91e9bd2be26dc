"""Standard output and standard error: untrusted text is escaped, and a broken pipe is no error."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from pytest_lok.errors import LokError
from pytest_lok.reports.escaping import escape_ci_commands, escape_control_chars
from pytest_lok.reports.widths import aligned, wrapped

if TYPE_CHECKING:
    from pytest_lok.core.trust.redaction import Redactor

# the reader went away, or the terminal did
_READER_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)
# set by CI runners that obey lines of a log
_RUNNER_VARIABLES = ("GITHUB_ACTIONS", "TF_BUILD")


# lok's own signs, and what stands for each where the encoding lacks it: one column for one column
_SIGNS = {"✓": "+", "✗": "x", "↷": "-", "▸": ">", "·": "-", "…": "~", "–": "-"}  # noqa: RUF001 - a dash is meant
_SPELLED_SIGNS = "pytest_lok.signs"


def _spell_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    spelled = (_SIGNS.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lacking)
    return "".join(spelled), error.end


codecs.register_error(_SPELLED_SIGNS, _spell_signs)


class SafeStream:
    """A standard stream that can always be written to; without a reader the text is dropped.

    ``failure`` is why something that was written is lost, None while nothing is. Nothing is lost when a
    reader goes away; it is when the stream was closed before lok began. What its encoding lacks is escaped;
    on a terminal, and with ``signs`` anywhere, lok's own signs become others instead.
    """

    def __init__(self, stream: TextIO | None, *, signs: bool = False) -> None:
        self._stream = stream
        self._closed = stream is None
        self.failure: OSError | None = None
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_SPELLED_SIGNS if signs or stream.isatty() else "backslashreplace")

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """The file descriptor; OSError if there is none."""
        if self._stream is None:
            raise OSError(errno.EBADF, "the stream is closed")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write and flush, unless nobody reads."""
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
        """Does nothing: every write is flushed."""

    def _lose(self, stream: TextIO, failure: OSError) -> None:
        """Point the descriptor at /dev/null, for what is in the buffer still and for what follows."""
        self._stream = None
        if failure.errno not in _READER_GONE:
            self.failure = failure
        with contextlib.suppress(OSError, ValueError):  # not backed by a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Terminal:
    """Where results go (stdout), and everything else (stderr).

    Results go into a pipe or a file as they are. On a terminal, where ``CI`` is set, and always on stderr,
    control characters are escaped. In CI no line is a command to the runner. ``out`` or ``err`` is None
    where the stream was closed before lok began. ``delivered``: this call has said its result.
    """

    def __init__(self, environ: Mapping[str, str], out: TextIO | None, err: TextIO | None) -> None:
        self.out = SafeStream(out)
        self.err = SafeStream(err, signs=True)
        self.delivered = False
        self._environ = environ
        self._redraws = environ.get("TERM", "dumb") != "dumb"
        self._is_log = bool(environ.get("CI"))  # a log is a screen: people read it, and runners
        self._runner_obeys = any(environ.get(name) for name in _RUNNER_VARIABLES)

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal that can be redrawn."""
        return self._redraws and self.err.isatty()

    @property
    def shared(self) -> bool:
        """Whether stdout and stderr are both a terminal, and so most likely the same screen."""
        return self.out.isatty() and self.err.isatty()

    @property
    def width(self) -> int:
        """Columns of the terminal on stderr; 80 where there is none."""
        try:
            return os.get_terminal_size(self.err.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def result(self, text: str) -> None:
        """Print a result with a newline at its end; nothing for an empty one."""
        if text:
            text = escape_control_chars(text) if self.out.isatty() or self._is_log else text
            self.out.write(self._escape_for_runner(text if text.endswith("\n") else f"{text}\n"))

    def note(self, text: str) -> None:
        """Print a line that is no result, on stderr."""
        self.err.write(f"{self.escape_untrusted(text)}\n")

    def prompt(self, text: str) -> None:
        """Print what somebody is to answer on the same line, on stderr."""
        self.err.write(self.escape_untrusted(text))

    def error(self, error: LokError) -> None:
        """Print what is wrong and what to do, on stderr; on a terminal broken between words."""
        lines = f"lok: error: {error}".split("\n")
        if self.err.isatty():
            # a line of a file stays as it is, for the next one points into it
            rows = ([it] if it.startswith("    ") else wrapped(it, self.width) for it in lines)
            lines = [row for of_line in rows for row in of_line]
        self.note("\n".join(lines))

    def escape_untrusted(self, text: str) -> str:
        """The text as stderr may show it: secrets masked, control characters and CI commands escaped."""
        return self._escape_for_runner(escape_control_chars(self.masked(text)))

    def masked(self, text: str) -> str:
        """The text without the secrets of the environment."""
        return self._redactor.text(text)

    @cached_property
    def _redactor(self) -> Redactor:
        from pytest_lok.core.trust.credentials import secrets_of
        from pytest_lok.core.trust.redaction import Redactor

        return Redactor(secrets_of(self._environ))

    def _escape_for_runner(self, text: str) -> str:
        return escape_ci_commands(text) if self._runner_obeys else text


def columns(rows: Sequence[Sequence[str]], *, width: int | None = None, whole: bool = False) -> str:
    """Rows of cells as aligned text with control characters escaped; ``width`` cuts the last cells.

    With ``whole`` they are wrapped instead.
    """
    rows = [[escape_control_chars(cell) for cell in row] for row in rows]
    return "\n".join(aligned(rows, width=width, whole=whole))
