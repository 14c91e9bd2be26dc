import io
import re
import time
from collections.abc import Callable

from pytest_lok.cli.terminal import Terminal
from pytest_lok.cli.views import LiveView, PlainView, ProgressLines, view
from pytest_lok.core.events import BackendAsked, Event, RunStarted, StepFinished, StepRetrying, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from tests.cli.screens import Screen

STARTED = RunStarted(
    run_id="1",
    workflow="w",
    path="",
    sha256="",
    time=0.0,
    steps=("slow", "quick", "last"),
    selected=("last",),
    leaves=("last",),
)


def finished(name: str, outcome: Outcome = Outcome.PASSED, **facts: str) -> StepFinished:
    result = StepResult(name=name, outcome=outcome, seconds=1.0, attempts=1, **facts)  # type: ignore[arg-type]  # text fields
    return StepFinished(result=result, at=1.0)


def lines(log: ProgressLines, *events: Event) -> list[str]:
    return [line for event in events for _, line in log.lines(event)]


def test_a_line_per_finished_step() -> None:
    said = lines(ProgressLines(), STARTED, StepStarted(step="slow", at=0.0), finished("slow"))
    assert said == ["passed   slow   1.0 s"]


def test_verbose_says_what_starts() -> None:
    said = lines(ProgressLines(verbose=True), STARTED, StepStarted(step="slow", at=0.0))
    assert said == ["started  slow"]


def test_a_pause_is_told_because_it_takes_time() -> None:
    said = lines(
        ProgressLines(), STARTED, StepRetrying(step="slow", attempt=1, delay=2.0, reason="rate limit")
    )
    assert said == ["again    slow   attempt 1 failed, retrying in 2.0 s: rate limit"]


def test_the_output_of_a_failed_step_is_shown_unless_it_is_printed_anyway() -> None:
    red = finished("slow", Outcome.FAILED, reason="exit code 1", output="boom")
    leaf = finished("last", Outcome.FAILED, reason="exit code 1", output="boom")
    assert lines(ProgressLines(), STARTED, red)[1:] == ["    exit code 1", "    --- output ---", "    boom"]
    assert lines(ProgressLines(), STARTED, leaf)[1:] == ["    exit code 1"]
    assert lines(ProgressLines(printed="all"), STARTED, red)[1:] == ["    exit code 1"]
    assert "    boom" in lines(ProgressLines(printed="none"), STARTED, leaf)


def test_ends_can_be_left_to_others() -> None:
    assert lines(ProgressLines(finished=False), STARTED, finished("slow")) == []


def test_lines_go_to_stderr_neutralised() -> None:
    out, err = io.StringIO(), io.StringIO()
    with PlainView(Terminal({}, out, err), ProgressLines()) as plain:
        plain.on_event(STARTED)
        plain.on_event(finished("slow", Outcome.FAILED, reason="\x1b[2J"))
        with plain.paused():
            pass
    assert out.getvalue() == ""
    assert err.getvalue() == "failed   slow   1.0 s\n    \\x1b[2J\n"


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


def until(holds: Callable[[], object], screen: Screen) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, screen.shown()
        time.sleep(0.02)


def test_the_picture_shows_what_runs_and_what_waits_and_goes_away() -> None:
    screen = Screen()
    with LiveView(Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines()) as picture:
        picture.on_event(STARTED)
        picture.on_event(StepStarted(step="slow", at=0.0))
        picture.on_event(BackendAsked(step="slow", backend="claude", prompt="?"))
        until(lambda: len(screen.shown()) == 3 and "asking claude" in screen.shown()[0], screen)
        running, waiting, done = screen.shown()
        assert re.fullmatch(r"running  slow +\d+\.\d s  asking claude", running)
        assert waiting == "waiting  quick, last"
        assert done.startswith("0 of 3 steps done, ")
        picture.on_event(finished("slow", Outcome.FAILED, reason="\x9b2Jboom"))
        until(lambda: len(screen.shown()) == 4, screen)
        assert screen.shown()[2] == "waiting  quick, last"
    out = screen.close()
    assert screen.shown() == ["failed   slow   1.0 s", "    \\x9b2Jboom"]
    assert "\x9b" not in out
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l"), "the cursor is shown again"


def test_without_colour_nothing_is_coloured() -> None:
    coloured, plain = Screen(), Screen()
    for screen, color in ((coloured, True), (plain, False)):
        with LiveView(
            Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines(), color=color
        ) as picture:
            picture.on_event(STARTED)
            picture.on_event(finished("slow"))
    assert "\x1b[32mpassed" in coloured.close()
    assert "\x1b[32m" not in plain.close()


def test_the_picture_makes_room_where_results_share_its_screen() -> None:
    screen = Screen()
    terminal = Terminal({"TERM": "xterm"}, screen.stream, screen.stream)
    with LiveView(terminal, ProgressLines()) as picture:
        picture.on_event(STARTED)
        picture.on_event(StepStarted(step="slow", at=0.0))
        until(lambda: any("running  slow" in line for line in screen.shown()), screen)
        with picture.paused():
            terminal.result("the answer\nits second line")
            until(lambda: "its second line" in screen.shown(), screen)
            assert screen.shown() == ["the answer", "its second line"]
        until(lambda: any("running  slow" in line for line in screen.shown()), screen)
        assert screen.shown()[:2] == ["the answer", "its second line"]
        picture.on_event(finished("slow"))
    screen.close()
    assert screen.shown() == ["the answer", "its second line", "passed   slow   1.0 s"]
