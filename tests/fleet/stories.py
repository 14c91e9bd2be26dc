"""A fleet with a shell in front of it, and what its commands leave behind: how the tests of fleets drive them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_lok.core.remote import Placement, RemoteRun, Snapshot
from pytest_lok.engine.ports import CommandSpec, Completed
from pytest_lok.fleet.port import FleetEngine
from pytest_lok.fleet.shell import RemoteShell
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot
from tests.workspace.test_git_state import ENV, git

Signal = Callable[[str, signal.Signals], None]


@dataclass
class Fleet:
    """A fleet with the shell in front of it, and what its commands have left behind."""

    engine: FleetEngine
    shell: RemoteShell
    root: Path
    counts: Path
    signal: Signal
    """Sends a signal to the process of a place."""
    said: list[str] = field(default_factory=list)

    async def run(
        self, text: str, *, name: str = "x", needs: Placement | None = None, **more: object
    ) -> Completed:
        remote = RemoteRun(name=name, placement=needs or Placement(), say=self.said.append, **more)  # type: ignore[arg-type]
        return await self.shell.run(CommandSpec(argv=("sh", "-c", text), env=self.env, remote=remote))

    @property
    def env(self) -> dict[str, str]:
        return {"COUNTS": str(self.counts), "OWN": "own"}

    @property
    def nap(self) -> str:
        """A command that ends only if somebody ends it, and that no other test has."""
        return f"sleep 300.{zlib.crc32(str(self.root).encode())}"

    def beside(self) -> Fleet:
        """Another driver of the same places."""
        local = LocalProcesses(self.root, ENV)
        shell = RemoteShell(local, self.engine, snapshot=lambda: snapshot(self.root, local))
        return replace(self, shell=shell)

    def take_away(self, place: str) -> None:
        self.signal(place, signal.SIGKILL)

    def executions(self) -> list[str]:
        return self.counts.read_text().split() if self.counts.exists() else []

    async def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end
            await asyncio.sleep(0.01)


def count(name: str) -> str:
    return f"echo {name} >> $COUNTS;"


def alive(mark: str) -> list[str]:
    """Processes whose arguments hold the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and mark in (entry / "cmdline").read_text("utf-8", "replace"):
                found.append(entry.name)
    return found


Story = Callable[[Fleet], Awaitable[None]]
Drive = Callable[..., None]


@contextlib.asynccontextmanager
async def fleet(tmp_path: Path, engine: FleetEngine, send: Signal, lease: float) -> AsyncIterator[Fleet]:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    (root / "one").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    local = LocalProcesses(root, ENV)

    async def taken() -> Snapshot:
        return await snapshot(root, local)

    shell = RemoteShell(local, engine, snapshot=taken, lease=lease)
    try:
        yield Fleet(engine, shell, root, tmp_path / "counts", send)
    finally:
        await shell.aclose()
