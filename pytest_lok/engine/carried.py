"""An earlier review of a change, and what a step has reported now -> what the step says of all of it.

Findings of files that nobody was asked about again are looked for anew, and judged by today's gate. They are
only ever added, so no earlier review makes a step greener than what it has found out itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.findings.prior import inputs_digest, needed_by
from pytest_lok.core.results import Outcome
from pytest_lok.core.workflow.model import Ask, Format, Shell
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.findings.prior import ReviewedState, ReviewedStep
    from pytest_lok.core.results import Finding
    from pytest_lok.core.workflow.model import Gate
    from pytest_lok.engine.execution import StepExecution

_StepOutcome: TypeAlias = tuple[Outcome, str, str]

WHOLE_CHANGE = "the whole change has to be asked about: "
"""How the reason of a step begins that asks nobody, for what it would ask is not all."""


def require_whole(execution: StepExecution) -> None:
    """StepUnableError where the step is shown a part of the change, and the part does not do for it."""
    state = execution.context.world.prior.state
    for name, since in _shown_since(execution):
        # a result that was kept of another run may show less than this one knows of
        if state is None or since != state.head:
            said = f"step {name} shows what changed since {since[:12]}, which this run does not know of"
            raise StepUnableError(f"{WHOLE_CHANGE}{said}", hint="run it anew, and keep nothing")
    if state is None or _files_asked(execution, state) is None:
        return
    step = execution.step
    if step.output_format is not Format.FINDINGS:
        if not isinstance(step.action, Shell) or step.asserts:
            raise StepUnableError(f"{WHOLE_CHANGE}step {step.name} judges it, and reports no findings")
        return
    if isinstance(step.action, Ask) and (step.action.attach or step.action.attach_from):
        raise StepUnableError(f"{WHOLE_CHANGE}step {step.name} attaches files, which may have changed")
    context = execution.context
    digest = inputs_digest(context.plan.steps, context.results, step.name)
    if digest != state.steps[step.name].inputs:
        raise StepUnableError(f"{WHOLE_CHANGE}what step {step.name} is given besides has changed")


async def with_carried(execution: StepExecution, own: _StepOutcome) -> _StepOutcome:
    """The outcome with the findings of the earlier review that still stand; ``execution`` gets them."""
    gate, prior = execution.context.plan.workflow.gate, execution.context.world.prior
    if execution.step.output_format is not Format.FINDINGS or gate is None or gate.since != "reviewed":
        return own
    asked = None if prior.state is None else _files_asked(execution, prior.state)
    if prior.state is None or asked is None:
        why = prior.why if prior.state is None else "no step parts it"
        execution.reviewed = f"the whole change was asked about{why and ': '}{why}"
        return own
    before = prior.state.steps[execution.step.name]
    carried = [it for it in before.findings if it.path not in asked]
    execution.reviewed = _told(prior.state, asked, carried)
    if not carried or own[1].startswith(WHOLE_CHANGE):
        return own
    return await _judged(execution, gate, own, prior.state, before, carried)


def _told(state: ReviewedState, asked: frozenset[str], carried: Sequence[Finding]) -> str:
    files = f"{len(asked)} file{'s' * (len(asked) != 1)}"
    findings = f"{len(carried)} finding{'s' * (len(carried) != 1)}"
    return f"asked about the {files} changed since {state.head[:12]}; {findings} of other files carried over"


async def _judged(
    execution: StepExecution,
    gate: Gate,
    own: _StepOutcome,
    state: ReviewedState,
    before: ReviewedStep,
    carried: Sequence[Finding],
) -> _StepOutcome:
    from pytest_lok.core.findings.gate import GateInputs, GateVerdict
    from pytest_lok.core.findings.reading import list_findings, merge_attempts
    from pytest_lok.engine.asking.findings import GateCase

    case = await GateCase.of(execution, gate)
    found = await case.lookup.locate([replace(it, carried=it.carried or state.head) for it in carried])
    located = [_as_it_was(old, new) for old, new in zip(carried, found, strict=True)]
    decision = case.decide(gate, located, GateInputs(asked=before.asked, answered=before.asked))
    execution.add_section("findings carried over", list_findings(decision.findings))
    execution.findings = merge_attempts([*(execution.findings or ()), *decision.findings])
    if execution.step.for_each is None:
        execution.data, execution.has_data = [it.document() for it in execution.findings], True
        execution.output = json.dumps(execution.data, ensure_ascii=False, indent=2)
    outcome, reason, hint = own
    both = "\n".join(filter(None, [reason, decision.reason]))
    match decision.verdict:
        case GateVerdict.PASS:
            return own
        case GateVerdict.FAIL:
            return Outcome.FAILED, both, hint
        case GateVerdict.INCONCLUSIVE:
            if outcome in (Outcome.FAILED, Outcome.ERROR):
                return outcome, both, hint
            soft = gate.on_inconclusive == "warn" and outcome in (Outcome.PASSED, Outcome.SOFT)
            return Outcome.SOFT if soft else Outcome.ERROR, both, hint or case.hint


def _as_it_was(old: Finding, new: Finding) -> Finding:
    """The finding where it stands now; undecided where it is not what was reported."""
    if new.evidence_found and (new.fingerprint, new.removed) == (old.fingerprint, old.removed):
        return new
    doubt = new.doubt or "its lines are not what they were when they were reviewed"
    return replace(new, evidence_found=None, in_diff=None, file_changed=None, known=None, doubt=doubt)


def _files_asked(execution: StepExecution, state: ReviewedState) -> frozenset[str] | None:
    """The files that the step is shown anew; None where it is shown the whole change, or nothing of it."""
    shown = list(_parted(execution, state))
    return frozenset.intersection(*shown) if shown else None


def _shown_since(execution: StepExecution) -> Iterator[tuple[str, str]]:
    """The steps below this one that show a part of the change, each with the commit since which."""
    context = execution.context
    for name in needed_by(context.plan.steps, execution.step.name):
        result = context.results.get(name)
        if result and isinstance(result.data, dict) and {"since", "asked", "parts"} <= result.data.keys():
            yield name, str(result.data["since"])


def _parted(execution: StepExecution, state: ReviewedState) -> Iterator[frozenset[str]]:
    """The files of every part of the change that the step rests on, not by way of another review."""
    context = execution.context
    reviews = {it.name for it in context.plan.steps if it.output_format is Format.FINDINGS}
    for name in needed_by(context.plan.steps, execution.step.name, reviews):
        result = context.results.get(name)
        data = result.data if result else None
        if isinstance(data, dict) and data.get("since") == state.head:
            asked = data.get("asked")
            yield frozenset(str(it) for it in asked) if isinstance(asked, list) else frozenset()
