import re
import time
from collections.abc import Callable

import pytest

from pytest_lok.cli.live_view import LiveView
from pytest_lok.cli.progress_lines import ProgressLines
from pytest_lok.cli.terminal import Terminal
from pytest_lok.core.events import (
    BackendAsked,
    RunFinished,
    RunStarted,
    RunWaiting,
    StepRetrying,
    StepStarted,
)
from pytest_lok.core.results import Outcome
from tests.cli.screens import STARTED, Screen, finished


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
        assert re.fullmatch(r"▸ running  slow +\d+ s  asking claude", running)
        assert waiting == "· waiting  quick, last"
        assert done.startswith("  0 of 3 steps done · ")
        picture.on_event(finished("slow", Outcome.FAILED, reason="\x9b2Jboom"))
        until(lambda: len(screen.shown()) == 4 and "1 of 3" in screen.shown()[3], screen)
        assert screen.shown()[2] == "· waiting  quick, last"
        assert "1 of 3 steps done · 1 failed · " in screen.shown()[3], "the counter moves with the lines"
    out = screen.close()
    assert screen.shown() == ["✗ failed   slow    1.0 s", "    \\x9b2Jboom"]
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
    assert "\x1b[32m✓ passed" in coloured.close()
    assert "\x1b[32m" not in plain.close()


def test_the_picture_makes_room_where_results_share_its_screen() -> None:
    screen = Screen()
    terminal = Terminal({"TERM": "xterm"}, screen.stream, screen.stream)
    with LiveView(terminal, ProgressLines(), clock=lambda: 0.0) as picture:
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
    assert screen.shown() == ["the answer", "its second line", "✓ passed   slow    1.0 s"]


@pytest.mark.parametrize(
    ("encoding", "marks"), [("utf-8", "✓✗!↷~▸·"), ("ascii", "+x!-~>-"), ("iso-8859-1", "+x!-~>·")]
)
def test_outcomes_have_marks_that_the_screen_can_show(encoding: str, marks: str) -> None:
    screen = Screen(encoding)
    with LiveView(Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines(), color=False) as picture:
        picture.on_event(STARTED)
        picture.on_event(StepStarted(step="slow", at=0.0))
        until(lambda: len(screen.shown()) == 3, screen)
        assert [line[0] for line in screen.shown()[:2]] == list(marks[5:])
        for outcome in Outcome:
            picture.on_event(finished("slow", outcome, reason="why"))
    screen.close()
    said = {line.split()[1]: line[0] for line in screen.shown() if not line.startswith(" ")}
    assert "".join(said[outcome] for outcome in Outcome) == marks[:5]


def test_two_hundred_steps_stay_in_a_few_rows() -> None:
    screen = Screen(rows=24)
    names = tuple(f"step-{n}" for n in range(200))
    many = RunStarted(
        run_id="1", workflow="w", path="", sha256="", time=0.0, steps=names, selected=names, leaves=names
    )
    with LiveView(Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines()) as picture:
        picture.on_event(many)
        for name in names[:50]:
            picture.on_event(StepStarted(step=name, at=0.0))
        until(lambda: len(screen.shown()) == 12 and "of 200" in screen.shown()[-1], screen)
        assert screen.shown()[9] == "  and 41 more running"
        assert screen.shown()[10].startswith("· waiting  step-50, step-51")
        assert max(map(len, screen.shown())) < 100
    screen.close()


def test_what_passes_is_in_the_picture_and_leaves_no_line() -> None:
    screen = Screen()
    with LiveView(Terminal({"TERM": "xterm"}, None, screen.stream), ProgressLines()) as picture:
        picture.on_event(STARTED)
        picture.on_event(RunWaiting())
        until(lambda: "for another run in this directory" in "".join(screen.shown()), screen)
        picture.on_event(StepStarted(step="slow", at=0.0))
        picture.on_event(StepRetrying(step="slow", attempt=1, attempts=3, delay=90.0, reason="429"))
        until(
            lambda: re.match(r"· waiting  slow .* s  attempt 2 of 3 in \d+ s: 429", screen.shown()[0]), screen
        )
        picture.on_stop("interrupted by Ctrl-C")
        until(lambda: "stopping: interrupted by Ctrl-C" in "".join(screen.shown()), screen)
        picture.on_event(finished("slow", Outcome.ERROR, reason="cancelled: interrupted by Ctrl-C"))
        picture.on_event(RunFinished(seconds=1.0, interrupted="interrupted by Ctrl-C"))
    picture.say([("error", "w: error")])
    screen.close()
    assert screen.shown() == ["! error    stopped: slow", "! w: error"]


def test_a_picture_that_stays_the_same_is_not_drawn_again() -> None:
    screen = Screen()
    now = [0.0]
    terminal = Terminal({"TERM": "xterm"}, None, screen.stream)
    with LiveView(terminal, ProgressLines(), clock=lambda: now[0]) as picture:
        picture.on_event(STARTED)
        until(lambda: "0 of 3 steps done · 0 s" in screen.arrived(), screen)
        before = len(screen.arrived())
        time.sleep(0.35)
        assert len(screen.arrived()) == before
        now[0] = 7.0
        until(lambda: "0 of 3 steps done · 7 s" in screen.arrived(), screen)
    screen.close()
