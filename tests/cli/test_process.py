"""``lok`` as a process: signals, pipes, terminals, and what is left behind."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.cli.screens import Screen

# a child, a grandchild, and one that left the group, each known by its argument
LONG = """
[[steps]]
name = "long"
shell = "echo $$ > started; sleep 7{id} & setsid sleep 7{id} & sleep 7{id}"
[[steps]]
name = "after"
depends_on = ["long"]
shell = "touch after"
"""
STARTED = 3 if shutil.which("setsid") else 2
STUBBORN = """
[[steps]]
name = "long"
shell = "trap '' TERM; echo $$ > started; while :; do sleep 7{id}; done"
"""


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def alive(mark: str) -> list[str]:
    """Processes with this argument."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listed.splitlines() if line == f"sleep {mark}"]


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """A number of seconds nobody else sleeps."""
    return f"7{os.getpid()}"


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [
        (signal.SIGINT, 130, "interrupted by Ctrl-C"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "the terminal was closed"),
    ],
)
def test_a_signal_stops_the_run_and_everything_it_started(
    project: Project, mark: str, number: signal.Signals, code: int, why: str
) -> None:
    project.workflow("w", LONG.format(id=os.getpid()))
    with project.started("w", "--json", "-v") as process:
        until((project.root / "started").exists)
        until(lambda: len(alive(mark)) == STARTED)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert alive(mark) == []
    assert why in err
    assert "error    stopped: long\nskipped  not run: after\n" in err
    assert "Traceback" not in err
    assert f'"exit_code": {code}' in out
    assert not (project.root / "after").exists()


def test_items_that_wait_for_their_turn_end_without_a_word_of_python(project: Project, mark: str) -> None:
    project.workflow(
        "w",
        f"""
[[steps]]
name = "long"
for_each = ["a", "b", "c", "d", "e", "f"]
max_parallel = 2
argv = ["sleep", "{mark}"]
""",
    )
    with project.started("w") as process:
        until(lambda: len(alive(mark)) == 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "never awaited" not in err
    assert "Warning" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_does_not_wait(
    project: Project, mark: str, number: signal.Signals, code: int
) -> None:
    project.workflow("w", STUBBORN.format(id=os.getpid()))
    with project.started("w") as process:
        until(lambda: len(alive(mark)) == 1)
        process.send_signal(number)
        time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert "w: error in" not in err, "no summary: the run was not waited for"
    until(lambda: not alive(mark))


def test_an_ignored_interrupt_stays_ignored(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "touch started; sleep 1; echo done"\n')
    with project.started("w", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as process:
        until((project.root / "started").exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "done\n")


def test_a_reader_that_stops_reading_changes_no_verdict(project: Project) -> None:
    for name, last, code in (("green", "true", 0), ("red", "exit 1", 1)):
        project.workflow(name, f'[[steps]]\nname = "s"\nshell = "seq 200000; {last}"\n')
        with project.started(name) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "1\n"
            process.stdout.close()
            err = process.stderr.read()
            assert process.wait(60) == code
        assert "Traceback" not in err
        assert "Broken" not in err


def test_nobody_reading_progress_changes_nothing(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "sleep 0.2; echo done"\n')
    with project.started("w", "-v") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout.read() == "== s ==\ndone\n"
        assert process.wait(60) == 0


def test_closed_streams_change_nothing(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "touch ran; echo out; exit 1"\n')
    for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        (project.root / "ran").unlink(missing_ok=True)
        code = subprocess.run(
            ["sh", "-c", f'exec "$0" -m pytest_lok.cli.main w {closed}', sys.executable],
            env=project.environ,
            cwd=project.root,
            check=False,
        ).returncode
        assert code == 1, closed
        assert (project.root / "ran").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_lost_results_are_no_success(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "echo out"\n')
    with Path("/dev/full").open("w") as full, project.started("w", stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "results are lost: No space left on device" in err


def test_a_terminal_shows_what_runs_and_is_left_clean(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "slow"\nshell = "until test -e go; do sleep 0.05; done; printf \'\\\\033[2Jout\'"\n'
        '[[steps]]\nname = "after"\nshell = "echo {{ steps.slow.output }}"\n',
    )
    screen = Screen()
    with project.started(
        "w", stdout=screen.stream, stderr=screen.stream, environ={"TERM": "xterm-256color"}
    ) as process:
        until(lambda: "running  slow" in screen.arrived())
        until(lambda: "waiting  after" in screen.arrived())
        (project.root / "go").touch()
        assert process.wait(60) == 0
    shown = screen.close()
    assert "\\x1b[2Jout\n" in shown, "spelled out on a terminal"
    assert "\x1b[2Jout" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is shown again"


def test_the_keyboard_interrupts(project: Project, mark: str) -> None:
    """Ctrl-C as a terminal sends it: to the whole foreground group."""
    project.workflow("w", LONG.format(id=os.getpid()))
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "pytest_lok.cli.main", "w"],
            {**project.environ, "TERM": "xterm"},
        )
    until(lambda: len(alive(mark)) == STARTED)
    os.write(master, b"\x03")
    shown = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    _, status = os.waitpid(pid, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 130
    assert alive(mark) == []
    text = shown.decode()
    assert "interrupted by Ctrl-C" in text
    assert "Traceback" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_help_is_quick_because_it_loads_nothing() -> None:
    for args in (["--help"], ["--version"], ["run", "--help"], ["completion", "bash"]):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from pytest_lok.cli.main import main\n"
                f"code = main({args!r}, {{'PATH': '/usr/bin:/bin'}})\n"
                "heavy = {'pydantic', 'jinja2', 'httpx', 'rich', 'asyncio', 'pytest', 'tomli', 'mcp'}\n"
                "print(code, sorted(heavy & sys.modules.keys()), file=sys.stderr)",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "0 []\n", args


def test_no_run_sees_edits_of_one_that_was_killed(project: Project, mark: str) -> None:
    project.write("f.txt", "old\n")
    with (project.root / "lok.toml").open("a") as settings:
        settings.write(
            '[backends.editor]\ntype = "scripted"\n[[backends.editor.replies]]\n'
            'reply = \'{"edits": [{"file": "f.txt", "old": "old", "new": "new"}]}\'\n'
        )
    project.workflow(
        "edit",
        '[[steps]]\nname = "e"\nprompt = "?"\nbackend = "editor"\napply_edits = true\n'
        f'verify = "touch started; sleep {mark}"\n',
    )
    project.workflow("look", '[[steps]]\nname = "l"\nshell = "cat f.txt"\n')
    with project.started("edit") as process:
        until((project.root / "started").exists)
        assert (project.root / "f.txt").read_text() == "new\n"
        process.kill()
        process.communicate()
    assert project.lok("look").out == "old\n"
    assert (project.root / "f.txt").read_text() == "old\n"
    until(lambda: not alive(mark))
