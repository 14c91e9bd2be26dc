"""One process from its start to the end of everything it started, as a small machine on an event loop.

Descriptors and timers drive it, not a task. So the cleaning up goes on to its end when whoever waits is
cancelled, once, twice, or by the shutdown of the loop::

    start ──▶ runs ──▶ leader exited, and pipes at their end or PIPE_GRACE over ──▶ finished
                │                                                                │ terminate()
                └──▶ terminate(), for a waiter that was cancelled ──▶ TERM ──▶ KILL ──▶ gone

The leader is reaped last: as long as it is a zombie, nobody else gets its id, or its group's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_lok.engine.ports import ProcessSpec
from pytest_lok.workspace.processes.capture import InputPipe
from pytest_lok.workspace.processes.descendants import find_descendants
from pytest_lok.workspace.processes.output import Output
from pytest_lok.workspace.processes.watchdog import Watchdog

PIPE_GRACE = 0.5
"""Seconds a pipe may stay open after the process has exited, held by something in the background."""

OpenPidfd = Callable[[int], int]
OPEN_PIDFD: OpenPidfd | None = getattr(os, "pidfd_open", None)

_SHELLS = ("sh", "bash")
_NO_PIDFD = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
_RECENT = 1.0
"""Seconds in which no system gives out all of its process ids."""


class Child:
    """One running process. ``finished`` and ``gone`` are resolved whatever happens.

    ``finished`` holds what ``spec.reply`` raised. ``is_over`` = a conversation has come to its end. ``gone``
    is resolved within seconds of ``terminate()``. ``watchdog`` knows all running processes of the same
    owner. ``open_pidfd`` is None where the system has none; then a thread waits. ``kill_after`` is the
    time in seconds between SIGTERM and SIGKILL, and again until a process that does not die is given up.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        env: Mapping[str, str],
        *,
        mark: str,
        watchdog: Watchdog,
        open_pidfd: OpenPidfd | None,
        kill_after: float,
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
        self._kill_after = kill_after
        self._reply = spec.reply
        self.is_over = False
        talks = spec.reply is not None
        piped = talks or (spec.report_unread and spec.stdin)
        self._stdin = InputPipe(spec.stdin, stays_open=talks) if piped else None
        self.unread = 0
        try:
            self.output = Output(
                self._loop,
                spool=spec.spool,
                on_end=self._finish_if_complete,
                listen=self._on_said if talks else None,
            )
        except BaseException:
            self._close_stdin()
            raise
        try:
            self._process = _start(spec, env, self.output.child_fds, self._stdin)
        except BaseException:
            self._close()
            raise
        self.pid = self._process.pid
        # the process exists from here on, so whatever fails now has to kill it
        watchdog.add(self.pid)
        try:
            self._watch(open_pidfd)
        except BaseException:
            self.kill()
            raise

    def terminate(self) -> None:
        """End the process and what it started: SIGTERM, then SIGKILL. ``gone`` tells when that is done."""
        if self._kill_at or self.gone.done():
            return
        left = self._survivors()
        if not left:
            self._finish()
            return
        self._signal(left, signal.SIGTERM)
        self._kill_at = self._loop.time() + self._kill_after
        self._loop.call_soon(self._check_again, 0.005)

    def kill(self) -> None:
        """Kill the process and what it started now: nobody will come back to wait."""
        self._signal(self._survivors(), signal.SIGKILL)
        self._watchdog.discard(self.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._kill_after)
        if (self._process.returncode or 0) < 0:  # 0 may also mean that another has asked for it
            self.exit_code = self._process.returncode
        self._unwatch()
        self._finish()

    # --- while it runs

    def _watch(self, open_pidfd: OpenPidfd | None) -> None:
        self.output.started()
        if self._stdin is not None:
            self._loop.add_writer(self._stdin.our_fd, self._on_writable, self._stdin)
        try:
            if open_pidfd is not None:
                self._pidfd = open_pidfd(self.pid)
        except ProcessLookupError:  # it has ended, and someone else has asked for it
            self._loop.call_soon(self._on_exit)
            return
        except OSError as error:
            if error.errno not in _NO_PIDFD:
                raise
        if self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._on_exit)
        else:
            threading.Thread(target=self._wait_on_thread, name=f"lok-wait-{self.pid}", daemon=True).start()

    def _wait_on_thread(self) -> None:
        """Wait for the process on a thread, and tell the event loop."""
        code: int | None
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # someone else has asked for it
            code = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._on_exit, code)

    def _on_writable(self, stdin_pipe: InputPipe) -> None:
        descriptor = stdin_pipe.our_fd
        stdin_pipe.write()
        if stdin_pipe.is_written:
            self._loop.remove_writer(descriptor)

    def _on_said(self, data: bytes) -> None:
        """Answer what the process says in a conversation; what it says after the end is told all the same."""
        reply = self._reply
        if reply is None:
            return
        try:
            answer = reply(data)
        except Exception as error:  # whoever waits gets it, not the event loop
            self._reply = None
            if not self.finished.done():
                self.finished.set_exception(error)
            return
        if self.is_over or self._stdin is None or self._stdin.our_fd < 0:
            return
        if answer is None:
            self.is_over = True
            self._close_stdin()
            self._resolve(self.finished)
        elif answer:
            self._stdin.add(answer)
            self._loop.add_writer(self._stdin.our_fd, self._on_writable, self._stdin)

    def _on_exit(self, code: int | None = None) -> None:
        """The process has exited. A thread has reaped it, with this ``code``; a pidfd leaves that to us."""
        self._exited = True
        self.exit_code = code
        self._unwatch()
        if self.gone.done():  # it had been given up
            self._reap()
            return
        self.output.drain()
        self._finish_if_complete()
        if not self.finished.done():
            self.output.watch()
            self._loop.call_later(PIPE_GRACE, self._resolve, self.finished)

    def _finish_if_complete(self) -> None:
        if self._exited and self.output.has_ended:
            self._resolve(self.finished)

    def _resolve(self, future: asyncio.Future[None]) -> None:
        if not future.done() and not self._loop.is_closed():
            future.set_result(None)

    # --- to its end

    def _survivors(self) -> list[int]:
        recent = self._loop.time() - self._began < _RECENT
        left = find_descendants(
            self.pid,
            self._mark,
            self._watchdog.running,
            has_exited=self._exited,
            recently_started=recent,
        )
        if left is not None:
            return left
        if not self._exited:
            return [self.pid]
        try:
            # signal 0 only asks whether the group has members
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # nobody, or only zombies
            return []
        return [self.pid]

    def _signal(self, left: list[int], number: signal.Signals) -> None:
        """Send a signal to the whole group, then to each process that has left the group."""
        if not left:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) != self.pid:
                    os.kill(pid, number)

    def _check_again(self, delay: float) -> None:
        """Look again after ``delay`` seconds, until nothing is left or nothing helps."""
        left = self._survivors()
        # time beyond the moment of SIGKILL; negative until then
        late = self._loop.time() - self._kill_at
        if not left or late > self._kill_after:
            self._finish()
            return
        if late >= 0:
            self._signal(left, signal.SIGKILL)
        self._loop.call_later(delay, self._check_again, min(2 * delay, 0.1))

    def _finish(self) -> None:
        self.output.drain()
        self._close()
        self._watchdog.discard(self.pid)
        self._reap()
        self._resolve(self.finished)
        self._resolve(self.gone)

    def _close(self) -> None:
        self._close_stdin()
        self.output.close()

    def _close_stdin(self) -> None:
        if self._stdin is not None and self._stdin.child_fd >= 0:
            # a program may end a conversation without hearing our last word
            self.unread = 0 if self._reply is not None else self._stdin.unread()
            if self._stdin.our_fd >= 0:
                self._loop.remove_writer(self._stdin.our_fd)
            self._stdin.close()

    def _reap(self) -> None:
        """Take the exit status. Where the process is still there, ``_on_exit`` comes later."""
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


@functools.lru_cache(maxsize=32)
def _path_of_shell(name: str, path: str) -> str | None:
    """Where a shell is, which is looked for once; None = the child looks for the program.

    A step may install any other program, in a directory that comes first.
    """
    found = shutil.which(name, path=path) if name in _SHELLS else None
    return found if found is not None and Path(found).is_absolute() else None


def _start(
    spec: ProcessSpec, env: Mapping[str, str], output: tuple[int, int], stdin_pipe: InputPipe | None
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        stdin: int = subprocess.DEVNULL
        if stdin_pipe is not None:
            stdin = stdin_pipe.child_fd
        elif spec.stdin:
            # A file, not a pipe: no writer that could block or get EPIPE, whatever the child reads.
            import tempfile

            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(spec.stdin)
            file.seek(0)
            stdin = file.fileno()
        return subprocess.Popen(
            spec.argv,
            stdin=stdin,
            stdout=output[0],
            stderr=output[1],
            env=env,
            cwd=spec.cwd,
            # its own session and group: signals reach what it starts, and Ctrl-C does not reach it
            start_new_session=True,
            executable=_path_of_shell(spec.argv[0], env.get("PATH", os.defpath)),
        )
