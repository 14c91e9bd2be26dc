from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_lok.workspace.orphans import MARK, left_alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows other processes in /proc")


@pytest.fixture
def marked() -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own session that bears the mark "m1;"."""
    process = subprocess.Popen(
        ["sleep", "1000"], env={"PATH": os.environ["PATH"], MARK: "outer;m1;"}, start_new_session=True
    )
    yield process
    process.kill()
    process.wait()


def test_finds_itself_its_group_and_its_mark(marked: subprocess.Popen[bytes]) -> None:
    assert left_alive(marked.pid, "m1;", {marked.pid}) == [marked.pid]
    assert left_alive(marked.pid - 1, "m1;", ()) == [marked.pid]
    assert left_alive(marked.pid, "other;", ()) == [marked.pid]
    assert left_alive(marked.pid - 1, "other;", ()) == []


def test_known_siblings_are_not_looked_at(marked: subprocess.Popen[bytes]) -> None:
    assert left_alive(marked.pid - 1, "m1;", {marked.pid}) == []


def test_a_zombie_is_not_alive(marked: subprocess.Popen[bytes]) -> None:
    marked.kill()
    os.waitid(os.P_PID, marked.pid, os.WEXITED | os.WNOWAIT)
    assert left_alive(marked.pid, "m1;", ()) == []


def test_older_numbers_count_after_the_numbers_have_wrapped(
    marked: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    later = marked.pid + 100_000
    (tmp_path / str(marked.pid)).symlink_to(f"/proc/{marked.pid}")
    (tmp_path / "loadavg").write_text(f"0.0 0.0 0.0 1/100 {later}\n")
    assert left_alive(later, "m1;", (), proc=str(tmp_path)) == []
    (tmp_path / "loadavg").write_text(f"0.0 0.0 0.0 1/100 {marked.pid}\n")
    assert left_alive(later, "m1;", (), proc=str(tmp_path)) == [marked.pid]


def test_without_proc_nothing_can_be_said(tmp_path: Path) -> None:
    assert left_alive(1, "m1;", (), proc=str(tmp_path)) is None
