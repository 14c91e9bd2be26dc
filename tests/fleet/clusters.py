"""A Dask cluster of real processes on loopback, whose workers tests may kill."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_lok.fleet.dask import DaskFleet
from pytest_lok.fleet.port import FleetPlace
from tests.workspace.test_git_state import ENV

ROOT = Path(__file__).parents[2]
GB = 10**9
PLACES = (
    FleetPlace(name="big", cores=4, memory=2 * GB, labels=("fast",)),
    FleetPlace(name="small", cores=1, memory=GB),
)
SECRET = "sk-secret-of-a-worker"


class DaskProcesses:
    """A scheduler, and a worker for each of ``places``. ``tls`` are the arguments of Dask's Security."""

    def __init__(
        self, places: Sequence[FleetPlace], folder: Path, tls: Mapping[str, str] | None = None
    ) -> None:
        self.places, self.folder, self.tls = places, folder, dict(tls or {})
        self.log = (folder / "cluster.log").open("wb")
        self.starter = subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.dask_processes"],
            cwd=ROOT,
            env={**ENV, "ANTHROPIC_API_KEY": SECRET, "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "100"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.port = free_port()
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self.scheduler = 0
        self.workers: dict[str, int] = {}

    def ensure(self) -> None:
        """Start what is not there, and wait until the scheduler knows all workers."""
        if not _is_there(self.scheduler):
            self.scheduler = self._start("scheduler", port=self.port, tls=self.tls)
            _until(lambda: _accepts(self.port) or not _is_there(self.scheduler))
        for place in self.places:
            if not _is_there(self.workers.get(place.name, 0)):
                self.workers[place.name] = self._start(
                    "worker",
                    address=self.address,
                    tls=self.tls,
                    name=place.name,
                    cores=int(place.cores),
                    memory=place.memory,
                    labels=list(place.labels),
                    folder=str(self.folder),
                )
        asyncio.run(self._all_there())

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one worker, or to the ``scheduler``."""
        pid = self.scheduler if name == "scheduler" else self.workers[name]
        os.kill(pid, number)
        if number == signal.SIGKILL:
            _until(lambda: not _is_there(pid))

    def close(self) -> None:
        assert self.starter.stdin is not None
        self.starter.stdin.close()
        self.starter.wait()
        assert self.starter.stdout is not None
        self.starter.stdout.close()
        self.log.close()

    def engine(self, *, lease: float = 25.0, address: str = "") -> DaskFleet:
        names = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
        files = {ours: self.tls[theirs] for ours, theirs in names.items()} if self.tls else None
        return DaskFleet(address or self.address, files, lease=lease)

    async def _all_there(self) -> None:
        engine = self.engine()
        end = time.monotonic() + 60
        try:
            while {place.name for place in await engine.places()} != {place.name for place in self.places}:
                assert time.monotonic() < end, (self.folder / "cluster.log").read_text()
                await asyncio.sleep(0.05)
        finally:
            await engine.aclose()

    def _start(self, kind: str, **arguments: object) -> int:
        assert self.starter.stdin is not None and self.starter.stdout is not None  # noqa: PT018
        self.starter.stdin.write(json.dumps([kind, arguments]).encode() + b"\n")
        self.starter.stdin.flush()
        return int(self.starter.stdout.readline())


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _is_there(pid: int) -> bool:
    return bool(pid) and Path(f"/proc/{pid}").exists()


def _until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
