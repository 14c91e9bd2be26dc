"""A scheduler and workers of Dask on this machine, by Dask's own tools, as long as they are wanted."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import LokError, UsageError
from pytest_lok.fleet.dask import DaskFleet
from pytest_lok.fleet.port import FleetPlace, PlaceLostError
from pytest_lok.workspace.processes.runner import LocalProcesses

_HOST = "127.0.0.1"
_PATIENCE = 60.0  # seconds until a cluster that has not come up is given up
_PAUSE = 1.0  # seconds until a worker that has ended is started again


class LocalCluster:
    """A scheduler, and a worker for each of ``places``. ``port`` is the scheduler's; 0 = a free one.

    ``env`` is the environment of the processes. ``note`` is told what ends before its time.
    """

    def __init__(
        self, places: Sequence[FleetPlace], port: int, env: Mapping[str, str], note: Callable[[str], None]
    ) -> None:
        self._places = places
        self._port = port
        self._note = note
        self._folder = tempfile.TemporaryDirectory(prefix="lok-fleet-", ignore_cleanup_errors=True)
        self._processes = LocalProcesses(self._folder.name, {**env, "DASK_LOGGING__DISTRIBUTED": "error"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The address of the cluster, which is up; LokError where it does not come up.

        A worker that ends is started again. Nothing of it is left afterwards.
        """
        with self._folder:
            port = _port(self._port)
            address = f"tcp://{_HOST}:{port}"
            scheduler = asyncio.create_task(self._schedule(port))
            workers = [asyncio.create_task(self._work(place, address)) for place in self._places]
            try:
                await self._until_up(address, scheduler)
                yield address
            finally:
                for task in (scheduler, *workers):
                    task.cancel()
                await asyncio.wait([scheduler, *workers])

    def kill(self) -> None:
        """Kill all processes, without waiting."""
        self._processes.kill()

    async def _schedule(self, port: int) -> str:
        """Run the scheduler to its end, and say how it ended."""
        argv = ("dask_scheduler", "--host", _HOST, "--port", str(port), "--no-dashboard", "--no-show")
        return _last_words((await self._processes.run(_dask(argv))).stderr)

    async def _work(self, place: FleetPlace, address: str) -> None:
        sizes = ("--nthreads", f"{place.cores:.0f}", "--memory-limit", str(place.memory))
        own = Path(self._folder.name) / place.name
        own.mkdir()
        argv = (
            *("dask_worker", address, "--name", place.name, *sizes, "--no-nanny", "--no-dashboard"),
            *("--host", _HOST, "--local-directory", str(own)),
        )
        while True:
            done = await self._processes.run(_dask(argv))
            self._note(f"{place.name} has ended, and is started again: {_last_words(done.stderr)}")
            await asyncio.sleep(_PAUSE)

    async def _until_up(self, address: str, scheduler: asyncio.Task[str]) -> None:
        fleet = DaskFleet(address)
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await _has(fleet, len(self._places)):
                    if scheduler.done():
                        raise LokError(f"Dask's scheduler has ended: {scheduler.result()}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise LokError(f"the cluster did not come up within {_PATIENCE:.0f} seconds") from None
        finally:
            await fleet.aclose()


async def _has(fleet: DaskFleet, count: int) -> bool:
    try:
        return len(await fleet.places()) == count
    except PlaceLostError:
        return False


def _dask(argv: Sequence[str]) -> CommandSpec:
    module, *rest = argv
    return CommandSpec(argv=(sys.executable, "-m", f"distributed.cli.{module}", *rest))


def _port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError as error:
            raise UsageError(
                f"port {wanted} of this machine is not free: {error.strerror}",
                hint="--port 0 takes a free one",
            ) from None
        port: int = probe.getsockname()[1]
        return port


def _last_words(stderr: str) -> str:
    return next((line for line in reversed(stderr.splitlines()) if line.strip()), "it said nothing")
