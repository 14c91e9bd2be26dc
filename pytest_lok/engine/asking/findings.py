"""What a step's backends or its command reported -> findings that are looked into, and what the gate says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_lok.core.answers.corrections import correction_prompt, read_corrections
from pytest_lok.core.findings.baseline import PATH, fingerprints
from pytest_lok.core.findings.gate import GateDecision, GateInputs, GateVerdict, decide_gate
from pytest_lok.core.findings.reading import count_votes, findings_of, list_findings, merge_backends
from pytest_lok.core.results import Finding
from pytest_lok.core.text.thinking import without_thoughts
from pytest_lok.core.workflow.model import Format, Gate
from pytest_lok.engine.asking.backend_call import available, call
from pytest_lok.engine.asking.lookup import EvidenceLookup
from pytest_lok.engine.context import time_limit, timed_out
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, OutputError, StepFailedError, StepUnableError


class InconclusiveError(StepUnableError):
    """The gate has no ruling; ``soft`` where the workflow only wants to be warned of that."""

    def __init__(self, message: str, *, hint: str, soft: bool) -> None:
        super().__init__(message, hint=hint)
        self.soft = soft


async def examine(record: StepExecution) -> InconclusiveError | None:
    """Put the step's findings into its record; nothing to do where they are not its format.

    StepFailedError where the gate says no. Where it cannot say anything the error is returned, for
    whoever has other checks that may say no.
    """
    if record.step.output_format is not Format.FINDINGS:
        return None
    workflow = record.context.plan.workflow
    gate = workflow.gate
    said = {name: findings_of(entries, name, workflow.rules) for name, entries in record.reported.items()}
    case = await _Case.of(record, gate)
    findings = await case.placed(said)
    if gate is None:
        _keep(record, merge_backends(findings))
        return None
    judgement = case.judged(gate, findings)
    if judgement.verdict is GateVerdict.INCONCLUSIVE and (
        again := await _asked_again(record, said, findings)
    ):
        judgement = case.judged(gate, await case.placed(again))
    _keep(record, judgement.findings)
    match judgement.verdict:
        case GateVerdict.PASS:
            return None
        case GateVerdict.FAIL:
            raise StepFailedError(judgement.reason)
        case GateVerdict.INCONCLUSIVE:
            soft = gate.on_inconclusive == "warn"
            return InconclusiveError(judgement.reason, hint=case.hint, soft=soft)


def _keep(record: StepExecution, findings: tuple[Finding, ...]) -> None:
    record.findings = findings
    record.data, record.has_data = [finding.document() for finding in findings], True
    record.output = json.dumps(record.data, ensure_ascii=False, indent=2)
    record.note("findings", list_findings(findings))


class _Case:
    """What a gate has to know beside what was reported: the files, the change, the baseline, who answered."""

    def __init__(
        self, record: StepExecution, lookup: EvidenceLookup, missing: StepUnableError | None
    ) -> None:
        self._record = record
        self._lookup = lookup
        self._missing = missing

    @classmethod
    async def of(cls, record: StepExecution, gate: Gate | None) -> _Case:
        """The baseline comes first; where it cannot be had nothing is known to be in it."""
        accepted, missing = None, None
        if gate is not None and gate.baseline == "new":
            try:
                accepted = await _baseline(record)
            except StepUnableError as gap:
                missing = gap
        return cls(record, EvidenceLookup(record, gate, accepted), missing)

    async def placed(self, said: Mapping[str, Sequence[Finding]]) -> list[Finding]:
        """All findings where they stand, with what every backend says of each."""
        return count_votes({name: await self._lookup.placed(findings) for name, findings in said.items()})

    def judged(self, gate: Gate, findings: Sequence[Finding]) -> GateDecision:
        """What the gate says; a comparison that it does not ask for is no gap."""
        record = self._record
        gaps = [self._lookup.gap if gate.scope != "all" else None, self._missing]
        facts = GateInputs(
            asked=record.asked,
            answered=tuple(name for name in record.asked if name in record.reported),
            unknowns=tuple(dict.fromkeys(gap.message for gap in gaps if gap is not None)),
        )
        return decide_gate(gate, findings, facts)

    @property
    def hint(self) -> str:
        """What to do about what could not be found out."""
        gaps = [gap.hint for gap in (self._lookup.gap, self._missing) if gap is not None]
        same = ["set LOK_BASE to the commit before the change"] if self._lookup.same else []
        return next(filter(None, [*gaps, *same, *(it.hint for it in self._record.refusals)]), "")


async def _asked_again(
    record: StepExecution, said: Mapping[str, Sequence[Finding]], findings: Sequence[Finding]
) -> dict[str, list[Finding]]:
    """What was reported, with the backends' second word on what nobody finds; {} = there is none.

    ``findings`` are those that were ``said``, looked into. Whoever does not answer, or not to the
    question, has said nothing new.
    """
    looked = iter(findings)
    placed = {name: [next(looked) for _ in reported] for name, reported in said.items()}

    async def one(name: str) -> list[Finding]:
        reported = list(said[name])
        lost = [n for n, it in enumerate(placed[name]) if it.evidence_found is False]
        if not lost or not name or record.question is None:
            return reported
        try:
            second = await _second_word(record, name, record.question, [placed[name][n] for n in lost])
        except (BackendError, OutputError, StepUnableError) as failure:
            record.note(f"{name} was asked again", failure.message)
            return reported
        for n, word in zip(lost, second, strict=True):
            reported[n] = word(reported[n])
        return reported

    answers = dict(zip(said, await asyncio.gather(*map(one, said)), strict=True))
    return {} if all(answers[name] == list(said[name]) for name in said) else answers


async def _second_word(
    record: StepExecution, name: str, prompt: Prompt, lost: Sequence[Finding]
) -> list[Callable[[Finding], Finding]]:
    answer = next((reply.text for reply in record.replies if reply.backend == name), "")
    text = correction_prompt(prompt.text, answer, lost)
    reply = await call(record, available(record, name), replace(prompt, text=text))
    record.note(f"{name} was asked again", reply.text)
    return read_corrections(without_thoughts(reply.text), len(lost))


async def _baseline(record: StepExecution) -> Mapping[str, int]:
    """The fingerprints that were accepted before the change; none where there is no such file."""
    limit = record.context.limit(record.step)
    try:
        with time_limit(limit):
            text = await record.context.world.workspace.at_base(PATH)
        return {} if text is None else fingerprints(text)
    except TimeoutError:
        raise timed_out("the baseline", limit) from None
    except ValueError as broken:
        hint = "correct it on the base"
        raise StepUnableError(f"the baseline cannot be used: {broken}", hint=hint) from None
