"""A run of the command line -> its record; and a recorded run -> what reports read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.store.disk import Disk
from pytest_lok.store.event_lines import encoded
from pytest_lok.store.journal import Journal, journal_name, workflow_digest
from pytest_lok.store.records import UNKNOWN_CODE, RecordedWorkflow

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.events import Event
    from pytest_lok.core.text.inclusion import NamedText
    from pytest_lok.core.trust.redaction import Redactor
    from pytest_lok.core.workflow.model import Origin, Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.core.workflow.reading.source import SourceText
    from pytest_lok.core.workflow.sources import WorkflowSources
    from pytest_lok.engine.remote.ports import ArtifactStore
    from pytest_lok.reports.formats.reported_run import ReportedRun
    from pytest_lok.reports.recorded.run_list import RunEntry
    from pytest_lok.store.records import Record, RecordedRun
    from pytest_lok.store.runs import RunDirectory
    from pytest_lok.wiring.project import Project


class RunRecorder:
    """Records one run; ``failure`` says why its record is not whole, None where it is.

    A disk that is full does not end a run that is paid for. A record that is not whole gets no end, so that
    nobody takes it for green.
    """

    def __init__(self, directory: RunDirectory, plan: Plan, redactor: Redactor) -> None:
        self._directory = directory
        self._disk = Disk()
        self.failure: OSError | None = None
        name = journal_name(plan.workflow.stem, workflow_digest(plan.workflow.path))
        self._journal = Journal(directory.path / name, self._disk)
        self._write(self._journal.open)
        described = encoded(redactor.value(RecordedWorkflow.of(plan)), kind="workflow")
        self._write(lambda: self._journal.append_document(described))

    @classmethod
    def begin(cls, project: Project, plan: Plan, redactor: Redactor, command: Sequence[str]) -> RunRecorder:
        """Begin the record of a run; OSError where not even a temporary directory can be written."""
        masked = redactor.value(tuple(command))
        return cls(project.new_record(masked), plan, redactor)

    @property
    def run_id(self) -> str:
        """The id of the run, which is the name of its directory."""
        return self._directory.run_id

    @property
    def path(self) -> Path:
        """The directory of the record."""
        return self._directory.path

    @property
    def artifacts(self) -> ArtifactStore:
        """Where the files that its steps make are kept."""
        from pytest_lok.store.artifacts import RecordedArtifacts

        return RecordedArtifacts(lambda: self.path)

    def warn(self, note: Callable[[str], None]) -> None:
        """Say what is wrong with the record, if anything is."""
        if self.failure is not None:
            note(f"lok: error: the record of this run is not whole: {self.failure.strerror or self.failure}")
        elif self._directory.is_elsewhere:
            note(f"lok: .lok/runs cannot be written to, so this run is recorded in {self._directory.path}")

    def note(self, event: Event) -> None:
        """Record an event; `failure` says so where that could not be done."""
        self._write(lambda: self._journal.append(event))

    def settle(self, exit_code: int) -> int:
        """Bring what is recorded to the disk; the code to report, 3 for a 0 whose record is not whole."""
        self._write(self._disk.close)
        self._write(self._directory.path.stat)
        return self._code(exit_code)

    def end(self, exit_code: int) -> int:
        """End the record with this exit code; the code to exit with, 3 for a 0 whose record is not whole."""
        self._write(self._disk.close)
        self._write(lambda: self._directory.end(exit_code))
        return self._code(exit_code)

    def close(self) -> None:
        """Let go of the record; without an end it is the record of a run that was killed. Idempotent."""
        self._write(self._disk.close)
        self._journal.close()
        self._directory.close()

    def _code(self, exit_code: int) -> int:
        return exit_code or (0 if self.failure is None else UNKNOWN_CODE)

    def _write(self, write: Callable[[], object]) -> None:
        # after a first failure nothing is added: a line behind a cut one would not be read
        if self.failure is None:
            try:
                write()
            except OSError as failure:
                self.failure = failure


class _RecordedTexts:
    """The texts of workflows as a record has them, by the file that names them."""

    def __init__(self) -> None:
        # each file with what it extends, and the texts that it is one of
        self._known: list[tuple[SourceText, SourceText | None, WorkflowSources]] = []

    def add(self, sources: WorkflowSources, stem: str, origin: Origin) -> SourceText | None:
        """The file of a workflow, with all that it extends behind it; None = it is of no file."""
        from pytest_lok.core.workflow.reading.source import SourceText

        above: SourceText | None = None
        for path, text in reversed(sources.files):
            file = SourceText(text=text, path=path, stem=stem, origin=origin)
            self._known.append((file, above, sources))
            above = file
        return above

    def parent(self, _: str, child: SourceText) -> SourceText | None:
        """The file that a file extends."""
        return next(above for file, above, _ in self._known if file is child)

    def read(self, name: str, source: SourceText) -> str:
        """The text of a file that a workflow names; FileNotFoundError if it is not recorded."""
        for path, called, text in self._sources_of(source).beside:
            if (path, called) == (source.path, name):
                return text
        raise FileNotFoundError(name)

    def find(self, pattern: str, source: SourceText) -> list[str]:
        """The files that a pattern has meant in a workflow."""
        from pytest_lok.core.workflow.reading.cases.names import is_named

        beside = self._sources_of(source).beside
        return [name for path, name, _ in beside if path == source.path and is_named(name, pattern)]

    def inner(self, name: str, file: SourceText) -> SourceText | None:
        """The file of a workflow that a step runs."""
        from pytest_lok.core.workflow.model import Origin

        for each in self._sources_of(file).nested:
            if (each.path, each.name) == (file.path, name):
                return self.add(each.sources, each.stem, Origin(each.origin))
        return None

    def prompt(self, name: str) -> NamedText:
        """The text of a prompt, whichever of the workflows asks it."""
        found = {name: (path, text) for it in self._sources for name, path, text in it.prompts}
        return _recorded(found, name)

    def instruction(self, path: str) -> NamedText:
        """The text of a file of the project, whichever of the workflows asks with it."""
        found = {path: (path, text) for it in self._sources for path, text in it.instructions}
        return _recorded(found, path)

    @property
    def _sources(self) -> Iterator[WorkflowSources]:
        return (sources for _, _, sources in self._known)

    def _sources_of(self, source: SourceText) -> WorkflowSources:
        return next(sources for file, _, sources in self._known if file is source)


def _recorded(texts: Mapping[str, tuple[str, str]], name: str) -> NamedText:
    from pytest_lok.core.text.inclusion import NamedText
    from pytest_lok.errors import UsageError

    if name not in texts:
        raise UsageError(f"there is no {name!r} in the record")
    path, text = texts[name]
    return NamedText(text=text, name=name, path=path)


def recorded_workflow(recorded: RecordedWorkflow) -> Workflow | None:
    """The workflow that a run was of, read from the record; None for one that is of no file.

    None also where this version of lok reads its text in another way: then it was another workflow.
    """
    from pytest_lok.core.workflow.model import Gate, Origin
    from pytest_lok.core.workflow.reading.reader import parse_workflow
    from pytest_lok.errors import WorkflowError

    texts = _RecordedTexts()
    first = texts.add(recorded.sources, recorded.stem, Origin(recorded.origin))
    if first is None:
        return None
    with suppress(WorkflowError):
        found = parse_workflow(
            first, parent=texts.parent, read=texts.read, find=texts.find, texts=texts, inner=texts.inner
        )
        gate = None if recorded.gate is None else Gate(**recorded.gate)  # type: ignore[arg-type]
        return replace(found, gate=gate)
    return None


def reported_runs(record: Record) -> list[ReportedRun]:
    """The runs of a record as reports read them, with their questions; paths begin at the repository."""
    begun = record.beginning
    return [
        replace(_reported(run), repository=begun.repository).in_folder(begun.folder) for run in record.runs
    ]


def _reported(run: RecordedRun) -> ReportedRun:
    from pytest_lok.reports.formats.reported_run import ReportedRun

    workflow = recorded_workflow(run.workflow) if run.workflow else None
    asked = run.asked()
    return ReportedRun.of(
        run.result,
        workflow,
        run.exit_code,
        lambda step: asked.get(step, ()),
        arguments=run.workflow.arguments if run.workflow else {},
    )


def run_entries(record: Record) -> list[RunEntry]:
    """The runs of a record in short, without their questions."""
    from pytest_lok.reports.formats.reported_run import ReportedRun
    from pytest_lok.reports.recorded.run_list import RunEntry

    return [
        RunEntry(
            run_id=record.run_id,
            began=record.beginning.time,
            state=record.state,
            run=ReportedRun(
                result=run.result,
                exit_code=run.exit_code,
                allow_skip=run.workflow is not None and run.workflow.allow_skip,
                repository=record.beginning.repository,
            ),
            command=record.beginning.command,
            arguments=run.workflow.arguments if run.workflow else {},
            request=record.beginning.request,
            begun=tuple(sorted(run.running)),
        )
        for run in record.runs
    ]
