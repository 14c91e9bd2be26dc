"""A workflow file's text -> its document, collecting every problem found in it on the way."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import tomli

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import keys
from pytest_lok.core.toml.foreign_keys import foreign_key_hint, foreign_top_hint
from pytest_lok.core.toml.positions import KeyPositions, Path, SourceSpan, header_lines
from pytest_lok.core.toml.validation import fit
from pytest_lok.core.workflow.document import (
    ArgumentDocument,
    GateDocument,
    RuleDocument,
    UntrustedDocument,
    WorkflowDocument,
)
from pytest_lok.core.workflow.step_document import NeedsDocument, StepDocument
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, Problem, SourceError, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Origin

T = TypeVar("T")

_TOP_KEYS = keys(WorkflowDocument)
_STEP_KEYS = keys(StepDocument)
# what tomli's message begins with, and what to do
_SYNTAX_HINTS = (
    ("Cannot declare ('steps',)", "every step starts with its own [[steps]], in two brackets"),
    ("Cannot declare", "a table is opened twice; put its keys together"),
    ("Cannot overwrite", "the key stands here twice; keep one"),
    ("Cannot mutate", "what is written in one line as {…} or […] cannot be continued further down"),
    (
        "Unescaped '\\'",
        "text with backslashes is easier in single quotes: '…', or '''…''' over several lines",
    ),
    ("Illegal character '\\n'", 'text over several lines stands between three quotes: """…"""'),
    (
        "Unterminated string",
        "a closing quote is missing; text over several lines stands between three quotes",
    ),
    (
        "Found invalid character",
        "control characters cannot stand in a file; in text write \\u0000 and the like",
    ),
    ("Expected newline", "one `key = value` per line; text that holds quotes stands between three quotes"),
    ("Invalid value", 'text stands in quotes: key = "value"; yes and no are true and false'),
    ("Expected '='", "a line is `key = value`, `[table]` or `[[steps]]`"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A workflow file's text and where it came from; ``path`` as shown in messages."""

    text: str
    path: str
    stem: str
    origin: Origin

    @classmethod
    def decode(cls, data: bytes, *, path: str, stem: str, origin: Origin) -> SourceText:
        """The source in a file's bytes; WorkflowError where they are not UTF-8."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            problem = Problem(
                path=path,
                line=before.count("\n") + 1,
                column=len(before) - before.rfind("\n"),
                message=f"the file is not UTF-8: byte 0x{data[error.start]:02x} has no meaning here",
                hint="save it as UTF-8",
            )
            raise WorkflowError([problem]) from None
        return cls(text=text, path=path, stem=stem, origin=origin)

    def toml(self) -> dict[str, Any]:
        """The text as TOML; WorkflowError if it is none."""
        # editors of one system put a mark there that TOML does not know
        text = self.text.removeprefix("\ufeff")
        try:
            return tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            message, line, column = error.msg, error.lineno, error.colno
        except RecursionError:
            message, line, column = "nested too deeply", 1, 1
        # an integer of more digits than Python takes
        except ValueError as error:
            message, line, column = str(error), 1, 1
        excerpt = text.replace("\r\n", "\n").split("\n")[line - 1]
        hint = next((hint for start, hint in _SYNTAX_HINTS if message.startswith(start)), "")
        message = f"this is not TOML: {message[:1].lower()}{message[1:]}"
        spot = SourceSpan(line=line, column=column, length=1, excerpt=excerpt)
        raise WorkflowError([self.problem(spot, message, hint)]) from None

    def problem(self, spot: SourceSpan, message: str, hint: str = "") -> Problem:
        """A problem at a place of this file."""
        return Problem(
            path=self.path,
            line=spot.line,
            column=spot.column,
            message=message,
            hint=hint,
            excerpt=spot.excerpt,
            length=spot.length,
        )


class WorkflowFile:
    """A workflow file being read. ``problems`` grows; a key that has one gets no second from elsewhere.

    ``warnings`` are about what can be run, and is hardly meant; ``remarks`` about what may be.
    """

    def __init__(self, source: SourceText) -> None:
        """Parse the text; WorkflowError if it is not TOML at all."""
        self.source = source
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.remarks: list[Problem] = []
        self._reported: set[Path] = set()
        self._text = source.text.removeprefix("\ufeff")
        self.data = source.toml()
        self.document, wrong = fit(WorkflowDocument, self.data, key_hint=self._key_hint)
        for problem in wrong:
            self.report(problem.path, problem.message, problem.hint, key=problem.unknown)

    def _key_hint(self, path: Path) -> str:
        match path:
            case ("steps", int(at), str(key)) if foreign := foreign_key_hint(key, self.data["steps"][at]):
                return foreign
        return _key_hint(path)

    @functools.cached_property
    def positions(self) -> KeyPositions:
        """Scanned only when something must be pointed at."""
        return KeyPositions(self._text)

    @functools.cached_property
    def step_lines(self) -> list[int]:
        """The line of each step's header."""
        return header_lines(self._text, [step.name for step in self.document.steps])

    def steps(self) -> list[Mapping[str, Any]]:
        """The steps as written, beside ``document.steps``."""
        return self.data["steps"] if self.document.steps else []

    def report(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        """A problem of the value at ``path``, or of its ``key``."""
        # a value that is wrong in two ways is corrected once
        if path not in self._reported:
            spot = self.positions.key(path) if key else self.positions.value(path)
            self._add(spot, message, hint)
            self._reported.add(path)

    def report_inside(self, path: Path, fault: Fault) -> None:
        """A problem of a piece of the text at ``path``."""
        spot = self.positions.inside(path, fault.start, fault.end)
        self._add(spot, fault.message, fault.hint)

    def warn_inside(self, path: Path, fault: Fault) -> None:
        """A warning about a piece of the text at ``path``."""
        self.warnings.append(self._inside(path, fault))

    def remark(self, path: Path, message: str, hint: str) -> None:
        """A remark about the key at ``path``."""
        self.remarks.append(self.source.problem(self.positions.key(path), message, hint))

    def remark_inside(self, path: Path, fault: Fault) -> None:
        """A remark about a piece of the text at ``path``."""
        self.remarks.append(self._inside(path, fault))

    def _inside(self, path: Path, fault: Fault) -> Problem:
        spot = self.positions.inside(path, fault.start, fault.end)
        return self.source.problem(spot, fault.message, fault.hint)

    def compile(self, path: Path, compiled: Callable[[], T]) -> T | None:
        """What ``compiled`` makes of the text at ``path``, or None after reporting its faults."""
        try:
            return compiled()
        except SourceError as error:
            for fault in error.faults:
                self.report_inside(path, fault)
            return None

    def _add(self, spot: SourceSpan, message: str, hint: str) -> None:
        self.problems.append(self.source.problem(spot, message, hint))


def _key_hint(path: Path) -> str:
    """What an unknown key was probably meant to be."""
    key = str(path[-1])
    match path[:-1]:
        case ():
            if key in ("step", "tasks", "task"):
                return "steps are written [[steps]]"
            if key in _STEP_KEYS:
                return f"`{key}` belongs into a step, below its [[steps]]"
            if foreign := foreign_top_hint(key):
                return foreign
            return did_you_mean(key, _TOP_KEYS) or f"a workflow has: {', '.join(sorted(_TOP_KEYS))}"
        case ("steps", int()):
            if key in _TOP_KEYS:
                return f"`{key}` belongs to the workflow: put it above the first [[steps]]"
            return did_you_mean(key, _STEP_KEYS) or "see `lok schema` for the keys of a step"
        case ("steps", int(), "needs"):
            return did_you_mean(key, keys(NeedsDocument)) or "`needs` has cores and memory"
        case ("args", str()):
            return did_you_mean(key, keys(ArgumentDocument))
        case ("rules", str()):
            return did_you_mean(key, keys(RuleDocument))
        case ("gate",):
            return did_you_mean(key, keys(GateDocument))
        case ("untrusted",):
            return did_you_mean(key, keys(UntrustedDocument))
        case _:
            return ""
