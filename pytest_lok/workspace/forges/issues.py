"""Findings as JSON, and the titles of open issues -> the issues to open."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping

from pytest_lok.core.asking.attachments import attachment
from pytest_lok.core.text.truncation import one_line
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError

MOST_ISSUES = 20
_ALIKE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An issue that is not there yet."""

    title: str
    text: str


def drafts(findings: str, open_titles: Iterable[str]) -> tuple[list[Draft], list[str]]:
    """The issues to open, at most 20, and the titles that are open already or nearly so.

    ``findings`` is a JSON array as a step of format ``findings`` puts it out; LokError for anything else.
    """
    try:
        entries = json.loads(findings)
    except ValueError as broken:
        raise LokError(f"standard input is no JSON: {broken}") from broken
    if not isinstance(entries, list) or not all(isinstance(it, Mapping) and "title" in it for it in entries):
        raise LokError("standard input is no array of findings")
    known = list(open_titles)
    new: list[Draft] = []
    old: list[str] = []
    for entry in entries:
        title = one_line(str(entry["title"]), 200)
        if any(_alike(title, other) for other in [*known, *(draft.title for draft in new)]):
            old.append(title)
        elif len(new) < MOST_ISSUES:
            new.append(Draft(title=title, text=_text(entry)))
    return new, old


def _alike(a: str, b: str) -> bool:
    return difflib.SequenceMatcher(None, a.casefold(), b.casefold()).ratio() >= _ALIKE


def _text(entry: Mapping[str, object]) -> str:
    """What an issue says. A model's text stands in fences, so that it names nobody and links nothing."""
    where = f"{entry.get('path', '')} line {entry.get('line', '')}"
    said = attachment(where, str(entry.get("message", "")))
    quoted = attachment("as it is", str(entry.get("evidence", "")))
    facts = (
        f"{entry.get('severity', '')}, {entry.get('rule_id', '')}, fingerprint {entry.get('fingerprint', '')}"
    )
    return f"{said}\n\n{quoted}\n\n{facts}\n"
