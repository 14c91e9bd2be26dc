"""One process from its start to the end of everything it started, as a small machine on an event loop.

It is driven by descriptors and timers, not by a task, so that cancelling whoever waits (once, twice,
or by the loop's own shutdown) cannot stop the cleaning up half way::

    start ──▶ runs ──▶ leader exited, and pipes at their end or GRACE over ──▶ finished
                │                                                                │ end()
                └──▶ end(), for a waiter that was cancelled ──▶ TERM ──▶ KILL ──▶ gone

The leader is reaped last: while it is a zombie its id, and so its group's, belongs to nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping

from pytest_lok.engine.ports import ProcessSpec
from pytest_lok.workspace.processes.capture import InputPipe, OutputFile, OutputPipe, OutputSink
from pytest_lok.workspace.processes.descendants import left_alive
from pytest_lok.workspace.processes.watchdog import Watchdog

GRACE = 0.5
"""Seconds a pipe may stay open after the process has exited: something in the background holds it."""

OpenPidfd = Callable[[int], int]
OPEN_PIDFD: OpenPidfd | None = getattr(os, "pidfd_open", None)

_NO_PIDFD = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
_YOUNG = 1.0
"""Seconds in which no system gives out all its process ids."""
_DRAIN_CHUNKS = 32
"""More than a pipe holds; a writer that got away could go on for ever."""


class Child:
    """One running process; ``finished`` and ``gone`` are resolved whatever happens,
    ``gone`` within seconds of ``end()``.

    ``watchdog`` knows all running processes of the same owner. ``open_pidfd`` is None
    where the system has none; a thread waits then. ``patience`` is the time in seconds between
    SIGTERM and SIGKILL, and again until a process that does not die is given up.
    """

    def __init__(
        self,
        launch: ProcessSpec,
        env: Mapping[str, str],
        *,
        mark: str,
        watchdog: Watchdog,
        open_pidfd: OpenPidfd | None,
        patience: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.exit_code: int | None = None
        self._mark = mark
        self._watchdog = watchdog
        self._exited = False
        self._began = self._loop.time()
        self._pidfd = -1
        self._kill_at = 0.0
        self._patience = patience
        self._sinks: list[OutputSink] = []
        self._feed = InputPipe(launch.stdin) if launch.counted and launch.stdin else None
        self.unread = 0
        try:
            for _ in ("stdout", "stderr"):
                self._sinks.append(OutputFile() if launch.spool else OutputPipe())
            self._process = _start(launch, env, self._sinks, self._feed)
        except BaseException:
            self._close()
            raise
        self.pid = self._process.pid
        watchdog.add(self.pid)
        try:
            self._watch(open_pidfd)
        except BaseException:
            self.abandon()
            raise

    @property
    def stdout(self) -> str:
        """All of it, once ``gone``."""
        return self._sinks[0].text()

    @property
    def stderr(self) -> str:
        """All of it, once ``gone``."""
        return self._sinks[1].text()

    def so_far(self) -> str:
        """What is on stdout until now."""
        return self._sinks[0].so_far()

    @property
    def said(self) -> int:
        """How many bytes are on stdout until now."""
        return self._sinks[0].printed

    @property
    def cut(self) -> tuple[bool, bool]:
        """Whether stdout, and whether stderr, was too long to be kept whole."""
        return self._sinks[0].cut, self._sinks[1].cut

    @property
    def printed(self) -> int:
        """How many bytes it has printed so far."""
        return sum(sink.printed for sink in self._sinks)

    def end(self) -> None:
        """End whatever is left of it, politely, then not. ``gone`` is resolved when that is done."""
        if self._kill_at or self.gone.done():
            return
        left = self._left()
        if not left:
            self._finish()
            return
        self._signal(left, signal.SIGTERM)
        self._kill_at = self._loop.time() + self._patience
        self._loop.call_soon(self._check, 0.005)

    def abandon(self) -> None:
        """Kill it at once: nobody will come back to wait."""
        self._signal(self._left(), signal.SIGKILL)
        self._watchdog.discard(self.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience)
        if (self._process.returncode or 0) < 0:  # 0 may also mean that another has asked for it
            self.exit_code = self._process.returncode
        self._unwatch()
        self._finish()

    # --- while it runs

    def _watch(self, open_pidfd: OpenPidfd | None) -> None:
        for sink in self._sinks:
            sink.started()
            if sink.watched >= 0:
                self._loop.add_reader(sink.watched, self._readable, sink)
        if self._feed is not None:
            self._loop.add_writer(self._feed.watched, self._writable, self._feed)
        try:
            if open_pidfd is not None:
                self._pidfd = open_pidfd(self.pid)
        except ProcessLookupError:  # it has ended, and someone else has asked for it
            self._loop.call_soon(self._has_exited)
            return
        except OSError as error:
            if error.errno not in _NO_PIDFD:
                raise
        if self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._has_exited)
        else:
            threading.Thread(target=self._wait, name=f"lok-wait-{self.pid}", daemon=True).start()

    def _wait(self) -> None:
        """Wait on a thread of its own, and tell the loop."""
        code: int | None
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # someone else has asked for it
            code = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._has_exited, code)

    def _writable(self, feed: InputPipe) -> None:
        descriptor = feed.watched
        feed.write()
        if feed.watched < 0:
            self._loop.remove_writer(descriptor)

    def _readable(self, sink: OutputSink) -> None:
        if sink.read() == 0:
            self._loop.remove_reader(sink.watched)
            sink.close()
            self._settle()

    def _has_exited(self, code: int | None = None) -> None:
        """The watch's word: a thread has reaped it with this code, a pidfd leaves that to us."""
        self._exited = True
        self.exit_code = code
        self._unwatch()
        if self.gone.done():  # it had been given up
            self._reap()
            return
        for sink in self._sinks:
            if sink.watched >= 0:
                self._readable(sink)
        self._settle()
        if not self.finished.done():
            self._loop.call_later(GRACE, self._resolve, self.finished)

    def _settle(self) -> None:
        if self._exited and all(sink.watched < 0 for sink in self._sinks):
            self._resolve(self.finished)

    def _resolve(self, future: asyncio.Future[None]) -> None:
        if not future.done() and not self._loop.is_closed():
            future.set_result(None)

    # --- to its end

    def _left(self) -> list[int]:
        young = self._loop.time() - self._began < _YOUNG
        left = left_alive(self.pid, self._mark, self._watchdog.running, young=young)
        if left is not None:
            return left
        if not self._exited:
            return [self.pid]
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # nobody, or only zombies
            return []
        return [self.pid]

    def _signal(self, left: list[int], number: signal.Signals) -> None:
        """To the whole group at once, then to each process that has left it."""
        if not left:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, number)

    def _check(self, delay: float) -> None:
        """Look again after ``delay`` seconds, until nothing is left or nothing helps."""
        left = self._left()
        late = self._loop.time() - self._kill_at
        if not left or late > self._patience:
            self._finish()
            return
        if late >= 0:
            self._signal(left, signal.SIGKILL)
        self._loop.call_later(delay, self._check, min(2 * delay, 0.1))

    def _finish(self) -> None:
        self._drain()
        self._close()
        self._watchdog.discard(self.pid)
        self._reap()
        self._resolve(self.finished)
        self._resolve(self.gone)

    def _drain(self) -> None:
        for sink in self._sinks:
            chunks = 0
            while sink.watched >= 0 and chunks < _DRAIN_CHUNKS and sink.read() > 0:
                chunks += 1

    def _close(self) -> None:
        if self._feed is not None and self._feed.theirs >= 0:
            self.unread = self._feed.unread()
            if self._feed.watched >= 0:
                self._loop.remove_writer(self._feed.watched)
            self._feed.close()
        for sink in self._sinks:
            if sink.watched >= 0:
                self._loop.remove_reader(sink.watched)
            sink.close()

    def _reap(self) -> None:
        """Take the exit status; of a process that is still there the watch will tell later."""
        if self.exit_code is None:
            with contextlib.suppress(ChildProcessError):  # the waiting thread, or someone else, has it
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.exit_code = os.waitstatus_to_exitcode(status)
                    self._unwatch()
        # Popen must neither warn about it nor ask again.
        self._process.returncode = -signal.SIGKILL if self.exit_code is None else self.exit_code

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1


def _start(
    launch: ProcessSpec, env: Mapping[str, str], sinks: list[OutputSink], feed: InputPipe | None
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        stdin: int = subprocess.DEVNULL
        if feed is not None:
            stdin = feed.theirs
        elif launch.stdin:
            # A file, not a pipe: no writer that could block or get EPIPE, whatever the child reads.
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(launch.stdin)
            file.seek(0)
            stdin = file.fileno()
        return subprocess.Popen(
            launch.argv,
            stdin=stdin,
            stdout=sinks[0].theirs,
            stderr=sinks[1].theirs,
            env=env,
            cwd=launch.cwd,
            start_new_session=True,
        )
