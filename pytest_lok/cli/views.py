"""Events -> progress on stderr: plain lines, or on a terminal a live view of what runs and what waits."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal, Protocol, Self, cast

from pytest_lok.cli.progress import RunProgress
from pytest_lok.cli.terminal import Terminal
from pytest_lok.core.events import Event, RunStarted, RunWaiting, StepFinished, StepRetrying, StepStarted
from pytest_lok.reports.console import details, duration, status

if TYPE_CHECKING:
    from rich.text import Text

_NAME_WIDTH = 30
_FRAME_INTERVAL = 0.1  # seconds between two drawings
_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "skipped": "yellow",
    "soft": "yellow",
}


class RunView(Protocol):
    """Shows a run while it goes on, between ``__enter__`` and ``__exit__``."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def on_event(self, event: Event) -> None:
        """Show what the event changes."""
        ...

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """A context in which others may print on the screen."""
        ...


class ProgressLines:
    """Events -> the lines that stay on the screen, each with the outcome that it tells ("" = none).

    ``finished`` False leaves out the ends of steps, because something else shows them. ``printed`` says
    of which steps the output goes to stdout anyway.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        finished: bool = True,
        printed: Literal["leaves", "all", "none"] = "leaves",
    ) -> None:
        self._verbose = verbose
        self._shows_finished = finished
        self._printed = printed
        self._width = 0
        self._leaves: frozenset[str] = frozenset()

    def lines(self, event: Event) -> Iterator[tuple[str, str]]:
        """The lines that the event adds."""
        match event:
            case RunStarted():
                self._width = min(_NAME_WIDTH, max(map(len, event.steps), default=0))
                self._leaves = frozenset(event.leaves)
            case RunWaiting():
                yield "", "waiting  for another run in this directory: one of the two runs alone"
            case StepStarted() if self._verbose:
                yield "", f"started  {event.step}"
            case StepRetrying():
                yield (
                    "",
                    f"again    {event.step:<{self._width}}  attempt {event.attempt} failed, "
                    f"retrying in {event.delay:.1f} s: {event.reason}",
                )
            case StepFinished(result=result) if self._shows_finished:
                yield result.outcome, status(result, self._width)
                yield from (("", line) for line in details(result, output=not self._prints(result.name)))

    def _prints(self, name: str) -> bool:
        """Whether the output of a step goes to stdout, and is not repeated here."""
        return self._printed == "all" or (self._printed == "leaves" and name in self._leaves)


class PlainView:
    """Plain lines, for a pipe or for a terminal that cannot be redrawn."""

    def __init__(self, terminal: Terminal, progress_lines: ProgressLines) -> None:
        self._terminal = terminal
        self._progress_lines = progress_lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def on_event(self, event: Event) -> None:
        """Print the lines that the event adds."""
        for _, line in self._progress_lines.lines(event):
            self._terminal.note(line)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """Printed lines stay, so nothing has to be paused."""
        return contextlib.nullcontext()


class LiveView:
    """Lines, and below them what runs and what waits, drawn again several times a second.

    A thread draws, so that a slow terminal does not slow the run. The thread takes the lines that have come
    in, and copies each dictionary before reading it.
    """

    def __init__(self, terminal: Terminal, progress_lines: ProgressLines, *, color: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live

        self._terminal = terminal
        self._progress_lines = progress_lines
        self._progress = RunProgress(time.monotonic)
        self._console = Console(
            file=cast("IO[str]", terminal.err), no_color=not color, highlight=False, emoji=False
        )
        # a new one for each start: one that was stopped would wipe what was printed since
        self._new_live = functools.partial(
            Live,
            console=self._console,
            get_renderable=self._render,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live = self._new_live()
        self._lines: deque[tuple[str, str]] = deque()
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
        self._lines.extend(self._progress_lines.lines(event))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the live part where others print on the same screen."""
        if not self._terminal.shared:
            yield
            return
        with self._draw_lock:
            self._draw()
            self._live.stop()
            try:
                yield
            finally:
                self._live = self._new_live()
                self._live.start()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(_FRAME_INTERVAL):
            self._draw()

    def _draw(self) -> None:
        from rich.text import Text

        with self._draw_lock:
            # only as many as there are now: the run adds lines meanwhile
            new = [self._lines.popleft() for _ in range(len(self._lines))]
            if not new:
                self._live.refresh()
                return
            texts = [Text(self._terminal.escape_untrusted(line)) for _, line in new]
            for (outcome, _), text in zip(new, texts, strict=True):
                text.stylize(_STYLES.get(outcome, ""), 0, len(outcome))
            self._console.print(Text("\n").join(texts), soft_wrap=True)

    def _render(self) -> Text:
        from rich.text import Text

        progress, width = self._progress, self._console.width
        running = list(progress.running.items())
        room = max(1, self._console.height - 4)
        names = min(_NAME_WIDTH, max((len(name) for name, _ in running), default=0))
        lines = [
            f"running  {name:<{names}}  {duration(progress.age(step.since)):>9}  {step.doing}"
            for name, step in running[:room]
        ]
        if len(running) > room:
            lines.append(f"         and {len(running) - room} more")
        waiting = list(progress.waiting)
        if waiting:
            lines.append(f"waiting  {', '.join(waiting[:50])}")
        lines.append(
            f"{progress.finished} of {progress.total} steps done, {duration(progress.age(progress.began))}"
        )
        text = Text("\n").join(Text(self._terminal.escape_untrusted(line)[: width - 1]) for line in lines)
        text.stylize("dim")
        return text


def view(terminal: Terminal, progress_lines: ProgressLines, *, color: bool) -> RunView:
    """The view for this terminal: live if it can be redrawn, else plain."""
    return (
        LiveView(terminal, progress_lines, color=color)
        if terminal.live
        else PlainView(terminal, progress_lines)
    )
