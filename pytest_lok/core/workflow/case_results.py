"""The results of a step's cases → the one result that other steps read under the step's name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain

from pytest_lok.core.results import NO_USAGE, Json, Outcome, StepResult
from pytest_lok.core.workflow.model import Step

_WORST_FIRST = (Outcome.FAILED, Outcome.ERROR, Outcome.SOFT, Outcome.SKIPPED)
_NAMED = 5
"""Cases whose reasons stand in the reason of the whole."""


def result_of_all(cases: Sequence[Step], results: Mapping[str, StepResult]) -> StepResult:
    """What came of a step with these cases: it has passed if each of them has, else the worst of them.

    The output is a JSON array, as a ``for_each`` has it: an object for each case, in their order. No event
    tells of this result, for the run has one for each case.
    """
    each = [results[case.name] for case in cases]
    bad = [result for result in each if not result.passed]
    found = {result.outcome for result in bad}
    outcome = next((it for it in _WORST_FIRST if it in found), Outcome.PASSED)
    is_answered = any(result.outcome is not Outcome.SKIPPED for result in each)
    data: list[Json] = [
        _document(index, case, result) for index, (case, result) in enumerate(zip(cases, each, strict=True))
    ]
    reviewed = [result.findings for result in each if result.findings is not None]
    return StepResult(
        name=cases[0].written_name,
        outcome=outcome,
        reason=_reason(bad, len(each)),
        hint=next((result.hint for result in bad if result.hint), ""),
        # as of a step that was skipped by its own `when`
        output=json.dumps(data, ensure_ascii=False) if is_answered else "",
        cut=any(result.cut for result in each),
        data=data if is_answered else None,
        has_data=is_answered,
        seconds=sum(result.seconds for result in each),
        attempts=sum(result.attempts for result in each),
        replies=tuple(chain.from_iterable(result.replies for result in each)),
        refusals=tuple(chain.from_iterable(result.refusals for result in each)),
        findings=tuple(chain.from_iterable(reviewed)) if reviewed else None,
        usage=sum((result.usage for result in each), NO_USAGE),
        underlying=_underlying(bad) if outcome is Outcome.SOFT else None,
        blocked_by=next((result.blocked_by for result in bad if result.blocked), ""),
    )


def _document(index: int, case: Step, result: StepResult) -> Json:
    """A case as later steps read it. The keys are part of the workflow language."""
    assert case.case is not None  # noqa: S101 - the caller has cases only
    listed: dict[str, Json] = {
        "index": index,
        "name": case.name[len(case.written_name) + 1 : -1],
        "item": dict(case.case.values),
        "output": result.handed_on,
        "outcome": str(result.outcome),
        "success": result.passed,
    }
    if result.scores:
        listed["scores"] = {score.name: score.value for score in result.scores}
    return {**listed, "json": result.data} if result.has_data else listed


def _reason(bad: Sequence[StepResult], total: int) -> str:
    if not bad:
        return ""
    shown = "; ".join(f"{result.name}: {result.reason}" for result in bad[:_NAMED])
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{len(bad)} of {total} cases did not pass: {shown}{more}"


def _underlying(bad: Sequence[StepResult]) -> Outcome:
    soft = {result.underlying for result in bad}
    return Outcome.FAILED if Outcome.FAILED in soft else Outcome.ERROR
