"""Exactly once across processes: who runs a workflow, what its steps came to, what a dead owner left.

Whoever takes the lock of a workflow of a session owns it and writes its journal; everybody else
reads. The lock dies with its owner, so another process takes over: it keeps every result in the
journal, and a step that was started and has none becomes an error, for it may have done anything.
Nothing is run twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pytest_lok.core.events import BackendAsked, BudgetSpent, Event, ResumeState, StepFinished, StepStarted
from pytest_lok.core.results import NO_USAGE, Outcome, StepResult, Usage
from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.core.workflow.model import Step
from pytest_lok.core.workflow.schedule import allows_dependents, outdated
from pytest_lok.locks import NumberedLocks
from pytest_lok.store.disk import Disk
from pytest_lok.store.event_lines import encoded
from pytest_lok.store.journal import Journal, journal_name, workflow_digest
from pytest_lok.store.records import RecordedWorkflow

RED_ITEMS = 50
"""Items of a step whose prompts are kept, for the report of its failure."""
_PROMPT = 4_000  # characters of the start and of the end of a prompt that are kept
OPEN = 64
"""How many journals stay open while their workflows run."""


class ClaimStore:
    """The claims of one session, in the directory that its processes share. ``who`` names this process."""

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._lock = NumberedLocks(path / "owners.lock")
        self._disk = Disk()
        self._open: list[Journal] = []

    def claim_for(self, nodeid: str) -> WorkflowClaim:
        """The claim on the workflow with that node id; every process gets the same journal and locks."""
        digest = workflow_digest(nodeid)
        journal = Journal(self._path / journal_name(PurePosixPath(nodeid).stem, digest), self._disk)
        # two numbers: of who runs the workflow, and of who reruns the steps that were not run
        return WorkflowClaim(journal, self._lock, 2 * int(digest, 16), self._who, opened=self._keep_open)

    def close(self) -> None:
        """Release every claim of this process. Idempotent. OSError if the disk has refused to keep one."""
        try:
            self._disk.close()
        finally:
            for journal in self._open:
                journal.close()
            self._lock.close()

    def _keep_open(self, journal: Journal) -> None:
        """Open a journal, up to a limit: a thousand workflows may run at once, and open files are limited."""
        if len(self._open) < OPEN:
            journal.open()
            self._open.append(journal)


class WorkflowClaim:
    """One workflow of a session: who runs it, and what this process knows of its steps."""

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
        self._owner_note = journal.path.with_suffix(".owner")
        self._lock = lock
        self._number = number
        self._who = who
        self._opened = opened
        self._finished: dict[str, StepResult] = {}
        self._running: dict[str, None] = {}
        self._asked: dict[str, dict[tuple[int | None, str], list[BackendAsked]]] = {}
        self._recovered: frozenset[str] = frozenset()
        self._spent = NO_USAGE
        self._order: dict[str, int] = {}
        self._has_replaced = False
        self._settled = 0

    def try_acquire(self) -> bool:
        """Claim the workflow; False if another living process has it."""
        return self._lock.try_acquire(self._number)

    def recover(self) -> ResumeState:
        """What earlier owners have left, for a new owner to go on from; a step they died in is an error."""
        before = self._owner_note.read_text("utf-8") if self._owner_note.exists() else "nobody"
        self._owner_note.write_text(self._who, "utf-8")
        # the one before may have died while it wrote
        self._journal.close_torn_line()
        self._opened(self._journal)
        self._read()
        self._recovered = frozenset(self._finished)
        # a step that was started may have done anything: an error is the only safe result
        interrupted = (_interrupted(step, before) for step in self._running)
        return ResumeState(results=(*self._finished.values(), *interrupted), spent=self._spent)

    def describe(self, workflow: RecordedWorkflow) -> None:
        """Record what the run is of; each owner does, for the one before may have died too early."""
        self._journal.append_document(encoded(workflow, kind=workflow.kind))

    def append(self, event: Event) -> None:
        """Record an event of the run, but no result that was recovered. Call this on one thread at a time."""
        if not (isinstance(event, StepFinished) and event.result.name in self._recovered):
            self._journal.append(event)

    def append_spending(self, event: Event) -> None:
        """Record what another attempt spends of the budget, and none of its other events."""
        if isinstance(event, BudgetSpent):
            self._journal.append(event)

    def outdated(self, steps: Iterable[Step]) -> frozenset[str]:
        """Steps that were not run because of results that another attempt has replaced since then."""
        self._read()
        # each item that did not run asks this, and the answer takes a look at all steps
        return outdated(steps, self._finished, self._order) if self._has_replaced else frozenset()

    def try_acquire_rerun(self) -> bool:
        """Claim the outdated steps, to run them; False if another living process has them."""
        return self._lock.try_acquire(self._number + 1)

    def release_rerun(self) -> None:
        """Give the outdated steps back: they have been run, and recorded."""
        self._lock.release(self._number + 1)

    def append_for(self, steps: Collection[str], event: Event) -> None:
        """Record the event if it is one of these steps, or spends budget."""
        step = event.result.name if isinstance(event, StepFinished) else getattr(event, "step", "")
        if isinstance(event, BudgetSpent) or step in steps:
            self._journal.append(event)

    def record_rerun(self, result: StepResult) -> None:
        """Record the result of another attempt; it counts from now on."""
        self._journal.append(StepFinished(result=result, at=0.0))

    def result(self, step: str) -> StepResult | None:
        """The result of a step, None while there is none."""
        self._read()
        return self._finished.get(step)

    def running(self, step: str) -> bool:
        """Whether a step has started and has no result yet."""
        self._read()
        return step in self._running

    def spent(self) -> Usage:
        """What all processes together have spent of the run's budget until now."""
        self._read()
        return self._spent

    def asked(self, step: str) -> tuple[BackendAsked, ...]:
        """The first and the last question of a step that has not passed to each backend, of each red item."""
        self._read()
        return tuple(event for events in self._asked.get(step, {}).values() for event in events)

    def _read(self) -> None:
        for event in self._journal.read_new():
            match event:
                case StepStarted(step=step):
                    self._running[step] = None
                case BackendAsked(step=step, item=item, backend=backend):
                    asked = self._asked.setdefault(step, {}).setdefault((item, backend), [])
                    prompt = leave_out_middle(event.prompt, head=_PROMPT, tail=_PROMPT)
                    asked[1:] = [replace(event, prompt=prompt)]
                case BudgetSpent(usage=usage):
                    self._spent += usage
                case StepFinished(result=result):
                    self._running.pop(result.name, None)
                    self._order_result(result)
                    self._has_replaced |= result.name in self._finished
                    self._finished[result.name] = result
                    self._forget_questions(result)
                case _:
                    pass

    def _forget_questions(self, result: StepResult) -> None:
        """Keep the questions that a report of the result shows: a loop may have asked thousands."""
        asked = self._asked.pop(result.name, {})
        if not result.passed:
            red = [item.index for item in result.items if item.outcome.red][:RED_ITEMS]
            shown = {None, *red}
            self._asked[result.name] = {key: events for key, events in asked.items() if key[0] in shown}

    def _order_result(self, result: StepResult) -> None:
        """Note the order of a result; another attempt that means the same to other steps changes nothing."""
        before = self._finished.get(result.name)
        # a rerun that ends like the run before it gives nobody a reason to run again
        if before is None or not result.attempts or _effect_on_others(before) != _effect_on_others(result):
            self._settled += 1
            self._order[result.name] = self._settled


def _effect_on_others(result: StepResult) -> tuple[bool, bool]:
    """What other steps go by: whether they may run, and whether it passed."""
    return allows_dependents(result), result.passed


def _interrupted(step: str, owner: str) -> StepResult:
    return StepResult(
        name=step,
        outcome=Outcome.ERROR,
        reason=f"interrupted: {owner} died while it ran this step",
        hint="what the step had done by then is still done; look at it before running it again",
        attempts=1,
    )
