"""What befalls a Dask cluster: workers that leave or hang, a scheduler that dies, a network that is cut."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pytest_lok.core.remote import LostError, Placement
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.port import PlaceLostError
from tests.fleet.clusters import ROOT, DaskProcesses
from tests.fleet.stories import Fleet, alive, count, fleet
from tests.workspace.test_git_state import ENV

FAST = Placement(on="fast")


def play(
    cluster: DaskProcesses,
    tmp_path: Path,
    story: Callable[[Fleet], Awaitable[None]],
    *,
    lease: float = 25.0,
    address: str = "",
) -> None:
    cluster.ensure()

    async def on_dask() -> None:
        async with fleet(tmp_path, cluster.engine(lease=lease, address=address), cluster.send, lease) as it:
            await story(it)

    asyncio.run(on_dask())


def test_a_worker_that_is_retired_ends_its_commands_and_they_run_nowhere_else(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    async def story(it: Fleet) -> None:
        from distributed import Client

        running = asyncio.create_task(it.run(f"{count('x')} {it.nap}", needs=FAST))
        await it.until(it.executions)
        async with Client(cluster.address, asynchronous=True, set_as_default=False) as client:
            # the scheduler is asked by address: a name would do as well
            place = next(place for place in await it.engine.places() if place.name == "big")
            await client.retire_workers([place.address])
        with pytest.raises(StepUnableError):
            await running
        await it.until(lambda: not alive(it.nap))
        assert it.executions() == ["x"]
        assert (await it.run("echo on")).stdout == "on\n"

    play(cluster, tmp_path, story)


def test_a_scheduler_that_dies_is_no_green_step_and_its_return_is_noticed(
    cluster: DaskProcesses, tmp_path: Path
) -> None:
    async def story(it: Fleet) -> None:
        running = asyncio.create_task(it.run(f"{count('x')} {it.nap}", needs=FAST))
        await it.until(it.executions)
        cluster.send("scheduler", signal.SIGKILL)
        with pytest.raises(LostError, match="x was started on big, and its outcome is unknown"):
            await running
        assert it.said == ["x may still run on big, for 5 seconds at most"]
        await it.until(lambda: not alive(it.nap))
        with pytest.raises(StepUnableError, match=f"no place of the fleet answers.*{cluster.port}"):
            await it.run("true")
        await asyncio.to_thread(cluster.ensure)
        assert (await it.run("echo again")).stdout == "again\n"
        assert it.executions() == ["x"]

    play(cluster, tmp_path, story, lease=4.0)


def test_a_network_that_is_cut_ends_commands_on_both_sides(cluster: DaskProcesses, tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        async with proxy(port, cluster.port) as cut:
            running = asyncio.create_task(it.run(f"{count('x')} {it.nap}", needs=FAST))
            await it.until(it.executions)
            cut.set()
            with pytest.raises(LostError, match="nothing was heard of it for 5 seconds"):
                await running
            assert it.said == ["x may still run on big, for 5 seconds at most"]
            await it.until(lambda: not alive(it.nap))
            with pytest.raises(StepUnableError, match="no place of the fleet answers"):
                await it.run("true")
            cut.clear()
            assert (await it.run("echo again")).stdout == "again\n"
            assert it.executions() == ["x"]

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    play(cluster, tmp_path, story, lease=4.0, address=f"tcp://127.0.0.1:{port}")


DRIVER = """
import asyncio, sys
from pathlib import Path
from pytest_lok.fleet.dask import DaskFleet
from tests.fleet.stories import fleet

async def main(address, folder, lease):
    async with fleet(Path(folder), DaskFleet(address, lease=lease), print, lease) as it:
        await it.run("echo x >> $COUNTS; " + it.nap)

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


@pytest.mark.parametrize("lease", [4.0, pytest.param(25.0, marks=pytest.mark.slow)])
def test_commands_of_a_driver_that_was_killed_end(
    cluster: DaskProcesses, tmp_path: Path, lease: float
) -> None:
    cluster.ensure()
    argv = [sys.executable, "-c", DRIVER, cluster.address, str(tmp_path), str(lease)]
    driver = subprocess.Popen(argv, cwd=ROOT, env=ENV)
    it = Fleet(cluster.engine(), None, tmp_path / "repo", tmp_path / "counts", cluster.send)  # type: ignore[arg-type]
    asyncio.run(it.until(it.executions))
    driver.kill()
    driver.wait()
    assert alive(it.nap)
    asyncio.run(it.until(lambda: not alive(it.nap)))
    assert it.executions() == ["x"]


def test_where_no_scheduler_is_that_is_said(tmp_path: Path, cluster: DaskProcesses) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        engine = cluster.engine(address=nobody, lease=1.0)
        with pytest.raises(PlaceLostError, match=f"no scheduler answers at {nobody}"):
            asyncio.run(engine.places())


@contextlib.asynccontextmanager
async def proxy(port: int, to: int) -> AsyncIterator[asyncio.Event]:
    """Hands bytes on to another port of loopback, and none while the event is set, which it tells nobody."""
    cut, tasks = asyncio.Event(), set[asyncio.Task[None]]()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                while cut.is_set():
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", to)
        tasks.add(asyncio.create_task(hand_on(reader, there[1])))
        tasks.add(asyncio.create_task(hand_on(there[0], writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield cut
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
