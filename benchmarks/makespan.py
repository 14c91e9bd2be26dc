"""How long a workflow takes against its critical path, and what a scheduler by levels would need.

Steps are asks of a backend that sleeps, on a real event loop. The model of a level barrier is what a
runner does that starts a level of the graph only when the one before is whole, and takes the items
of a ``for_each`` one after the other; it is computed, not run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from benchmarks.measure import Row
from benchmarks.runs import Job, plan, timed, world

GOAL = 1.02


def rows() -> Iterator[Row]:
    """Every shape, run once: its sleeps do not scatter."""
    rng = random.Random(5)
    for name, jobs in {
        "fork-join, 10 branches of 1-8 steps": fork_join(rng, branches=10, longest=8, scale=0.15),
        "ladder 5x5, one slow step a level": ladder(5, scale=0.4),
        "list, for_each of 20, summary": around(for_each(rng, items=20, scale=0.6)),
        "for_each of 20 alone": [for_each(rng, items=20, scale=0.6)],
    }.items():
        ideal = critical_path(jobs)
        seconds, _ = timed(plan(jobs), world())
        barrier = level_barrier(jobs) / ideal
        yield Row(
            group="makespan / critical path",
            what=name,
            ratio=seconds / ideal,
            goal=GOAL,
            note=f"path {ideal:.2f} s; a level barrier needs {barrier:.3g}",
        )


def fork_join(rng: random.Random, *, branches: int, longest: int, scale: float) -> list[Job]:
    """Chains of different lengths between a first and a last step."""
    jobs = [Job(name="start", seconds=0.0)]
    ends = []
    for branch in range(branches):
        before = "start"
        for number in range(rng.randint(1, longest)):
            name = f"b{branch}-{number}"
            jobs.append(Job(name=name, seconds=round(rng.uniform(0.2, 2) * scale, 3), after=[before]))
            before = name
        ends.append(before)
    return [*jobs, Job(name="join", seconds=0.0, after=ends)]


def ladder(size: int, *, scale: float) -> list[Job]:
    """A start, then ``size`` branches of ``size`` steps; on each level another branch has the slow one."""
    steps = [
        Job(
            name=f"b{branch}-{level}",
            seconds=(2.0 if branch == level else 0.2) * scale,
            after=[f"b{branch}-{level - 1}" if level else "start"],
        )
        for branch in range(size)
        for level in range(size)
    ]
    return [Job(name="start", seconds=0.2 * scale), *steps]


def for_each(rng: random.Random, *, items: int, scale: float, after: Sequence[str] = ()) -> Job:
    """One step over items of different lengths."""
    return Job(
        name="each", seconds=[round(rng.uniform(0.2, 2) * scale, 3) for _ in range(items)], after=after
    )


def around(each: Job) -> list[Job]:
    """The same between a step that lists and one that sums up."""
    inner = Job(name=each.name, seconds=each.seconds, after=["list"])
    return [Job(name="list", seconds=0.2), inner, Job(name="summary", seconds=0.2, after=[each.name])]


def critical_path(jobs: Sequence[Job]) -> float:
    """The longest chain, in seconds: no schedule is shorter."""
    done: dict[str, float] = {}
    for job in jobs:
        done[job.name] = job.path + max((done[name] for name in job.after), default=0.0)
    return max(done.values())


def level_barrier(jobs: Sequence[Job]) -> float:
    """Seconds of a runner that waits for whole levels and takes items one by one."""
    level: dict[str, int] = {}
    longest: dict[int, float] = {}
    for job in jobs:
        depth = 1 + max((level[name] for name in job.after), default=-1)
        level[job.name] = depth
        own = sum(job.seconds) if isinstance(job.seconds, Sequence) else job.path
        longest[depth] = max(longest.get(depth, 0.0), own)
    return sum(longest.values())
