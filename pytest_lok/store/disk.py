"""Files that were written -> files that are on the disk, by a thread: no writer waits for the disk."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

_PAUSE = 9  # times as long as the turn before it
_LONGEST_PAUSE = 0.5  # seconds


class Disk:
    """Brings files to the disk, one turn after the other.

    A file cannot be written to while it is brought to the disk. So that takes a tenth of the time at most:
    what is written until the next turn goes with that.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: set[Path] = set()
        self._busy = False
        self._hurried = 0
        self._failure: OSError | None = None
        self._thread: threading.Thread | None = None

    def request(self, file: Path) -> None:
        """Begin to bring to the disk what was written to a file until now.

        Where the system gives no thread, the caller waits for the disk.
        """
        with self._changed:
            if self._thread is None and not self._start():
                self._failure = self._failure or _bring({file})
                return
            self._waiting.add(file)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until all that was requested is on the disk; OSError if the disk has refused anything."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting and not self._busy)
            self._hurried -= 1
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Wait as ``wait`` does, then end the thread. A new request begins another one."""
        try:
            self.wait()
        finally:
            with self._changed:
                thread, self._thread = self._thread, None
                self._changed.notify_all()
            if thread is not None:
                thread.join()

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name="lok-disk", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            self._thread = None
        return self._thread is not None

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._thread is not me)
                if not self._waiting:
                    return
                files, self._waiting = self._waiting, set()
                self._busy = True
            began = time.monotonic()
            failure = _bring(files)
            with self._changed:
                self._busy = False
                self._failure = self._failure or failure
                self._changed.notify_all()
                # nobody can write to a file while it is synced, so writers get most of the time
                pause = min(_PAUSE * (time.monotonic() - began), _LONGEST_PAUSE)
                self._changed.wait_for(lambda: self._hurried or self._thread is not me, pause)


def _bring(files: set[Path]) -> OSError | None:
    """Bring the files to the disk; one of the refusals, if there is any."""
    failure = None
    for file in files:
        try:
            _sync(file)
        except FileNotFoundError:  # whoever removed it keeps nothing
            continue
        except OSError as refused:
            failure = refused
    return failure


def _sync(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
