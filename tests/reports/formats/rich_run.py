"""One run with everything that a report can tell, recorded from the real engine as a file of events."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from pytest_lok.core.events import LIVE_EVENTS, BackendAsked, Event, StepFinished, fold
from pytest_lok.core.findings.baseline import Acceptance, extended_baseline
from pytest_lok.core.results import Finding, RunResult
from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.reading.reader import parse_workflow
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.engine.run import Run
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.store.event_lines import from_json, to_json
from pytest_lok.wiring import Project

DATA = Path(__file__).parents[2] / "data/rich_run"
EVENTS = DATA / "events.jsonl"
PATH = ".lok/workflows/release.toml"
RUN_ID = "20261129-000000-rich"
BASE = {
    "app.py": "import os\n\n\nLIMIT = 3\n\n",
    "db.py": "import sqlite3\n\ncursor = sqlite3.connect(':memory:').cursor()\n",
    "old.py": "COLUMNS = 'a, b'\ncursor.execute('select ' + COLUMNS)\n",
    "settings.py": "KEY = 'not-a-real-key'\n",
}
CHANGE = {
    "app.py": BASE["app.py"]
    + "def f(n):\n    return n // 3\n\n\ndef run(command):\n    os.system(command)\n",
    "db.py": BASE["db.py"]
    + "\n\ndef user(name):\n    return cursor.execute(f\"select * from users where name = '{name}'\")\n\n\n"
    "def page(path):\n    return open(path).read()\n",
    "settings.py": "DEBUG = False\n\nKEY  =  'not-a-real-key'\n",
}
DAY = date(2026, 11, 29)
ACCEPTED = Acceptance(reason="a key of the tests", author="Ada", day=DAY)
LASTS = "slow"
"""The step that runs until the run is stopped."""


def workflow() -> Workflow:
    source = SourceText(
        text=(DATA / "release.toml").read_text(), path=PATH, stem="release", origin=Origin.PROJECT
    )
    return parse_workflow(source, parent=lambda name, child: None)


def recorded() -> ReportedRun:
    """The run as it was recorded: interrupted by Ctrl-C when all but one of its steps had ended."""
    events = [from_json(line) for line in EVENTS.read_text().splitlines()]
    return reported(events)


def reported(events: Sequence[Event]) -> ReportedRun:
    asked: dict[str, list[BackendAsked]] = {}
    for event in events:
        if isinstance(event, BackendAsked):
            asked.setdefault(event.step, []).append(event)
    return ReportedRun.of(fold(events), workflow(), 130, lambda step: asked.get(step, ()))


def record(root: Path) -> list[Event]:
    """The events of the run when it is made anew in that directory; times are made up."""
    root.mkdir()
    _git(root, "init", "--quiet", "--initial-branch=main")
    _write(root, BASE)
    _write(root, {PATH: (DATA / "release.toml").read_text(), "lok.toml": (DATA / "lok.toml").read_text()})
    _commit(root)
    before = _run(root, ("review",), stopped=False)
    known = [it for it in _findings(fold(before)) if it.rule_id == "secret"]
    _write(root, {".lok/baseline.json": extended_baseline(known, None, DAY, ACCEPTED)[0]})
    _commit(root)
    _git(root, "switch", "--quiet", "--create=feature")
    _write(root, CHANGE)
    return [_timed(event, number) for number, event in enumerate(_run(root, None, stopped=True))]


def write_recording(root: Path) -> None:
    EVENTS.write_text("".join(f"{to_json(event)}\n" for event in record(root)))


def _run(root: Path, select: Sequence[str] | None, *, stopped: bool) -> list[Event]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(root.parent), "LOK_BASE": "main", "LOK_TRUST": "1"}
    project = Project.open(root, environ=environ)
    plan = project.plan(project.load("release"), select=select)
    events: list[Event] = []
    asyncio.run(_execute(plan, project, events, stopped=stopped))
    return events


async def _execute(plan: Plan, project: Project, events: list[Event], *, stopped: bool) -> None:
    left = {step.name for step in plan.steps} - {LASTS, "last"}

    def listen(event: Event) -> None:
        if not isinstance(event, LIVE_EVENTS):
            events.append(event)
        if isinstance(event, StepFinished):
            left.discard(event.result.name)
            if stopped and not left:
                run.stop("interrupted by Ctrl-C")

    run = Run(plan, project.world(), listen, run_id=RUN_ID)
    await run.execute()


def _findings(result: RunResult) -> Iterator[Finding]:
    for step in result.steps.values():
        yield from step.findings or ()


def _timed(event: Event, number: int) -> Event:
    """The event with times that depend on nothing but its place."""

    def timed(value: object) -> object:
        if isinstance(value, dict):
            return {name: _TIMES.get(name, timed)(it) for name, it in value.items()}
        return [timed(it) for it in value] if isinstance(value, list) else value

    return from_json(json.dumps(timed({**json.loads(to_json(event)), "kind": event.kind})))


_TIMES: dict[str, Callable[[object], object]] = {
    "time": lambda _: 1_795_910_400.0,
    "at": lambda _: 2.5,
    "seconds": lambda _: 1.25,
    "delay": lambda _: 0.5,
}


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _commit(root: Path) -> None:
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message=more")


def _git(root: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(root.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}
    subprocess.run(["git", *arguments], cwd=root, env=env, check=True, capture_output=True)
