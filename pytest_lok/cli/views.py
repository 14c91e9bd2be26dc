"""Events -> progress on stderr: plain lines, or on a terminal a picture of what runs and what waits."""

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
_FRAME = 0.1  # seconds between two drawings
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

    def see(self, event: Event) -> None:
        """Take an event in."""
        ...

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """A moment in which others may print."""
        ...


class ProgressLines:
    """Events -> the lines that stay on the screen, each with the outcome it speaks of ("" = none).

    ``finished`` False leaves out the steps' ends: something else shows them. ``printed`` is which
    steps' outputs go to stdout anyway.
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
        """What this event adds."""
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
        """Whether a step's output is on stdout, and need not be said twice."""
        return self._printed == "all" or (self._printed == "leaves" and name in self._leaves)


class PlainView:
    """Plain lines, for a pipe or a terminal that cannot be redrawn."""

    def __init__(self, terminal: Terminal, log: ProgressLines) -> None:
        self._terminal = terminal
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def see(self, event: Event) -> None:
        """Print what it adds."""
        for _, line in self._log.lines(event):
            self._terminal.note(line)

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is in the way."""
        return contextlib.nullcontext()


class LiveView:
    """Lines above, and below them what runs and what waits, drawn again several times a second.

    A thread of its own draws, so that a slow terminal does not slow the run: it takes the lines
    that have come in since, and copies each dictionary whole before it reads it.
    """

    def __init__(self, terminal: Terminal, log: ProgressLines, *, color: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live

        self._terminal = terminal
        self._log = log
        self._board = RunProgress(time.monotonic)
        self._console = Console(
            file=cast("IO[str]", terminal.err), no_color=not color, highlight=False, emoji=False
        )
        # a fresh one for each start: a stopped one would wipe what was printed since
        self._make = functools.partial(
            Live,
            console=self._console,
            get_renderable=self._picture,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live = self._make()
        self._lines: deque[tuple[str, str]] = deque()
        self._drawing = threading.RLock()
        self._over = threading.Event()
        self._drawer = threading.Thread(target=self._keep_drawing, name="lok-view", daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._drawer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._drawer.join()
        self._draw()
        self._live.stop()

    def see(self, event: Event) -> None:
        """Take an event in; it is drawn at the next turn."""
        self._board.see(event)
        self._lines.extend(self._log.lines(event))

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the picture away where others print on the same screen."""
        if not self._terminal.shared:
            yield
            return
        with self._drawing:
            self._draw()
            self._live.stop()
            try:
                yield
            finally:
                self._live = self._make()
                self._live.start()

    def _keep_drawing(self) -> None:
        while not self._over.wait(_FRAME):
            self._draw()

    def _draw(self) -> None:
        from rich.text import Text

        with self._drawing:
            new = [self._lines.popleft() for _ in range(len(self._lines))]
            if not new:
                self._live.refresh()
                return
            texts = [Text(self._terminal.escape_untrusted(line)) for _, line in new]
            for (outcome, _), text in zip(new, texts, strict=True):
                text.stylize(_STYLES.get(outcome, ""), 0, len(outcome))
            self._console.print(Text("\n").join(texts), soft_wrap=True)

    def _picture(self) -> Text:
        from rich.text import Text

        board, width = self._board, self._console.width
        running = list(board.running.items())
        room = max(1, self._console.height - 4)
        names = min(_NAME_WIDTH, max((len(name) for name, _ in running), default=0))
        lines = [
            f"running  {name:<{names}}  {duration(board.age(step.since)):>9}  {step.doing}"
            for name, step in running[:room]
        ]
        if len(running) > room:
            lines.append(f"         and {len(running) - room} more")
        waiting = list(board.waiting)
        if waiting:
            lines.append(f"waiting  {', '.join(waiting[:50])}")
        lines.append(f"{board.finished} of {board.total} steps done, {duration(board.age(board.began))}")
        picture = Text("\n").join(Text(self._terminal.escape_untrusted(line)[: width - 1]) for line in lines)
        picture.stylize("dim")
        return picture


def view(terminal: Terminal, log: ProgressLines, *, color: bool) -> RunView:
    """The best this terminal can do."""
    return LiveView(terminal, log, color=color) if terminal.live else PlainView(terminal, log)
