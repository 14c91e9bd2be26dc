"""Every expected failure of pytest-lok, and the places in files they point at.

::

    LokError                       has a message and a hint: what is wrong, and what to do
    ├── UsageError                 nothing has run; exit code 2
    │   ├── WorkflowError          a workflow file is wrong; carries every Problem of the file
    │   ├── CaseError              a case of `lok eval` is wrong; carries every Problem too
    │   ├── SettingsError          lok.toml, [tool.lok] or LOK_* is wrong; carries every Problem too
    │   └── PlanError              an argument is missing, a selected step does not exist
    ├── PlatformError              this system cannot run it at all; raised by imports
    ├── SourceError                a template, condition or shell text is wrong; carries Faults (offsets)
    ├── StepFailedError            a step did its work and the judgement is no      -> outcome "failed"
    └── StepUnableError            a step could not do its work                     -> outcome "error"
        ├── TemplateError          a value is missing or refused while rendering
        ├── OutputError            the answer is unusable: empty, cut, not JSON, not the schema
        └── BackendError           a backend did not answer; ``kind`` says why, ``transient`` if it may yet
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from pytest_lok.dataclass import dataclass

_WIDE = 120
"""Columns of an excerpt that are shown."""


class LokError(Exception):
    """Base of every expected failure; ``hint`` says what to do about it ("" = the message says it).

    ``where`` is the command line's verb, or the place in a file, that the failure is about ("" = not known).
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = ""

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class PlatformError(LokError, ImportError):
    """This system is neither Linux nor macOS: what runs need of it is not there."""

    def __init__(self) -> None:
        super().__init__(
            "pytest-lok runs workflows on Linux and macOS only: it needs their file locks (fcntl)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake inside a piece of source text, by offsets into that text (code points, end exclusive)."""

    message: str
    start: int = 0
    end: int = 0
    hint: str = ""

    def shifted(self, by: int) -> Fault:
        """The fault in a text of which the other one begins at offset ``by``."""
        return Fault(message=self.message, start=self.start + by, end=self.end + by, hint=self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file: ``path:line:column: message``, lines and columns from 1.

    Line 0 stands for no place: what is wrong is a name, an option or a file that cannot be read.
    ``excerpt`` is the offending source line and ``length`` how many of its columns are underlined
    (0 = draw no caret).
    """

    path: str
    line: int
    column: int
    message: str
    hint: str = ""
    excerpt: str = ""
    length: int = 0

    @property
    def place(self) -> str:
        """``path:line:column``, or the path alone."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.message}"]
        if self.excerpt and self.length:
            shown, before = self._shown()
            pad = "".join("\t" if c == "\t" else " " * _columns(c) for c in before)
            marked = shown[len(before) : len(before) + self.length]
            lines += [f"    {shown}", f"    {pad}{'~' * (_columns(marked) - 1)}^"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def _shown(self) -> tuple[str, str]:
        """The excerpt, or of a long line what stands around the column; and its part before the column."""
        line, at = self.excerpt, self.column - 1
        if len(line) <= _WIDE:
            return line, line[:at]
        start, end = max(0, at - _WIDE // 2), max(0, at - _WIDE // 2) + _WIDE
        cut = "…" if start else ""
        return f"{cut}{line[start:end]}{'…' if end < len(line) else ''}", f"{cut}{line[start:at]}"


def _columns(text: str) -> int:
    """How many columns a terminal gives to the text: two to a character of Chinese, Japanese or Korean."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


class UsageError(LokError):
    """The request cannot be carried out as given; nothing has run."""


class _ProblemsError(UsageError):
    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))
        self.where = self.problems[0].place if self.problems else ""


class WorkflowError(_ProblemsError):
    """A workflow file cannot be used; ``problems`` holds every mistake found in it."""


class SettingsError(_ProblemsError):
    """Settings cannot be used; ``problems`` holds every mistake found in them."""


class CaseError(_ProblemsError):
    """Cases cannot be used; ``problems`` holds every mistake found in them."""


class PlanError(UsageError):
    """A workflow cannot be planned as asked: a missing argument, an unknown step, a bad choice."""


class SourceError(LokError):
    """A template, condition or shell text does not compile; ``faults`` holds every mistake."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f.message for f in self.faults))


class StepFailedError(LokError):
    """A step did its work and the answer is no. ``output`` is what the step printed or said so far.

    ``cut``: a part of its middle is missing.
    """

    def __init__(self, message: str, *, hint: str = "", output: str = "", cut: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.output = output
        self.cut = cut


class StepUnableError(LokError):
    """A step could not do its work: there is no judgement. ``output`` and ``cut`` as in StepFailedError."""

    def __init__(self, message: str, *, hint: str = "", output: str = "", cut: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.output = output
        self.cut = cut


class TemplateError(StepUnableError):
    """A template or condition could not be rendered: a missing value, or one refused at its place."""


class OutputError(StepUnableError):
    """The text a step produced cannot be used as what the step declares it to be."""


class BudgetError(StepUnableError):
    """A call that the budget of the run does not allow, or whose cost it cannot count."""


class BackendFault(enum.StrEnum):
    """Why a backend did not answer."""

    NOT_INSTALLED = "not installed"
    NOT_CONFIGURED = "not configured"
    DISABLED = "disabled"
    AUTH = "authentication"
    RATE_LIMIT = "rate limit"
    QUOTA = "quota used up"
    OVERLOAD = "overload"
    NETWORK = "network"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    EMPTY = "empty answer"
    BAD_OUTPUT = "bad output"
    BAD_REQUEST = "bad request"
    TOO_LONG = "prompt too long"
    CRASHED = "crashed"
    NOT_RECORDED = "not recorded"


TRANSIENT = frozenset(
    {BackendFault.RATE_LIMIT, BackendFault.OVERLOAD, BackendFault.NETWORK, BackendFault.TIMEOUT}
)


class BackendError(StepUnableError):
    """A backend did not answer.

    ``retry_after`` is the server's own wish in seconds, if it had one. ``output`` holds what was
    received before it failed. ``cost_usd`` is what the call took all the same, None = nobody told.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: BackendFault,
        backend: str = "",
        hint: str = "",
        output: str = "",
        retry_after: float | None = None,
        cost_usd: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, output=output)
        self.cost_usd = cost_usd
        self.kind = kind
        self.backend = backend
        self.retry_after = retry_after

    def of(self, name: str) -> str:
        """The message, with the backend's name before it unless it begins with that."""
        return self.message if self.message.startswith(name) else f"{name}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the same question may succeed a little later."""
        return self.kind in TRANSIENT
