"""What the backends of a run reported -> what each of them would have said alone, and what each quorum.

Nobody is asked for that: the same gate decides about the same answers. An answer that is missing or cannot be
read leaves a judge that needs it without a ruling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from pytest_lok.core.findings.gate import GateDecision, GateInputs, GateVerdict, decide_gate
from pytest_lok.core.findings.reading import count_votes
from pytest_lok.core.findings.reported import ReportedReview
from pytest_lok.core.results import Finding, Outcome, RunResult, StepResult
from pytest_lok.core.workflow.model import Ask, Format, Gate, Quorum, Step, Strategy, needed_replies
from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Whose rulings are counted: the ``workflow`` as it is, one ``backend`` alone, or another ``quorum``.

    ``name`` is the backend's; of a quorum it is the word for it ("majority", "all"), "" = there is none.
    """

    kind: Literal["workflow", "backend", "quorum"]
    name: str = ""
    quorum: Quorum = 1

    def __str__(self) -> str:
        return {"workflow": "the workflow", "backend": self.name}.get(self.kind, f"quorum {self.quorum}")


WORKFLOW = Judge(kind="workflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a judge says of a change: its verdict, the findings that block, and why it is inconclusive."""

    verdict: GateVerdict
    blocking: tuple[Finding, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRun:
    """One run of a workflow on a change: its result, and what its reviews have reported."""

    result: RunResult
    reviews: tuple[ReportedReview, ...] = ()


_Decide: TypeAlias = Callable[[ReportedReview], "GateDecision | None"]
"""A review -> what a gate says of it; None: this judge has nothing to do with it."""


def reviewing(steps: Iterable[Step]) -> list[Step]:
    """The steps that report findings."""
    return [step for step in steps if step.output_format is Format.FINDINGS]


def judges_of(steps: Sequence[Step], runs: Sequence[ReviewRun]) -> list[Judge]:
    """The workflow, every backend that was asked, and each quorum that they could have had."""
    asked = [review.inputs.asked for run in runs for review in run.reviews]
    results = [run.result.steps[step.name] for run in runs for step in steps if step.name in run.result.steps]
    # who never gave an answer was in no review
    lost = {it.backend for result in results for it in result.refusals}
    names = sorted({name for some in asked for name in some} | lost)
    sizes = {len(some) for some in asked if some}
    judges = [WORKFLOW, *(Judge(kind="backend", name=name) for name in names)]
    most = max(sizes, default=1)
    if most > 1:
        judges += [Judge(kind="quorum", name=_words_of(n, sizes), quorum=n) for n in range(1, most + 1)]
    if len(sizes) > 1:  # these mean another number in each step
        judges += [Judge(kind="quorum", name=str(said), quorum=said) for said in _WORDS]
    return judges


_WORDS: tuple[Quorum, ...] = ("majority", "all")


def _words_of(number: int, sizes: set[int]) -> str:
    """The words for a quorum of so many, where every review asked the same number of backends."""
    if len(sizes) > 1:
        return ""
    said = [it for it in _WORDS if needed_replies(it, Strategy.FIRST, min(sizes)) == number]
    return ", ".join(map(str, said))


def ruling_of(
    judge: Judge, gate: Gate, steps: Sequence[Step], run: ReviewRun, *, allow_skip: bool = False
) -> Ruling | None:
    """What the judge says of a run; None: it was not asked. ``steps`` are those that report findings.

    ``allow_skip``: the workflow says that a run in which every review was skipped is as good as a passed one.
    """
    skipped = Ruling(verdict=GateVerdict.INCONCLUSIVE, why="every review was skipped")
    if allow_skip:
        skipped = Ruling(verdict=GateVerdict.PASS)
    if judge.kind == "workflow":
        return _own_ruling(steps, run.result, skipped)
    if all(_is_skipped(run.result.steps.get(step.name)) for step in steps):
        return skipped
    match judge.kind:
        case "quorum":
            other = replace(gate, quorum=judge.quorum)
            return _combined(judge, steps, run, lambda it: decide_gate(other, it.findings, it.inputs))
        case _:
            alone = replace(gate, quorum=1, min_backends=1)
            return _combined(judge, steps, run, lambda review: _alone(judge.name, alone, review))


def _alone(name: str, gate: Gate, review: ReportedReview) -> GateDecision | None:
    if name not in review.inputs.asked:
        return None
    own = count_votes({name: [it for it in review.findings if it.backend == name]})
    answered = tuple(it for it in review.inputs.answered if it == name)
    inputs = GateInputs(asked=(name,), answered=answered, unknowns=review.inputs.unknowns)
    return decide_gate(gate, own, inputs)


# --- the workflow as it is


def _own_ruling(steps: Sequence[Step], result: RunResult, skipped: Ruling) -> Ruling:
    """What the whole workflow says: its other steps count too, and none that did not rule is a yes.

    ``skipped`` is the ruling where every review was.
    """
    if result.outcome is Outcome.FAILED:
        failed = (step for step in result.steps.values() if step.outcome is Outcome.FAILED)
        blocking = tuple(it for step in failed for it in step.findings or () if it.blocking)
        return Ruling(verdict=GateVerdict.FAIL, blocking=blocking)
    reviews = [result.steps.get(step.name) for step in steps]
    open_steps = [it for it in result.steps.values() if it.outcome is Outcome.ERROR or it.blocked]
    open_steps += [it for it in reviews if it and it.underlying is Outcome.ERROR]
    if open_steps or None in reviews or result.interrupted:
        why = result.interrupted or next((it.reason for it in open_steps if it.reason), "")
        return Ruling(verdict=GateVerdict.INCONCLUSIVE, why=why or "no review has judged")
    return skipped if all(map(_is_skipped, reviews)) else Ruling(verdict=GateVerdict.PASS)


# --- a judge of the reviews alone


def _combined(judge: Judge, steps: Sequence[Step], run: ReviewRun, decide: _Decide) -> Ruling | None:
    """One ruling of all reviews: a no of one is a no, and a yes needs all of them."""
    reviews = {(it.step, it.item, it.sample): it for it in run.reviews}
    results = [run.result.steps.get(step.name) for step in steps]
    rulings: list[Ruling] = []
    for step, result in zip(steps, results, strict=True):
        if _is_skipped(result):
            continue
        for item in _items(step, result):
            units = [reviews.get((step.name, item, sample)) for sample in range(_answers(step))]
            lost = _lost(step, result) if _may_ask(judge, result) else None
            silent = _silent(judge, item, result)
            decisions = [lost if unit is None else decide(unit) or silent for unit in units]
            if known := [it for it in decisions if it is not None]:
                rulings.append(_of_answers(known, step))
    return _worst(rulings) if rulings else None


def _is_skipped(result: StepResult | None) -> bool:
    return result is not None and result.outcome is Outcome.SKIPPED and not result.blocked


def _may_ask(judge: Judge, result: StepResult | None) -> bool:
    """Whether a review of the step of which nothing is known may have needed this judge."""
    if result is None or judge.kind != "backend":
        return True
    asked = {*(it.backend for it in result.replies), *(it.backend for it in result.refusals)}
    return not asked or judge.name in asked


def _silent(judge: Judge, item: int | None, result: StepResult | None) -> GateDecision | None:
    """The decision of a backend that was asked in vain before another one; None if it was not asked."""
    refusals = result.refusals if result is not None and judge.kind == "backend" else ()
    why = next((it.reason for it in refusals if it.backend == judge.name and it.item == item), None)
    if why is None:
        return None
    reason = f"{judge.name}: {why}"
    return GateDecision(verdict=GateVerdict.INCONCLUSIVE, findings=(), reason=reason)


def _lost(step: Step, result: StepResult | None) -> GateDecision:
    """The decision about a review that did not come to one."""
    why = result.reason if result is not None else "it did not run"
    return GateDecision(verdict=GateVerdict.INCONCLUSIVE, findings=(), reason=f"step {step.name}: {why}")


def _items(step: Step, result: StepResult | None) -> Sequence[int | None]:
    if step.for_each is None:
        return (None,)
    return [item.index for item in result.items] if result is not None and result.items else (None,)


def _answers(step: Step) -> int:
    return step.action.repeat if isinstance(step.action, Ask) else 1


def _of_answers(decisions: Sequence[GateDecision], step: Step) -> Ruling:
    """The ruling of several answers to one question: enough of them have to pass."""
    verdicts = [it.verdict for it in decisions]
    ask = step.action
    passes = ask.required_passes if isinstance(ask, Ask) else None
    wanted = min(passes or len(decisions), len(decisions))
    passed, open_ = verdicts.count(GateVerdict.PASS), verdicts.count(GateVerdict.INCONCLUSIVE)
    if passed >= wanted:
        return Ruling(verdict=GateVerdict.PASS)
    if passed + open_ >= wanted:
        why = next(it.reason for it in decisions if it.verdict is GateVerdict.INCONCLUSIVE)
        return Ruling(verdict=GateVerdict.INCONCLUSIVE, why=why)
    blocking = tuple(it for decision in decisions for it in decision.findings if it.blocking)
    return Ruling(verdict=GateVerdict.FAIL, blocking=blocking)


def _worst(rulings: Sequence[Ruling]) -> Ruling:
    failed = [it for it in rulings if it.verdict is GateVerdict.FAIL]
    if failed:
        blocking = tuple(finding for it in failed for finding in it.blocking)
        return Ruling(verdict=GateVerdict.FAIL, blocking=blocking)
    open_ = [it for it in rulings if it.verdict is GateVerdict.INCONCLUSIVE]
    return open_[0] if open_ else Ruling(verdict=GateVerdict.PASS)
