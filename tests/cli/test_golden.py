"""What a person sees of whole runs, compared with files: on terminals of two sizes, in a pipe, on a dumb one.

``WRITE_GOLDEN=1`` writes the files anew; look at the difference before it is committed.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.cli.screens import Screen

GOLDEN = Path(__file__).parent / "golden"

BACKENDS = """
[backends.alpha]
type = "scripted"
replies = [{ match = "review", reply = "It is fine.\\nNothing more." }, { reply = "yes" }]

[backends.beta]
type = "scripted"
replies = [{ match = "日本", error = "network" }, { reply = "yes" }]

[backends.gamma]
type = "scripted"
replies = [{ reply = "no" }]

[backends.fixer]
type = "scripted"
replies = [{ reply = '{"edits": [{"file": "app.py", "old": "n // 2", "new": "n / 2"}]}' }]
"""
MIXED = """
description = "A step of every kind"
max_parallel = 1

[[steps]]
name = "build"
shell = "echo built"

[[steps]]
name = "lint"
shell = "echo 'app.py:1: E501'; exit 1"
continue_on_error = true

[[steps]]
name = "tests"
shell = "seq 1 30; echo boom >&2; exit 4"

[[steps]]
name = "docs"
depends_on = ["tests"]
shell = "true"

[[steps]]
name = "emergency"
when = "steps.build.output contains 'critical'"
shell = "true"

[[steps]]
name = "safe"
backends = ["alpha", "beta", "gamma"]
consensus = "vote"
prompt = "Is it safe?"

[[steps]]
name = "review"
backends = ["alpha", "beta"]
prompt = "Please review it."

[[steps]]
name = "each"
for_each = ["app.py", "日本.py"]
backends = ["alpha", "beta", "gamma"]
consensus = "vote"
prompt = "Is {{ item }} fine?"

[[steps]]
name = "fix"
backend = "fixer"
prompt = "Fix it."
apply_edits = true
verify = "grep -q 'n / 2' app.py"

[[steps]]
name = "judge"
backend = "alpha"
prompt = "Is it good?"
assert = ["output == 'no'"]

[[steps]]
name = "partial"
depends_on = ["build", "lint", "tests"]
min_deps_success = 1
shell = "echo partial"

[[steps]]
name = "missing"
argv = ["no-such-program"]
"""
VOTERS = """
[[steps]]
name = "safe"
backends = ["alpha", "beta", "gamma"]
consensus = "vote"
prompt = "Is it safe?"
"""
FIXES = """
[[steps]]
name = "fix"
backend = "fixer"
prompt = "Fix it."
apply_edits = true
verify = "echo 'assert half(3) == 2'; exit 1"
fix_retries = 4
"""
MANY = "max_parallel = 1\n" + "".join(
    f'[[steps]]\nname = "step-{n}"\nshell = "echo out {n}; exit {int(n in (20, 90))}"\n' for n in range(200)
)
LONG = (
    "".join(f'[[steps]]\nname = "s{n}"\nshell = "touch up{n}; exec sleep 600"\n' for n in range(3))
    + '[[steps]]\nname = "after"\ndepends_on = ["s0"]\nshell = "true"\n'
)
STYLES = {"", "0", "1", "2", "31", "32", "35", "1;31"}
"""Bold, dim, red, green and magenta: what is readable on white as well as on black."""


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("lok.toml", BACKENDS)
    project.write("app.py", "def half(n):\n    return n // 2\n")
    for name, text in (
        ("mixed", MIXED),
        ("voters", VOTERS),
        ("fixes", FIXES),
        ("many", MANY),
        ("long", LONG),
    ):
        project.workflow(name, text)
    return project


def compared(name: str, lines: list[str]) -> None:
    """Compare with the file of that name, without seconds and their width."""
    text = "\n".join(re.sub(r" +\d+\.\d s\b", " N s", line).rstrip() for line in lines) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def on_screen(shop: Project, *args: str, columns: int = 80, rows: int = 24) -> tuple[list[str], str]:
    """The lines that stay of a run on a terminal, and everything that came out."""
    screen = Screen(rows=rows, columns=columns)
    with screen.stream as terminal:
        subprocess.run(
            [sys.executable, "-m", "pytest_lok.cli.main", *args],
            cwd=shop.root,
            env={**shop.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"},
            stdout=terminal,
            stderr=terminal,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
    out = screen.close()
    return screen.shown(), out


@pytest.mark.parametrize(
    ("name", "args", "size"),
    [
        ("mixed-80x24", ("mixed",), (80, 24)),
        ("mixed-v-80x24", ("mixed", "-v"), (80, 24)),
        ("mixed-v-140x40", ("mixed", "-v"), (140, 40)),
        ("voters-80x24", ("voters",), (80, 24)),
        ("fixes-80x24", ("fixes",), (80, 24)),
        ("many-80x24", ("many",), (80, 24)),
    ],
)
def test_what_stays_on_a_terminal(
    shop: Project, name: str, args: tuple[str, ...], size: tuple[int, int]
) -> None:
    shown, out = on_screen(shop, *args, columns=size[0], rows=size[1])
    compared(name, shown[-100:])
    assert set(re.findall(r"\x1b\[([\d;]*)m", out)) <= STYLES


@pytest.mark.parametrize(("name", "term"), [("mixed-pipe", "xterm"), ("mixed-dumb", "dumb")])
def test_what_goes_into_a_log(shop: Project, name: str, term: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_lok.cli.main", "mixed"],
        cwd=shop.root,
        env={**shop.environ, "TERM": term, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert "\x1b" not in done.stdout
    compared("mixed-pipe", done.stdout.splitlines())


def test_ctrl_c_is_told_in_three_lines(shop: Project) -> None:
    with shop.started("long", stderr=subprocess.STDOUT) as process:
        end = time.monotonic() + 60
        while not all((shop.root / f"up{n}").exists() for n in range(3)):
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    compared("ctrl-c-pipe", said.splitlines())
