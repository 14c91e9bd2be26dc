"""The findings a project has accepted: a file of fingerprints, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pytest_lok.core.results import Finding, Json

PATH = ".lok/baseline.json"
"""Where it is, from the root of the project."""


def fingerprints(text: str) -> frozenset[str]:
    """The fingerprints in a baseline file; ValueError says what is wrong with it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{PATH} is not JSON: {error}") from None
    entries = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f'{PATH} is not of the form {{"findings": [{{"fingerprint": "..."}}]}}')
    found = set[str]()
    for number, entry in enumerate(entries, 1):
        fingerprint = entry.get("fingerprint") if isinstance(entry, dict) else None
        if not isinstance(fingerprint, str):
            raise ValueError(f"{PATH}: entry {number} has no fingerprint")
        found.add(fingerprint)
    return frozenset(found)


def baseline(findings: Iterable[Finding]) -> str:
    """A baseline file that accepts these findings; only the fingerprints count, the rest is for people."""
    entries: dict[str, Json] = {
        finding.fingerprint: {
            "fingerprint": finding.fingerprint,
            "rule_id": finding.rule_id,
            "path": finding.path,
            "title": finding.title,
        }
        for finding in findings
    }
    document = {"findings": [entries[key] for key in sorted(entries)]}
    return json.dumps(document, indent=2) + "\n"
