"""Processes that end even if this one is killed: a shell beside it that outlives it for a moment."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
import weakref
from pathlib import Path

_SCRIPT = Path(__file__).with_name("watchdog.sh")


class Watchdog:
    """Ends the processes of this program if the program dies. ``running`` are their ids, leaders of groups.

    The first ``prepare`` or ``add`` starts a shell that reads a pipe. When the pipe ends, the shell ends the
    groups that were not discarded, and on Linux whatever bears one of the marks: SIGTERM, then SIGKILL. The
    shell lives until this object, or its program, is gone. Any thread may call the methods. A forked child
    begins anew.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        # a fork copies this object, and the pipe would end only with the last copy
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self.running: set[int] = set()
        self._token = os.urandom(8).hex()
        self._numbers = itertools.count()  # a generator could not be shared by threads
        self._close_pipe: weakref.finalize[[int, int], Watchdog] | None = None
        self._pipe = -1

    def mark(self) -> str:
        """A new mark, which the next process must have in its environment."""
        if self._owner != os.getpid():
            if self._close_pipe is not None:
                self._close_pipe()
            self._reset()
        return f"{self._token}.{next(self._numbers)};"

    def prepare(self) -> None:
        """Start the shell before the process that gets a mark: this program may be killed before ``add``."""
        with self._lock:
            if self._close_pipe is None:
                self._start()

    def add(self, pid: int) -> None:
        """Watch a process that runs, as the leader of its own group."""
        with self._lock:
            self.running.add(pid)
            # no shell yet, or somebody has killed it
            if not self._send(f"+ {pid}\n"):
                self._start()

    def discard(self, pid: int) -> None:
        """Watch it no longer; call this before it is reaped, for another may get its id then."""
        with self._lock:
            if pid in self.running:
                self.running.remove(pid)
                self._send(f"- {pid}\n")

    def _send(self, line: str) -> bool:
        if self._close_pipe is None:
            return False
        try:
            os.write(self._pipe, line.encode())
        except BrokenPipeError:  # somebody has killed it
            self._close_pipe()
            self._close_pipe = None
            return False
        return True

    def _start(self) -> None:
        """Start the shell and send it all ids; the next ``add`` tries again where the system has no room."""
        with contextlib.suppress(OSError):
            theirs, self._pipe = os.pipe()
            self._close_pipe = weakref.finalize(self, _close_pipe, self._pipe, self._owner)
            try:
                subprocess.Popen(
                    ["/bin/sh", _SCRIPT, self._token],
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                    cwd="/",
                    start_new_session=True,
                ).wait()
            finally:
                os.close(theirs)
            self._send("".join(f"+ {pid}\n" for pid in self.running))


def _close_pipe(pipe: int, owner: int) -> None:
    """Close the pipe; only its owner says that it ends in order, not a child that inherited it."""
    with contextlib.suppress(BrokenPipeError):
        if os.getpid() == owner:
            os.write(pipe, b".\n")
    os.close(pipe)
