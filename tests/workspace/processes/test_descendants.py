from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_lok.workspace.processes.descendants import MARK, find_descendants, is_inside_run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows other processes in /proc")


@pytest.fixture
def gone() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def marked() -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own session that bears the mark "m1;"."""
    process = subprocess.Popen(
        ["sleep", "1000"], env={"PATH": os.environ["PATH"], MARK: "outer;m1;"}, start_new_session=True
    )
    # Popen returns when the new program is certain, a moment before the kernel shows its environment
    while b"m1;" not in Path(f"/proc/{process.pid}/environ").read_bytes():
        time.sleep(0.001)
    yield process
    process.kill()
    process.wait()


def test_finds_itself_its_group_and_its_mark(gone: int, marked: subprocess.Popen[bytes]) -> None:
    assert find_descendants(marked.pid, "m1;", {marked.pid}) == [marked.pid]
    assert find_descendants(gone, "m1;", ()) == [marked.pid]
    assert find_descendants(marked.pid, "other;", ()) == [marked.pid]
    assert find_descendants(gone, "other;", ()) == []


def test_known_siblings_are_not_looked_at(gone: int, marked: subprocess.Popen[bytes]) -> None:
    assert find_descendants(gone, "m1;", {marked.pid}) == []


def test_a_zombie_is_not_alive(marked: subprocess.Popen[bytes]) -> None:
    marked.kill()
    os.waitid(os.P_PID, marked.pid, os.WEXITED | os.WNOWAIT)
    assert find_descendants(marked.pid, "m1;", ()) == []


@pytest.mark.parametrize(
    ("first", "newest", "recently_started", "seen"),
    [
        (-10, +10, True, True),
        (0, 0, True, True),
        (+1, +10, True, False),
        (-10, -1, True, False),
        (+10, +1, True, True),  # the numbers have gone round, past it
        (-1, -10, True, True),  # and not yet to it
        (+10, -1, True, False),
        (+1, +10, False, True),
    ],
)
def test_of_a_young_process_only_numbers_given_out_since_are_looked_at(
    marked: subprocess.Popen[bytes],
    tmp_path: Path,
    first: int,
    newest: int,
    recently_started: bool,
    seen: bool,
) -> None:
    (tmp_path / str(marked.pid)).symlink_to(f"/proc/{marked.pid}")
    (tmp_path / "loadavg").write_text(f"0.0 0.0 0.0 1/100 {marked.pid + newest}\n")
    found = find_descendants(
        marked.pid + first, "m1;", (), recently_started=recently_started, proc=str(tmp_path)
    )
    assert found == ([marked.pid] if seen else [])


def test_without_proc_nothing_can_be_said(tmp_path: Path) -> None:
    assert find_descendants(1, "m1;", (), proc=str(tmp_path)) is None


def test_a_process_of_a_run_knows_by_its_own_mark_or_that_of_an_ancestor(tmp_path: Path) -> None:
    assert is_inside_run({MARK: "outer;"})
    assert not is_inside_run({MARK: ""})
    parents = {os.getppid(): 7, 7: 8, 8: 1}
    for pid, parent in parents.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (strange) name) S {parent} 1 1 0")
        (tmp_path / str(pid) / "environ").write_bytes(b"PATH=/bin\0NOT_" + MARK.encode() + b"=1\0")
    assert not is_inside_run({}, proc=str(tmp_path))
    (tmp_path / "8" / "environ").write_bytes(b"PATH=/bin\0" + MARK.encode() + b"=\0")
    assert not is_inside_run({}, proc=str(tmp_path))
    (tmp_path / "8" / "environ").write_bytes(b"PATH=/bin\0" + MARK.encode() + b"=a.1;\0")
    assert is_inside_run({}, proc=str(tmp_path))
    assert not is_inside_run({MARK: ""}, proc=str(tmp_path))
    assert not is_inside_run({}, proc=str(tmp_path / "no proc here"))
