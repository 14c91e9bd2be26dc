from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_lok.core.events import RunFinished, RunStarted, StepFinished, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.frames import FrameWriter
from pytest_lok.store.journal import Journal
from pytest_lok.store.runs import RUNS_KEPT, RunDirectory, RunStore
from pytest_lok.wiring import Project


def new_record(root: Path) -> RunDirectory:
    return RunStore(root / ".lok" / "runs", days=0).new(command=["lok", "run", "w"], root=root)


def test_git_does_not_see_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    made = new_record(tmp_path)
    (made.path / "x.jsonl").write_text("{}")
    status = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
    assert made.path.parent == tmp_path / ".lok" / "runs"
    assert made.path.stat().st_mode & 0o777 == 0o700


def test_only_the_last_ones_stay(tmp_path: Path) -> None:
    first = new_record(tmp_path)
    folder = first.path.parent
    first.close()
    for number in range(RUNS_KEPT + 3):
        (folder / f"19990101-{number:06}-aaaaaa").mkdir()
    last = new_record(tmp_path)
    left = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert len(left) == RUNS_KEPT
    assert {first.run_id, last.run_id} <= set(left)
    assert "19990101-000000-aaaaaa" not in left


LIVE = """
import sys
from pathlib import Path
from pytest_lok.store.runs import RunStore
root = Path(sys.argv[1])
made = RunStore(root / ".lok" / "runs").new(command=["lok"], root=root)
print(made.run_id, flush=True)
sys.stdin.read()
"""


def test_the_directory_of_a_session_that_lives_stays_however_old(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIVE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        live = tmp_path / ".lok" / "runs" / other.stdout.readline().strip()
        for number in range(RUNS_KEPT):
            (live.parent / f"99990101-{number:06}-aaaaaa").mkdir()
        new_record(tmp_path).close()
        assert live.is_dir()
        other.communicate()
    new_record(tmp_path).close()
    assert not live.exists()


def test_a_project_that_cannot_be_written_to_is_recorded_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".lok").mkdir()
    (tmp_path / ".lok" / "runs").write_text("a file is in the way")
    made = new_record(tmp_path)
    assert made.path.is_dir()
    assert not made.path.is_relative_to(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project" / ".lok").mkdir(parents=True)
    (tmp_path / "project" / ".lok" / "runs").symlink_to(tmp_path / "elsewhere")
    made = new_record(tmp_path / "project")
    assert not list((tmp_path / "elsewhere").iterdir())
    assert made.path.is_dir()


@pytest.mark.parametrize("ended", [True, False])
def test_results_are_folded_from_what_was_recorded(tmp_path: Path, ended: bool) -> None:
    made = new_record(tmp_path)
    journal = Journal(made.path / "000-w.jsonl")
    journal.append(
        RunStarted(
            run_id=made.run_id,
            workflow="w",
            path="w.toml",
            sha256="",
            time=1.0,
            steps=("a", "b"),
            selected=("a",),
            leaves=("a",),
        )
    )
    journal.append(StepStarted(step="a", at=0.0))
    journal.append(StepStarted(step="b", at=0.0))
    journal.append(StepFinished(result=StepResult(name="a", outcome=Outcome.PASSED), at=0.1))
    if ended:
        journal.append(RunFinished(seconds=0.2))
    (record,) = RunDirectory(made.path).records()
    assert record.result.workflow == "w"
    assert record.result.passed is ended
    assert record.running == {"b"}


def aged(store: RunStore, name: str) -> Path:
    """A record as ``new`` made it at that time."""
    made = store.new(command=["lok"], root=store.folder)
    made.close()
    old = store.folder / name
    made.path.rename(old)
    line = (old / "run.json").read_text().split('",', 2)[2].replace(made.run_id, name)
    (old / "run.json").write_bytes(FrameWriter("00000000").frame("{" + line.rstrip("\n")))
    return old


def test_what_is_older_than_its_days_goes_however_few_there_are(tmp_path: Path) -> None:
    keeping, store = RunStore(tmp_path / "runs", days=0), RunStore(tmp_path / "runs", days=14)
    names = ["20200101-000000-aaaaaa", "20200102-000000-aaaaaa", time.strftime("%Y%m%d-000000-aaaaaa")]
    old = [aged(keeping, name) for name in names]
    assert all(keeping.read(name).state == "killed" for name in names)
    (old[0] / "more.jsonl").write_text("what lok has not written")
    (tmp_path / "runs" / "20200103-000000-aaaaaa").symlink_to(tmp_path)
    store.new(command=["lok"], root=tmp_path).close()
    assert [path.exists() for path in old] == [True, False, True]
    assert (tmp_path / "runs" / "20200103-000000-aaaaaa").is_symlink()
    keeping.new(command=["lok"], root=tmp_path).close()
    assert len(store.names()) == 5


def test_the_settings_say_how_many_stay(tmp_path: Path) -> None:
    (tmp_path / "lok.toml").write_text("[runs]\nkeep = 2\n")
    store = Project.open(tmp_path, environ={"HOME": str(tmp_path)}).runs
    for _ in range(4):
        store.new(command=["lok"], root=tmp_path).close()
    assert store.folder == tmp_path / ".lok" / "runs"
    assert len(store.names()) == 2
