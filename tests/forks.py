"""Python programs in processes that are forked from one which has imported everything.

A session of pytest spends nine tenths of its CPU on imports. What a test is about rarely is that start: such a
test runs its program here. The process is its own (memory, streams, environment, directory, signals, exit code); only
its modules are there already. Tests of the start itself, of signals, of kills and of imports start a real one.

One process forks, for each process that runs tests. It stays single-threaded, or forking would not be safe.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from execnet import gateway_base, gateway_io

ROOT = Path(__file__).parents[1]
FORKS = sys.platform == "linux" and "COVERAGE_PROCESS_START" not in os.environ
"""Elsewhere a program is started as usual. So it is for coverage, which begins when an interpreter does."""

_STREAMS = 3
_WARM = """
import importlib.util
import pytest_lok.cli.main

for name in ("xdist.dsession", "xdist.workermanage", "xdist.remote", "pytest_rerunfailures", "pytest_timeout"):
    if importlib.util.find_spec(name.partition(".")[0]):
        importlib.import_module(name)

def test_a(lok): assert lok.ask("x").passed
"""
_SETTINGS = (
    "[defaults]\nbackend = 'x'\n[backends.x]\ntype = 'scripted'\n[[backends.x.replies]]\nreply = 'x'\n"
)
_WITHOUT = (
    "rerunfailures",
    "cacheprovider",
    "randomly",
    "hypothesispytest",
    "anyio",
    "sugar",
    "tldr",
    "pytest-retry",
)
"""Plugins that the session which warms up has not: threads of their own, or dear to import and switched off mostly."""


class Forked:
    """A program that has ended: what pytest's pytester wants of a ``Popen``."""

    stdin: None = None

    def __init__(self, code: int) -> None:
        self._code = code

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        return self._code


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Do what ``subprocess.run(command, cwd=…, env=…, capture_output=True, text=True)`` does, with an empty stdin.

    ``command`` begins with the interpreter, then ``-m pytest``, ``-m pytest_lok.cli.main`` or ``-c CODE``.
    """
    environ = os.environ if env is None else env
    if not FORKS:
        options: dict[str, Any] = {"cwd": cwd, "env": environ, "stdin": subprocess.DEVNULL}
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = _run(command, (out, err), cwd, environ)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


def popen(command: Sequence[str], stdout: IO[str], stderr: IO[str], **_: Any) -> Forked:
    """Stand in for ``Pytester.popen``: with its environment, and nothing on stdin."""
    here = Path.cwd()
    paths = os.pathsep.join(filter(None, [str(here), os.environ.get("PYTHONPATH", "")]))
    return Forked(_run(command, (stdout, stderr), here, {**os.environ, "PYTHONPATH": paths}))


def _run(command: Sequence[str], outs: tuple[IO[str], IO[str]], cwd: Path, environ: Mapping[str, str]) -> int:
    words = list(command[1:])
    if words[0] not in ("-m", "-c"):  # as pytester has it: -mpytest
        words[:1] = words[0][:2], words[0][2:]
    job = {"words": words, "cwd": str(cwd), "environ": dict(environ)}
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        return _server().run(job, [nothing, *(out.fileno() for out in outs)])
    finally:
        os.close(nothing)


class _Server:
    """The process that forks, as those see it who ask."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(self, job: Mapping[str, Any], streams: Sequence[int]) -> int:
        child = 0
        try:
            _ask(self._socket, job, streams)
            child = _answer(self._socket)
            return _answer(self._socket)
        except (
            BaseException
        ):  # a test that timed out: nothing of it may stay, nor be taken for the next answer
            if child:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            _server.cache_clear()
            raise


@functools.cache
def _server() -> _Server:
    return _Server()


def _ask(server: socket.socket, job: Mapping[str, Any], streams: Sequence[int]) -> None:
    text = json.dumps(job).encode()
    server.sendall(len(text).to_bytes(8, "big"))
    socket.send_fds(server, [text[:1]], streams)
    server.sendall(text[1:])


def _tell(asking: socket.socket, number: int) -> None:
    asking.sendall(number.to_bytes(8, "big", signed=True))


def _answer(server: socket.socket) -> int:
    data = _exactly(server, 8)
    if len(data) < 8:
        raise RuntimeError("the process that forks has ended: its own words are on stderr")
    return int.from_bytes(data, "big", signed=True)


def _exactly(source: socket.socket, count: int) -> bytes:
    """That many bytes; fewer where the other side has gone."""
    data = b""
    while len(data) < count and (more := source.recv(count - len(data))):
        data += more
    return data


# What follows runs in the process that forks, and in what it forks.


def _warm_up() -> None:
    """Have one session, so that pytest, its plugins and ours are imported the way sessions import them."""
    import pytest

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, ".lok/workflows")
        folder.mkdir(parents=True)
        (folder / "w.toml").write_text("[[steps]]\nname = 's'\nshell = 'true'\n")
        Path(name, "lok.toml").write_text(_SETTINGS)
        Path(name, "test_a.py").write_text(_WARM)
        os.chdir(name)
        quiet = os.open(os.devnull, os.O_WRONLY)
        out, err = os.dup(1), os.dup(2)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        without = [word for plugin in _WITHOUT for word in ("-p", f"no:{plugin}")]
        code = pytest.main(["--lok", *without, f"--junitxml={name}/r.xml", "--rootdir", name])
        os.dup2(out, 1)
        os.dup2(err, 2)
        for descriptor in (quiet, out, err):
            os.close(descriptor)
        os.chdir(ROOT)
    if code:
        sys.exit(f"the session that warms up ended with {code}")
    del sys.modules["test_a"]
    if (alive := threading.active_count()) > 1:
        sys.exit(f"{alive} threads are alive: {threading.enumerate()}")
    gc.collect()
    gc.freeze()


def _serve(asking: socket.socket, *, waits: bool) -> NoReturn:
    """Fork for every job that comes, until nobody asks any more.

    Who asks is told the child's number, and where the server ``waits``, its exit code too before the next job.
    """
    while header := _exactly(asking, 8):
        first, streams, _, _ = socket.recv_fds(asking, 1, _STREAMS)
        job = first + _exactly(asking, int.from_bytes(header, "big") - 1)
        child = os.fork()
        if not child:
            asking.close()
            _become(json.loads(job), streams)
        for stream in streams:
            os.close(stream)
        _tell(asking, child)
        if waits:
            _tell(asking, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.exit()


def _become(job: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be the program that the job describes."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # the old ones remember what the streams were
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)  # type: ignore[misc]
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environ"])
    importlib.invalidate_caches()
    option, given, *words = job["words"]
    if any(word.startswith("-n") for word in words):
        _fork_workers()
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = ["" if option == "-c" else job["cwd"], *filter(None, paths), *sys.path[1:]]
    sys.argv = [option, *words]
    if option == "-c":
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(given, main.__dict__)
    elif given == "pytest":
        runpy.run_module(given, run_name="__main__", alter_sys=True)
    else:  # runpy wonders about a module that is there already
        sys.exit(importlib.import_module(given).main())
    sys.exit()


def _fork_workers() -> None:
    """Have execnet fork its workers, from a process that knows no more than this one does now."""
    asking, theirs = socket.socketpair()
    if not os.fork():
        asking.close()
        _serve(theirs, waits=False)
    theirs.close()

    class Master(gateway_io.Popen2IOMaster):
        def __init__(self, args: Sequence[str], execmodel: Any) -> None:
            stdin, to_worker = os.pipe()
            from_worker, stdout = os.pipe()
            words = ("-c", args[args.index("-c") + 1])
            job = {"words": words, "cwd": str(Path.cwd()), "environ": dict(os.environ)}
            _ask(asking, job, (stdin, stdout, 2))
            os.close(stdin)
            os.close(stdout)
            self.popen = _Worker(_answer(asking))
            gateway_base.Popen2IO.__init__(
                self, os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb"), execmodel
            )

    gateway_io.Popen2IOMaster = Master  # type: ignore[misc]


class _Worker:
    """A process that another one has forked, as execnet wants it."""

    def __init__(self, pid: int) -> None:
        self._pid = os.pidfd_open(pid)

    def wait(self) -> int:
        select.select([self._pid], [], [])
        return 0

    def kill(self) -> None:
        signal.pidfd_send_signal(self._pid, signal.SIGKILL)


if __name__ == "__main__":
    _warm_up()
    _serve(socket.socket(fileno=int(sys.argv[1])), waits=True)
