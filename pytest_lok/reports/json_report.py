"""RunResult -> one JSON document, for programs."""

from __future__ import annotations

import json
import math

from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.reports.facts import answered_of


def json_report(result: RunResult, exit_code: int) -> str:
    """The run: every field of RunResult under its own name, its steps by name in order.

    Beside them the run has ``outcome``, ``exit_code`` (of the process), ``output`` (the leaves')
    and ``usage`` (of all steps), and a step has ``backend`` (whose answer its output is) and
    ``answered`` (of how many items, and of how many backends or answers, how many were). Durations are
    seconds, null = not reported.
    """
    return dumps(run_as_json(result, exit_code))


def run_as_json(result: RunResult, exit_code: int) -> dict[str, object]:
    """The same as a document, of dataclasses and plain values."""
    return {
        **jsonable(result),
        "outcome": result.outcome,
        "exit_code": exit_code,
        "output": result.output,
        "usage": result.usage,
        "steps": {name: step_as_json(step) for name, step in result.steps.items()},
    }


def dumps(document: object) -> str:
    """JSON of dataclasses and plain values in pure ASCII: no terminal obeys it, no encoding breaks it."""
    text = json.dumps(_finite(jsonable(document)), indent=2)
    # `##[` acts anywhere in a line of a CI log; escaped, the document still says the same
    return text.replace("##", "\\u0023\\u0023")


def step_as_json(step: StepResult) -> dict[str, object]:
    """A step of that document."""
    findings = None if step.findings is None else [finding.document() for finding in step.findings]
    answered = {f"{what}s": {"answered": n, "of": of} for what, (n, of) in answered_of(step).items()}
    return {**jsonable(step), "backend": step.backend, "findings": findings, "answered": answered}


def _finite(value: object) -> object:
    """The value with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
