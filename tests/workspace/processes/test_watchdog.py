"""What is left when a program is killed that had started processes: nothing, after a moment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.watchdog import Watchdog

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows other processes in /proc")
needs_setsid = pytest.mark.skipif(not shutil.which("setsid"), reason="needs setsid")

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.workspace.processes.runner import LocalProcesses
shell = LocalProcesses(Path.cwd(), {"PATH": os.environ["PATH"]})
async def main():
    await shell.run(CommandSpec(argv=("true",)))
    await asyncio.gather(*(shell.run(CommandSpec(argv=("sh", "-c", text))) for text in sys.argv[1:]))
asyncio.run(main())
"""


@pytest.fixture
def seconds() -> Iterator[str]:
    """A duration nobody else sleeps; who does so is killed after the test."""
    mine = f"600.{time.monotonic_ns()}"
    yield mine
    for pid in processes(mine):
        os.kill(pid, signal.SIGKILL)


def processes(words: str) -> list[int]:
    """Those with these words in their command line."""
    return [pid for pid, line in listed() if words in line]


def sleeping(seconds: str) -> list[int]:
    """Those that are ``sleep`` for so long, and not somebody that mentions it."""
    return [pid for pid, line in listed() if line == f"sleep {seconds}"]


def listed() -> list[tuple[int, str]]:
    """Every process with its command line."""
    ps = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    lines = [line.strip().partition(" ") for line in ps.stdout.splitlines()]
    return [(int(pid), args) for pid, _, args in lines]


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


@contextlib.contextmanager
def killed(folder: Path, *commands: str, ready: Callable[[], object]) -> Iterator[None]:
    """Commands of a program that gets SIGKILL when they are ready."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *commands], cwd=folder) as program:
        try:
            until(lambda: program.poll() is not None or ready())
        finally:
            program.kill()
    assert program.returncode == -signal.SIGKILL
    yield


def test_commands_and_what_they_started_end_with_the_program(tmp_path: Path, seconds: str) -> None:
    command = f"sleep {seconds} & sleep {seconds}; true"
    with killed(tmp_path, command, command, ready=lambda: len(sleeping(seconds)) == 4):
        until(lambda: not processes(seconds))


def test_they_are_asked_politely_first(tmp_path: Path, seconds: str) -> None:
    command = f"trap 'echo asked > asked; exit' TERM; touch ready; sleep {seconds} & wait"
    with killed(tmp_path, command, ready=(tmp_path / "ready").exists):
        until(lambda: not processes(seconds))
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_who_does_not_listen_is_killed(tmp_path: Path, seconds: str) -> None:
    command = f"trap '' TERM; touch ready; sleep {seconds}; sleep {seconds}"
    with killed(tmp_path, command, ready=(tmp_path / "ready").exists):
        until(lambda: not processes(seconds))


@linux
@needs_setsid
def test_what_left_its_group_is_found_by_its_mark(tmp_path: Path, seconds: str) -> None:
    command = f"setsid sleep {seconds} & env -i sleep {seconds}"
    with killed(tmp_path, command, ready=lambda: len(sleeping(seconds)) == 2):
        until(lambda: not processes(seconds))


class Sleeper(subprocess.Popen[bytes]):
    """A process in a group of its own, which is gone when its test is, whatever the test has found."""

    def __exit__(self, *error: Any) -> None:
        self.kill()
        super().__exit__(*error)


def sleeper(seconds: str, **environ: str) -> Sleeper:
    return Sleeper(["sleep", seconds], env={"PATH": os.environ["PATH"], **environ}, start_new_session=True)


def shells(watchdog: Watchdog) -> list[int]:
    """The shells of this watchdog."""
    return processes(f"watchdog.sh {watchdog.mark().partition('.')[0]}")


def test_a_group_that_was_taken_off_is_left_alone(seconds: str) -> None:
    watchdog = Watchdog()
    ended, runs = sleeper(seconds), sleeper(seconds)
    with ended, runs:
        mark = watchdog.mark().partition(".")[0]
        for process in (ended, runs):
            watchdog.add(process.pid)
        watchdog.discard(ended.pid)
        assert ended.pid not in watchdog.running
        assert runs.pid in watchdog.running
        del watchdog
        assert runs.wait(60) == -signal.SIGTERM
        until(lambda: not processes(f"watchdog.sh {mark}"))
        assert ended.poll() is None
        ended.kill()


@linux
def test_who_leaves_in_order_ends_nothing(seconds: str) -> None:
    watchdog = Watchdog()
    mark = watchdog.mark()
    with sleeper(seconds, **{MARK: mark}) as process:
        watchdog.add(process.pid)
        watchdog.discard(process.pid)
        del watchdog
        until(lambda: not processes(f"watchdog.sh {mark.partition('.')[0]}"))
        assert process.poll() is None
        process.kill()


def test_one_shell_is_started_by_the_first_process_and_is_nobodys_child(seconds: str) -> None:
    watchdog = Watchdog()
    assert shells(watchdog) == []
    with sleeper(seconds) as first, sleeper(seconds) as second:
        for process in (first, second):
            watchdog.add(process.pid)
        # the shell begins as a child, which leaves for a session of its own and ends
        deadline = time.monotonic() + 60
        while len(found := shells(watchdog)) != 1 or os.getsid(found[0]) == os.getsid(0):
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        with pytest.raises(ChildProcessError):
            os.waitpid(found[0], os.WNOHANG)
        for process in (first, second):
            watchdog.discard(process.pid)
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_signals_that_end_others_do_not_end_it(seconds: str, number: signal.Signals) -> None:
    watchdog = Watchdog()
    with sleeper(seconds) as process:
        watchdog.add(process.pid)
        (shell,) = shells(watchdog)
        os.kill(shell, number)
        del watchdog
        assert process.wait(60) == -signal.SIGTERM


def test_one_that_was_killed_is_replaced_and_told_all(seconds: str) -> None:
    watchdog = Watchdog()
    with sleeper(seconds) as first, sleeper(seconds) as second:
        watchdog.add(first.pid)
        mark = f"watchdog.sh {watchdog.mark().partition('.')[0]}"
        (shell,) = processes(mark)
        os.kill(shell, signal.SIGKILL)
        until(lambda: not processes(mark))
        watchdog.add(second.pid)
        del watchdog
        assert first.wait(60) == second.wait(60) == -signal.SIGTERM


KILLED = """
import os, sys
from pytest_lok.workspace.processes.watchdog import Watchdog
watchdog = Watchdog()
mark = watchdog.mark()
watchdog.prepare()
print(mark, flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


@linux
def test_a_process_that_could_not_be_added_any_more_ends_too(seconds: str) -> None:
    program = [sys.executable, "-c", KILLED]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        with sleeper(seconds, **{MARK: killed.stdout.readline().strip()}) as process:
            killed.communicate()
            assert process.wait(60) == -signal.SIGTERM


@linux
def test_a_process_that_bears_its_mark_a_moment_later_ends_too(seconds: str) -> None:
    program = [sys.executable, "-c", KILLED]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        mark = killed.stdout.readline().strip()
        killed.communicate()
    time.sleep(0.3)  # the shell has looked once by now
    with sleeper(seconds, **{MARK: mark}) as process:
        assert process.wait(60) == -signal.SIGTERM


FORKED = """
import os, sys
from pytest_lok.workspace.processes.watchdog import Watchdog
watchdog = Watchdog()
watchdog.add(int(sys.argv[1]))
before = watchdog.mark().partition(".")[0]
child = os.fork()
if child == 0:
    anew = watchdog.mark().partition(".")[0] != before and not watchdog.running
    sys.exit(0 if anew else 1)  # in order, but it is not its order that counts
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
os.kill(int(sys.argv[1]), 0)
os.kill(os.getpid(), 9)
"""


def test_a_forked_child_has_its_own(seconds: str) -> None:
    """A program without threads does it: with them Python warns of forks."""
    with sleeper(seconds) as process:
        program = [sys.executable, "-c", FORKED, str(process.pid)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert process.wait(60) == -signal.SIGTERM
