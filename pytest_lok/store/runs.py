"""The directory of a session's records: new, private, ignored by git. The oldest ones are removed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_lok.core.events import BackendAsked, Event, RunStarted, StepStarted, fold
from pytest_lok.core.results import RunResult
from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.dataclass import dataclass
from pytest_lok.locks import NumberedLocks
from pytest_lok.store.journal import Journal

SESSIONS_KEPT = 20
"""How many sessions keep their records."""
_PROMPT = 16_000  # characters of the start and of the end of a prompt that are kept for reports
_KINDS = ("run_started", "step_started", "step_retrying", "step_finished", "run_finished")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run as far as it is recorded; ``running`` are the steps that have started and have no result."""

    result: RunResult
    running: frozenset[str] = frozenset()


class RunDirectory:
    """``.lok/runs/<run id>/`` of a project, or a temporary one where the project cannot be written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: NumberedLocks | None = None

    @property
    def run_id(self) -> str:
        """A unique name that sorts by time."""
        return self.path.name

    @classmethod
    def make(cls, root: Path) -> RunDirectory:
        """Make a new directory. No session removes it before ``close``. OSError if it cannot be made."""
        # the time sorts, the random part keeps two sessions of one second apart
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
        try:
            folder = _runs_dir(root)
            (folder / name).mkdir(mode=0o700)
        except OSError:
            import tempfile

            folder = Path(tempfile.mkdtemp(prefix="lok-"))
            (folder / name).mkdir(mode=0o700)
        made = cls(folder / name)
        # held until `close`: what another session cannot lock it does not remove
        made._lock = NumberedLocks(made.path / "session.lock")
        made._lock.try_acquire(0)
        _prune(folder)
        return made

    def records(self) -> list[RecordedRun]:
        """Every run that is recorded here, in the order in which they began."""
        records: list[RecordedRun] = []
        for path in sorted(self.path.glob("*.jsonl")):
            begun: set[str] = set()
            result = fold(_collecting_started(begun, Journal(path).read_new(*_KINDS)))
            records.append(RecordedRun(result=result, running=frozenset(begun - result.steps.keys())))
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


def _collecting_started(begun: set[str], events: Iterator[Event]) -> Iterator[Event]:
    """The events one by one, for a record may be large; ``begun`` gets the names of started steps."""
    for event in events:
        if isinstance(event, StepStarted):
            begun.add(event.step)
        yield event


def _runs_dir(root: Path) -> Path:
    """``.lok/runs``; OSError if it cannot be made, or is a link that may lead anywhere."""
    folder = root / ".lok" / "runs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # through a link `_prune` would remove directories of somebody else
    if folder.is_symlink() or folder.parent.is_symlink():
        raise NotADirectoryError(str(folder))
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# what workflows were asked and answered; remove it as you like\n*\n", "utf-8")
    return folder


def _prune(folder: Path) -> None:
    """Remove all but the newest ``SESSIONS_KEPT``, except those whose session is alive."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    for name in names[:-SESSIONS_KEPT]:
        with suppress(OSError):
            lock = NumberedLocks(folder / name / "session.lock")
            if lock.try_acquire(0):
                import shutil

                shutil.rmtree(folder / name)
            lock.close()
