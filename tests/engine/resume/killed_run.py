"""A run in a process that dies at a chosen write of its journal, and what goes on from there.

``run(folder, …)`` is called in a forked process. All that is kept lies in the folder: ``w.toml``, what its steps run, one journal
per run, and ``asked``, a line for each question that a backend got.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.events import BudgetSpent, Event, ResumeState, RunStarted
from pytest_lok.core.results import NO_USAGE, Reply, RunResult
from pytest_lok.core.resume.decision import merged, recorded_steps
from pytest_lok.core.resume.inputs import BackendIdentity
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Prompt, World
from pytest_lok.engine.run import Run
from pytest_lok.store.journal import Journal
from tests.engine.worlds import workflow, world


class Counting(Scripted):
    """A backend that notes each question in a file before it answers with the question itself."""

    def __init__(self, name: str, log: Path) -> None:
        super().__init__(name)
        self._log = log

    async def ask(self, prompt: Prompt) -> Reply:
        with self._log.open("a") as file:
            file.write(prompt.text.replace("\n", " ") + "\n")
        await asyncio.sleep(0)
        return Reply(text=f"<{prompt.text}>", backend=self.name, model="m")


class Mending(Counting):
    """One that edits what it is told to mend."""

    async def ask(self, prompt: Prompt) -> Reply:
        reply = await super().ask(prompt)
        bad = prompt.text.removeprefix("mend ").strip()
        edit = {"file": "data.txt", "old": bad, "new": bad.replace("bad", "good")}
        return replace(reply, text=json.dumps({"edits": [edit]}))


def killed_world(folder: Path) -> World:
    """The world of a folder: three counting backends, one of which reads the files and one edits them, and its tree's state."""
    project = folder / "project"
    asked = folder / "asked"
    made = world(project, Counting("x", asked), Counting("reader", asked), Mending("editor", asked))

    async def state() -> str:
        digest = hashlib.sha256()
        for path in sorted(project.rglob("*")):
            if path.is_file() and path.name != "ignored":
                digest.update(f"{path} {len(path.read_bytes())} ".encode() + path.read_bytes())
        return digest.hexdigest()

    return replace(
        made,
        default_backends=("x",),
        identity=lambda name: BackendIdentity(text=name, reads_files=name == "reader"),
        tree_state=state,
    )


def resume_state(journal: Path, *again: str) -> ResumeState:
    """What the journal of a run leaves for the next, with what is left of those that it went on from."""
    events = list(Journal(journal).read_new())
    steps, spent = recorded_steps(events), [it.usage for it in events if isinstance(it, BudgetSpent)]
    before = next((it.resumes for it in events if isinstance(it, RunStarted)), "")
    if before:
        older = resume_state(journal.with_name(f"{before}.jsonl"))
        steps, spent = merged(older.recorded, steps), spent or [older.brought]
    return ResumeState(
        recorded=steps, brought=sum(spent, NO_USAGE), again=frozenset(again), resumes=journal.stem
    )


def run(
    folder: Path,
    name: str,
    *,
    resume: ResumeState | None = None,
    kill_at: int = 0,
    within: World | None = None,
) -> RunResult:
    """Run the folder's workflow with a journal; die at its ``kill_at``-th write, half way through the line."""
    journal = Journal(folder / f"{name}.jsonl")
    writes = 0

    def note(event: Event) -> None:
        nonlocal writes
        writes += 1
        if writes == kill_at:
            with journal.path.open("ab") as file:
                file.write(b'{"torn')
            os.kill(os.getpid(), signal.SIGKILL)
        journal.append(event)

    inner = {file.stem: file.read_text() for file in folder.glob("*.toml")}
    plan = Plan.of(workflow((folder / "w.toml").read_text(), inner=inner))
    begin = functools.partial(Run, plan, within or killed_world(folder), note, run_id=name)
    return asyncio.run((begin() if resume is None else begin(resume=resume)).execute())
