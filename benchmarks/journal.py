"""What the record of a run costs per step, beside one commit of SQLite, and what reading it back costs."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.engine import chain, layered
from benchmarks.measure import Ratio, Row
from benchmarks.runs import plan, timed, world
from pytest_lok.core.events import Event
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.store.disk import Disk
from pytest_lok.store.journal import Journal
from pytest_lok.store.runs import RunStore

STEPS = 1000
ROUNDS = 7
_STATE = "x" * 500
"""What a row of SQLite holds, about as much as the two lines of a step."""


def rows() -> Iterator[Row]:
    """The same run with and without its journal, against commits; then reading 10,000 steps back."""
    for name, jobs in {"chain": chain(), "layers of 50": layered()}.items():
        whole = plan(jobs)
        costs = [_per_step(whole) for _ in range(ROUNDS)]
        for mode, goal in (("NORMAL", 2.0), ("FULL", None)):
            floor = min(_commit(mode) for _ in range(ROUNDS))
            yield Row(
                group=f"journal per step (2 lines, fsync begun) / one commit, WAL, synchronous={mode}",
                what=name,
                ratio=Ratio.least(costs, floor),
                goal=goal,
                note=f"{min(costs) * 1e6:.0f} µs and {floor * 1e6:.0f} µs",
            )
    yield _reading()


def _per_step(whole: Plan) -> float:
    """Seconds per step that the journal adds to a run, until all of it is on the disk."""
    without = min(_run(whole, None) for _ in range(3))
    with tempfile.TemporaryDirectory(dir=".") as place:
        disk = Disk()
        journal = Journal(Path(place) / "run.jsonl", disk)
        journal.open()
        within = _run(whole, journal.append)
        began = time.perf_counter()
        disk.close()
        journal.close()
        return (within - without + time.perf_counter() - began) / STEPS


def _run(whole: Plan, on_event: Callable[[Event], None] | None) -> float:
    return timed(whole, world(), on_event)[0]


def _commit(mode: str) -> float:
    """Seconds of one commit of one row, each in a transaction of its own."""
    with tempfile.TemporaryDirectory(dir=".") as place:
        base = sqlite3.connect(Path(place) / "state.db", isolation_level=None)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={mode}")
        base.execute("CREATE TABLE steps (name TEXT PRIMARY KEY, state TEXT)")
        number = STEPS if mode == "NORMAL" else 100
        began = time.perf_counter()
        for n in range(number):
            base.execute("INSERT INTO steps VALUES (?, ?)", (f"s{n}", _STATE))
        seconds = (time.perf_counter() - began) / number
        base.close()
        return seconds


def _reading() -> Row:
    """A record of many steps: checked and folded, against parsing its lines as JSON."""
    events: list[Event] = []
    timed(plan(chain()), world(), events.append)
    with tempfile.TemporaryDirectory(dir=".") as place:
        store = RunStore(Path(place) / "runs")
        made = store.new(command=["lok"], root=Path(place))
        journal = Journal(made.path / "w-000000000000.jsonl")
        journal.open()
        for _ in range(10):
            for event in events:
                journal.append(event)
        journal.close()
        made.end(0)
        made.close()
        lines = journal.path.read_bytes().splitlines()
        ratios = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            store.read(made.run_id)
            between = time.perf_counter()
            for line in lines:
                json.loads(line)
            ratios.append((between - began) / (time.perf_counter() - between))
    return Row(
        group="reading a record of 10,000 finished steps / json.loads of its lines",
        what="checksums, digest, events, result",
        ratio=Ratio.median(ratios),
        note=f"{(between - began) * 1000:.0f} ms",
    )
