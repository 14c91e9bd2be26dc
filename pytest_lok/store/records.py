"""What a record says: how it began, what its runs are of, what came of them, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_lok.core.events import (
    BackendAsked,
    Event,
    StepStarted,
    fold,
)
from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import Json, RunResult
from pytest_lok.core.workflow.sources import WorkflowSources
from pytest_lok.dataclass import dataclass
from pytest_lok.store.event_lines import decoded, from_json
from pytest_lok.store.frames import FrameReader, UnusableRecordError
from pytest_lok.store.journal import Journal

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan

FORMAT = 1
"""The version of the form of records. A record of a higher one is left alone."""

State: TypeAlias = Literal["ended", "running", "killed"]
"""Of a process that was recorded: it ended by itself, it is alive, or it is gone without a last word."""

_NOT_ENDED: Mapping[State, str] = {
    "running": "it still runs",
    "killed": "the process was killed before the run ended",
}
UNKNOWN_CODE = 3
"""The exit code of a process that nobody knows the end of."""
_NOT_FOLDED = tuple(
    f'"kind":"{kind}"}}'.encode() for kind in ("backend_asked", "backend_replied", "backend_refused")
)
"""How the lines of large events end that make no difference to a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBeginning:
    """How a record began: ``command`` as it was typed, the project's ``root``, UTC seconds since the epoch.

    ``version`` is lok's, ``format`` that of the record. ``request`` is the number of the pull request that CI
    ran for, "" = none. The project lies in this ``folder`` of its repository, "" = it is the repository.
    ``repository`` is the line of an --each file that the run was in, "" = it ran in the project.
    """

    run_id: str
    command: tuple[str, ...]
    root: str
    time: float
    version: str
    format: int
    request: str = ""
    folder: str = ""
    repository: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEnding:
    """How it ended: the process's exit code, and the SHA-256 of each journal by the name of its file."""

    run_id: str
    exit_code: int
    time: float
    journals: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWorkflow:
    """What a run is of: the workflow as it was read, with the values of its arguments.

    ``gate`` are the keys of the gate that judged, also where an option has made it stricter; None = no gate.
    ``sources`` are empty for a workflow that is of no file, as that of ``lok ask``.
    """

    stem: str
    name: str
    path: str
    sha256: str
    origin: str
    sources: WorkflowSources
    arguments: Mapping[str, str]
    gate: Mapping[str, Json] | None = None
    allow_skip: bool = False
    kind: Literal["workflow"] = "workflow"

    @classmethod
    def of(cls, plan: Plan) -> RecordedWorkflow:
        """What is recorded of a plan's workflow; secrets in it are not masked yet."""
        workflow = plan.workflow
        return cls(
            stem=workflow.stem,
            name=workflow.name,
            path=workflow.path,
            sha256=workflow.sha256,
            origin=workflow.origin,
            sources=workflow.sources,
            arguments=dict(plan.arguments),
            gate=None if workflow.gate is None else jsonable(workflow.gate),
            allow_skip=workflow.allow_skip,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run as far as it is recorded; ``running`` are the steps that have started and have no result.

    A run without an end is interrupted, and never green. ``exit_code`` is that of its process. ``workflow``
    is None where the process died before it said what it runs. ``journal`` is the file of its events.
    """

    result: RunResult
    running: frozenset[str] = frozenset()
    workflow: RecordedWorkflow | None = None
    exit_code: int = UNKNOWN_CODE
    state: State = "running"
    journal: Path | None = None

    def events(self) -> Iterator[Event]:
        """Every event of the run, in order; UnusableRecordError as ``read_record``."""
        if self.journal is not None:
            yield from Journal(self.journal).read_new()

    def asked(self) -> dict[str, list[BackendAsked]]:
        """The questions of the run, by step; UnusableRecordError as ``read_record``."""
        found: dict[str, list[BackendAsked]] = {}
        for event in self.events():
            if isinstance(event, BackendAsked):
                found.setdefault(event.step, []).append(event)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one directory holds: the run of one call of lok, or those of one session of pytest.

    ``exit_code`` is that of the process, 3 where it is not known. ``runs`` stand in the order in which they
    began; there is none where the process died before.
    """

    path: Path
    beginning: RecordBeginning
    state: State
    exit_code: int
    runs: tuple[RecordedRun, ...] = field(default=())

    @property
    def run_id(self) -> str:
        """The name of the directory, by which the user calls it."""
        return self.beginning.run_id


def documents_of(data: bytes, *, ended: bool) -> Iterator[bytes]:
    """The JSON objects in the bytes of a file; UnusableRecordError where a line is not as it was written.

    ``ended``: nobody writes any more, so that a last line without an end is judged too.
    """
    *lines, tail = data.split(b"\n")
    reader = FrameReader()
    yield from reader.documents(lines)
    if ended:
        yield from reader.last(tail)


def run_of(file: Path, state: State, code: int, data: bytes) -> RecordedRun:
    """The run whose journal has these bytes; ``code`` is the exit code of its process."""
    workflow: RecordedWorkflow | None = None
    begun: set[str] = set()
    folded: list[Event] = []
    for document in documents_of(data, ended=state != "running"):
        if document.endswith(_NOT_FOLDED):
            continue
        try:
            if document.endswith(b'"kind":"workflow"}'):
                workflow = decoded(RecordedWorkflow, document)
                continue
            event = from_json(document.decode())
        except (ValueError, RecursionError) as unknown:
            raise UnusableRecordError(f"{file.name}: {unknown}") from None
        if isinstance(event, StepStarted):
            begun.add(event.step)
        folded.append(event)
    result = fold(folded)
    if state != "ended":
        result = replace(result, interrupted=_NOT_ENDED[state])
        # never the 0 of a process that has not ended
        code = result.exit_code
    return RecordedRun(
        result=result,
        running=frozenset(begun - result.steps.keys()),
        workflow=workflow,
        exit_code=code,
        state=state,
        journal=file,
    )
