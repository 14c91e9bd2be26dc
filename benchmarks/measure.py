"""A command or a function -> what it cost; a number and its goal -> a Row of the table."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Ratio(float):
    """A ratio out of several rounds; ``spread`` is how far the rounds lie apart, as a part of the ratio."""

    spread: float

    @classmethod
    def median(cls, rounds: Sequence[float]) -> Ratio:
        """The median of ratios; the spread is the distance of the middle half."""
        ordered = sorted(rounds)
        found = cls(statistics.median(ordered))
        quarter = len(ordered) // 4
        found.spread = (ordered[-1 - quarter] - ordered[quarter]) / found
        return found

    @classmethod
    def least(cls, costs: Sequence[float], floor: float) -> Ratio:
        """The least cost above the floor; the spread is the distance from the least to the median."""
        found = cls(min(costs) / floor)
        found.spread = (statistics.median(costs) - min(costs)) / min(costs)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured ratio. ``goal`` is the most it should be (None = shown for comparison only)."""

    group: str
    what: str
    ratio: float
    goal: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.ratio <= self.goal

    @property
    def spread(self) -> float | None:
        """How far the rounds of the ratio lie apart, as a part of it; None for a ratio of one round."""
        return self.ratio.spread if isinstance(self.ratio, Ratio) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one process with its children: seconds of wall and CPU time, peak resident memory in MB."""

    wall: float
    cpu: float
    peak: float


def spend(command: Sequence[str], *, cwd: Path, **extra: str) -> Cost:
    """Run a command that must succeed; ``extra`` is added to its environment."""
    return _run(command, cwd, extra)[0]


def output_of(command: Sequence[str], *, cwd: Path, **extra: str) -> str:
    """What the same command prints, on both of its streams."""
    return _run(command, cwd, extra)[1]


def _run(command: Sequence[str], cwd: Path, extra: Mapping[str, str]) -> tuple[Cost, str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "LOK_", "PYTHON"))}
    environ |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}", "HOME": str(cwd)}
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**environ, **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output.decode()[-4000:]}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KB here
    cost = Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss * unit / 1e6)
    return cost, output.decode(errors="replace")


def pytest_command(*arguments: str) -> list[str]:
    """pytest with this plugin and no other, so that only ours is measured."""
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:anyio", "-p", "no:randomly", *arguments]


def paired(ours: Callable[[], float], floor: Callable[[], float], *, runs: int) -> Ratio:
    """The median of ``runs`` ratios, each of two measurements made one right after the other."""
    ratios = []
    for _ in range(runs):
        gc.collect()
        below = floor()
        gc.collect()
        ratios.append(ours() / below)
    return Ratio.median(ratios)


def table(rows: Iterable[Row]) -> str:
    """The rows for people, a line each."""
    marks = {True: "met", False: "MISSED", None: ""}
    lines = [f"{'':52}{'ratio':>8}{'goal':>8}{'spread':>8}"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", group]
        goal = "" if row.goal is None else f"{row.goal:g}"
        spread = "" if row.spread is None else f"{row.spread:.0%}"
        lines.append(
            f"  {row.what:50}{row.ratio:8.3g}{goal:>8}{spread:>8}  {marks[row.met]:7}{row.note}".rstrip()
        )
    return "\n".join(lines)
