"""Graphs of steps that turn green at some attempt, and sessions that try again: what their last words must be.

The oracle knows nothing of sessions: it counts how often each step was executed, from what the steps
themselves write down, and reads the outcomes off that.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import StepFinished, StepStarted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Shell, Step
from pytest_lok.core.workflow.schedule import Schedule
from pytest_lok.plugin.final_reports import FinalReport, ReportBook
from pytest_lok.store.run_claims import ClaimStore, WorkflowClaim
from tests.fuzz import examples


@dataclass(frozen=True)
class Case:
    """Steps with their needs, and the attempt at which each turns green (0 = never)."""

    needs: dict[str, tuple[str, ...]]
    green_at: dict[str, int]
    reruns: dict[str, int]
    order: tuple[str, ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    needs = {
        name: tuple(draw(st.sets(st.sampled_from(names[:place])))) if place else ()
        for place, name in enumerate(names)
    }
    return Case(
        needs=needs,
        green_at={name: draw(st.integers(0, 3)) for name in names},
        reruns={name: draw(st.integers(0, 2)) for name in names},
        order=tuple(draw(st.permutations(names))),
    )


class Session:
    """What the plugin does with the record of a workflow, without processes: attempts are counted here."""

    def __init__(self, case: Case, entries: list[WorkflowClaim]) -> None:
        self.case = case
        self.entries = entries
        self.steps = [Step(name=name, action=Shell(), needs=needs) for name, needs in case.needs.items()]
        self.executed: Counter[str] = Counter()

    def perform(self, name: str) -> StepResult:
        self.executed[name] += 1
        green = 0 < self.case.green_at[name] <= self.executed[name]
        outcome = Outcome.PASSED if green else Outcome.FAILED
        return StepResult(name=name, outcome=outcome, attempts=1, reason="" if green else "no")

    def run(self, known: list[StepResult], steps: list[Step], entry: WorkflowClaim) -> None:
        """What the engine does, one step after the other."""
        schedule = Schedule(steps)
        told = schedule.resume(known)
        while (step := schedule.take()) is not None:
            entry.append(StepStarted(step=step.name, at=0.0))
            result = self.perform(step.name)
            told += [result, *schedule.settle(result)]
        for result in told:
            entry.append(StepFinished(result=result, at=0.0))

    def run_outdated(self, entry: WorkflowClaim) -> None:
        if stale := entry.outdated(self.steps):
            results = (entry.result(step.name) for step in self.steps if step.name not in stale)
            self.run([result for result in results if result is not None], self.steps, entry)

    def item(self, name: str, entry: WorkflowClaim) -> StepResult:
        """One item, with its reruns, in the process that has this entry."""
        result = entry.result(name)
        assert result is not None
        if not result.attempts and name in entry.outdated(self.steps):
            self.run_outdated(entry)
            result = entry.result(name)
            assert result is not None
        for _ in range(self.case.reruns[name]):
            if not result.outcome.red:
                break
            result = self.perform(name)
            entry.record_rerun(result)
        return result


@given(cases(), st.integers(1, 3), st.booleans())
@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_green_in_the_end_rests_on_what_is_green(case: Case, processes: int, sweep: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        ledgers = [ClaimStore(Path(place), f"gw{number}") for number in range(processes)]
        try:
            judge(case, Session(case, [ledger.claim_for("w.toml") for ledger in ledgers]), sweep=sweep)
        finally:
            for ledger in ledgers:
                ledger.close()


def judge(case: Case, session: Session, *, sweep: bool) -> None:
    entries = session.entries
    session.run([], session.steps, entries[0])
    words = ReportBook()
    for number, name in enumerate(case.order):
        hear(words, session.item(name, entries[number % len(entries)]))
    if sweep:
        session.run_outdated(entries[-1])
    correct(words, entries[0])

    last = {nodeid.partition("::")[2]: word for nodeid, said in words.last.items() for word in said.values()}
    assert sorted(last) == sorted(case.needs), "each has a last word"
    for name, word in last.items():
        ran = session.executed[name]
        is_green = 0 < case.green_at[name] <= ran
        if word.kind == "green":
            assert is_green
            assert all(last[need].kind == "green" for need in case.needs[name]), "it rests on green ones"
        elif word.kind == "blocked":
            assert last[word.blocked_by].kind == "red", "what blocks it is red in the end"
            assert ran == 0
        assert ran <= 1 + case.reruns[name], "nothing is run more often than it was asked to"
    green = all(word.kind == "green" for word in last.values())
    possible = all(0 < case.green_at[name] <= 1 + case.reruns[name] for name in case.needs)
    in_order = sorted(case.order) == list(case.order)
    if in_order or sweep:
        assert green or not possible or not sweep or not in_order
    assert not green or possible


def hear(words: ReportBook, result: StepResult) -> None:
    kind = "green" if result.passed else "blocked" if result.blocked else "red"
    words.last[f"w.toml::{result.name}"] = {None: FinalReport(kind=kind, blocked_by=result.blocked_by)}  # type: ignore[arg-type]  # one of them


def correct(words: ReportBook, entry: WorkflowClaim) -> None:
    """What the end of a session does: what came of a step since counts, else it is red."""
    while untrue := words.wrongly_blocked():
        for nodeid in untrue:
            name = nodeid.partition("::")[2]
            result = entry.result(name)
            assert result is not None
            blocker = f"w.toml::{result.blocked_by}"
            if result.blocked and not words.is_red(blocker):
                words.last[nodeid] = {None: FinalReport(kind="red")}
            else:
                hear(words, result)
