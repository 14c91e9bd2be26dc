"""What a page of a large run takes: processor time of the limit, and bytes of the limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from benchmarks.measure import Ratio, Row
from pytest_lok.core.events import BackendAsked
from pytest_lok.core.history import StepHistory
from pytest_lok.core.results import Outcome, Reply, RunResult, StepResult, Usage
from pytest_lok.core.workflow.model import Shell, Step, Workflow
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.html import LONGEST
from pytest_lok.reports.formats.reported_run import ReportedRun

STEPS, WIDTH = 1_000, 20
SECONDS = 2.0
"""Seconds that a page of so many steps may take."""
_ANSWER = "The function reads the file twice; read it once, and keep what was read.\n" * 60


def rows() -> Iterator[Row]:
    """The page of a run of many steps, each with a prompt and two answers of 4 KB, every fifth red."""
    run = large_run()
    spent, size = [], 0
    for _ in range(5):
        began = time.process_time()
        size = len(report_text("html", [run]).encode())
        spent.append(time.process_time() - began)
    group = f"HTML report of {STEPS:,} steps"
    yield Row(
        group=group,
        what=f"processor time / {SECONDS:g} s",
        ratio=Ratio.least(spent, SECONDS),
        goal=1,
        note=f"{min(spent):.2f} s",
    )
    yield Row(
        group=group, what="bytes / 5 MB", ratio=size / LONGEST, goal=1, note=f"{size / 1_000_000:.1f} MB"
    )


def large_run() -> ReportedRun:
    """Layers of steps, each after three of the layer before."""
    names = [f"step-{at}" for at in range(STEPS)]
    steps = [
        Step(name=name, action=Shell(), needs=tuple(names[max(at - WIDTH - 1, 0) : max(at - WIDTH + 2, 0)]))
        for at, name in enumerate(names)
    ]
    times = [StepHistory(started=at // WIDTH + 0.2, ended=at // WIDTH + 1.0) for at in range(STEPS)]
    result = RunResult(
        run_id="r",
        workflow="large",
        seconds=STEPS / WIDTH,
        steps={name: _result(name, at) for at, name in enumerate(names)},
        history=dict(zip(names, times, strict=True)),
    )
    return ReportedRun.of(result, Workflow(stem="large", name="large", steps=tuple(steps)), 1, _asked)


def _asked(step: str) -> Sequence[BackendAsked]:
    return [BackendAsked(step=step, backend=who, prompt=f"{step}: {_ANSWER}") for who in ("a", "b")]


def _result(name: str, at: int) -> StepResult:
    usage = Usage(calls=1, input_tokens=1_000, output_tokens=900, cost_usd=0.01)
    red = at % 5 == 4
    return StepResult(
        name=name,
        outcome=Outcome.FAILED if red else Outcome.PASSED,
        reason="the assert does not hold" if red else "",
        output=_ANSWER,
        seconds=0.7,
        attempts=1,
        replies=tuple(
            Reply(text=f"{who}: {_ANSWER}", backend=who, model="m", usage=usage) for who in ("a", "b")
        ),
        usage=usage,
    )
