"""The findings a project has accepted: a file of fingerprints, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pytest_lok.core.results import Finding, Json

PATH = ".lok/baseline.json"
"""Where it is, from the root of the project."""


def fingerprints(text: str) -> Mapping[str, int]:
    """The fingerprints in a baseline file, each of so many copies; ValueError says what is wrong."""
    return {fingerprint: _count(entry) for fingerprint, entry in _entries(text).items()}


def extended_baseline(findings: Iterable[Finding], text: str | None) -> tuple[str, int]:
    """A baseline file that accepts these findings beside what it accepted before, and how many are new.

    Only fingerprints and their counts matter; what else an entry says is for people, and is kept.
    """
    before = {} if text is None else _entries(text)
    entries, new = dict(before), 0
    for finding in findings:
        entry = entries.get(finding.fingerprint, _entry(finding))
        fresh = finding.fingerprint not in entries or finding.copies > _count(entry)
        more: dict[str, Json] = {"count": finding.copies} if finding.copies > _count(entry) else {}
        entries[finding.fingerprint] = {**entry, **more}
        new += fresh
    # by path, so that two branches that accept findings seldom conflict
    order = sorted(entries, key=lambda key: (str(entries[key].get("path", "")), key))
    document = {"findings": [entries[key] for key in order]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", new


def _count(entry: Mapping[str, Json]) -> int:
    count = entry.get("count", 1)
    assert isinstance(count, int)  # noqa: S101 - read so; narrows for the type checker
    return count


def _entry(finding: Finding) -> dict[str, Json]:
    return {
        "fingerprint": finding.fingerprint,
        "rule_id": finding.rule_id,
        "path": finding.path,
        "title": finding.title,
    }


def _entries(text: str) -> dict[str, dict[str, Json]]:
    """The entries of a file by their fingerprint."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{PATH} is not JSON: {error}") from None
    entries = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f'{PATH} is not of the form {{"findings": [{{"fingerprint": "..."}}]}}')
    found: dict[str, dict[str, Json]] = {}
    for number, entry in enumerate(entries, 1):
        fingerprint = entry.get("fingerprint") if isinstance(entry, dict) else None
        if not isinstance(fingerprint, str):
            raise ValueError(f"{PATH}: entry {number} has no fingerprint")
        count = entry.get("count", 1)
        if type(count) is not int or count < 1:
            raise ValueError(f"{PATH}: the count of entry {number} is no number from 1")
        # merged files may have an entry twice: the larger count was accepted by somebody
        if fingerprint not in found or count > _count(found[fingerprint]):
            found[fingerprint] = entry
    return found
