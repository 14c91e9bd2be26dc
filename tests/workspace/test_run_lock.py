from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.run_lock import FileRunLock, NoLock


def turns(directory: Path, *alone: bool) -> list[FileRunLock]:
    return [FileRunLock(directory, alone=one) for one in alone]


def test_runs_share_and_one_alone_keeps_all_others_out(tmp_path: Path) -> None:
    first, second, alone, other = turns(tmp_path / "state", False, False, True, True)
    assert first.take()
    assert second.take()
    assert not alone.take()
    first.release()
    assert not alone.take()
    second.release()
    assert alone.take()
    assert alone.take(), "asking again is harmless"
    assert not other.take()
    assert not first.take()
    alone.release()
    alone.release()
    assert other.take()
    other.release()


def test_workspaces_do_not_wait_for_each_other(tmp_path: Path) -> None:
    (here,), (there,) = turns(tmp_path / "a", True), turns(tmp_path / "b", True)
    assert here.take()
    assert there.take()
    here.release()
    there.release()


@pytest.mark.parametrize("alone", [False, True])
def test_a_turn_waits_for_what_has_to_be_done_before(tmp_path: Path, alone: bool) -> None:
    answers = iter([False, True])
    turn = FileRunLock(tmp_path, alone=alone, prepare=lambda: next(answers))
    (other,) = turns(tmp_path, True)
    assert not turn.take()
    assert other.take(), "nobody is kept out meanwhile"
    other.release()
    assert turn.take()
    turn.release()


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from pytest_lok.workspace.run_lock import FileTurn\n"
        "turn = FileTurn(pathlib.Path(sys.argv[1]), alone=True); print(turn.take(), flush=True); input()"
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
        (mine,) = turns(tmp_path, False)
        assert not mine.take()
        owner.kill()
        owner.wait()
        assert mine.take()
        mine.release()


def test_where_there_is_no_place_only_running_alone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shared, alone = turns(tmp_path / "file" / "state", False, True)
    assert shared.take()
    with pytest.raises(StepUnableError, match="runs alone"):
        alone.take()


def test_a_nested_run_waits_for_nobody() -> None:
    free = NoLock()
    assert free.take()
    free.release()
