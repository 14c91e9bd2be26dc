"""Events -> a terminal on which finished steps scroll up, above what runs and what waits now."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Self, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pytest_lok.cli.progress import RunProgress
from pytest_lok.cli.progress_lines import Line, ProgressLines
from pytest_lok.cli.terminal import Terminal
from pytest_lok.core.events import Event, RunWaiting, StepRetrying, StepStarted
from pytest_lok.reports.console import duration
from pytest_lok.reports.table import MARKS
from pytest_lok.reports.widths import folded, wrapped

_FRAME_INTERVAL = 0.1  # seconds between two looks at whether anything has changed
_MOST_ROWS = 10
_NAMED = 50  # waiting steps; as many as the width takes are seen
# of the sixteen colours those that are readable on white and on black
_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "skipped": "dim",
    "soft": "magenta",
}


class LiveView:
    """Lines, and below them what runs and what waits, drawn again whenever it has changed.

    A thread draws, so that a slow terminal does not slow the run. The thread takes the lines that have come
    in, and copies each dictionary before reading it.
    """

    def __init__(
        self,
        terminal: Terminal,
        progress_lines: ProgressLines,
        *,
        color: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._progress_lines = progress_lines
        self._progress = RunProgress(clock)
        self._stopping = ""
        self._picture = Text("")
        self._console = Console(
            file=cast("IO[str]", terminal.err), no_color=not color, highlight=False, emoji=False
        )
        # a new one for each start: one that was stopped would wipe what was printed since
        self._new_live = functools.partial(
            Live,
            console=self._console,
            get_renderable=lambda: self._picture,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live = self._new_live()
        self._lines: deque[Line] = deque()
        self._draw_lock = threading.RLock()
        self._ended = threading.Event()
        self._drawing_thread = threading.Thread(target=self._keep_drawing, name="lok-view", daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._drawing_thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._drawing_thread.join()
        self._draw()
        self._live.stop()

    def on_event(self, event: Event) -> None:
        """Note the event, which the next frame shows."""
        self._progress.on_event(event)
        # what passes is in the picture as long as it lasts
        if not isinstance(event, (StepStarted, StepRetrying, RunWaiting)):
            self._lines.extend(self._progress_lines.lines(event))

    def on_stop(self, reason: str) -> None:
        """Show why the run stops, as long as it takes."""
        self._progress_lines.stop(reason)
        self._stopping = reason

    @contextlib.contextmanager
    def paused(self, *, on_stderr: bool = False) -> Iterator[None]:
        """Remove the live part where others print on the same screen."""
        if not (self._terminal.shared or on_stderr):
            yield
            return
        with self._draw_lock:
            self._draw()
            self._live.stop()
            try:
                yield
            finally:
                self._live = self._new_live()
                # it may stay the same for long, and would not be drawn again
                self._live.start(refresh=True)

    def _keep_drawing(self) -> None:
        while not self._ended.wait(_FRAME_INTERVAL):
            self._draw()

    def _draw(self) -> None:
        with self._draw_lock:
            # only as many as there are now: the run adds lines meanwhile
            new = [self._lines.popleft() for _ in range(len(self._lines))]
            picture = self._render()
            if not new and picture == self._picture:
                return
            self._picture = picture
            # one write for both: between two the old picture would be seen
            with self._console:
                self.say(new)
                self._live.refresh()

    def say(self, lines: Sequence[Line]) -> None:
        """Print the lines with their marks and colours."""
        if lines:
            self._console.print(Text("\n").join(map(self._line, lines)), soft_wrap=True)

    def _line(self, line: Line) -> Text:
        outcome, words = line
        if not outcome:
            return Text(self._terminal.escape_untrusted(words))
        words = self._terminal.escape_untrusted(words)
        facts = folded(f"{MARKS[outcome]} {words}", self._console.width).split("\n")
        text = Text("\n".join(row for fact in facts for row in wrapped(fact, self._console.width)))
        # of a step the outcome, of the run's last line all
        text.stylize(_STYLES[outcome], 0, len(outcome) + 2 if words.startswith(outcome) else None)
        return text

    def _render(self) -> Text:
        room = max(1, min(_MOST_ROWS, self._console.height - 4))
        rows = list(self._rows())
        if len(rows) > room:
            rows[room - 1 :] = [f"  and {len(rows) - room + 1} more running"]
        waiting = list(self._progress.waiting)
        if waiting:
            rows.append(f"· waiting  {', '.join(waiting[:_NAMED])}")
        rows.append(f"  {self._totals()}")
        texts = [Text(self._terminal.escape_untrusted(row), no_wrap=True) for row in rows]
        for text in texts:
            text.truncate(self._console.width - 1, overflow="ellipsis")
            text.stylize("dim")
        return Text("\n").join(texts)

    def _rows(self) -> Iterator[str]:
        now, names = self._progress.clock(), self._progress_lines.name_width
        for name, step in list(self._progress.running.items()):
            state = "· waiting" if step.waits(now) else "▸ running"
            age = _age(now - step.since)
            yield f"{state}  {name[:names]:<{names}}  {age:>6}  {step.doing(now)}"

    def _totals(self) -> str:
        progress = self._progress
        finished = dict(progress.finished)
        red = ", ".join(f"{finished[name]} {name}" for name in ("failed", "error") if name in finished)
        facts = [
            f"{sum(finished.values())} of {progress.total} steps done",
            red,
            _age(progress.clock() - progress.began),
            "waiting for another run in this directory" if progress.locked else "",
            f"stopping: {self._stopping}" if self._stopping else "",
        ]
        return " · ".join(filter(None, facts))


def _age(seconds: float) -> str:
    """Whole seconds, so that a picture changes once in a second."""
    return f"{seconds:.0f} s" if seconds < 59.5 else duration(seconds)
