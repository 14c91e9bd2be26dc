from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Callable

import pytest
from _pytest._io.wcwidth import wcswidth

from pytest_lok.wiring import Project
from tests.plugin.conftest import QUIET, Suite

DRAWN = re.compile(r"\x1b7 ([^\x1b]*)\x1b\[K\x1b8")


def on_a_terminal(
    suite: Suite, *args: str, columns: int = 100, watch: Callable[[str], None] = lambda _: None
) -> str:
    """What a session writes on a terminal of so many columns; ``watch`` sees it grow."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    command = [sys.executable, "-m", "pytest", *QUIET, "--lok", "--color=no", *args]
    environ = {**os.environ, "TERM": "xterm"}
    environ.pop("COLUMNS", None)
    with subprocess.Popen(command, cwd=suite.root, env=environ, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        written = b""
        while True:
            ready, _, _ = select.select([ours], [], [], 60)
            assert ready, "the session hangs"
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            written += data
            watch(written.decode(errors="replace"))
        assert process.wait() == 0, written
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize("verbose", [(), ("-v",)], ids=["dots", "words"])
def test_who_waits_is_told_what_runs_and_the_screen_stays_whole(
    suite: Suite, verbose: tuple[str, ...]
) -> None:
    suite.shells("w", slow="sleep 1.6", other="sleep 1.2", after_after_slow="true")
    suite.write("test_one.py", "def test_one(): pass")
    written = on_a_terminal(suite, *verbose)
    drawn = DRAWN.findall(written)
    assert any("w::slow 1." in text and "w::other" in text for text in drawn), drawn
    assert all(len(text) < 100 for text in drawn)
    left = DRAWN.sub("", written).replace("\x1b[K", "")
    assert "\x1b7" not in left
    if verbose:
        assert re.search(r"w\.toml::slow PASSED +\[ 25%\]\r\n", left)
    else:
        assert re.search(r"\.lok/workflows/w\.toml \.\.\. +\[ 75%\]\r\n", left)


@pytest.mark.parametrize("columns", [40, 130])
def test_the_line_is_as_long_as_the_terminal_is_wide(suite: Suite, columns: int) -> None:
    names = "abcdef"
    suite.shells("検査", **{name * 12: "sleep 0.9" for name in names})
    drawn = DRAWN.findall(on_a_terminal(suite, columns=columns))
    wide = [wcswidth(".lok/workflows/検査.toml") + 2 + wcswidth(text) for text in drawn]
    assert columns - 3 <= max(wide) < columns, drawn


def test_who_waits_for_another_run_is_told_so(suite: Suite) -> None:
    suite.workflow("w", "exclusive = true\n[[steps]]\nname = 'a'\nshell = 'true'\n")
    turn = Project.open(suite.root, environ=dict(os.environ)).world().workspace.run_lock(alone=True)
    assert turn.try_acquire()
    at_last = threading.Timer(30, turn.release)
    at_last.start()

    def watch(written: str) -> None:
        if "w waits for another run in this directory" in written:
            turn.release()

    drawn = DRAWN.findall(on_a_terminal(suite, watch=watch))
    at_last.cancel()
    assert drawn
    assert re.match(r"w waits for another run in this directory \d+\.\d s", drawn[0]), drawn


@pytest.mark.parametrize("args", [("-q",), ("-s",), ("-n1",)], ids=" ".join)
def test_nothing_is_drawn_where_it_would_harm(suite: Suite, args: tuple[str, ...]) -> None:
    suite.shells("w", slow="sleep 0.9")
    assert "\x1b7" not in on_a_terminal(suite, *args)


def test_nothing_is_drawn_in_a_pipe(suite: Suite) -> None:
    suite.shells("w", slow="sleep 0.9")
    assert "\x1b" not in suite.run_apart("--lok").stdout.str()
