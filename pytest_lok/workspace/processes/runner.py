"""Command -> Completed: real processes, each ended with everything it started."""

from __future__ import annotations

import asyncio
import errno
import math
import os
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.engine.ports import CommandSpec, Completed, ProcessSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.processes.child import OPEN_PIDFD, Child, OpenPidfd
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.watchdog import Watchdog

LINGER_TIMEOUT = 2.0
"""Seconds a process may stay alive after it has printed its last word."""


class LocalProcesses:
    """Runs processes for one workspace: an ``engine.ports.CommandRunner``; ``launch`` is a ``ProcessRunner``.

    ``root`` is the workspace, ``env`` the environment of a command without the command's own variables.
    Any number of processes may run at the same time, on any event loop, of any thread. ``open_pidfd`` None
    waits on one thread per process; so it is where the system has no pidfd. A process has ``kill_after``
    seconds between SIGTERM and SIGKILL. ``watchdog`` is told what runs, and may be shared.
    """

    def __init__(
        self,
        root: str | Path,
        env: Mapping[str, str],
        *,
        open_pidfd: OpenPidfd | None = OPEN_PIDFD,
        kill_after: float = 2.0,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._root = Path(root).resolve()
        self._env = dict(env)
        self._open_pidfd = open_pidfd
        self._kill_after = kill_after
        self._watchdog = Watchdog() if watchdog is None else watchdog
        self._children: set[Child] = set()

    async def run(self, command: CommandSpec) -> Completed:
        """Run a command of the workspace to its end; StepUnableError if it cannot be started here."""
        # run here all the same, it would be a yes of another place than was asked for
        if command.remote is not None:
            raise StepUnableError(
                f"{command.remote.name} runs at a place of a fleet, and none is set",
                hint='[fleet] of lok.toml: scheduler = "local", or the address of one',
            )
        return await self.launch(
            ProcessSpec(
                argv=command.argv,
                env={**self._env, **command.env},
                cwd=str(self._directory(command.cwd)),
                stdin=command.stdin,
            )
        )

    async def launch(self, spec: ProcessSpec) -> Completed:
        """Run any process to its end; StepUnableError if it cannot be started.

        TimeoutError if it prints nothing for ``spec.idle`` seconds; the process has ended by then.
        """
        now = asyncio.get_running_loop().time
        began = now()
        child = self._start(spec)
        self._children.add(child)
        try:
            stays = await _wait_until_exit_or_silence(child, spec)
        # the coroutine was thrown away, so nobody is there to wait
        except GeneratorExit:
            child.kill()
            raise
        except BaseException:
            child.terminate()
            await _shielded_wait(child.gone)
            raise
        else:
            child.terminate()
            await _shielded_wait(child.gone)
        finally:
            self._children.discard(child)
        # what has said all and was ended by us has done its work
        exit_code = 0 if stays or child.is_over else child.exit_code
        if exit_code is None:
            raise StepUnableError(
                f"the exit code of {spec.argv[0]!r} is lost: something else in this program waited for it",
                hint="look for os.wait() or os.waitpid(-1), or for SIGCHLD being ignored",
            )
        output = child.output
        return Completed(
            exit_code=exit_code,
            stdout=output.stdout.text(),
            stderr=output.stderr.text(),
            seconds=now() - began,
            cut=output.stdout.cut,
            stderr_cut=output.stderr.cut,
            unread=child.unread,
        )

    def kill(self) -> None:
        """Kill what runs now, without waiting; call this on the thread of the event loop."""
        for child in tuple(self._children):
            if not child.gone.done():
                child.kill()

    def _start(self, spec: ProcessSpec) -> Child:
        if not spec.argv or not spec.argv[0]:
            raise StepUnableError("there is no command to start", hint="give `argv` a program to run")
        mark = self._watchdog.mark()
        self._watchdog.prepare()
        # the marks of outer runs stay, so that those find what runs here
        env = {**spec.env, MARK: spec.env.get(MARK, "") + mark}
        try:
            return Child(
                spec,
                env,
                mark=mark,
                watchdog=self._watchdog,
                open_pidfd=self._open_pidfd,
                kill_after=self._kill_after,
            )
        except (OSError, ValueError, RuntimeError) as error:  # the last: no thread can be started
            raise _start_error(spec, error) from error

    def _directory(self, cwd: str) -> Path:
        if not cwd:
            return self._root
        try:
            path = Path(os.path.realpath(self._root / cwd))
        except (OSError, ValueError) as error:
            raise StepUnableError(f"{cwd!r} names no directory: {error}", hint="correct `cwd`") from error
        if not path.is_relative_to(self._root):
            raise StepUnableError(
                f"the directory {cwd!r} lies outside the workspace {self._root}",
                hint="`cwd` is a directory inside the workspace",
            )
        return path


async def _wait_until_exit_or_silence(child: Child, spec: ProcessSpec) -> bool:
    """Wait until the process has finished; TimeoutError if it is silent for too long.

    True = it has printed its last word and stays alive.
    """
    now, is_finished, idle = asyncio.get_running_loop().time, spec.is_finished, spec.idle
    size, since = child.output.size, now()
    stdout_size, quiet_since = child.output.stdout.size, now()
    while not child.finished.done() and (is_finished is not None or not math.isinf(idle)):
        await asyncio.wait([child.finished], timeout=max(0.01, min(since + idle - now(), 0.5)))
        if child.finished.done():
            break
        if child.output.stdout.size != stdout_size:
            stdout_size, quiet_since = child.output.stdout.size, now()
        elif stdout_size and is_finished is not None and now() - quiet_since >= min(LINGER_TIMEOUT, idle):
            if is_finished(child.output.stdout.text_so_far()):
                return True
            quiet_since = math.inf  # until it prints more
        if child.output.size != size:
            size, since = child.output.size, now()
        elif now() - since >= idle:
            raise TimeoutError
    await child.finished
    return False


async def _shielded_wait(future: asyncio.Future[None]) -> None:
    """Wait for the future to the end; a cancellation meanwhile is raised afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _start_error(spec: ProcessSpec, error: OSError | ValueError | RuntimeError) -> StepUnableError:
    """Why the process did not start, in plain words, and the way out."""
    name = spec.argv[0]
    number = error.errno if isinstance(error, OSError) else None
    message, hint = f"cannot start {name!r}: {error}", ""
    if isinstance(error, OSError) and not os.path.isdir(spec.cwd):  # noqa: PTH112 - Path.is_dir raises
        message, hint = f"the directory {spec.cwd} does not exist", "create it, or correct `cwd`"
    elif number == errno.ENOENT:
        from pytest_lok.engine.shell import missing_program  # only here: it brings the language of templates

        return missing_program(name)
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
