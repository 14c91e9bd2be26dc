"""Processes that end even if this one is killed: a shell beside it that outlives it for a moment."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import threading
import weakref
from pathlib import Path

_SCRIPT = Path(__file__).with_name("watchdog.sh")


class Watchdog:
    """``running`` are the ids of a program's processes, each the leader of its group; they die with it.

    The shell is started by the first ``add`` and reads a pipe; at the pipe's end it ends the groups that
    were not taken off, and on Linux whatever bears one of the marks, politely first. It lives until this
    object, or its program, is gone. Any thread may call it; in a forked child it begins anew.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self.running: set[int] = set()
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()  # a generator could not be shared by threads
        self._let_go: weakref.finalize[[int, int], Watchdog] | None = None
        self._pipe = -1

    def mark(self) -> str:
        """A new text that a process to be started must have in its environment."""
        if self._owner != os.getpid():
            if self._let_go is not None:
                self._let_go()
            self._begin()
        return f"{self._token}.{next(self._numbers)};"

    def add(self, pid: int) -> None:
        """It runs, and its group is its own."""
        with self._lock:
            self.running.add(pid)
            if not self._tell(f"+ {pid}\n"):
                self._start()

    def discard(self, pid: int) -> None:
        """It is about to be waited for: another may get its number then."""
        with self._lock:
            if pid in self.running:
                self.running.remove(pid)
                self._tell(f"- {pid}\n")

    def _tell(self, line: str) -> bool:
        if self._let_go is None:
            return False
        try:
            os.write(self._pipe, line.encode())
        except BrokenPipeError:  # somebody has killed it
            self._let_go()
            self._let_go = None
            return False
        return True

    def _start(self) -> None:
        """Start the shell and tell it all; where the system has no room for it, the next one tries again."""
        with contextlib.suppress(OSError):
            theirs, self._pipe = os.pipe()
            self._let_go = weakref.finalize(self, _let_go, self._pipe, self._owner)
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
            self._tell("".join(f"+ {pid}\n" for pid in self.running))


def _let_go(pipe: int, owner: int) -> None:
    """Close it; whoever has only inherited it must not say that its owner ends in order."""
    with contextlib.suppress(BrokenPipeError):
        if os.getpid() == owner:
            os.write(pipe, b".\n")
    os.close(pipe)
