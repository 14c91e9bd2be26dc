"""A small run to read from: what templates and conditions are tested against."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lok.core.results import Json, Outcome, Refusal, Reply, StepResult, Usage
from pytest_lok.core.templates.scope import Loop, Scope, VisibleNames
from pytest_lok.errors import Fault, SourceError

TEXT = 'The scan found a critical bug. {"title": "T", "n": 3, "ok": true, "tags": ["a", "b"], "reason": "R"} Bye.'
FINDINGS: Json = {
    "findings": [
        {"title": "SQL", "severity": "critical", "items": [1, 2], "index": 7},
        {"title": "XSS", "severity": "low", "items": [], "index": 8},
    ],
    "nothing": None,
    "count": 2,
    "exit-code": 5,
}


def passed(name: str, output: str, **more: Any) -> StepResult:
    return StepResult(name=name, outcome=Outcome.PASSED, output=output, **more)


def as_data(name: str, data: Json, **more: Any) -> StepResult:
    return passed(name, json.dumps(data), data=data, has_data=True, **more)


RESULTS = [
    passed("scan", TEXT, reason="", seconds=1.5, replies=(Reply(text="from claude", backend="claude"),)),
    as_data("deep-audit", FINDINGS),
    as_data("list", ["x", "y"]),
    passed("2fa-check", "  PASS\n"),
    passed("plain", "no JSON here"),
    StepResult(name="unneeded", outcome=Outcome.SKIPPED, reason="when is false: false"),
    StepResult(
        name="soft",
        outcome=Outcome.SOFT,
        underlying=Outcome.FAILED,
        reason="exit code 1",
        output="it broke",
        refusals=(Refusal(backend="codex", kind="timeout", reason="timed out after 5 s"),),
    ),
    passed("not", "yes"),
    passed("item", "step item"),
]
NAMES = VisibleNames(steps=frozenset(r.name for r in RESULTS), arguments=frozenset({"focus", "max-n"}))
IN_LOOP = dataclasses.replace(NAMES, loop=True)
IN_ASSERT = dataclasses.replace(NAMES, own=True)
SCOPE = Scope(
    steps={r.name: r for r in RESULTS},
    arguments={"1": "main..HEAD", "focus": "auth"},
    env={"HOME": "/home/me", "EMPTY": ""},
    workflow_name="review",
    backends=("claude", "codex"),
    project={"language": "python", "root": "/src", "tools": ["ruff", "mypy"]},
)
LOOP = dataclasses.replace(SCOPE, loop=Loop(item={"file": "a.py", "the-line": 3, "items": 1}, index=2))
OWN = dataclasses.replace(
    SCOPE,
    own=as_data("me", {"findings": [], "verdict": "fine"}, seconds=2.5, usage=Usage(cost_usd=0.25)),
    judgements={("names a file", "claude", ""): True, ("is kind", "", ""): False},
)


def faults_of(
    parse: Callable[[str, VisibleNames], object], source: str, names: VisibleNames = NAMES
) -> list[Fault]:
    """Every mistake the source holds."""
    with pytest.raises(SourceError) as caught:
        parse(source, names)
    return list(caught.value.faults)


def places(source: str, faults: list[Fault]) -> list[str]:
    """What each mistake points at."""
    return [source[fault.start : fault.end] for fault in faults]
