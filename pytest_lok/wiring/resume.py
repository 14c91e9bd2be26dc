"""An earlier run of a workflow -> what the next one begins with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import starmap
from typing import TYPE_CHECKING

from pytest_lok.core.events import BudgetSpent, RecordedStep, ResumeState, RunStarted
from pytest_lok.core.results import NO_USAGE, Usage
from pytest_lok.core.resume.decision import merged, recorded_steps
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.errors import UsageError
from pytest_lok.reports.facts import many
from pytest_lok.store.frames import UnusableRecordError
from pytest_lok.store.runs import not_believed

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.store.records import Record, RecordedRun
    from pytest_lok.store.runs import RunStore

NEWEST = "newest"
"""Stands for the newest run of a workflow, where a run is named."""


def resume_state(store: RunStore, plan: Plan, run: str, again: Collection[str]) -> ResumeState:
    """What a run of the plan begins with that goes on from the named one; UsageError if there is none.

    ``run`` is what ``RunStore.find`` understands, or NEWEST. ``again`` names steps that run in any case.
    """
    names = [step.name for step in plan.workflow.steps]
    for name in again:
        if name not in names:
            hint = did_you_mean(name, names) or f"it has: {', '.join(names)}"
            raise UsageError(f"workflow {plan.workflow.stem!r} has no step {name!r}", hint=hint)
    if run == NEWEST:
        aside: dict[str, str] = {}
        found = earlier_run(store, plan.workflow.path, plan.workflow.stem, aside.__setitem__)
        if found is None:
            raise UsageError(
                f"no run of {plan.workflow.stem} is recorded that has ended",
                hint="; ".join(("leave --resume out", *starmap(not_believed, aside.items()))),
            )
        return state_after(store, found, again)
    found = _named(store.find(run), plan.workflow)
    state = state_after(store, found, again)
    return replace(state, recorded={**state.recorded, **_effects_since(store, found)})


def _effects_since(store: RunStore, run: RecordedRun) -> dict[str, RecordedStep]:
    """What later runs that went on from this one have recorded of steps with effects that have begun there.

    A run may be named twice, and what it lacks may be done outside since then.
    """
    family, found = {run.result.run_id}, dict[str, RecordedStep]()
    for name in reversed(store.names()):
        with suppress(UnusableRecordError):
            for later in _runs_at(store.read(name), run.result.path, run.result.workflow):
                steps, _, before = _left(later)
                if before in family:
                    family.add(later.result.run_id)
                    found |= {name: it for name, it in steps.items() if it.effects and _begun(it)}
    return found


def _begun(step: RecordedStep) -> bool:
    return step.stopped or step.result is None or bool(step.result.attempts)


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


def state_after(store: RunStore, run: RecordedRun, again: Collection[str] = ()) -> ResumeState:
    """What the run has left for one that goes on from it, with what is left of those before it."""
    steps, spent, before = _left(run)
    seen = {run.result.run_id}
    while before and before not in seen:
        seen.add(before)
        try:
            older = next(_runs_at(store.read(before), run.result.path, run.result.workflow), None)
        except UnusableRecordError:
            break  # too old, and removed: what only it has runs again
        if older is None:
            break
        earlier, _, before = _left(older)
        steps = merged(earlier, steps)
    return ResumeState(recorded=steps, brought=spent, again=frozenset(again), resumes=run.result.run_id)


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
        of = ", ".join(run.result.workflow for run in record.runs) or "nothing"
        raise UsageError(f"the run {record.run_id} is none of {workflow.stem}", hint=f"it is of: {of}")
    return found


def _ended_at(record: Record, path: str, stem: str) -> Iterator[RecordedRun]:
    if record.state != "running":
        yield from _runs_at(record, path, stem)


def _runs_at(record: Record, path: str, stem: str) -> Iterator[RecordedRun]:
    return (run for run in record.runs if (run.result.path, run.result.workflow) == (path, stem))
