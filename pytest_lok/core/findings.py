"""Answers -> findings: asked for, read strictly, and what several backends say alike said once."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast, get_args

from pytest_lok.core.jsontext import load_alone
from pytest_lok.core.model import Rule
from pytest_lok.core.prose import find_json
from pytest_lok.core.results import Finding, Json, Severity, Standing, Vote
from pytest_lok.core.schema import violations
from pytest_lok.errors import OutputError

Kind: TypeAlias = tuple[str, str, str]
"""What two findings that mean the same have in common: the rule, what it was called, and the path."""

OTHER = "lok/other"
"""The rule of findings that name none of the workflow's."""

MOST = 1_000
"""Findings one answer may hold; one with more is no answer to act on."""

NEAR = 3
"""Lines two places may be apart and still mean the same."""

_WORST_FIRST: tuple[Severity, ...] = get_args(Severity)


def _text(limit: int) -> Json:
    return {"type": "string", "pattern": r"\S", "maxLength": limit}


_LINE: Json = {"type": "integer", "minimum": 1, "maximum": 1_000_000_000}
_EDIT: Json = {
    "type": "object",
    "required": ["file", "old", "new"],
    "properties": {key: {"type": "string"} for key in ("file", "old", "new")},
}
_KEYS: Mapping[str, tuple[Json, str]] = {
    "rule_id": (_text(200), "a short name of the kind of problem"),
    "title": (_text(1_000), "one short line"),
    "message": (_text(20_000), "what is wrong, how it can go wrong, and how to fix it"),
    "severity": ({"enum": list[Json](_WORST_FIRST)}, f"one of {', '.join(_WORST_FIRST)}"),
    "confidence": ({"type": "number", "minimum": 0, "maximum": 1}, "how sure you are, from 0 to 1"),
    "path": (_text(4_096), "the file, from the root of the repository"),
    "line": (_LINE, "where it begins in the file as it is now, from 1"),
    "end_line": (_LINE, "where it ends, where that is another line"),
    "evidence": (_text(20_000), "the code it is about, quoted exactly from the file as it is now"),
    "edits": ({"type": "array", "items": _EDIT}, 'the fix, [{"file": "...", "old": "...", "new": "..."}]'),
    "cwe": ({"type": "array", "items": {"type": "integer"}}, "CWE numbers, [89]"),
}
_OPTIONAL = ("end_line", "edits", "cwe")
_ENTRIES: Mapping[str, Json] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": [key for key in _KEYS if key not in _OPTIONAL],
        "properties": {key: schema for key, (schema, _) in _KEYS.items()},
    },
}
"""What an answer must satisfy; keys beyond it are ignored, for the engine computes them."""


# --- asking


def request(rules: Mapping[str, Rule]) -> str:
    """What is added to a prompt that asks for findings."""
    meanings = {key: meaning for key, (_, meaning) in _KEYS.items()}
    if rules:
        meanings["rule_id"] = f"one of the rules below, {OTHER} where none fits"
        meanings["severity"] += ": the rule's, or one step from it where the case deserves it"
    optional = dict.fromkeys(_OPTIONAL, " (optional)")
    lines = [f'- "{key}"{optional.get(key, "")}: {meaning}' for key, meaning in meanings.items()]
    parts = [
        "Answer with a JSON array and nothing else: one object per finding, `[]` if there is nothing to "
        "report. A finding whose quote is not in the file does not count. The keys of an object:",
        "\n".join(lines),
    ]
    if rules:
        listed = (
            ": ".join(filter(None, [f"- {name} ({it.severity})", it.description]))
            for name, it in rules.items()
        )
        parts.append("\n".join(["The rules, each with its severity:", *listed]))
    return "\n\n".join(parts)


# --- reading


def reported(text: str, material: str = "") -> list[Json]:
    """The findings of an answer as it wrote them, all of them valid; OutputError where it is anything else.

    An answer that cannot be read must never count as one that found nothing: the array is the only
    JSON in the text, and ``[]`` stands alone. ``material`` is what the text is an answer to.
    """
    try:
        value = load_alone(text)
    except json.JSONDecodeError:
        value = _in_prose(text, material)
    if isinstance(value, dict):
        if list(value) != ["findings"] or not isinstance(value["findings"], list):
            hint = 'ask for an array, or {"findings": [...]} and nothing beside it'
            raise OutputError("the answer is a JSON object, not an array of findings", hint=hint)
        value = value["findings"]
    if not isinstance(value, list):
        raise OutputError("the answer is no array of findings", hint="`[]` says that there are none")
    if len(value) > MOST:
        raise OutputError(f"the answer holds {len(value):,} findings", hint=f"at most {MOST:,}, the worst")
    if wrong := violations(_ENTRIES, value):
        raise OutputError(f"the answer is no array of findings: {'; '.join(wrong)}")
    return value


def _in_prose(text: str, material: str) -> Json:
    value = find_json(text, material)
    if value in ([], {"findings": []}):
        raise OutputError(
            "the output holds an empty array among other text, which does not say that nothing was found",
            hint="`[]` alone says so",
        )
    return value


def findings_of(entries: Json, backend: str, rules: Mapping[str, Rule]) -> list[Finding]:
    """What ``reported`` gave, as findings of ``backend``; nothing is known of their quotes yet.

    A severity is the rule's, or one step from it. A rule the workflow does not have is ``lok/other``,
    where the workflow has any.
    """
    return [_finding(entry, backend, rules) for entry in cast("list[dict[str, Any]]", entries)]


def _finding(entry: dict[str, Any], backend: str, rules: Mapping[str, Rule]) -> Finding:
    called = entry["rule_id"].strip()
    listed = not rules or called in rules
    rule_id = called if listed else OTHER
    line = int(entry["line"])
    return Finding(
        rule_id=rule_id,
        called="" if listed else called,
        title=entry["title"].strip(),
        message=entry["message"].strip(),
        severity=_moved(entry["severity"], rules.get(rule_id)),
        confidence=float(entry["confidence"]),
        path=entry["path"],
        line=line,
        end_line=max(line, int(entry.get("end_line", line))),
        evidence=entry["evidence"].strip("\r\n"),
        edits=tuple({key: edit[key] for key in ("file", "old", "new")} for edit in entry.get("edits", ())),
        cwe=tuple(int(number) for number in entry.get("cwe", ())),
        backend=backend,
    )


def rank(severity: Severity) -> int:
    """A number that grows with the severity."""
    return -_WORST_FIRST.index(severity)


def _moved(severity: Severity, rule: Rule | None) -> Severity:
    """The severity, at most one step from its rule's."""
    if rule is None:
        return severity
    own = _WORST_FIRST.index(rule.severity)
    return _WORST_FIRST[min(max(_WORST_FIRST.index(severity), own - 1, 0), own + 1, len(_WORST_FIRST) - 1)]


# --- several backends


def near(one: Finding, other: Finding) -> bool:
    """Whether two findings vouch for each other: one rule, one file, and one place, nearly, or one quote."""
    return _kind(one) == _kind(other) and (_touch(one, other) or _quote(one) == _quote(other))


def _touch(one: Finding, other: Finding) -> bool:
    return one.line - other.end_line <= NEAR >= other.line - one.end_line


def _quote(finding: Finding) -> str:
    return " ".join(finding.evidence.split())


def voted(answers: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """All findings of all backends, each with what every backend says of it.

    A finding's votes never get fewer by another finding, so no answer can talk one down.
    """
    groups: dict[tuple[Kind, str], list[Finding]] = {}
    for backend, findings in answers.items():
        for finding in findings:
            groups.setdefault((_kind(finding), backend), []).append(finding)
    alike = {key: _Alike(group) for key, group in groups.items()}

    def votes(finding: Finding) -> Mapping[str, Vote]:
        others = {name: alike.get((_kind(finding), name)) for name in answers}
        said: dict[str, Vote] = {
            name: found.worst(finding) if found else "absent" for name, found in others.items()
        }
        return {**said, finding.backend: finding.severity}

    return [
        replace(finding, votes=votes(finding)) if finding.backend else finding
        for findings in answers.values()
        for finding in findings
    ]


class _Alike:
    """What one backend reports of one kind, in the order of lines."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._places = sorted((it.line, it.end_line, rank(it.severity)) for it in findings)
        self._longest = max(end - line for line, end, _ in self._places)
        self._quotes: dict[str, int] = {}
        for it in findings:
            self._quotes[_quote(it)] = max(self._quotes.get(_quote(it), rank("info")), rank(it.severity))

    def worst(self, finding: Finding) -> Vote:
        """The severity of what is ``near`` to the finding, the worst of several."""
        low, high = finding.line - NEAR, finding.end_line + NEAR
        first = bisect.bisect_left(self._places, (low - self._longest,))
        after = bisect.bisect_right(self._places, (high, math.inf))
        ranks = [rank_ for _, end, rank_ in self._places[first:after] if end >= low]
        if (quoted := self._quotes.get(_quote(finding))) is not None:
            ranks.append(quoted)
        return _WORST_FIRST[-max(ranks)] if ranks else "absent"


def folded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What several backends say alike, said once and in the worst of their words; the worst first."""
    kept: dict[Kind, list[tuple[Finding, set[str]]]] = {}  # each with the backends it speaks for
    first: list[Finding] = []
    for finding in sorted(findings, key=_weight):
        alike = kept.setdefault(_kind(finding), [])
        for other, backends in alike:
            if finding.fingerprint == other.fingerprint or (
                finding.backend not in backends and _touch(finding, other)
            ):
                backends.add(finding.backend)
                break
        else:
            alike.append((finding, {finding.backend}))
            first.append(finding)
    return tuple(first)


def united(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of several items or attempts, each once; the worst first."""
    first: dict[tuple[Kind, str], Finding] = {}
    for finding in sorted(findings, key=_weight):
        first.setdefault((_kind(finding), finding.fingerprint), finding)
    return tuple(first.values())


def listing(findings: Sequence[Finding]) -> str:
    """The findings for people: where, what, what the gate says, who agrees, and the quote."""
    return "\n\n".join(_entry(finding) for finding in findings)


def _entry(finding: Finding) -> str:
    said = [
        _SAID[finding.standing],
        f"reported as {finding.called}" if finding.called else "",
        f"confidence {finding.confidence:g}",
        ", ".join(f"{name}: {vote}" for name, vote in finding.votes.items()),
        f"fingerprint {finding.fingerprint}",
    ]
    quote = "\n".join(f"  > {line}" for line in finding.evidence.split("\n"))
    missing = "" if finding.evidence_found else "  (this quote is not in the file)"
    lines = [finding.headline, f"  {'; '.join(filter(None, said))}", quote, missing, f"  {finding.message}"]
    return "\n".join(line for line in lines if line.strip())


_SAID: Mapping[Standing, str] = {
    "": "",
    "blocks": "blocks",
    "undecided": "may block: something about it is not known",
    "unverified": "does not block: its quote is not in the file",
    "outside": "does not block: out of scope",
    "known": "does not block: it is in the baseline",
    "unsure": "does not block: the confidence is too low",
    "outvoted": "does not block: too few backends report it",
    "minor": "does not block: it is not severe enough",
}


_URGENT: Mapping[Standing, int] = {"blocks": 0, "undecided": 1}


def _kind(finding: Finding) -> Kind:
    return finding.rule_id, finding.called, finding.path


def _weight(finding: Finding) -> tuple[object, ...]:
    """Sorts the worst first."""
    return (
        _URGENT.get(finding.standing, 2),
        -rank(finding.severity),
        -finding.confidence,
        finding.path,
        finding.line,
    )
