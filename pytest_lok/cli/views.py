"""Events -> progress on stderr: plain lines, a live picture, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from pytest_lok.core.events import Event

if TYPE_CHECKING:
    from pytest_lok.cli.progress_lines import Line, ProgressLines
    from pytest_lok.cli.terminal import Terminal


class RunView(Protocol):
    """Shows a run while it goes on, between ``__enter__`` and ``__exit__``."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def on_event(self, event: Event) -> None:
        """Show what the event changes."""
        ...

    def on_stop(self, reason: str) -> None:
        """Show that the run is being stopped, and why."""
        ...

    def say(self, lines: Sequence[Line]) -> None:
        """Show these lines below all others, when the run has ended."""
        ...

    def paused(self, *, on_stderr: bool = False) -> contextlib.AbstractContextManager[None]:
        """A context in which others may print on the screen; ``on_stderr``: on stderr, whatever stdout is."""
        ...


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

    def on_stop(self, reason: str) -> None:
        """The lines at the end say it."""
        self._progress_lines.stop(reason)

    def say(self, lines: Sequence[Line]) -> None:
        """Print the lines as they are, on stderr."""
        for _, line in lines:
            self._terminal.note(line)

    def paused(self, *, on_stderr: bool = False) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Printed lines stay, so nothing has to be paused."""
        return contextlib.nullcontext()


class QuietView:
    """Shows nothing of a run, for ``-q`` and ``--json``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def on_event(self, event: Event) -> None:
        """Nothing is shown of an event."""

    def on_stop(self, reason: str) -> None:
        """Nothing is shown of the end either."""

    def say(self, lines: Sequence[Line]) -> None:
        """These lines are not shown either."""

    def paused(self, *, on_stderr: bool = False) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """There is nothing to pause."""
        return contextlib.nullcontext()


def view(terminal: Terminal, progress_lines: ProgressLines, *, color: bool, quiet: bool = False) -> RunView:
    """The view for this terminal: live if it can be redrawn, else plain; ``quiet`` = none."""
    if quiet:
        return QuietView()
    if not terminal.live:
        return PlainView(terminal, progress_lines)
    from pytest_lok.cli.live_view import LiveView

    return LiveView(terminal, progress_lines, color=color)
