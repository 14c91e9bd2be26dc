"""Many small processes: the run alone, through pytest, and with a busy main thread against an idle one."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, paired, pytest_command, spend
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.background import Background
from pytest_lok.engine.run import run
from pytest_lok.wiring import Project

SPAWNS = 2000
FEW_SPAWNS = 200
AT_ONCE = 50
LINKS = 100


def rows() -> Iterator[Row]:
    """CPU time of the run alone, then wall time of whole processes."""
    for count in (FEW_SPAWNS, SPAWNS):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            write(root, commands(count))
            yield Row(
                group="CPU time of `sh -c true`, with that of the children",
                what=f"a run of {count} / as many by os.posix_spawn",
                ratio=paired(partial(run_alone, root), partial(spawned, count), runs=5),
                goal=1.5,
                note="without the start of lok",
            )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, commands(SPAWNS))
        loop = f"i=0; while [ $i -lt {SPAWNS} ]; do sh -c true; i=$((i + 1)); done"
        xargs = f"seq {SPAWNS} | xargs -P {AT_ONCE} -n 1 sh -c true"
        for what, command, goal in (
            ("a shell's loop", loop, 2),
            (f"xargs, {AT_ONCE} at once", xargs, None),
        ):
            yield Row(
                group=f"wall time of {SPAWNS} x `sh -c true`, {AT_ONCE} at once",
                what=f"pytest --lok / {what}",
                ratio=paired(
                    lambda: spend(pytest_command("--lok", "-p", "no:cacheprovider"), cwd=root).wall,
                    partial(looped, command, root),
                    runs=3,
                ),
                goal=goal,
                note="" if goal else "which takes about 1.1 x a loop in C of that many at once",
            )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, "".join(link(n) for n in range(LINKS)))
        yield Row(
            group=f"wall time of a chain of {LINKS} x /bin/true",
            what="main thread busy / idle",
            ratio=paired(lambda: chain(root, busy=True), lambda: chain(root, busy=False), runs=3),
            goal=2,
        )


def commands(count: int) -> str:
    """A workflow of so many commands."""
    return "".join(f'[[steps]]\nname = "s{n}"\nshell = "true"\n' for n in range(count))


def run_alone(root: Path) -> float:
    """Seconds of CPU that a run takes, without the process around it."""
    project = Project.open(root, environ=os.environ)
    plan, world, before = Plan.of(project.load("many")), project.world(), cpu()
    result = asyncio.run(run(plan, world))
    if not result.passed:
        raise SystemExit("the commands did not pass")
    return cpu() - before


def spawned(count: int) -> float:
    """Seconds of CPU that as many shells take, started one after the other."""
    before = cpu()
    for _ in range(count):
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "true"], os.environ), 0)
    return cpu() - before


def cpu() -> float:
    """Seconds of CPU that this process and the children that it has waited for have taken."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def looped(command: str, root: Path) -> float:
    """Seconds of wall time of a shell's text."""
    return spend(["sh", "-c", command], cwd=root).wall


def write(root: Path, workflow: str) -> None:
    """A project with one workflow."""
    (root / ".lok" / "workflows").mkdir(parents=True)
    (root / ".lok" / "workflows" / "many.toml").write_text(workflow)
    (root / "lok.toml").write_text(f"[defaults]\nmax_parallel = {AT_ONCE}\n")


def link(number: int) -> str:
    """One step of a chain."""
    after = f'depends_on = ["s{number - 1}"]\n' if number else ""
    return f'[[steps]]\nname = "s{number}"\nargv = ["/bin/true"]\n{after}'


def chain(root: Path, *, busy: bool) -> float:
    """Seconds until the chain has run on the engine's thread, while this one waits or computes."""
    project = Project.open(root, environ=os.environ)
    plan = Plan.of(project.load("many"))
    engine = Background()
    began = time.perf_counter()
    handle = engine.start(plan, project.world(), lambda _: None)
    while busy and handle.wait(0) is None:
        sum(range(1000))
    result = handle.wait()
    seconds = time.perf_counter() - began
    engine.close()
    if result is None or not result.passed:
        raise SystemExit("the chain did not pass")
    return seconds
