"""Command -> Completed: real processes, each ended with everything it started."""

from __future__ import annotations

import asyncio
import errno
import math
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.engine.ports import CommandSpec, Completed, ProcessSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.processes.child import OPEN_PIDFD, Child, OpenPidfd
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.watchdog import Watchdog

LINGER = 2.0
"""Seconds a process may stay that has said its last word."""


class LocalProcesses:
    """Runs processes for one workspace; an ``engine.ports.Shell``, and ``launch`` a ``Runner``.

    ``root`` is the workspace, ``env`` the whole environment a command gets before its own
    additions. Any number may run at once, on any event loop, of any thread. ``open_pidfd`` None
    makes it wait on a thread per process, as it does by itself where the system has no pidfd.
    A process has ``patience`` seconds between SIGTERM and SIGKILL. ``watchdog`` is told what runs; it
    may be shared.
    """

    def __init__(
        self,
        root: str | Path,
        env: Mapping[str, str],
        *,
        open_pidfd: OpenPidfd | None = OPEN_PIDFD,
        patience: float = 2.0,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._root = Path(root).resolve()
        self._env = dict(env)
        self._open_pidfd = open_pidfd
        self._patience = patience
        self._watchdog = Watchdog() if watchdog is None else watchdog
        self._children: set[Child] = set()

    async def run(self, command: CommandSpec) -> Completed:
        """Run a command of the workspace to its end; StepUnableError if it cannot be started."""
        return await self.launch(
            ProcessSpec(
                argv=command.argv,
                env={**self._env, **command.env},
                cwd=str(self._directory(command.cwd)),
                stdin=command.stdin,
            )
        )

    async def launch(self, launch: ProcessSpec) -> Completed:
        """Run any process to its end; StepUnableError if it cannot be started.

        TimeoutError, after it was ended, if it prints nothing for ``launch.idle`` seconds.
        """
        now = asyncio.get_running_loop().time
        began = now()
        child = self._start(launch)
        self._children.add(child)
        try:
            lingers = await _heard(child, launch)
        except GeneratorExit:
            child.abandon()
            raise
        except BaseException:
            child.end()
            await _outlast(child.gone)
            raise
        else:
            child.end()
            await _outlast(child.gone)
        finally:
            self._children.discard(child)
        exit_code = 0 if lingers else child.exit_code
        if exit_code is None:
            raise StepUnableError(
                f"the exit code of {launch.argv[0]!r} is lost: something else in this program waited for it",
                hint="look for os.wait() or os.waitpid(-1), or for SIGCHLD being ignored",
            )
        cut, stderr_cut = child.cut
        return Completed(
            exit_code=exit_code,
            stdout=child.stdout,
            stderr=child.stderr,
            seconds=now() - began,
            cut=cut,
            stderr_cut=stderr_cut,
            unread=child.unread,
        )

    def kill(self) -> None:
        """End what runs now without asking or waiting; call it on the thread of the loop it runs on."""
        for child in tuple(self._children):
            if not child.gone.done():
                child.abandon()

    def _start(self, launch: ProcessSpec) -> Child:
        if not launch.argv or not launch.argv[0]:
            raise StepUnableError("there is no command to start", hint="give `argv` a program to run")
        mark = self._watchdog.mark()
        env = {**launch.env, MARK: launch.env.get(MARK, "") + mark}
        try:
            return Child(
                launch,
                env,
                mark=mark,
                watchdog=self._watchdog,
                open_pidfd=self._open_pidfd,
                patience=self._patience,
            )
        except (OSError, ValueError, RuntimeError) as error:  # the last: no thread can be started
            raise _not_started(launch, error) from error

    def _directory(self, cwd: str) -> Path:
        if not cwd:
            return self._root
        path = (self._root / cwd).resolve()
        if not path.is_relative_to(self._root):
            raise StepUnableError(
                f"the directory {cwd!r} lies outside the workspace {self._root}",
                hint="`cwd` is a directory inside the workspace",
            )
        return path


async def _heard(child: Child, launch: ProcessSpec) -> bool:
    """Wait until it has finished, or has been silent for too long.

    Whether it has said its last word and does not go.
    """
    now, said_all, idle = asyncio.get_running_loop().time, launch.said_all, launch.idle
    printed, since = child.printed, now()
    said, quiet = child.said, now()
    while not child.finished.done() and (said_all is not None or not math.isinf(idle)):
        await asyncio.wait([child.finished], timeout=max(0.01, min(since + idle - now(), 0.5)))
        if child.finished.done():
            break
        if child.said != said:
            said, quiet = child.said, now()
        elif said and said_all is not None and now() - quiet >= min(LINGER, idle):
            if said_all(child.so_far()):
                return True
            quiet = math.inf  # until it says more
        if child.printed != printed:
            printed, since = child.printed, now()
        elif now() - since >= idle:
            raise TimeoutError
    await child.finished
    return False


async def _outlast(future: asyncio.Future[None]) -> None:
    """Wait for it whatever happens meanwhile; a cancellation is passed on afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _not_started(launch: ProcessSpec, error: OSError | ValueError | RuntimeError) -> StepUnableError:
    """The reason in plain words, and the way out."""
    name = launch.argv[0]
    number = error.errno if isinstance(error, OSError) else None
    message, hint = f"cannot start {name!r}: {error}", ""
    if isinstance(error, OSError) and not Path(launch.cwd).is_dir():
        message, hint = f"the directory {launch.cwd} does not exist", "create it, or correct `cwd`"
    elif number == errno.ENOENT:
        message, hint = f"command not found: {name}", "install it, or put it on PATH"
        if "/" in name:
            hint = "check the path, and the interpreter its first line names"
    elif number == errno.EACCES:
        message, hint = f"{name} may not be executed", f"chmod +x {name}"
    elif number == errno.ENOEXEC:
        message, hint = f"{name} is not a program", "a script needs a first line such as #!/bin/sh"
    elif number == errno.E2BIG:
        message = f"the arguments or environment of {name!r} are too long for the system"
        hint = "pass long text by `stdin`"
    elif number in (errno.EMFILE, errno.ENFILE):
        message = f"cannot start {name!r}: too many open files"
        hint = "lower `max_parallel`, or raise the limit with `ulimit -n`"
    elif number in (errno.EAGAIN, errno.ENOMEM):
        message = f"cannot start {name!r}: the system has no room for another process"
        hint = "lower `max_parallel`"
    elif "null byte" in str(error):
        message, hint = f"a NUL character cannot be passed to {name!r}", "pass such text by `stdin`"
    return StepUnableError(message, hint=hint)
