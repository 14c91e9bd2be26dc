from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.run_lock import FileRunLock, NoLock


def locks(directory: Path, *alone: bool) -> list[FileRunLock]:
    return [FileRunLock(directory, alone=one) for one in alone]


def test_runs_share_and_one_alone_keeps_all_others_out(tmp_path: Path) -> None:
    first, second, alone, other = locks(tmp_path / "state", False, False, True, True)
    assert first.try_acquire()
    assert second.try_acquire()
    assert not alone.try_acquire()
    first.release()
    assert not alone.try_acquire()
    second.release()
    assert alone.try_acquire()
    assert alone.try_acquire(), "asking again is harmless"
    assert not other.try_acquire()
    assert not first.try_acquire()
    alone.release()
    alone.release()
    assert other.try_acquire()
    other.release()


def test_workspaces_do_not_wait_for_each_other(tmp_path: Path) -> None:
    (here,), (there,) = locks(tmp_path / "a", True), locks(tmp_path / "b", True)
    assert here.try_acquire()
    assert there.try_acquire()
    here.release()
    there.release()


@pytest.mark.parametrize("alone", [False, True])
def test_a_turn_waits_for_what_has_to_be_done_before(tmp_path: Path, alone: bool) -> None:
    answers = iter([False, True])
    lock = FileRunLock(tmp_path, alone=alone, prepare=lambda: next(answers))
    (other,) = locks(tmp_path, True)
    assert not lock.try_acquire()
    assert other.try_acquire(), "nobody is kept out meanwhile"
    other.release()
    assert lock.try_acquire()
    lock.release()


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from pytest_lok.workspace.run_lock import FileRunLock\n"
        "lock = FileRunLock(pathlib.Path(sys.argv[1]), alone=True); print(lock.try_acquire(), flush=True); input()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "True\n"
        (mine,) = locks(tmp_path, False)
        assert not mine.try_acquire()
        owner.kill()
        owner.wait()
        assert mine.try_acquire()
        mine.release()


def test_where_there_is_no_place_only_running_alone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shared, alone = locks(tmp_path / "file" / "state", False, True)
    assert shared.try_acquire()
    with pytest.raises(StepUnableError, match="runs alone"):
        alone.try_acquire()


def test_a_nested_run_waits_for_nobody() -> None:
    free = NoLock()
    assert free.try_acquire()
    free.release()
