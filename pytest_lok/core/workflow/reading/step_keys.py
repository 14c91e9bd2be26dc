"""One step of a document -> its keys: texts compiled, problems told at their places."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pytest_lok.core.asking.answer_options import NOBODY_KNOWN, Answerers
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.inclusion import no_texts
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Format, Role
from pytest_lok.core.workflow.reading.source import SourceText, WorkflowFile
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault

if TYPE_CHECKING:
    from pytest_lok.core.remote import Placement
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.templates.scope import VisibleNames
    from pytest_lok.core.text.inclusion import Fetch
    from pytest_lok.core.toml.positions import Path
    from pytest_lok.core.workflow.document import GateDocument
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.reading.cases.combinations import NamedCase
    from pytest_lok.core.workflow.reading.cases.reader import FindFiles
    from pytest_lok.core.workflow.step_document import StepDocument

Read: TypeAlias = Callable[[str, SourceText], str]
Inner: TypeAlias = "Callable[[str, SourceText], Workflow | None]"
"""The name of a workflow and the file that names it -> the workflow; UsageError says why there is none.
None = the file of that workflow has problems, which are reported elsewhere."""
Text = TypeVar("Text", Template, "Condition", ShellTemplate)

_EMPTY: tuple[object, ...] = ([], {})
_ARRAYS = (Format.JSON_ARRAY, Format.JSONL, Format.LINES, Format.FINDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderContext:
    """What the steps of one workflow have in common. ``backends`` None = any name will do.

    ``roles`` stand for several backends; the one called "" is for steps that name nobody. In ``ci``
    only what its operator types may become shell code. ``answerers`` say which options may be given to whom.
    ``inner`` None = no step can run a workflow. ``travels``: a command whose step does not say where runs
    at a place of the fleet.
    """

    names: VisibleNames
    continue_on_error: bool = False
    backends: Collection[str] | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    travels: bool = False
    gate: GateDocument | None = None
    read: Read | None = None
    find: FindFiles | None = None
    prompts: Fetch = no_texts
    instructions: Fetch = no_texts
    inner: Inner | None = None
    ci: bool = False
    answerers: Answerers = NOBODY_KNOWN


class StepKeys:
    """The keys of one step of a file: what they hold, and what is wrong with them.

    ``needs`` maps the steps it waits for to where it says so; ``placement`` is where its command runs, None
    = here, or not known, and ``leaves_files`` that files of it stay there. ``arguments`` are those its texts
    cannot do without, ``positional_count`` is the highest number of a positional one they read. ``cases`` are
    those of the step, () = it has none. ``stand_ins`` are the paths of what another key says in place of one.
    """

    def __init__(self, file: WorkflowFile, index: int, context: ReaderContext) -> None:
        self.file = file
        self.document: StepDocument = file.document.steps[index]
        self.name = self.document.name
        self.needs: dict[str, Path] = {}
        self.placement: Placement | None = None
        self.leaves_files = False
        self.arguments: set[str] = set()
        self.positional_count = 0
        self.index = index
        self.written = file.steps()[index]
        self.context = context
        self.stand_ins: Mapping[str, Path] = {}
        self.cases: tuple[NamedCase, ...] = ()
        self.outer_names = replace(context.names, itself=self.name)
        if not self.written.keys().isdisjoint(("cases", "matrix")):
            self._read_cases()
        has_items = "for_each" in self.written
        self.inner_names = replace(self.outer_names, loop=True) if has_items else self.outer_names

    def _read_cases(self) -> None:
        from pytest_lok.core.workflow.reading.cases.reader import CaseReader

        read, find = self.context.read, self.context.find
        reader = CaseReader(file=self.file, index=self.index, document=self.document, read=read, find=find)
        found = reader.cases()
        self.cases = found.cases
        self.outer_names = replace(self.outer_names, cases=found.keys)

    def standing_in(self, key: str, value: str, path: Path) -> StepKeys:
        """These keys with one more, whose value is written at another path of the file."""
        other = copy.copy(self)
        other.document = self.document.replace(**{key: value})
        other.written = {**self.written, key: value}
        other.stand_ins = {**self.stand_ins, key: path}
        return other

    @property
    def reports_findings(self) -> bool:
        """Whether findings are what it puts out."""
        return self.format() is Format.FINDINGS

    def format(self) -> Format:
        """What its output has to be."""
        if self.document.output_format is not None:
            return Format(self.document.output_format)
        is_text = self.document.output_schema is None and self.document.tools is None
        return Format.TEXT if is_text else Format.JSON

    def at(self, *key: str | int) -> Path:
        """The path of a key in the file."""
        if key and (path := self.stand_ins.get(str(key[0]))) is not None:
            return path
        return ("steps", self.index, *key)

    def report(self, message: str, hint: str, *at: str | int, key: bool = False) -> None:
        """A problem of the value at a key of this step; of its header where none is given."""
        self.file.report(self.at(*at), message, hint, key=key or not at)

    def is_blank(self, key: str) -> bool:
        """Whether a key is absent, or holds what says nothing (lok's defaults, written out)."""
        value = self.written.get(key, "")
        return not value.strip() if isinstance(value, str) else value in _EMPTY

    def had_type_error(self, key: str) -> bool:
        """Whether a key holds something that could not be used, which has been reported."""
        return key in self.written and key not in self.document.written

    def is_known_backend(self, backend: str) -> bool:
        """Whether a step may name that backend."""
        return (
            self.context.backends is None or backend in (AUTO, EVERYBODY) or backend in self.context.backends
        )

    def unknown_backend_hint(self, backend: str, more: Iterable[str] = ()) -> str:
        """The hint for a backend that nobody knows."""
        known = self.context.backends or ()
        return did_you_mean(backend, [*known, *more, AUTO]) or (
            f"{list_choices(known)}; add it to lok.toml as [backends.{backend}]"
        )

    def require_object(self, need: str, key: str) -> None:
        """A problem where the step's output is declared to be an array."""
        if self.format() in _ARRAYS:
            self.report(f"{need}, but `output_format` is {self.format()}", 'output_format = "json"', key)

    def text(
        self,
        parse: Callable[[str, VisibleNames], Text],
        source: str | None,
        names: VisibleNames,
        *key: str | int,
    ) -> Text | None:
        """A compiled text, after noting what it refers to; None where there is none, or a faulty one."""
        if source is None:
            return None
        path = self.at(*key)
        text = self.file.compile(path, lambda: parse(source, names))
        if text is not None:
            if not isinstance(text, (Template, ShellTemplate)):
                self._check_rubric_backends(text, path)
                # nobody reads a warning in CI, so there it is a problem
                for fault in text.warnings:
                    (self.file.report_inside if self.context.ci else self.file.warn_inside)(path, fault)
            self.note(text, path, lambda fault: self.file.report_inside(path, fault))
        return text

    def note(
        self, text: Template | Condition | ShellTemplate, path: Path, report: Callable[[Fault], None]
    ) -> None:
        """Note what the text at ``path`` refers to; ``report`` gets a fault, with offsets into its source."""
        self.arguments |= text.arguments
        self.positional_count = max(self.positional_count, text.positional_count)
        for name in sorted(text.steps):
            if name == self.name:
                report(self._own_reference(path, text.source))
            else:
                self.needs.setdefault(name, path)

    def condition(
        self, source: str | None, names: VisibleNames, *key: str | int, decides: bool = True
    ) -> Condition | None:
        """As ``text``, of a condition, or of an expression of any value if nothing ``decides`` by it."""
        if source is None:
            return None
        from pytest_lok.core.templates.condition import Condition

        return self.text(Condition.parse if decides else Condition.parse_value, source, names, *key)

    def _check_rubric_backends(self, condition: Condition, path: Path) -> None:
        for name in {
            it.backend for it in condition.rubrics if it.backend and not self.is_known_backend(it.backend)
        }:
            # an escape in the name hides it; then the start is near enough
            start = max(condition.source.find(name), 0)
            message, hint = f"there is no backend `{name}`", self.unknown_backend_hint(name)
            fault = Fault(message=message, start=start, end=start + len(name), hint=hint)
            self.file.report_inside(path, fault)

    def _own_reference(self, path: Path, source: str) -> Fault:
        name = self.name
        # written with an escape the name is not found, and the start of the text will do
        found = re.search(rf"(?:steps\.)?{re.escape(name)}", source)
        start, end = found.span() if found else (0, 0)
        hint = "its own output is not there yet"
        if "assert" in path:
            hint = "in `assert` its own result is `output`, `json`, `cost`, `seconds`"
        message = f"step `{name}` refers to itself"
        return Fault(message=message, start=start, end=end, hint=hint)


def list_choices(names: Iterable[str]) -> str:
    """The hint that names all there are."""
    return f"there are: {', '.join(sorted(names)) or 'none'}"
