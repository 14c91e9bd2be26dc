"""Exactly once across processes: who runs a workflow, what its steps came to, what a dead owner left.

Whoever takes the lock of a workflow of a session owns it and writes its journal; everybody else
reads. The lock dies with its owner, so another process takes over: it keeps every result in the
journal, and a step that was started and has none becomes an error, for it may have done anything.
Nothing is run twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

from pytest_lok.core.events import BackendAsked, BudgetSpent, Event, StepFinished, StepStarted
from pytest_lok.core.results import NO_USAGE, Outcome, ResumeState, StepResult, Usage
from pytest_lok.core.workflow.model import Step
from pytest_lok.core.workflow.schedule import allows_dependents, outdated
from pytest_lok.locks import NumberedLocks
from pytest_lok.store.journal import Journal

PROMPTS = 16
"""Prompts of a step that are kept, in case it has to be explained."""
_DIGITS = 12  # of a hash, hexadecimal: few enough for a place in a file, too many to meet twice
_STEM = 100  # characters of a file's name, where systems take 255 bytes
OPEN = 64
"""Journals that stay open while their workflows run."""


class ClaimStore:
    """The workflows of one session, in the directory its processes share. ``who`` names this process."""

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._lock = NumberedLocks(path / "owners.lock")
        self._open: list[Journal] = []

    def claim_for(self, nodeid: str) -> WorkflowClaim:
        """The workflow of that node id: the same in every process, whatever order each has them in."""
        digest = hashlib.sha256(nodeid.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(nodeid).stem)[:_STEM]
        journal = Journal(self._path / f"{stem}-{digest}.jsonl")
        # two places of the lock: who runs the workflow, and who runs once more what was not run
        return WorkflowClaim(journal, self._lock, 2 * int(digest, 16), self._who, opened=self._keep_open)

    def close(self) -> None:
        """Give up what this process owns. Idempotent."""
        for journal in self._open:
            journal.close()
        self._lock.close()

    def _keep_open(self, journal: Journal) -> None:
        """Some: a thousand workflows may run at once, and open files are limited."""
        if len(self._open) < OPEN:
            journal.open()
            self._open.append(journal)


class WorkflowClaim:
    """One workflow of a session, as this process knows it."""

    def __init__(
        self,
        journal: Journal,
        lock: NumberedLocks,
        number: int,
        who: str,
        *,
        opened: Callable[[Journal], None],
    ) -> None:
        self._journal = journal
        self._note = journal.path.with_suffix(".owner")
        self._lock = lock
        self._number = number
        self._who = who
        self._opened = opened
        self._finished: dict[str, StepResult] = {}
        self._running: dict[str, None] = {}
        self._asked: dict[str, list[BackendAsked]] = {}
        self._recovered: frozenset[str] = frozenset()
        self._spent = NO_USAGE
        self._order: dict[str, int] = {}
        self._settled = 0

    def try_acquire(self) -> bool:
        """Take the workflow if no living process has it; False if one does."""
        return self._lock.try_acquire(self._number)

    def recover(self) -> ResumeState:
        """A new owner's beginning: what those before have left; a step they died in is an error."""
        before = self._note.read_text("utf-8") if self._note.exists() else "nobody"
        self._note.write_text(self._who, "utf-8")
        self._journal.close_torn_line()
        self._opened(self._journal)
        self._read()
        self._recovered = frozenset(self._finished)
        interrupted = (_interrupted(step, before) for step in self._running)
        return ResumeState(results=(*self._finished.values(), *interrupted), spent=self._spent)

    def append(self, event: Event) -> None:
        """Record what happens in the run; what was inherited is there already. On any one thread."""
        if not (isinstance(event, StepFinished) and event.result.name in self._recovered):
            self._journal.append(event)

    def append_spending(self, event: Event) -> None:
        """Record what another attempt takes out of the budget, and nothing else that happens in it."""
        if isinstance(event, BudgetSpent):
            self._journal.append(event)

    def outdated(self, steps: Iterable[Step]) -> frozenset[str]:
        """Steps that were not run because of results that another attempt has replaced since."""
        self._read()
        return outdated(steps, self._finished, self._order)

    def try_acquire_rerun(self) -> bool:
        """Take what is outdated, to run it; False if another living process has taken it."""
        return self._lock.try_acquire(self._number + 1)

    def release_rerun(self) -> None:
        """It has been run, and recorded."""
        self._lock.release(self._number + 1)

    def append_for(self, steps: Collection[str], event: Event) -> None:
        """Record what happens to these steps, and what it takes out of the budget."""
        step = event.result.name if isinstance(event, StepFinished) else getattr(event, "step", "")
        if isinstance(event, BudgetSpent) or step in steps:
            self._journal.append(event)

    def record_rerun(self, result: StepResult) -> None:
        """Record the result of another attempt, which counts from now on."""
        self._journal.append(StepFinished(result=result, at=0.0))

    def result(self, step: str) -> StepResult | None:
        """What came of a step, if it is recorded by now."""
        self._read()
        return self._finished.get(step)

    def running(self, step: str) -> bool:
        """Whether a step has begun and has no result, as far as it is recorded."""
        self._read()
        return step in self._running

    def spent(self) -> Usage:
        """What is gone of the run's budget by now, in whichever process."""
        self._read()
        return self._spent

    def asked(self, step: str) -> tuple[BackendAsked, ...]:
        """What a step that did not pass asked its backends, the first prompts."""
        self._read()
        return tuple(self._asked.get(step, ()))

    def _read(self) -> None:
        for event in self._journal.read_new():
            match event:
                case StepStarted(step=step):
                    self._running[step] = None
                case BackendAsked(step=step):
                    asked = self._asked.setdefault(step, [])
                    if len(asked) < PROMPTS:
                        asked.append(event)
                case BudgetSpent(usage=usage):
                    self._spent += usage
                case StepFinished(result=result):
                    self._running.pop(result.name, None)
                    self._place(result)
                    self._finished[result.name] = result
                    if result.passed:
                        self._asked.pop(result.name, None)
                case _:
                    pass

    def _place(self, result: StepResult) -> None:
        """Where it stands in time; another attempt that comes to the same for others changes nothing."""
        before = self._finished.get(result.name)
        if before is None or not result.attempts or _means(before) != _means(result):
            self._settled += 1
            self._order[result.name] = self._settled


def _means(result: StepResult) -> tuple[bool, bool]:
    """What other steps go by."""
    return allows_dependents(result), result.passed


def _interrupted(step: str, owner: str) -> StepResult:
    return StepResult(
        name=step,
        outcome=Outcome.ERROR,
        reason=f"interrupted: {owner} died while it ran this step",
        hint="what the step had done by then is still done; look at it before running it again",
        attempts=1,
    )
