"""Runs -> GitLab's Code Quality report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_lok.core.results import Severity
from pytest_lok.reports.formats.reported_run import ReportedRun, bounded_line, relative

SEVERITIES: Mapping[Severity, str] = {
    "critical": "blocker",
    "high": "critical",
    "medium": "major",
    "low": "minor",
    "info": "info",
}
_MOST = 5_000
_TEXT, _LINE = 1_000, 200


def render(runs: Sequence[ReportedRun]) -> str:
    """One array: what could not be done, and every finding that was not set aside, in pure ASCII."""
    entries = [entry for run in runs for entry in _entries(run)]
    if (more := len(entries) - _MOST) > 0:
        text = f"and {more:,} more entries, which are not in this file"
        entries[_MOST:] = [_entry(text, "lok/more", "lok-more", "blocker", runs[0].path, 1)]
    return json.dumps(entries, indent=1).replace("##", "\\u0023\\u0023") + "\n"


def _entries(run: ReportedRun) -> Iterator[dict[str, Any]]:
    for it in run.without_findings:
        severity = "info" if it.let_go else "blocker"
        yield _entry(it.text, f"lok/{it.kind}", it.fingerprint, severity, it.path, it.line)
    for entry in run.findings:
        finding = entry.finding
        if entry.aside:  # this format has no word for it
            continue
        text = ": ".join(filter(None, [finding.title, finding.message]))
        severity = "blocker" if entry.blocks else SEVERITIES[finding.severity]
        path, line = relative(finding.path) or "unknown", max(finding.line, 1)
        yield _entry(text, finding.rule_id or "lok/other", entry.fingerprint, severity, path, line)


def _entry(text: str, check: str, fingerprint: str, severity: str, path: str, line: int) -> dict[str, Any]:
    return {
        "description": bounded_line(text, _TEXT) or "no text was given",
        "check_name": bounded_line(check, _LINE),
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
