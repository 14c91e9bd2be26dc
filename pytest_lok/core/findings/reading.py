"""Findings: the request for them, the strict reading of an answer, votes, and reports of one issue merged."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast, get_args

from pytest_lok.core.results import Finding, Json, Severity, Standing, Vote
from pytest_lok.core.text.citation import quote_key
from pytest_lok.core.text.invisible import rule_key
from pytest_lok.core.text.json_in_prose import find_json
from pytest_lok.core.text.path_spellings import base_name
from pytest_lok.core.text.strict_json import load_alone
from pytest_lok.core.workflow.json_schema import violations
from pytest_lok.core.workflow.model import Rule
from pytest_lok.errors import OutputError

IssueKey: TypeAlias = tuple[str, str, str]
"""What two findings that mean the same have in common: the rule, what it was called, and the path."""

OTHER_RULE = "lok/other"
"""The rule of findings that name none of the workflow's."""

MAX_FINDINGS = 1_000
"""Findings one answer may hold; one with more is no answer to act on."""

LINE_TOLERANCE = 3
"""Lines two places may be apart and still mean the same."""

_WORST_FIRST: tuple[Severity, ...] = get_args(Severity)


def text_schema(limit: int) -> Json:
    """JSON Schema of a text that says something, of at most so many characters."""
    return {"type": "string", "pattern": r"\S", "maxLength": limit}


LINE: Json = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}
_EDIT: Json = {
    "type": "object",
    "required": ["file", "old", "new"],
    "properties": {key: {"type": "string"} for key in ("file", "old", "new")},
}
_KEYS: Mapping[str, tuple[Json, str]] = {
    "rule_id": (text_schema(200), "a short name of the kind of problem"),
    "title": (text_schema(1_000), "one short line"),
    "message": (text_schema(20_000), "what is wrong, how it can go wrong, and how to fix it"),
    "severity": ({"enum": list[Json](_WORST_FIRST)}, f"one of {', '.join(_WORST_FIRST)}"),
    "confidence": ({"type": "number", "minimum": 0, "maximum": 1}, "how sure you are, from 0 to 1"),
    "path": (text_schema(4_096), "the file, from the root of the repository"),
    "line": (LINE, "where it begins in the file as it is now, from 1"),
    "end_line": (LINE, "where it ends, where that is another line"),
    "evidence": (
        text_schema(20_000),
        "the code it is about, quoted exactly from the file as it is now; what the change removes, as it was",
    ),
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


def findings_request(rules: Mapping[str, Rule]) -> str:
    """The text that is added to a prompt that asks for findings."""
    meanings = {key: meaning for key, (_, meaning) in _KEYS.items()}
    if rules:
        meanings["rule_id"] = f"one of the rules below, {OTHER_RULE} where none fits"
        meanings["severity"] += ": the rule's, or one step from it where the case deserves it"
    optional = dict.fromkeys(_OPTIONAL, " (optional)")
    lines = [f'- "{key}"{optional.get(key, "")}: {meaning}' for key, meaning in meanings.items()]
    parts = [
        "Answer with a JSON array and nothing else: one object per finding, `[]` if there is nothing to "
        "report. A quote that is not in the file, letter by letter, has to be corrected. The keys of an "
        "object:",
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


def read_findings(text: str, material: str = "") -> list[Json]:
    """The findings of an answer as it wrote them, all of them valid; OutputError where it is anything else.

    An answer that cannot be read must never count as one that found nothing: the array is the only
    JSON in the text, and ``[]`` stands alone. ``material`` is what the text is an answer to.
    """
    try:
        value = load_alone(text)
    except json.JSONDecodeError:
        value = _in_prose(text, material)
    if isinstance(value, dict):
        # more keys could say that the list is not the whole answer
        if list(value) != ["findings"] or not isinstance(value["findings"], list):
            hint = 'ask for an array, or {"findings": [...]} and nothing beside it'
            raise OutputError("the answer is a JSON object, not an array of findings", hint=hint)
        value = value["findings"]
    if not isinstance(value, list):
        raise OutputError("the answer is no array of findings", hint="`[]` says that there are none")
    if len(value) > MAX_FINDINGS:
        raise OutputError(
            f"the answer holds {len(value):,} findings", hint=f"at most {MAX_FINDINGS:,}, the worst"
        )
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
    """What ``read_findings`` gave, as findings of ``backend``; nothing is known of their quotes yet.

    A severity is the rule's, or one step from it. A rule the workflow does not have is ``lok/other``,
    where the workflow has any.
    """
    return [_finding(entry, backend, rules) for entry in cast("list[dict[str, Any]]", entries)]


def _finding(entry: dict[str, Any], backend: str, rules: Mapping[str, Rule]) -> Finding:
    called = entry["rule_id"].strip()
    named = _matching_rule(called, rules) if rules else called
    listed, rule_id = named is not None, named or OTHER_RULE
    line, end_line = line_span(entry)
    return Finding(
        rule_id=rule_id,
        called="" if listed else called,
        title=entry["title"].strip(),
        message=entry["message"].strip(),
        severity=_within_one_step(entry["severity"], rules.get(rule_id)),
        confidence=float(entry["confidence"]),
        path=entry["path"],
        line=line,
        end_line=end_line,
        evidence=entry["evidence"].strip("\r\n"),
        edits=tuple({key: edit[key] for key in ("file", "old", "new")} for edit in entry.get("edits", ())),
        cwe=tuple(int(number) for number in entry.get("cwe", ())),
        backend=backend,
    )


def line_span(entry: Mapping[str, Any]) -> tuple[int, int]:
    """The first and the last line an entry gives, in whichever order; an end at line 0 is none."""
    line = int(entry["line"])
    other = int(entry.get("end_line", line)) or line
    return min(line, other), max(line, other)


def _matching_rule(called: str, rules: Mapping[str, Rule]) -> str | None:
    """The rule of that name, however it is spelled: of several the severest, if none is written just so."""
    if called in rules:
        return called
    # models change the case and the dashes of a name
    spelled = [name for name in rules if rule_key(name) == rule_key(called)]
    return max(spelled, key=lambda name: severity_rank(rules[name].severity), default=None)


def severity_rank(severity: Severity) -> int:
    """A number that grows with the severity."""
    return -_WORST_FIRST.index(severity)


def _within_one_step(severity: Severity, rule: Rule | None) -> Severity:
    """The severity, at most one step from its rule's."""
    if rule is None:
        return severity
    own = _WORST_FIRST.index(rule.severity)
    return _WORST_FIRST[min(max(_WORST_FIRST.index(severity), own - 1, 0), own + 1, len(_WORST_FIRST) - 1)]


# --- several backends


def same_issue(one: Finding, other: Finding) -> bool:
    """Whether two findings vouch for each other: one rule, one file, and one place, nearly, or one quote.

    The same quote at the same place means the same, whatever its rule is called.
    """
    if _issue_key(one) == _issue_key(other) and (_lines_overlap(one, other) or _quote(one) == _quote(other)):
        return True
    return _location(one) == _location(other) and _quotes_match(_quote(one), _quote(other))


def _lines_overlap(one: Finding, other: Finding) -> bool:
    return one.line - other.end_line <= LINE_TOLERANCE >= other.line - one.end_line


def _quote(finding: Finding) -> str:
    return quote_key(finding.evidence)


def _quotes_match(one: str, other: str) -> bool:
    """Whether one of them is the other, white space apart, or some whole words of it."""
    short, long = sorted((one, other), key=len)
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    at = long.find(short)
    while at >= 0:
        around = long[at - 1 : at] + short[:1], short[-1:] + long[at + len(short) : at + len(short) + 1]
        if not any(len(edge) == 2 and edge.isalnum() for edge in around):
            return True
        at = long.find(short, at + 1)
    return False


def _location(finding: Finding) -> tuple[object, ...]:
    return finding.path, finding.removed, finding.line, finding.end_line


def count_votes(answers: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """All findings of all backends, each with what every backend says of it.

    A finding's votes never get fewer by another finding, so no answer can talk one down. One that a
    backend withdrew is no vote of it.
    """
    said = {name: _BackendFindings(name, findings) for name, findings in answers.items()}

    def votes(finding: Finding) -> Mapping[str, Vote]:
        return {**{name: it.vote(finding) for name, it in said.items()}, finding.backend: finding.severity}

    return [
        replace(finding, votes=votes(finding)) if finding.backend else finding
        for findings in answers.values()
        for finding in findings
    ]


class _BackendFindings:
    """What one backend says of the findings of others."""

    def __init__(self, backend: str, findings: Sequence[Finding]) -> None:
        self.backend = backend
        kinds: dict[IssueKey, list[Finding]] = {}
        self._by_location: dict[tuple[object, ...], list[tuple[str, int]]] = {}
        self._files = set[str]()
        # files in which this backend reports something that cannot be found there
        self._unclear = set[str]()
        for it in findings:
            # who took it back does not vote for it
            if it.withdrawn:
                continue
            kinds.setdefault(_issue_key(it), []).append(it)
            self._by_location.setdefault(_location(it), []).append((_quote(it), severity_rank(it.severity)))
            self._files.add(base_name(it.path))
            if it.evidence_found is not True:
                self._unclear.add(base_name(it.path))
        self._by_issue = {kind: _SameIssueFindings(group) for kind, group in kinds.items()}

    def vote(self, finding: Finding) -> Vote:
        """The severity of the finding that is the ``same_issue``; of several the worst."""
        if finding.backend == self.backend:
            return finding.severity
        alike, quote = self._by_issue.get(_issue_key(finding)), _quote(finding)
        ranks = alike.ranks(finding) if alike else []
        ranks += [
            other_rank
            for other, other_rank in self._by_location.get(_location(finding), ())
            if _quotes_match(quote, other)
        ]
        if ranks:
            return _WORST_FIRST[-max(ranks)]
        # a report without a place in the same file may be about this finding, or not
        files = self._unclear if finding.evidence_found is True else self._files
        return "unclear" if base_name(finding.path) in files else "absent"


class _SameIssueFindings:
    """What one backend reports of one kind, in the order of lines."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._places = sorted((it.line, it.end_line, severity_rank(it.severity)) for it in findings)
        self._longest = max(end - line for line, end, _ in self._places)
        self._quotes: dict[str, int] = {}
        for it in findings:
            self._quotes[_quote(it)] = max(
                self._quotes.get(_quote(it), severity_rank("info")), severity_rank(it.severity)
            )

    def ranks(self, finding: Finding) -> list[int]:
        """The severities of what is at its place, nearly, or has its quote."""
        low, high = finding.line - LINE_TOLERANCE, finding.end_line + LINE_TOLERANCE
        first = bisect.bisect_left(self._places, (low - self._longest,))
        after = bisect.bisect_right(self._places, (high, math.inf))
        ranks = [other_rank for _, end, other_rank in self._places[first:after] if end >= low]
        if (quoted := self._quotes.get(_quote(finding))) is not None:
            ranks.append(quoted)
        return ranks


def merge_backends(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of several backends, each issue once and as its worst report has it; the worst first."""
    # each finding that is kept, with the backends that it speaks for
    kept: dict[IssueKey, list[tuple[Finding, set[str]]]] = {}
    first: list[Finding] = []
    for finding in sorted(findings, key=_worst_first_key):
        alike = kept.setdefault(_issue_key(finding), [])
        for other, backends in alike:
            # one backend reports two problems of two neighbouring lines, so only others' may be the same
            if finding.fingerprint == other.fingerprint or (
                finding.backend not in backends and _lines_overlap(finding, other)
            ):
                backends.add(finding.backend)
                break
        else:
            alike.append((finding, {finding.backend}))
            first.append(finding)
    return tuple(first)


def merge_attempts(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of several items or attempts, each once; the worst first."""
    first: dict[tuple[IssueKey, str], Finding] = {}
    for finding in sorted(findings, key=_worst_first_key):
        first.setdefault((_issue_key(finding), finding.fingerprint), finding)
    return tuple(first.values())


def list_findings(findings: Sequence[Finding]) -> str:
    """The findings for people: where, what, what the gate says, who agrees, and the quote."""
    return "\n\n".join(_entry(finding) for finding in findings)


def _entry(finding: Finding) -> str:
    said = [
        STANDING_TEXTS[finding.standing],
        finding.doubt,
        finding.acceptance,
        f"carried over from {finding.carried[:12]}" if finding.carried else "",
        f"reported as {finding.called}" if finding.called else "",
        f"confidence {finding.confidence:g}",
        ", ".join(f"{name}: {vote}" for name, vote in finding.votes.items()),
        f"fingerprint {finding.fingerprint}",
    ]
    quote = "\n".join(f"  > {line}" for line in finding.evidence.split("\n"))
    missing = {True: "", False: "  (this quote is nowhere)", None: "  (nobody knows whether this is there)"}
    about, message = f"  {'; '.join(filter(None, said))}", f"  {finding.message}"
    # a doubt says already what is wrong with the quote
    doubted = "" if finding.doubt else missing[finding.evidence_found]
    lines = (finding.headline, about, quote, doubted, message)
    return "\n".join(line for line in lines if line.strip())


STANDING_TEXTS: Mapping[Standing, str] = {
    "": "",
    "blocks": "blocks",
    "undecided": "may block: something about it is not known",
    "withdrawn": "does not block: its backend withdrew it",
    "unverified": "does not block: its quote is not in the file",
    "outside": "does not block: out of scope",
    "known": "does not block: it is in the baseline",
    "unsure": "does not block: the confidence is too low",
    "outvoted": "does not block: too few backends report it",
    "minor": "does not block: it is not severe enough",
}


def _issue_key(finding: Finding) -> IssueKey:
    return rule_key(finding.rule_id), rule_key(finding.called), finding.path


def _worst_first_key(finding: Finding) -> tuple[object, ...]:
    """Sorts findings that block first, then the severe and the confident."""
    return (
        {"blocks": 0, "undecided": 1}.get(finding.standing, 2),
        -severity_rank(finding.severity),
        -finding.confidence,
        finding.path,
        finding.line,
    )
