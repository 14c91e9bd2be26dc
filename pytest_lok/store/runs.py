"""The records of a project's runs: a directory for each, private, ignored by git. Old ones are removed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_lok.core.events import BackendAsked, Event, RunStarted, StepStarted, fold
from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.errors import UsageError
from pytest_lok.files import write_atomically
from pytest_lok.late_regex import late_regex
from pytest_lok.locks import NumberedLocks
from pytest_lok.store.event_lines import encoded
from pytest_lok.store.frames import FrameWriter, UnusableRecordError
from pytest_lok.store.journal import Journal
from pytest_lok.store.record_files import (
    BEGINNING,
    ENDING,
    LOCK,
    check_directory,
    check_record,
    is_alive,
    read_record,
)
from pytest_lok.store.records import FORMAT, Record, RecordBeginning, RecordedRun, RecordEnding
from pytest_lok.version import __version__

RUNS_KEPT = 20
"""How many runs keep their records, where the settings do not say."""
DAYS_KEPT = 14.0
"""For how many days, where the settings do not say."""
_KINDS = ("run_started", "step_started", "step_retrying", "step_finished", "run_finished")
_RUN_ID = late_regex(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_FORM = "%Y%m%d-%H%M%S"
_DAY = 86_400
_RESUMED = ".resumed.lock"
_PROMPT = 16_000  # characters of the start and of the end of a prompt that are kept for reports


class RunDirectory:
    """``.lok/runs/<run id>/`` of a project, or a temporary one where the project cannot be written to.

    ``is_elsewhere``: the latter, so that `lok runs` does not find it.
    """

    def __init__(self, path: Path, *, is_elsewhere: bool = False) -> None:
        self.path = path
        self.is_elsewhere = is_elsewhere
        self._lock: NumberedLocks | None = None

    @property
    def run_id(self) -> str:
        """A unique name that sorts by time."""
        return self.path.name

    def begin(self, beginning: RecordBeginning) -> None:
        """Take the directory for this process until ``close``, and note what it is of."""
        # held until `close`: what another process cannot lock it does not remove
        self._lock = NumberedLocks(self.path / LOCK)
        while not self._lock.try_acquire(0):  # somebody looks whether it is held
            time.sleep(0.001)
        self._write(BEGINNING, beginning)

    def end(self, exit_code: int) -> None:
        """Note that the process ends with this exit code, and what it has recorded; OSError if that fails.

        Nobody writes to the journals any more. A record without this is never taken for a green run.
        """
        files = sorted(self.path.glob("*.jsonl"))
        digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        ending = RecordEnding(run_id=self.run_id, exit_code=exit_code, time=time.time(), journals=digests)
        self._write(ENDING, ending, durable=True)

    def records(self) -> list[RecordedRun]:
        """Every run that is recorded here, in the order in which they began, while the process lives."""
        records: list[RecordedRun] = []
        for path in sorted(self.path.glob("*.jsonl")):
            begun: set[str] = set()
            result = fold(_collecting_started(begun, Journal(path).read_new(*_KINDS)))
            records.append(
                RecordedRun(result=result, running=frozenset(begun - result.steps.keys()), journal=path)
            )
        return sorted(records, key=lambda record: record.result.started)

    def questions(self) -> Mapping[str, Mapping[str, Sequence[BackendAsked]]]:
        """The prompts that were sent: by the path of the workflow, and by the step. Long ones are cut."""
        found: dict[str, dict[str, list[BackendAsked]]] = {}
        for path in self.path.glob("*.jsonl"):
            workflow = ""
            for event in Journal(path).read_new("run_started", "backend_asked"):
                if isinstance(event, RunStarted):
                    workflow = event.path
                elif isinstance(event, BackendAsked):
                    prompt = leave_out_middle(event.prompt, head=_PROMPT, tail=_PROMPT)
                    asked = found.setdefault(workflow, {}).setdefault(event.step, [])
                    asked.append(replace(event, prompt=prompt))
        return found

    def close(self) -> None:
        """Release the directory: it may be removed when it is one of the oldest. Idempotent."""
        if self._lock is not None:
            self._lock.close()

    def _write(self, name: str, value: object, *, durable: bool = False) -> None:
        line = FrameWriter(os.urandom(4).hex()).frame(encoded(value))
        write_atomically(self.path / name, line, mode=0o600, durable=durable)


class RunStore:
    """The records below one directory, such as ``.lok/runs``; those that are kept are the newest ``keep``.

    Of these, those that are older than so many ``days`` go as well; 0 = however old they are. What is not to
    be believed is never removed, and neither is what a living process writes. ``others`` are directories
    whose records are read as well. ``root`` is the project's directory: what was recorded in another one is
    not believed; None = any project's are.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int = RUNS_KEPT,
        days: float = DAYS_KEPT,
        others: Sequence[Path] = (),
        root: Path | None = None,
    ) -> None:
        self.folder = folder
        self._root = root
        self._folders = (folder, *others)
        self._keep = keep
        self._days = days

    def new(
        self,
        *,
        command: Sequence[str],
        root: Path,
        request: str = "",
        folder: str = "",
        repository: str = "",
    ) -> RunDirectory:
        """A new record, which is held by this process until ``close``. OSError if none can be made at all.

        The arguments are those of RecordBeginning; ``command`` is without secrets.
        """
        try:
            self._prepare()
            made = RunDirectory(_make(self.folder))
        except OSError:
            import tempfile

            made = RunDirectory(_make(Path(tempfile.mkdtemp(prefix="lok-"))), is_elsewhere=True)
        beginning = RecordBeginning(
            run_id=made.run_id,
            command=tuple(command),
            root=os.path.realpath(root),
            time=time.time(),
            version=__version__,
            format=FORMAT,
            request=request,
            folder=folder,
            repository=repository,
        )
        made.begin(beginning)
        if not made.is_elsewhere:
            self._prune()
        return made

    @property
    def is_linked(self) -> bool:
        """Whether a link leads to the records: then none is read, and new ones are written elsewhere."""
        return _is_linked(self.folder)

    def names(self) -> list[str]:
        """Whatever lies there, the newest run first."""
        found = {name for folder in self._folders for name in _names_in(folder)}
        return sorted(found, key=lambda name: (_RUN_ID.fullmatch(name) is not None, name), reverse=True)

    def read(self, name: str) -> Record:
        """The record of that name; UnusableRecordError says why it is not to be believed."""
        if not _RUN_ID.fullmatch(name):
            raise UnusableRecordError("its name is none that lok gives")
        there = (folder / name for folder in self._folders if os.path.lexists(folder / name))
        return read_record(next(there, self.folder / name), owner=os.geteuid(), root=self._root)

    def find(self, start: str = "", *, note: Callable[[str], None] = lambda _: None) -> Record:
        """The record whose run id begins so, or at that path; "", "last" = the newest that can be believed.

        UsageError if there is none, UnusableRecordError if the one that is named cannot be believed. ``note``
        is told of newer ones that cannot.
        """
        if start in ("", "last"):
            return self._newest(note)
        if os.sep in start:
            return _named(start, lambda: read_record(Path(start)))
        found = [name for name in self.names() if name.startswith(start)]
        if len(found) > 1 and start not in found:
            some = ", ".join(found[:5])
            raise UsageError(f"several runs begin with {start!r}: {some}", hint="give more of the run id")
        if not found:
            raise UsageError(f"there is no recorded run {start}", hint=f"look into {self.folder}")
        name = start if start in found else found[0]
        return _named(name, lambda: self.read(name))

    def believed(
        self, set_aside: Callable[[str, str], object] = lambda _name, _why: None
    ) -> Iterator[Record]:
        """The records that can be believed, the newest first; the others are ``set_aside``, each with why."""
        for name in self.names():
            try:
                record = self.read(name)
            except UnusableRecordError as why:
                set_aside(name, why.message)
            else:
                yield record

    def find_own(self, start: str) -> Record:
        """As ``find``, but UsageError for a record elsewhere, which may be read and not gone on from."""
        record = self.find(start)
        place = record.path.resolve()
        if place.parent not in {folder.resolve() for folder in self._folders}:
            raise UsageError(
                f"the record {start} is none of this project's own, so no run goes on from it",
                hint="`lok show` and `lok report` read it; `lok runs` lists those of this project",
            )
        return _named(place.name, lambda: self.read(place.name))

    def resume_locks(self) -> NumberedLocks:
        """Locks of runs that are gone on from; OSError where none can be made."""
        self._prepare()
        return NumberedLocks(self.folder / _RESUMED)

    def _newest(self, note: Callable[[str], None]) -> Record:
        for record in self.believed(lambda name, why: note(not_believed(name, why))):
            return record
        raise UsageError(f"no run is recorded in {self.folder}", hint="`lok run WORKFLOW` records one")

    def _prepare(self) -> None:
        """Make the directory; OSError if it cannot be made, or is a link that may lead anywhere."""
        # through a link `_prune` would remove directories of somebody else
        if _is_linked(self.folder):
            raise NotADirectoryError(str(self.folder))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# what workflows were asked and answered; remove it as you like\n*\n", "utf-8")

    def _prune(self) -> None:
        names = [name for name in sorted(_names_in(self.folder), reverse=True) if _RUN_ID.fullmatch(name)]
        oldest = time.strftime(_FORM, time.gmtime(time.time() - self._days * _DAY)) if self._days else ""
        for at, name in enumerate(names):
            if at >= self._keep or name < oldest:
                with suppress(OSError, UnusableRecordError):
                    self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a record, unless it is written now; UnusableRecordError for one that a person has to see."""
        path = self.folder / name
        check_directory(path, None)
        # one whose process died at once holds nothing
        if {entry.name for entry in os.scandir(path)} - {LOCK}:
            check_record(path, os.geteuid(), self._root)
        if not is_alive(path):
            import shutil

            shutil.rmtree(path)


def not_believed(name: str, why: str) -> str:
    """What a user is told of a record that is not believed."""
    return f"{name} is not believed, and left as it is: {why}"


def _is_linked(folder: Path) -> bool:
    """Whether a link leads to the records: what lies behind one may be anybody's."""
    return folder.is_symlink() or folder.parent.is_symlink()


def _names_in(folder: Path) -> list[str]:
    """What lies in a directory of records; nothing behind a link."""
    if _is_linked(folder):
        return []
    try:
        return [entry.name for entry in os.scandir(folder) if entry.name not in (".gitignore", _RESUMED)]
    except OSError:
        return []


def _named(name: str, read: Callable[[], Record]) -> Record:
    """The record; UnusableRecordError names it, and says that nothing becomes of it."""
    try:
        return read()
    except UnusableRecordError as why:
        hint = "it is left as it is, for you to look at"
        raise UnusableRecordError(f"the record {name} is not believed: {why.message}", hint=hint) from None


def _make(folder: Path) -> Path:
    """A new directory below ``folder`` whose name sorts by time, also within a second."""
    while True:
        seconds, part = divmod(time.time_ns(), 1_000_000_000)
        # the fraction of the second comes first, so that names sort, and then what makes them unique
        within = f"{part * 4096 // 1_000_000_000:03x}{os.urandom(2).hex()[:3]}"
        name = f"{time.strftime(_FORM, time.gmtime(seconds))}-{within}"
        with suppress(FileExistsError):
            (folder / name).mkdir(mode=0o700)
            return folder / name


def _collecting_started(begun: set[str], events: Iterator[Event]) -> Iterator[Event]:
    """The events one by one, for a record may be large; ``begun`` gets the names of started steps."""
    for event in events:
        if isinstance(event, StepStarted):
            begun.add(event.step)
        yield event
