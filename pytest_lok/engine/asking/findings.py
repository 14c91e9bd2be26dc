"""What a step's backends or its command reported -> findings that are looked into, and what the gate says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.answers.corrections import correction_prompt, read_corrections
from pytest_lok.core.edits.protected_names import BASELINE
from pytest_lok.core.findings.baseline import Baseline, read_baseline
from pytest_lok.core.findings.gate import GateDecision, GateInputs, GateVerdict, decide_gate
from pytest_lok.core.findings.reading import count_votes, findings_of, list_findings, merge_backends
from pytest_lok.core.results import ASKED_AGAIN
from pytest_lok.core.text.thinking import without_thoughts
from pytest_lok.core.workflow.model import Ask, Format, Gate
from pytest_lok.engine.asking.backend_call import call, require_backend
from pytest_lok.engine.asking.lookup import EvidenceLookup
from pytest_lok.engine.context import time_limit
from pytest_lok.engine.execution import InconclusiveError
from pytest_lok.errors import BackendError, OutputError, StepFailedError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.results import Finding
    from pytest_lok.engine.execution import StepExecution


async def check_findings(execution: StepExecution, *, partly: bool = False) -> InconclusiveError | None:
    """Locate the findings of a step with that output format, put them into ``execution``, and ask the gate.

    ``partly``: the step cannot be done whatever they are, so nobody is asked again about them.

    StepFailedError where the gate says no. Where the gate is inconclusive the error is returned, not raised:
    other checks of the step may still say no, and a no weighs more.
    """
    if execution.step.output_format is not Format.FINDINGS:
        return None
    workflow = execution.context.plan.workflow
    gate = workflow.gate
    reported = {
        name: [*findings_of(entries, name, workflow.rules)] for name, entries in execution.reported.items()
    }
    case = await GateCase.of(execution, gate)
    findings = await case.locate(reported)
    if gate is None:
        _store(execution, merge_backends(findings))
        return None
    judgement = case.decide(gate, findings)
    if not partly:
        judgement = await _corrected(execution, case, gate, judgement, reported, findings)
    _store(execution, judgement.findings)
    case.tell()
    match judgement.verdict:
        case GateVerdict.PASS:
            return None
        case GateVerdict.FAIL:
            raise StepFailedError(judgement.reason)
        case GateVerdict.INCONCLUSIVE:
            soft = gate.on_inconclusive == "warn"
            return InconclusiveError(judgement.reason, hint=case.hint, soft=soft)


def _store(execution: StepExecution, findings: tuple[Finding, ...]) -> None:
    execution.findings = findings
    execution.data, execution.has_data = [finding.document() for finding in findings], True
    execution.output = json.dumps(execution.data, ensure_ascii=False, indent=2)
    execution.add_section("findings", list_findings(findings))


class GateCase:
    """What a gate has to know besides the findings: the files, the change, the baseline, who answered."""

    def __init__(
        self, execution: StepExecution, lookup: EvidenceLookup, missing: StepUnableError | None
    ) -> None:
        self._execution = execution
        self.lookup = lookup
        self._missing = missing
        self._decided: tuple[GateInputs, tuple[Finding, ...]] = (GateInputs(), ())

    @classmethod
    async def of(cls, execution: StepExecution, gate: Gate | None) -> GateCase:
        """The case of a step, with its baseline.

        A baseline that cannot be read is a gap, not an empty one.
        """
        baseline, missing = None, None
        if gate is not None and gate.baseline == "new":
            try:
                baseline = await _baseline(execution)
            except StepUnableError as gap:
                missing = gap
        return cls(execution, EvidenceLookup(execution, gate, baseline), missing)

    async def locate(self, reported: Mapping[str, Sequence[Finding]]) -> list[Finding]:
        """All findings at the places of their quotes, with the backends that report each."""
        return count_votes({name: await self.lookup.locate(findings) for name, findings in reported.items()})

    def decide(
        self, gate: Gate, findings: Sequence[Finding], asked: GateInputs | None = None
    ) -> GateDecision:
        """What the gate decides; a failed comparison is a gap only where the gate's scope needs one.

        ``asked`` says who was asked about these findings, if it was not now.
        """
        execution = self._execution
        gaps = [self.lookup.gap if gate.scope != "all" else None, self._missing]
        answered = tuple(name for name in execution.asked if name in execution.reported)
        facts = asked or GateInputs(asked=execution.asked, answered=answered)
        unknowns = tuple(dict.fromkeys(gap.message for gap in gaps if gap is not None))
        facts = replace(facts, unknowns=unknowns)
        self._decided = facts, tuple(findings)
        return decide_gate(gate, findings, facts)

    def tell(self) -> None:
        """Tell whoever listens to reviews what was decided about last."""
        execution, world = self._execution, self._execution.context.world
        if world.on_review is None:
            return
        from pytest_lok.core.findings.reported import ReportedReview

        inputs, findings = self._decided
        name, item, sample = execution.step.name, execution.item, execution.sample
        review = ReportedReview(step=name, item=item, sample=sample, inputs=inputs, findings=findings)
        world.on_review(world.redactor.value(review))

    @property
    def hint(self) -> str:
        """The remedy for the first gap, "" if there is none."""
        gaps = [gap.hint for gap in (self.lookup.gap, self._missing) if gap is not None]
        same = ["set LOK_BASE to the commit before the change"] if self.lookup.same else []
        return next(filter(None, [*gaps, *same, *(it.hint for it in self._execution.refusals)]), "")


async def _corrected(
    execution: StepExecution,
    case: GateCase,
    gate: Gate,
    judgement: GateDecision,
    reported: dict[str, list[Finding]],
    findings: Sequence[Finding],
) -> GateDecision:
    """What the gate decides when quotes that stand nowhere were asked for: once, and ``fix_retries`` times.

    They are asked only where that can help: a clear pass or fail stays as it is.
    """
    action = execution.step.action
    failed: dict[str, str] = {}
    for again in range(1 + (action.fix_retries if isinstance(action, Ask) else 0)):
        looked = iter(findings)
        located = {name: [next(looked) for _ in entries] for name, entries in reported.items()}
        lost = {name: _lost(entries) for name, entries in located.items() if name and _lost(entries)}
        if again:  # who has not answered at all is not asked a third time
            lost = {name: numbers for name, numbers in lost.items() if name in failed}
        if judgement.verdict is not GateVerdict.INCONCLUSIVE or not lost or execution.question is None:
            break
        questions = {
            name: correction_prompt(
                execution.question.text,
                next((reply.text for reply in execution.replies if reply.backend == name), ""),
                [located[name][number] for number in numbers],
                failed=failed.get(name),
            )
            for name, numbers in lost.items()
        }
        failed = await _ask_for_corrections(execution, reported, lost, questions, may_withdraw=not again)
        findings = await case.locate(reported)
        judgement = case.decide(gate, findings)
    return judgement


def _lost(located: Sequence[Finding]) -> list[int]:
    """Which of the findings quote what is nowhere, and still stand."""
    return [n for n, it in enumerate(located) if it.evidence_found is False and not it.withdrawn]


async def _ask_for_corrections(
    execution: StepExecution,
    reported: dict[str, list[Finding]],
    lost: Mapping[str, Sequence[int]],
    questions: Mapping[str, str],
    *,
    may_withdraw: bool,
) -> dict[str, str]:
    """Correct the ``lost`` findings of ``reported`` as their backends say.

    Returns who has answered, with what was wrong with the answer; "" = it could be read. A backend that does
    not answer, or answers something else, leaves its report as it is.
    """
    wrong: dict[str, str] = {}

    async def one(name: str) -> None:
        numbers = lost[name]
        try:
            second = await _ask_one_for_corrections(
                execution, name, questions[name], len(numbers), may_withdraw=may_withdraw
            )
        except (BackendError, OutputError, StepUnableError) as failure:
            said = f"its findings stay as they are: {failure.message}"
            execution.add_section(f"{name}{ASKED_AGAIN}", "\n".join(filter(None, [said, failure.output])))
            if isinstance(failure, OutputError):
                wrong[name] = failure.message
            return
        for n, correct in zip(numbers, second, strict=True):
            reported[name][n] = correct(reported[name][n])
        wrong[name] = ""

    await asyncio.gather(*map(one, questions))
    return wrong


async def _ask_one_for_corrections(
    execution: StepExecution, name: str, text: str, count: int, *, may_withdraw: bool
) -> list[Callable[[Finding], Finding]]:
    assert execution.question is not None  # noqa: S101 - findings of a backend answer one; narrows the type
    prompt = replace(execution.question, text=text)
    reply = await call(execution, require_backend(execution, name), prompt)
    try:
        corrections = read_corrections(without_thoughts(reply.text), count, may_withdraw=may_withdraw)
    except OutputError as unusable:
        unusable.output = reply.text
        raise
    execution.add_section(f"{name}{ASKED_AGAIN}", reply.text)
    return corrections


async def _baseline(execution: StepExecution) -> Baseline:
    """What the base's baseline file says today; an empty one where there is no such file."""
    context, step = execution.context, execution.step
    try:
        with time_limit(context.timeout_of(step)):
            text = await context.world.workspace.text_at_base(BASELINE)
        return read_baseline(text or '{"findings": []}', context.world.today())
    except TimeoutError:
        raise context.timed_out(step, "the baseline") from None
    except ValueError as broken:
        hint = "correct it on the base"
        raise StepUnableError(f"the baseline cannot be used: {broken}", hint=hint) from None
