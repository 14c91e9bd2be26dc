"""What a command costs at a place of a Dask cluster of this machine, and what the driver pays for it.

The cluster is a real one: a scheduler, and two workers with two cores each, whatever this machine has.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Ratio, Row
from benchmarks.runs import DONE, Idle, plan_of, timed, world
from pytest_lok.core.remote import Placement, RemoteRun, Snapshot
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import CommandSpec, World
from pytest_lok.fleet.dask import DaskFleet
from pytest_lok.fleet.dask_cluster import LocalCluster
from pytest_lok.fleet.port import FleetPlace, Returned, Shipment
from pytest_lok.fleet.shell import RemoteShell
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot

FILES = 200
COMMANDS, SECONDS = 200, 1.0
PLACES = [FleetPlace(name=name, cores=2, memory=10**9) for name in ("w1", "w2")]
SLOTS = sum(place.cores for place in PLACES)
STEPS = 10_000
ENV = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "GIT_CONFIG_GLOBAL": os.devnull}


def rows() -> Iterator[Row]:
    """One command, many at once, and the driver alone, with places that cost nothing."""
    with tempfile.TemporaryDirectory() as folder:
        root = _repository(Path(folder))
        single, makespan = asyncio.run(_measured(root))
    extra = sorted(there - here for here, there in single)[len(single) // 2]
    yield Row(
        group=f"time of `true` at a place / here, one after the other, a repository of {FILES} files",
        what="one command",
        ratio=Ratio.median([there / here for here, there in single]),
        note=f"{extra * 1000:.0f} ms more",
    )
    yield Row(
        group="makespan / critical path",
        what=f"{COMMANDS} commands of {SECONDS:g} s on 2 workers with 2 places each",
        ratio=makespan / (COMMANDS * SECONDS / SLOTS),
        goal=1.1,
        note=f"{makespan:.1f} s",
    )
    text = "".join(f'[[steps]]\nname = "s{n}"\nargv = ["true"]\n{{needs}}\n' for n in range(STEPS))
    here, there = (plan_of(text.replace("{needs}", needs)) for needs in ("", "needs = { cores = 1 }"))
    costs = [(_cpu(here, world()), _cpu(there, _with_costless_fleet())) for _ in range(3)]
    yield Row(
        group=f"the driver's CPU time for {STEPS:,} steps at places that cost nothing / no-op steps here",
        what="one step",
        ratio=Ratio.median([there / here for here, there in costs]),
        note=f"{min(there for _, there in costs) / STEPS * 1000:.2f} ms a step",
    )


class Costless:
    """A fleet of eight places with 16 cores each, where every command has already succeeded."""

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        return [FleetPlace(name=f"p{number}", cores=16, memory=10**12) for number in range(8)]

    async def ship(self, attempt: str, shipment: Shipment, place: FleetPlace) -> None:
        pass

    async def run(
        self, attempt: str, command: CommandSpec, place: FleetPlace, artifacts: Sequence[str]
    ) -> Returned:
        return Returned(completed=DONE)

    async def kill(self, attempt: str, place: FleetPlace) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def _measured(root: Path) -> tuple[list[tuple[float, float]], float]:
    """Seconds of `true` here and there, again and again; then those of many commands at once."""
    here = LocalProcesses(root, ENV)
    cluster = LocalCluster(PLACES, 0, dict(os.environ), lambda _: None)
    async with cluster.running() as address:
        shell = RemoteShell(here, DaskFleet(address), snapshot=lambda: snapshot(root, here))
        remote = RemoteRun(name="x", placement=Placement())
        bare, placed = CommandSpec(argv=("true",)), CommandSpec(argv=("true",), remote=remote)
        await asyncio.gather(*(shell.run(placed) for _ in range(int(SLOTS))))
        single = [(await _seconds(shell, bare), await _seconds(shell, placed)) for _ in range(20)]
        one = CommandSpec(argv=("sleep", f"{SECONDS:g}"), remote=remote)
        began = time.perf_counter()
        await asyncio.gather(*(shell.run(one) for _ in range(COMMANDS)))
        makespan = time.perf_counter() - began
        await shell.aclose()
    return single, makespan


async def _seconds(shell: RemoteShell, command: CommandSpec) -> float:
    began = time.perf_counter()
    await shell.run(command)
    return time.perf_counter() - began


async def _nothing() -> Snapshot:
    return Snapshot(commit="0" * 40, diff=b"", tree="0" * 40, pack=_no_pack)


async def _no_pack() -> bytes:
    return b""


def _with_costless_fleet() -> World:
    return replace(world(), shell=RemoteShell(Idle(), Costless(), snapshot=_nothing))


def _cpu(plan: Plan, world: World) -> float:
    began = time.process_time()
    timed(plan, world)
    return time.process_time() - began


def _repository(root: Path) -> Path:
    for number in range(FILES):
        (root / f"file{number}.py").write_text(f"value = {number}\n" * 100)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        who = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", *who, *words], cwd=root, env=ENV, check=True)
    return root
