"""An earlier run of a workflow -> what the next one begins with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from itertools import starmap
from typing import TYPE_CHECKING

from pytest_lok.core.events import ApprovalGiven, BudgetSpent, RecordedStep, ResumeState, RunStarted
from pytest_lok.core.results import NO_USAGE, Usage
from pytest_lok.core.resume.decision import merged, recorded_steps
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.errors import StepUnableError, UsageError
from pytest_lok.reports.facts import many
from pytest_lok.store.frames import UnusableRecordError
from pytest_lok.store.journal import workflow_digest
from pytest_lok.store.runs import not_believed

if TYPE_CHECKING:
    from pytest_lok.core.approval import Approval
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.locks import NumberedLocks
    from pytest_lok.store.records import Record, RecordedRun
    from pytest_lok.store.runs import RunStore

NEWEST = "newest"
"""Stands for the newest run of a workflow, where a run is named."""


class Resumption:
    """What the runs of this process begin with that go on from earlier ones, each of which it holds alone.

    Two processes that went on from one run would both do what it has not done outside. What is held is let go
    of by ``close``, and by the death of the process.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._held: NumberedLocks | None = None

    def state(self, plan: Plan, run: str, again: Collection[str]) -> ResumeState:
        """What a run of the plan begins with that goes on from the named one; UsageError if there is none.

        ``run`` is what ``RunStore.find`` understands, or NEWEST. ``again`` names steps that run in any case.
        UsageError also where another process goes on from it, StepUnableError where nobody can know.
        """
        names = [step.name for step in plan.workflow.steps]
        again = plan.workflow.named(again)
        for name in sorted(again):
            if name not in names:
                hint = did_you_mean(name, names) or f"it has: {', '.join(names)}"
                raise UsageError(f"workflow {plan.workflow.stem!r} has no step {name!r}", hint=hint)
        if run != NEWEST:
            return self._after(plan, _named(self._store.find_own(run), plan.workflow), again)
        aside: dict[str, str] = {}
        state = self.newest(plan, again, aside.__setitem__)
        if state is None:
            raise UsageError(
                f"no run of {plan.workflow.stem} is recorded that has ended",
                hint="; ".join(
                    ("leave --resume out", *self._recorded(), *starmap(not_believed, aside.items()))
                ),
            )
        return state

    def newest(
        self,
        plan: Plan,
        again: Collection[str],
        set_aside: Callable[[str, str], object] = lambda _name, _why: None,
    ) -> ResumeState | None:
        """What a run of the plan begins with that goes on from the newest whose process has ended, if any.

        Each other record on the way there is ``set_aside``: its name, and why. Errors are those of ``state``.
        """
        found = earlier_run(self._store, plan.workflow.path, plan.workflow.stem, set_aside)
        return None if found is None else self._after(plan, found, again)

    def close(self) -> None:
        """Let others go on from these runs. Idempotent."""
        if self._held is not None:
            self._held.close()

    def _recorded(self) -> Iterator[str]:
        names = sorted({run.result.workflow for record in self._store.believed() for run in record.runs})
        if names:
            yield f"runs are recorded of: {', '.join(names)}"

    def _after(self, plan: Plan, run: RecordedRun, again: Collection[str]) -> ResumeState:
        """What the run has left, with what is left of those before it, and what is done outside since."""
        self._hold(run)
        steps, spent, before = _left(run)
        lineage = [run.result.run_id]
        while before and before not in lineage:
            lineage.append(before)
            older = self._earlier(before, run)
            if older is None:
                break
            earlier, _, before = _left(older)
            steps = merged(earlier, steps)
        if _has_effects(plan, steps):
            steps |= self._effects_beside(run, lineage)
        named = plan.workflow.named(again)
        return ResumeState(
            recorded=steps,
            brought=spent,
            again=named,
            resumes=run.result.run_id,
            approvals=tuple(
                it for it in _approvals(run) if it.step not in named and not _waits(run, it.step)
            ),
        )

    def _hold(self, run: RecordedRun) -> None:
        """Keep other processes from going on from the run, or from any that began with the same one."""
        origin, seen, at = run.result.run_id, set[str](), run
        while (before := _before(at)) and before not in seen:
            seen.add(before)
            origin = before
            if (older := self._earlier(before, run)) is None:
                break
            at = older
        said = f"{origin}\n{run.result.path}\n{run.result.workflow}"
        try:
            self._held = self._held or self._store.resume_locks()
            free = self._held.try_acquire(int(workflow_digest(said), 16))
        except OSError as failure:
            why = failure.strerror or failure
            raise StepUnableError(
                f"whether another process goes on from {run.result.run_id} cannot be known: {why}",
                hint=f"make {self._store.folder} writable, or leave --resume out",
            ) from failure
        if not free:
            raise UsageError(
                f"another process goes on from the run {origin} of {run.result.workflow}",
                hint="wait until it has ended (`lok runs` shows it), or stop it",
            )

    def _earlier(self, name: str, run: RecordedRun) -> RecordedRun | None:
        """The run of the same workflow in that record; None where it is too old, and removed."""
        with suppress(UnusableRecordError):
            return next(_runs_at(self._store.read(name), run.result.path, run.result.workflow), None)
        return None

    def _effects_beside(self, run: RecordedRun, lineage: Collection[str]) -> dict[str, RecordedStep]:
        """What other runs with the same origin have recorded of steps with effects that have begun there.

        A run may be named twice, and what it lacks may be done outside since then.
        """
        family, found = set(lineage), dict[str, RecordedStep]()
        for name in reversed(self._store.names()):
            other = None if name in lineage else self._earlier(name, run)
            if other is not None:
                steps, _, before = _left(other)
                if before in family:
                    family.add(other.result.run_id)
                    found |= {name: it for name, it in steps.items() if it.effects and _begun(it)}
        return found


def earlier_run(
    store: RunStore,
    path: str,
    stem: str,
    set_aside: Callable[[str, str], object] = lambda _name, _why: None,
) -> RecordedRun | None:
    """The newest run of the workflow there whose process has ended, among the records that can be believed.

    Each other record on the way there is ``set_aside``: its name, and why.
    """
    runs = (run for record in store.believed(set_aside) for run in _ended_at(record, path, stem))
    return next(runs, None)


def passed_over(stem: str, earlier: RecordedRun | None, aside: Mapping[str, str]) -> str:
    """What is said of a workflow that went on from an ``earlier`` run than was wanted, or from none.

    ``aside`` are the newer records, each with why it is not believed; the newest of them is told.
    """
    went = f"went on from the older run {earlier.result.run_id}" if earlier else "ran from its beginning"
    newest = not_believed(*next(iter(aside.items())))
    more = f" (and {many(len(aside) - 1, 'older record')} too)" if len(aside) > 1 else ""
    return f"{stem}: {went}: {newest}{more}"


def require_unanswered(store: RunStore, workflow: tuple[str, str], run_id: str, step: str) -> None:
    """UsageError where a run has gone on from that one with an answer to the step.

    ``workflow`` is its path and its stem.
    """
    for record in store.believed():
        for run in _runs_at(record, *workflow):
            if _before(run) == run_id and any(it.step == step for it in _approvals(run)):
                there = record.run_id
                hint = f"`lok show {there}` says by whom; `lok resume {there}` goes on from there"
                raise UsageError(f"step {step!r} of {run_id} is answered already, in {there}", hint=hint)


def inputs_of(run: RecordedRun, step: str) -> Mapping[str, str]:
    """The digests of what a step of that run had read; {} = not known."""
    return recorded_steps(run.events())[step].inputs


def _approvals(run: RecordedRun) -> Iterator[Approval]:
    """The answers with which the run went on, and those that were given in it."""
    for event in run.events():
        if isinstance(event, ApprovalGiven):
            yield event.approval


def _waits(run: RecordedRun, step: str) -> bool:
    """Whether the step waited there all the same: an answer that did not count then is none any more."""
    result = run.result.steps.get(step)
    return result is not None and bool(result.waiting)


def _has_effects(plan: Plan, steps: Mapping[str, RecordedStep]) -> bool:
    return any(it.effects for it in plan.workflow.steps) or any(it.effects for it in steps.values())


def _begun(step: RecordedStep) -> bool:
    return step.stopped or step.result is None or bool(step.result.attempts)


def _before(run: RecordedRun) -> str:
    """The id of the run that this one went on from, "" = none."""
    return next((event.resumes for event in run.events() if isinstance(event, RunStarted)), "")


def _left(run: RecordedRun) -> tuple[dict[str, RecordedStep], Usage, str]:
    """What a run has recorded of its steps, what it has spent, and the id of the run that it went on from."""
    events = list(run.events())
    before = next((event.resumes for event in events if isinstance(event, RunStarted)), "")
    told = [event.usage for event in events if isinstance(event, BudgetSpent)]
    # without a budget nobody tells what is spent
    spent = sum(told, NO_USAGE) if told else run.result.usage
    return recorded_steps(events), spent, before


def _named(record: Record, workflow: Workflow) -> RecordedRun:
    if record.state == "running":
        raise UsageError(f"the run {record.run_id} still goes on", hint="wait until it has ended, or stop it")
    found = next(_ended_at(record, workflow.path, workflow.stem), None)
    if found is None:
        of = ", ".join(run.result.workflow for run in record.runs if run.result.workflow)
        if not of:
            message = f"the run {record.run_id} was killed before it had begun"
            raise UsageError(message, hint=f"`lok run {workflow.stem}` begins, `lok runs` lists the others")
        raise UsageError(f"the run {record.run_id} is none of {workflow.stem}", hint=f"it is of: {of}")
    return found


def _ended_at(record: Record, path: str, stem: str) -> Iterator[RecordedRun]:
    if record.state != "running":
        yield from _runs_at(record, path, stem)


def _runs_at(record: Record, path: str, stem: str) -> Iterator[RecordedRun]:
    return (run for run in record.runs if (run.result.path, run.result.workflow) == (path, stem))
