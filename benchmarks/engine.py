"""What the engine itself costs per step, and what a waiting step holds."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.measure import Row, paired
from benchmarks.runs import Job, plan, timed, world
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.run import run

STEPS = 1000


def rows() -> Iterator[Row]:
    """No-op steps in four shapes against bare tasks; the memory of waiting steps against waiting tasks."""
    shapes = {"chain": chain(), "wide": wide(), "layers of 50": layered(), "fork-join": branches()}
    for name, jobs in shapes.items():
        yield Row(
            group=f"time per no-op step, all events kept / create_task + gather ({STEPS} steps)",
            what=name,
            ratio=paired(partial(no_ops, plan(jobs)), bare_tasks, runs=7),
            goal=4,
        )
    steps, tasks = held_by_steps(), held_by_tasks()
    yield Row(
        group=f"memory per waiting step / per waiting task ({STEPS} of each)",
        what="asks that wait for their backend",
        ratio=steps / tasks,
        note=f"{steps / 1024:.1f} KB and {tasks / 1024:.1f} KB",
    )


def no_ops(whole: Plan) -> float:
    """Seconds of a run in which nothing takes any time."""
    return timed(whole, world())[0]


def chain() -> list[Job]:
    """Each after the one before."""
    return [Job(name=f"s{n}", after=[f"s{n - 1}"] if n else []) for n in range(STEPS)]


def wide() -> list[Job]:
    """All at once."""
    return [Job(name=f"s{n}") for n in range(STEPS)]


def layered(width: int = 50) -> list[Job]:
    """Layers in which each step follows its neighbour of the layer above."""
    return [Job(name=f"s{n}", after=[f"s{n - width}"] if n >= width else []) for n in range(STEPS)]


def branches(count: int = 10) -> list[Job]:
    """``count`` chains between a first and a last step."""
    inner = [Job(name=f"s{n}", after=[f"s{n - count}" if n >= count else "start"]) for n in range(STEPS - 2)]
    ends = [job.name for job in inner[-count:]]
    return [Job(name="start"), *inner, Job(name="join", after=ends)]


def bare_tasks() -> float:
    """Seconds of as many tasks that do nothing, on a loop of their own."""

    async def nothing() -> None:
        pass

    async def go() -> float:
        began = time.perf_counter()
        await asyncio.gather(*[asyncio.create_task(nothing()) for _ in range(STEPS)])
        return time.perf_counter() - began

    return asyncio.run(go())


def held_by_tasks() -> float:
    """Bytes that one task holds while it waits for a future."""

    async def go() -> float:
        gate = asyncio.Event()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tasks = [asyncio.create_task(gate.wait()) for _ in range(STEPS)]
        await asyncio.sleep(0.05)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gate.set()
        await asyncio.gather(*tasks)
        return (after - before) / STEPS

    return asyncio.run(go())


def held_by_steps() -> float:
    """Bytes that one ask holds while its backend takes its time, beyond what the plan holds anyway."""
    seconds = 3.0
    jobs: Sequence[Job] = [Job(name=f"s{n}", seconds=seconds) for n in range(STEPS)]

    async def go(whole: Plan) -> float:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        running = asyncio.create_task(run(whole, world()))
        await asyncio.sleep(seconds / 2)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await running
        return (after - before) / STEPS

    return asyncio.run(go(plan(jobs)))
