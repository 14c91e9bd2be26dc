import io

from pytest_lok.cli.live_view import LiveView
from pytest_lok.cli.progress_lines import ProgressLines
from pytest_lok.cli.terminal import Terminal
from pytest_lok.cli.views import PlainView, QuietView, view
from pytest_lok.core.results import Outcome
from tests.cli.screens import STARTED, Screen, finished


def test_lines_go_to_stderr_neutralised() -> None:
    out, err = io.StringIO(), io.StringIO()
    with PlainView(Terminal({}, out, err), ProgressLines()) as plain:
        plain.on_event(STARTED)
        plain.on_event(finished("slow", Outcome.FAILED, reason="\x1b[2J"))
        with plain.paused():
            pass
    assert out.getvalue() == ""
    assert err.getvalue() == "failed   slow    1.0 s\n    \\x1b[2J\n"


def test_a_terminal_gets_a_picture_and_a_pipe_gets_lines() -> None:
    screen = Screen()
    assert isinstance(
        view(Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines(), color=True), LiveView
    )
    assert isinstance(
        view(Terminal({"TERM": "dumb"}, None, screen.stream), ProgressLines(), color=True), PlainView
    )
    assert isinstance(
        view(Terminal({"TERM": "xterm"}, None, io.StringIO()), ProgressLines(), color=True), PlainView
    )
    screen.close()


def test_quiet_shows_nothing() -> None:
    screen = Screen()
    terminal = Terminal({"TERM": "xterm"}, None, screen.stream)
    with view(terminal, ProgressLines(), color=True, quiet=True) as quiet:
        assert isinstance(quiet, QuietView)
        quiet.on_event(STARTED)
        quiet.on_event(finished("slow"))
        quiet.on_stop("why")
        with quiet.paused():
            quiet.say([("failed", "failed")])
    assert screen.close() == ""
