"""Runs of a workflow on cases -> the marks and scores of every judge: all that reports of `lok eval` read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pytest_lok.core.evaluation.case import EvalCase
from pytest_lok.core.evaluation.judges import (
    WORKFLOW,
    Judge,
    ReviewRun,
    judges_of,
    reviewing,
    ruling_of,
)
from pytest_lok.core.evaluation.places import ExpectedFindings
from pytest_lok.core.evaluation.scores import MarkedCase, Scores, marked
from pytest_lok.core.results import NO_USAGE, Usage
from pytest_lok.core.workflow.model import Gate
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedCase:
    """A case with its runs, one for each repeat that came to its end, of ``wanted`` ones."""

    case: EvalCase
    expected: ExpectedFindings
    wanted: int
    runs: tuple[ReviewRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCases:
    """One judge, with its marks on every case and its scores; ``usage`` is what its answers took."""

    judge: Judge
    cases: tuple[MarkedCase, ...]
    scores: Scores
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A workflow on all cases. ``rows`` begin with the workflow as it is. ``cut`` says why it ended early."""

    workflow: str
    cases: tuple[EvaluatedCase, ...]
    rows: tuple[JudgedCases, ...]
    usage: Usage
    seconds: float
    cut: str = ""

    @property
    def own(self) -> JudgedCases:
        """The row of the workflow as it is."""
        return self.rows[0]

    @property
    def wanted(self) -> int:
        """How many runs there had to be."""
        return sum(case.wanted for case in self.cases)

    @property
    def done(self) -> int:
        """How many runs came to an end."""
        return sum(len(case.runs) for case in self.cases)


def evaluate_runs(
    plan: Plan, gate: Gate, cases: Sequence[EvaluatedCase], *, seconds: float, cut: str = ""
) -> Evaluation:
    """The evaluation of these runs by every judge that they allow."""
    runs = [run for case in cases for run in case.runs]
    used = [run.result.usage for run in runs]
    total = reduce(Usage.__add__, used, NO_USAGE)
    by_backend = _usage_by_backend(runs)
    steps, allow_skip = reviewing(plan.steps), plan.workflow.allow_skip
    rows = []
    for judge in judges_of(steps, runs):
        judged = []
        for it in cases:
            rulings = [ruling_of(judge, gate, steps, run, allow_skip=allow_skip) for run in it.runs]
            marks = tuple(marked(it.expected, ruling) for ruling in rulings if ruling is not None)
            judged.append(MarkedCase(name=it.case.name, expected=it.expected, rulings=marks))
        usage = by_backend.get(judge.name, NO_USAGE) if judge.kind == "backend" else total
        rows.append(JudgedCases(judge=judge, cases=tuple(judged), scores=Scores.of(judged), usage=usage))
    assert rows[0].judge is WORKFLOW  # noqa: S101 - `own` counts on it
    return Evaluation(
        workflow=plan.workflow.stem,
        cases=tuple(cases),
        rows=tuple(rows),
        usage=total,
        seconds=seconds,
        cut=cut,
    )


def _usage_by_backend(runs: Sequence[ReviewRun]) -> Mapping[str, Usage]:
    """What the valid answers of each backend took."""
    used: dict[str, Usage] = {}
    for run in runs:
        for step in run.result.steps.values():
            for reply in step.replies:
                used[reply.backend] = used.get(reply.backend, NO_USAGE) + reply.usage
    return used
