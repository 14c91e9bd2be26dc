"""Runs -> SARIF 2.1.0, which code scanning and review bots read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pytest_lok.core.results import Severity
from pytest_lok.reports.facts import attempts_before
from pytest_lok.reports.formats.reported_run import (
    ReportedFinding,
    ReportedRun,
    Trouble,
    bounded,
    bounded_line,
    relative,
)
from pytest_lok.version import __version__

LEVELS: Mapping[Severity, tuple[str, str]] = {
    "critical": ("error", "9.5"),
    "high": ("error", "8.0"),
    "medium": ("warning", "5.5"),
    "low": ("note", "2.5"),
    "info": ("note", ""),
}
"""The level of each severity, and the number that GitHub reads it from, "" where there is none."""

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MOST = 5_000  # results of a run; GitHub shows no more
_TEXT, _LINE = 4_000, 200
_ATTEMPTS = 200  # notes about steps that were asked again
_NOT_GREEN = "lok/not-green"
_HELP = (
    "A step of the workflow failed without a finding. The message says why; `lok run` shows the whole story."
)


def render(runs: Sequence[ReportedRun]) -> str:
    """One SARIF run for each run, in pure ASCII."""
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(run) for run in runs]}
    # `##[` acts anywhere in a line of a CI log
    return json.dumps(document, indent=1).replace("##", "\\u0023\\u0023") + "\n"


def _run(run: ReportedRun) -> dict[str, Any]:
    findings, troubles = run.findings, run.without_findings
    # a reader who looks at results alone must see that a run with nothing to point at has failed
    failures = [it for it in troubles if it.kind == "failed"]
    notices = [_notification(it) for it in troubles if it.kind != "failed"]
    if (more := len(failures) + len(findings) - _MOST) > 0:
        text = f"and {more:,} more results, which are not in this file"
        notices.append({"level": "error", "message": {"text": text}})
    notices += _attempts(run)
    results = [*map(_failure, failures), *(_result(entry) for entry in findings)][:_MOST]
    return {
        "tool": {"driver": _driver(run, failures)},
        "automationDetails": {"id": f"pytest-lok/{run.name}/"},
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The directory of the project."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": run.complete and more <= 0,
                "exitCode": run.exit_code,
                "exitCodeDescription": run.headline,
                "toolExecutionNotifications": notices,
            }
        ],
        "results": results,
        "properties": {
            "verdict": run.verdict,
            "run_id": bounded_line(run.result.run_id, _LINE),
            "workflow_sha256": bounded_line(run.result.sha256, _LINE),
        },
    }


def _driver(run: ReportedRun, failures: Sequence[Trouble]) -> dict[str, Any]:
    rules = [_rule(name, rule.severity, rule.description) for name, rule in run.rules.items()]
    for entry in run.findings:
        name = entry.finding.rule_id
        if name not in run.rules and all(rule["id"] != _rule_id(name) for rule in rules):
            rules.append(_rule(name, entry.finding.severity, ""))
    if failures:
        rules.append(_rule(_NOT_GREEN, "high", _HELP))
    return {
        "name": "pytest-lok",
        "version": __version__,
        "rules": rules,
    }


def _rule_id(name: str) -> str:
    return bounded_line(name, _LINE) or "lok/other"


def _rule(name: str, severity: Severity, description: str) -> dict[str, Any]:
    level, number = LEVELS[severity]
    said = (
        bounded_line(description, 1_000) or f"The workflow has no description of the rule {_rule_id(name)}."
    )
    return {
        "id": _rule_id(name),
        "shortDescription": {"text": _literal(bounded_line(said, _LINE))},
        "fullDescription": {"text": _literal(said)},
        "help": {"text": f"{_literal(said)}\n\nSeverity: {severity}."},
        "defaultConfiguration": {"level": level},
        "properties": {**({"security-severity": number} if number else {}), "tags": ["lok"]},
    }


def _result(entry: ReportedFinding) -> dict[str, Any]:
    finding = entry.finding
    text = bounded("\n\n".join(filter(None, [finding.title, finding.message])), _TEXT) or "no text was given"
    path, known = relative(finding.path), max(finding.line, 1)
    region: dict[str, Any] = {"startLine": known, "endLine": max(finding.end_line, known)}
    if quoted := bounded(finding.evidence, _TEXT):
        region["snippet"] = {"text": quoted}
    artifact = {"uri": _uri(path or "unknown"), "uriBaseId": "%SRCROOT%"}
    aside = {"kind": "external", "status": "accepted", "justification": entry.aside}
    return {
        "ruleId": _rule_id(finding.rule_id),
        # what blocks is an error for every reader, also one that knows no gate
        "level": "error" if entry.blocks else LEVELS[finding.severity][0],
        "message": {"text": _literal(text)},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        "partialFingerprints": {"lokFinding/v1": entry.fingerprint},
        "suppressions": [aside] if entry.aside else [],
        "properties": {
            "step": bounded_line(entry.step, _LINE),
            "severity": finding.severity,
            "confidence": min(max(finding.confidence, 0.0), 1.0),
            "blocking": entry.blocks,
            "standing": finding.standing or "no gate",
            "votes": {bounded_line(name, _LINE): vote for name, vote in finding.votes.items()},
            "tags": list(_tags(entry)),
        },
    }


def _tags(entry: ReportedFinding) -> Iterator[str]:
    yield from (f"external/cwe/cwe-{number:03}" for number in entry.finding.cwe[:10])


def _failure(trouble: Trouble) -> dict[str, Any]:
    return {
        "ruleId": _NOT_GREEN,
        "level": "error",
        "message": {"text": _literal(bounded(trouble.text, _TEXT))},
        "locations": [_location(trouble)],
        "partialFingerprints": {"lokTrouble/v1": trouble.fingerprint},
        "suppressions": [],
        "properties": {"step": bounded_line(trouble.step, _LINE), "blocking": True},
    }


def _notification(trouble: Trouble) -> dict[str, Any]:
    return {
        "descriptor": {"id": f"lok/{trouble.kind}"},
        "level": "warning" if trouble.let_go else "error",
        "message": {"text": _literal(bounded(trouble.text, _TEXT))},
        "locations": [_location(trouble)],
    }


def _attempts(run: ReportedRun) -> Iterator[dict[str, Any]]:
    """A note for each time that a step was asked again; the number of those that are left out is another."""
    attempts = [(step, it) for step in run.result.steps.values() for it in attempts_before(step)]
    texts = [f"step {step.name}: {it.title}: {it.text}" for step, it in attempts[:_ATTEMPTS]]
    if len(attempts) > _ATTEMPTS:
        texts.append(f"steps were asked again {len(attempts) - _ATTEMPTS:,} times more")
    for text in texts:
        yield {"level": "note", "message": {"text": _literal(bounded(text, _TEXT))}}


def _location(trouble: Trouble) -> dict[str, Any]:
    artifact = {"uri": _uri(trouble.path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": trouble.line}}}


def _uri(path: str) -> str:
    return quote(path, errors="surrogateescape")


def _literal(text: str) -> str:
    """A text in which nothing is read as a link."""
    if "](" not in text:
        return text
    for char in "\\[]":
        text = text.replace(char, f"\\{char}")
    return text
