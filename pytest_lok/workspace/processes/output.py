"""What one process prints, read on an event loop: the pipes or files of its stdout and its stderr."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pytest_lok.workspace.processes.capture import OutputFile, OutputPipe, OutputSink

_FIRST_LOOK = 0.01
"""Seconds after which pipes are watched. Most commands end before, and then theirs are read once."""
_DRAIN_CHUNKS = 32
"""More than a pipe holds. A writer that got away could go on for ever, so there is a limit."""


class Output:
    """Both streams of a process. ``on_end`` is called whenever a pipe that is watched comes to its end.

    ``spool`` takes files instead of pipes. ``listen`` gets all of stdout as it comes through its pipe.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        spool: bool,
        on_end: Callable[[], None],
        listen: Callable[[bytes], None] | None = None,
    ) -> None:
        self._loop = loop
        self._on_end = on_end
        self._first_look: asyncio.TimerHandle | None = None
        self.stdout: OutputSink = OutputFile() if spool else OutputPipe(listen)
        try:
            self.stderr: OutputSink = OutputFile() if spool else OutputPipe()
        except BaseException:
            self.stdout.close()
            raise

    @property
    def child_fds(self) -> tuple[int, int]:
        """The descriptors that the process writes to."""
        return self.stdout.child_fd, self.stderr.child_fd

    @property
    def size(self) -> int:
        """Bytes that have come until now."""
        return self.stdout.size + self.stderr.size

    @property
    def has_ended(self) -> bool:
        """Whether no pipe is open any more; files have no end to wait for."""
        return self.stdout.our_fd < 0 and self.stderr.our_fd < 0

    def started(self) -> None:
        """Close our copies of the process's ends, and read what comes from now on."""
        self.stdout.started()
        self.stderr.started()
        self._first_look = self._loop.call_later(_FIRST_LOOK, self.watch)

    def watch(self) -> None:
        """Read the pipes whenever something comes."""
        for sink in (self.stdout, self.stderr):
            if sink.our_fd >= 0:
                self._loop.add_reader(sink.our_fd, self._on_readable, sink)

    def drain(self) -> None:
        """Read what is in the pipes, and close those that are at their end."""
        if self._first_look is not None:
            self._first_look.cancel()
        for sink in (self.stdout, self.stderr):
            for _ in range(_DRAIN_CHUNKS):
                size = sink.read() if sink.our_fd >= 0 else -1
                if size == 0:
                    self._close_one(sink)
                if size <= 0:
                    break

    def close(self) -> None:
        """Close every descriptor; closing again does nothing."""
        for sink in (self.stdout, self.stderr):
            self._close_one(sink)
        # its owner holds us, so that both would stay until the garbage collector comes
        self._on_end = _do_nothing

    def _on_readable(self, sink: OutputSink) -> None:
        if sink.read() == 0:
            self._close_one(sink)
            self._on_end()

    def _close_one(self, sink: OutputSink) -> None:
        if sink.our_fd >= 0:
            self._loop.remove_reader(sink.our_fd)
        sink.close()


def _do_nothing() -> None:
    """What is called after the end."""
