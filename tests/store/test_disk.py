"""Bringing files to the disk, also where the system gives no thread for that."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lok.store.disk import Disk

ROOT = Path(__file__).parents[2]
WITHOUT_THREADS = """
import resource, sys, threading
from pathlib import Path
from pytest_lok.store.disk import Disk
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2_000_000,) * 2)  # the stack of a thread takes 8 MB
try:
    threading.Thread(target=print).start()
except (RuntimeError, MemoryError):
    pass
else:
    sys.exit("there are threads")
disk = Disk()
disk.request(Path(sys.argv[1]))
disk.wait()
disk.close()
print("on the disk")
"""


def test_what_is_requested_is_brought_to_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    disk = Disk()
    disk.request(tmp_path / "a")
    disk.request(tmp_path / "not there")
    disk.close()
    disk.request(tmp_path / "a")
    disk.close()


def test_a_refusal_is_told(tmp_path: Path) -> None:
    disk = Disk()
    disk.request(tmp_path)  # a directory is not opened for writing
    with pytest.raises(IsADirectoryError):
        disk.close()


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(resource, "RLIMIT_AS"), reason="needs its limit of memory"
)
def test_without_a_thread_the_caller_waits_for_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    command = [sys.executable, "-c", WITHOUT_THREADS, str(tmp_path / "a")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("on the disk\n", 0), done.stderr
