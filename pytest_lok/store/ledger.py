"""Exactly once across processes: who runs a workflow, what its steps came to, what a dead owner left.

Each workflow of a session has a number. Whoever takes the lock of that number owns the workflow and
writes its journal; everybody else reads. The lock dies with its owner, so another process takes
over: it keeps every result in the journal, and a step that was started and has none becomes an
error, for it may have done anything. Nothing is run twice.
"""

from __future__ import annotations

import re
from pathlib import Path

from pytest_lok.core.events import BackendAsked, Event, StepFinished, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.journal import Journal
from pytest_lok.store.lock import Lock

PROMPTS = 16
"""Prompts of a step that are kept, in case it has to be explained."""


class Ledger:
    """The workflows of one session, in the directory its processes share. ``who`` names this process."""

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._lock = Lock(path / "owners.lock")

    def entry(self, number: int, name: str) -> Entry:
        """The workflow of that number; every process of the session counts alike."""
        stem = f"{number:03}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)}"
        return Entry(self._path / stem, self._lock, number, self._who)

    def close(self) -> None:
        """Give up what this process owns. Idempotent."""
        self._lock.close()


class Entry:
    """One workflow of a session, as this process knows it."""

    def __init__(self, path: Path, lock: Lock, number: int, who: str) -> None:
        self._journal = Journal(path.with_name(f"{path.name}.jsonl"))
        self._note = path.with_name(f"{path.name}.owner")
        self._lock = lock
        self._number = number
        self._who = who
        self._finished: dict[str, StepResult] = {}
        self._running: dict[str, None] = {}
        self._asked: dict[str, list[BackendAsked]] = {}
        self._inherited: frozenset[str] = frozenset()

    def own(self) -> bool:
        """Take the workflow if no living process has it; False if one does."""
        return self._lock.take(self._number)

    def inherit(self) -> list[StepResult]:
        """A new owner's beginning: the results of those before; a step they died in is an error."""
        before = self._note.read_text() if self._note.exists() else "nobody"
        self._note.write_text(self._who)
        self._read()
        self._inherited = frozenset(self._finished)
        return [*self._finished.values(), *(_interrupted(step, before) for step in self._running)]

    def append(self, event: Event) -> None:
        """Record what happens in the run; what was inherited is there already. On any one thread."""
        if not (isinstance(event, StepFinished) and event.result.name in self._inherited):
            self._journal.append(event)

    def again(self, result: StepResult) -> None:
        """Record the result of another attempt, which counts from now on."""
        self._journal.append(StepFinished(result=result, at=0.0))

    def result(self, step: str) -> StepResult | None:
        """What came of a step, if it is recorded by now."""
        self._read()
        return self._finished.get(step)

    def asked(self, step: str) -> tuple[BackendAsked, ...]:
        """What a step that did not pass asked its backends, the first prompts."""
        self._read()
        return tuple(self._asked.get(step, ()))

    def _read(self) -> None:
        for event in self._journal.news():
            match event:
                case StepStarted(step=step):
                    self._running[step] = None
                case BackendAsked(step=step):
                    asked = self._asked.setdefault(step, [])
                    if len(asked) < PROMPTS:
                        asked.append(event)
                case StepFinished(result=result):
                    self._running.pop(result.name, None)
                    self._finished[result.name] = result
                    if result.passed:
                        self._asked.pop(result.name, None)
                case _:
                    pass


def _interrupted(step: str, owner: str) -> StepResult:
    return StepResult(
        name=step,
        outcome=Outcome.ERROR,
        reason=f"interrupted: {owner} died while it ran this step",
        hint="what the step had done by then is still done; look at it before running it again",
        attempts=1,
    )
