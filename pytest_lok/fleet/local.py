"""Places that are processes of this machine: the reference of what a fleet does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_lok.errors import LokError, StepUnableError
from pytest_lok.fleet.calls import HostCalls, answer
from pytest_lok.fleet.host import PlaceHost
from pytest_lok.fleet.port import LEASE, FleetPlace, PlaceLostError

_PATIENCE = 10.0  # seconds that a process has to end what runs in it
_LENGTH = 8  # bytes that say how long the message is that follows


def share_of_machine(workers: int) -> tuple[FleetPlace, ...]:
    """So many places, each with an equal share of this machine, and one core at least."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = max(1, there // workers)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // workers
    return tuple(FleetPlace(name=f"local-{n + 1}", cores=cores, memory=memory) for n in range(workers))


class LocalFleet(HostCalls):
    """One process for each of ``places``, started with the first call. ``env`` is what commands see.

    The processes end with this one: each reads a pipe, and what it runs ends when the pipe does.
    """

    def __init__(self, places: Sequence[FleetPlace], env: Mapping[str, str], *, lease: float = LEASE) -> None:
        super().__init__()
        self._places = {place.name: place for place in places}
        self._env = dict(env)
        self._lease = lease
        self._processes: dict[str, _PlaceProcess] = {}
        self._base = ""
        self._starting = asyncio.Lock()

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        """The places that answer now, as in FleetEngine."""
        async with self._starting:
            if not self._base:
                self._base = tempfile.mkdtemp(prefix="lok-places-")
                for name, place in self._places.items():
                    folder = Path(self._base) / str(len(self._processes))
                    setup = (str(folder), self._env, place.cores, place.memory, self._lease)
                    self._processes[name] = await _PlaceProcess.open(setup)
                # each has to begin, which takes longer than an answer; one that ends is seen below
                begun = (self.call(place, "hear") for place in self._places.values())
                await asyncio.gather(*begun, return_exceptions=True)
        found = await asyncio.gather(*(self._look_at(place, given_up) for place in self._places.values()))
        return [place for place in found if place is not None]

    async def _look_at(self, place: FleetPlace, given_up: Collection[str]) -> FleetPlace | None:
        """The place as it is now; None where it has ended, or does not answer in time."""
        try:
            async with asyncio.timeout(self._lease / 5):
                version, running, names = await self.call(place, "hear", tuple(given_up))
        except (PlaceLostError, TimeoutError):
            return None
        return replace(place, version=version, running=running, names=names)

    async def call(self, place: FleetPlace, method: str, *arguments: Any) -> Any:
        """What a place answers, as in HostCalls."""
        connection = self._processes.get(place.name)
        if connection is None:
            raise PlaceLostError(f"there is no place {place.name}")
        return await connection.call((self.driver, method, arguments))

    def process_id(self, place: str) -> int:
        """The id of the process of a place."""
        return self._processes[place].process.pid

    async def aclose(self) -> None:
        """Let go of all places, as in FleetEngine."""
        for connection in self._processes.values():
            await connection.aclose()
        self._processes.clear()
        self._starting = asyncio.Lock()
        if self._base:
            shutil.rmtree(self._base, ignore_errors=True)
            self._base = ""


class _PlaceProcess:
    """Calls to one process, any number at once, each answered by its number."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, setup: tuple[str, Mapping[str, str], float, int, float]) -> _PlaceProcess:
        """Start a process, and tell it what ``_serve`` takes."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pytest_lok.fleet.local"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # it imports what this process has imported, from wherever that was
            env={**setup[1], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.write(_framed(setup))
        return cls(process)

    async def call(self, message: object) -> Any:
        """The answer to a message; the error if the answer is one."""
        number, stdin = next(self._numbers), self.process.stdin
        if self._reading.done() or stdin is None:
            raise PlaceLostError("the process of the place has ended")
        self._waiting[number] = future = asyncio.get_running_loop().create_future()
        try:
            stdin.write(_framed((number, message)))
            await stdin.drain()
            return await future
        except (BrokenPipeError, ConnectionResetError):
            raise PlaceLostError("the process of the place has ended") from None
        finally:
            del self._waiting[number]

    async def aclose(self) -> None:
        """Let the process end, with what runs in it; one that hangs is killed."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        try:
            while (said := await _message(self.process.stdout)) is not None:
                number, value, error = said
                future = self._waiting.get(number)
                if future is not None and not future.done():
                    future.set_result(value) if error is None else future.set_exception(error)
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(PlaceLostError("the process of the place has ended"))


def _framed(message: object) -> bytes:
    data = pickle.dumps(message)
    return len(data).to_bytes(_LENGTH, "big") + data


async def _message(stream: asyncio.StreamReader) -> Any:
    """The next message; None at the end of the stream, also where that comes in the middle."""
    try:
        length = int.from_bytes(await stream.readexactly(_LENGTH), "big")
        return pickle.loads(await stream.readexactly(length))  # noqa: S301 - our own process wrote it
    except asyncio.IncompleteReadError:
        return None


async def _serve() -> None:
    """Answer calls from stdin on stdout until stdin ends; then end what runs.

    The first message has the directory of the place, the environment of commands, the cores, the memory in
    bytes, and the lease in seconds.
    """
    loop, out = asyncio.get_running_loop(), os.dup(1)
    os.dup2(2, 1)  # stdout belongs to the answers
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    setup = await _message(stream)
    if setup is None:
        return
    folder, env, cores, memory, lease = setup
    host = PlaceHost(_made(folder), env, cores=cores, memory=memory, lease=lease)
    tasks = set()

    async def one(number: int, driver: str, method: str, arguments: Sequence[Any]) -> None:
        value, failure = None, None
        try:
            value = await answer(host, driver, method, arguments)
        except LokError as error:
            failure = error
        # or the driver would wait for ever
        except Exception as bug:
            failure = StepUnableError(f"a bug at the place: {type(bug).__name__}: {bug}")
        data = memoryview(_framed((number, value, failure)))
        with contextlib.suppress(BrokenPipeError):  # then stdin has ended too
            while data:
                data = data[os.write(out, data) :]

    while (said := await _message(stream)) is not None:
        number, (driver, method, arguments) = said
        task = asyncio.create_task(one(number, driver, method, arguments))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await host.aclose()
    # the driver does so too, if it is still there
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        Path(folder).parent.rmdir()


def _made(folder: str) -> Path:
    path = Path(folder)
    path.mkdir(parents=True)
    return path


if __name__ == "__main__":
    asyncio.run(_serve())
