"""Runs -> one JSON document a line, each a Diagnostic of reviewdog's rdjsonl with everything lok knows in it.

reviewdog refuses a line with a field that it does not know, so what lok knows more is one JSON text in
``original_output``. It stops in silence at a line of more than 64 KiB, so no line is longer than that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import Severity
from pytest_lok.reports.formats.reported_run import (
    ReportedFinding,
    ReportedRun,
    Trouble,
    bounded,
    bounded_line,
    relative,
)

SEVERITIES: Mapping[Severity, str] = {
    "critical": "ERROR",
    "high": "ERROR",
    "medium": "WARNING",
    "low": "INFO",
    "info": "INFO",
}
_TEXT, _LINE = 2_000, 200
LONGEST = 60_000
"""Characters of a line, all of them ASCII."""


def render(runs: Sequence[ReportedRun]) -> str:
    """A line for each thing that could not be done and for each finding; the set aside ones are INFO."""
    return "".join(f"{line}\n" for run in runs for line in _lines(run))


def _lines(run: ReportedRun) -> Iterator[str]:
    for trouble in run.without_findings:
        yield _line(_of_trouble(trouble), _more(run, kind=trouble.kind, step=trouble.step))
    for entry in run.findings:
        finding = {name: _bounded(value) for name, value in entry.finding.document().items()}
        about = {"kind": "finding", "step": entry.step, "blocks": entry.blocks, "set_aside": entry.aside}
        yield _line(_of_finding(entry), _more(run, **about, finding=finding))


def _line(diagnostic: dict[str, Any], more: dict[str, Any]) -> str:
    line = _dumped({**diagnostic, "original_output": _dumped(more)})
    if len(line) > LONGEST:
        short = {name: value for name, value in more.items() if name != "finding"}
        line = _dumped({**diagnostic, "original_output": _dumped({**short, "left_out": ["finding"]})})
    return line


def _dumped(document: object) -> str:
    return json.dumps(document).replace("##", "\\u0023\\u0023")


def _more(run: ReportedRun, **about: object) -> dict[str, Any]:
    return {
        **{name: _bounded(value) for name, value in about.items()},
        "workflow": run.name,
        **({"repository": bounded_line(run.repository, _LINE)} if run.repository else {}),
        "verdict": run.verdict,
        "exit_code": run.exit_code,
        "run_id": bounded_line(run.result.run_id, _LINE),
        "workflow_sha256": bounded_line(run.result.sha256, _LINE),
    }


def _bounded(value: object) -> Any:
    """The value with every text in it cut and neutral."""
    if isinstance(value, str):
        return bounded(value, _TEXT)
    if isinstance(value, dict):
        return {bounded_line(str(name), _LINE): _bounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bounded(item) for item in value[:50]]
    return jsonable(value)


def _of_trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "message": bounded(trouble.text, _TEXT),
        "location": {"path": trouble.path, "range": {"start": {"line": trouble.line}}},
        "severity": "WARNING" if trouble.let_go else "ERROR",
        "source": {"name": "pytest-lok"},
        "code": {"value": f"lok/{trouble.kind}"},
    }


def _of_finding(entry: ReportedFinding) -> dict[str, Any]:
    finding = entry.finding
    start = max(finding.line, 1)
    # without columns both lines belong to the range
    span = {"start": {"line": start}, "end": {"line": max(finding.end_line, start)}}
    text = "\n\n".join(filter(None, [finding.title, finding.message, entry.aside]))
    severity = "INFO" if entry.aside else SEVERITIES[finding.severity]
    return {
        "message": bounded(text, _TEXT) or "no text was given",
        "location": {"path": relative(finding.path) or "unknown", "range": span},
        "severity": "ERROR" if entry.blocks else severity,
        "source": {"name": "pytest-lok"},
        "code": {"value": bounded_line(finding.rule_id, _LINE) or "lok/other"},
    }
