"""What a review of a commit came to, sealed with a key <-> a line of text that others may keep.

Whoever could write such a text could say that everything was reviewed and nothing found. So a text counts
only with a seal that nobody makes who has not the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_lok.core.finding import Finding
from pytest_lok.core.findings.prior import ReviewedState, ReviewedStep, inputs_digest
from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import Outcome, RunResult, StepResult
from pytest_lok.core.trust.redaction import MASK
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan

SHORTEST_KEY = 16
"""Characters that the key of a seal has at least."""

_START = "lok-reviewed-1"
_TEXT = late_regex(rf"{_START}\.([A-Za-z0-9+/=]+)\.([0-9a-f]{{64}})")
_MOST = 32 * 1024 * 1024  # bytes of a state


def seal(state: ReviewedState, key: str) -> str:
    """The state as a text that ``unseal`` takes with the same key alone."""
    payload = zlib.compress(json.dumps(jsonable(state), separators=(",", ":")).encode("utf-8", "replace"), 9)
    return f"{_START}.{base64.b64encode(payload).decode()}.{_digest(payload, key)}"


def unseal(text: str, key: str) -> ReviewedState:
    """The state in a text, wherever in it; ValueError where there is none that was sealed with this key."""
    found = _TEXT.search(text)
    if found is None:
        raise ValueError("it holds no state of a review")
    try:
        payload = base64.b64decode(found[1], validate=True)
    except ValueError:
        payload = b""
    # nothing of it is looked at before
    if not hmac.compare_digest(_digest(payload, key), found[2]):
        raise ValueError("its seal is not of this key, so anybody may have written it")
    opened = zlib.decompressobj()
    document = json.loads(opened.decompress(payload, _MOST))
    return ReviewedState(
        base=document["base"],
        head=document["head"],
        conditions=document["conditions"],
        steps={name: _step(step) for name, step in document["steps"].items()},
    )


def sealed_text(text: str) -> str:
    """The first sealed state in a text, as it stands there; "" without one."""
    found = _TEXT.search(text)
    return found[0] if found else ""


def misfit(state: ReviewedState, base: str, conditions: Mapping[str, str]) -> str:
    """Why the state is of another review than one from this base, under these conditions; "" = it is not."""
    names = sorted({*state.conditions, *conditions})
    changed = [name for name in names if state.conditions.get(name) != conditions.get(name)]
    if state.base != base:
        changed = ["the base", *changed]
    if not changed:
        return ""
    return f"{', '.join(changed)} changed since {state.head[:12]} was reviewed"


def state_after(result: RunResult, plan: Plan, conditions: Mapping[str, str]) -> ReviewedState:
    """The state that a run leaves behind; ValueError says why it has not reviewed everything."""
    if result.interrupted:
        raise ValueError("the run was interrupted")
    if not result.reviews:
        raise ValueError("no step reports findings")
    for name in result.reviews:
        if gap := _gap(result.steps.get(name)):
            raise ValueError(f"step {name} {gap}")
    return ReviewedState(
        base=result.base,
        head=result.head,
        conditions=conditions,
        steps={name: _reviewed(result, plan, name) for name in result.reviews},
    )


def _gap(step: StepResult | None) -> str:
    """Why a step is no whole review, "" if it is one."""
    if step is None or not step.ran:
        return "did not run"
    outcomes = {step.underlying or step.outcome, *(item.outcome for item in step.items)}
    if not outcomes <= {Outcome.PASSED, Outcome.FAILED} or step.findings is None:
        return "could not judge everything"
    if step.refusals:
        return f"has no answer of {step.refusals[0].backend}"
    if any(not it.evidence_found and not it.withdrawn for it in step.findings):
        return "has a finding whose quote is nowhere"
    if any(MASK in it.evidence for it in step.findings):
        return "has a finding that quotes a secret"
    return ""


def _reviewed(result: RunResult, plan: Plan, name: str) -> ReviewedStep:
    step = result.steps[name]
    findings = [it for it in step.findings or () if not it.withdrawn]
    voters = (name for it in findings for name in it.votes)
    answered = (reply.backend for reply in step.replies)
    return ReviewedStep(
        asked=tuple(dict.fromkeys([*answered, *voters])),
        inputs=inputs_digest(plan.steps, result.steps, name),
        findings=tuple(findings),
    )


def _digest(payload: bytes, key: str) -> str:
    return hmac.new(key.encode(), b"lok-reviewed-1\0" + payload, hashlib.sha256).hexdigest()


def _step(document: Mapping[str, Any]) -> ReviewedStep:
    findings = (
        Finding(**{**it, "edits": tuple(it["edits"]), "cwe": tuple(it["cwe"])}) for it in document["findings"]
    )
    return ReviewedStep(asked=tuple(document["asked"]), inputs=document["inputs"], findings=tuple(findings))
