from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lok.core.events import RunFinished, StepFinished, StepProgressed, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.disk import Disk
from pytest_lok.store.event_lines import to_json
from pytest_lok.store.frames import FrameWriter
from pytest_lok.store.journal import Journal

STARTED = StepStarted(step="a", at=0.5)
FINISHED = StepFinished(result=StepResult(name="a", outcome=Outcome.PASSED, output="x\r\n\x85y"), at=1.0)


def test_events_come_back_in_order_and_once(tmp_path: Path) -> None:
    writer, reader = Journal(tmp_path / "run.jsonl"), Journal(tmp_path / "run.jsonl")
    assert list(reader.read_new()) == []
    writer.append(STARTED)
    assert list(reader.read_new()) == [STARTED]
    writer.append(FINISHED)
    writer.append(RunFinished(seconds=1.0))
    assert list(reader.read_new()) == [FINISHED, RunFinished(seconds=1.0)]
    assert list(reader.read_new()) == []


def test_only_some_kinds_of_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.jsonl")
    for event in (STARTED, FINISHED, RunFinished(seconds=1.0)):
        journal.append(event)
    assert list(Journal(journal.path).read_new("step_finished", "run_finished")) == [
        FINISHED,
        RunFinished(seconds=1.0),
    ]


def test_a_line_that_is_not_whole_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    frames = FrameWriter("00000000")
    line = frames.frame(to_json(STARTED)) + frames.frame(to_json(FINISHED))
    at = line.index(b"\n") + 30
    line, path_start = line[at:], line[:at]
    path.write_bytes(path_start)
    reader = Journal(path)
    assert list(reader.read_new()) == [STARTED]
    with path.open("ab") as file:
        file.write(line)
    assert list(reader.read_new()) == [FINISHED]


def test_a_record_is_private(tmp_path: Path) -> None:
    Journal(tmp_path / "run.jsonl").append(STARTED)
    assert (tmp_path / "run.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        Journal(Path("/dev/full")).append(STARTED)


WRITER = """
import sys
from pathlib import Path
from pytest_lok.core.events import StepFinished
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.journal import Journal
path, name = sys.argv[1:]
event = StepFinished(result=StepResult(name=name, outcome=Outcome.PASSED, output=name * 999), at=0)
for _ in range(200):
    Journal(Path(path)).append(event)
"""


def test_processes_append_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    names = [event.result.name for event in Journal(path).read_new() if isinstance(event, StepFinished)]
    assert (names.count("a"), names.count("b")) == (200, 200)


def test_what_only_a_view_shows_is_not_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.jsonl")
    journal.append(StepProgressed(step="a", finished=1, total=2))
    journal.append(STARTED)
    assert list(Journal(journal.path).read_new()) == [STARTED]


class WatchedDisk(Disk):
    """Counts how often somebody waited for it."""

    waited = 0

    def wait(self) -> None:
        super().wait()
        self.waited += 1


def test_a_step_with_effects_does_not_begin_before_it_is_known_to_the_disk(tmp_path: Path) -> None:
    disk = WatchedDisk()
    journal = Journal(tmp_path / "run.jsonl", disk)
    journal.append(StepStarted(step="ask", at=0.0))
    assert disk.waited == 0
    journal.append(StepStarted(step="push", at=0.0, effects=True))
    assert disk.waited == 1
    disk.close()
