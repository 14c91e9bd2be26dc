"""What it takes to go on from a run in which everything is done already, against reading its record."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Row, paired
from benchmarks.runs import Job, plan, world
from pytest_lok.core.events import Event, ResumeState
from pytest_lok.core.resume.decision import recorded_steps
from pytest_lok.core.resume.inputs import BackendIdentity
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import World
from pytest_lok.engine.run import Run
from pytest_lok.store.journal import Journal

STEPS = 10_000


def rows() -> Iterator[Row]:
    """A run of answered questions, each after the one before, that is gone on from."""
    whole = plan([Job(name=f"s{n}", seconds=0, after=[f"s{n - 1}"] if n else []) for n in range(STEPS)])
    within = replace(world(), identity=lambda name: BackendIdentity(text=name))
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "run.jsonl")
        journal = Journal(record)
        journal.open()
        asyncio.run(Run(whole, within, journal.append, run_id="one").execute())
        journal.close()
        yield Row(
            group=f"time to go on from {STEPS:,} finished steps / to read their record",
            what="a chain of questions",
            ratio=paired(lambda: gone_on(whole, within, record), lambda: read(record), runs=5),
            goal=2,
        )


def read(record: Path) -> float:
    """Seconds until every event of the record is a value."""
    began = time.perf_counter()
    events = list(Journal(record).read_new())
    took = time.perf_counter() - began
    if len(events) < STEPS:
        raise SystemExit("the record is not whole")
    return took


def gone_on(whole: Plan, within: World, record: Path) -> float:
    """Seconds until a run that reads the record has kept all of its steps, and told so."""
    told: list[Event] = []
    began = time.perf_counter()
    state = ResumeState(recorded=recorded_steps(Journal(record).read_new()), resumes="one")
    result = asyncio.run(Run(whole, within, told.append, run_id="two", resume=state).execute())
    took = time.perf_counter() - began
    kept = [step for step in result.steps.values() if step.resumed and step.resumed.decision == "kept"]
    if len(kept) != STEPS:
        raise SystemExit(f"{len(kept)} of {STEPS} steps were kept")
    return took
