"""T10: when a step ends, and however it ends, so has everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.projects import Project

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what has left its group can be found in /proc only"
)

WAYS = {
    "child": "sleep 600.{token} & wait",
    "grandchild": "sh -c 'sh -c \"sleep 600.{token}; true\"; true'; true",
    "ignores SIGTERM": "trap '' TERM; sleep 600.{token}; sleep 600.{token}",
    "new session": "setsid sleep 600.{token}",
    "daemon": "setsid sh -c 'setsid sleep 600.{token} & exit' & sleep 600",
    "daemon that ignores SIGTERM": "setsid sh -c 'trap \"\" TERM; sleep 600.{token}' & sleep 600",
    "pipe held by a grandchild": "(trap '' TERM HUP; sleep 600.{token}) & sleep 600",
    "nohup": "nohup sleep 600.{token} > /dev/null 2>&1 & sleep 600",
}


@pytest.fixture
def token() -> Iterator[str]:
    """A number that only this test's processes have in their command line; they are killed after it."""
    mine = str(time.monotonic_ns())
    yield mine
    for pid in alive(mine):
        os.kill(pid, signal.SIGKILL)


def alive(token: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def gone(token: str, *, seconds: int = 1) -> bool:
    """Whether they are, allowing the system a moment to take them away."""
    for _ in range(100 * seconds):
        if not alive(token):
            return True
        time.sleep(0.01)
    return False


def started(program: subprocess.Popen[Any], token: str, sign: Path) -> None:
    """Wait for the step, which makes the file ``sign`` before it starts what has the token."""
    while program.poll() is None and not (sign.exists() and alive(token)):  # the file is quicker to look for
        time.sleep(0.02)


@pytest.mark.parametrize("way", WAYS)
def test_t10_nothing_survives_a_timeout(project: Project, token: str, way: str) -> None:
    project.write("run.sh", WAYS[way].format(token=token))
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['sh', 'run.sh']\ntimeout = '300ms'\n")
    done = project.lok("w")
    assert done.code == 3
    assert "timed out" in done.err
    assert gone(token)


@pytest.mark.parametrize(
    "way", ["child", "daemon", "daemon that ignores SIGTERM", "pipe held by a grandchild"]
)
def test_t10_nothing_survives_a_command_that_ends_by_itself(project: Project, token: str, way: str) -> None:
    script = (
        WAYS[way].format(token=token).replace("& sleep 600", "& sleep 0.2").replace("& wait", "& sleep 0.2")
    )
    project.write("run.sh", script)
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['sh', 'run.sh']\n")
    assert project.lok("w").code == 0
    assert gone(token)


@pytest.mark.parametrize(
    ("way", "number"),
    [
        ("grandchild", signal.SIGINT),
        ("daemon", signal.SIGHUP),
        ("daemon that ignores SIGTERM", signal.SIGTERM),
    ],
)
def test_t10_nothing_survives_a_signal_to_lok(
    project: Project, token: str, way: str, number: signal.Signals
) -> None:
    project.write("run.sh", f"touch up; {WAYS[way].format(token=token)}")
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['sh', 'run.sh']\n")
    with project.started("w") as lok:
        started(lok, token, project.root / "up")
        lok.send_signal(number)
        lok.communicate()
        assert lok.returncode == 128 + number
        assert gone(token)


def test_t10_nothing_survives_an_interrupted_session_of_pytest(project: Project, token: str) -> None:
    project.write("run.sh", f"touch up; {WAYS['daemon'].format(token=token)}")
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['sh', 'run.sh']\n")
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--lok"],
        cwd=project.root,
        env=project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with session:
        started(session, token, project.root / "up")
        session.send_signal(signal.SIGINT)
        session.communicate()
    assert session.returncode == 2
    assert gone(token)


@pytest.mark.parametrize("way", ["grandchild", "daemon that ignores SIGTERM"])
@pytest.mark.parametrize(
    "command",
    [["pytest_lok.cli.main", "w"], ["pytest", "--lok"], ["pytest", "--lok", "-n", "1"]],
    ids=["lok", "pytest", "xdist"],
)
def test_t10_nothing_survives_a_kill_of_whoever_runs_it(
    project: Project, token: str, way: str, command: list[str]
) -> None:
    """The parent of the step is the program itself, or the worker of xdist."""
    project.write("run.sh", f"echo $PPID > parent; {WAYS[way].format(token=token)}")
    project.workflow("w", "[[steps]]\nname = 'a'\nargv = ['sh', 'run.sh']\n")
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=project.root,
        env=project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as program:
        started(program, token, project.root / "parent")
        parent = int((project.root / "parent").read_text())
        assert (parent == program.pid) == ("-n" not in command)
        os.kill(parent, signal.SIGKILL)
        out, _ = program.communicate(timeout=60)
    assert program.returncode == (1 if "-n" in command else -signal.SIGKILL), out
    assert gone(token, seconds=30)


@pytest.mark.parametrize(
    "step",
    [
        "prompt = '?'\nverify = 'sh run.sh'\ntimeout = '300ms'",
        "prompt = '?'\nbackend = 'tool'\ntimeout = '300ms'",
        "for_each = [1, 2]\nargv = ['sh', 'run.sh']\ntimeout = '300ms'",
    ],
    ids=["verify", "model", "items"],
)
def test_t10_whoever_started_it(project: Project, token: str, step: str) -> None:
    tool = project.write("tool", f"#!/bin/sh\n{WAYS['daemon'].format(token=token)}")
    tool.chmod(0o755)
    project.write("run.sh", WAYS["daemon"].format(token=token))
    project.write("answer", "yes")
    with (project.root / "lok.toml").open("a") as settings:
        settings.write(f"[backends.tool]\ntype = 'command'\ncommand = '{tool}'\n")
    project.workflow("w", f"[[steps]]\nname = 'a'\n{step}\n")
    assert project.lok("w").code == 3
    assert gone(token)
