"""Answers that are findings, and everything that is none; who agrees with whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.answers.corrections import read_corrections
from pytest_lok.core.findings.reading import (
    MAX_FINDINGS,
    OTHER_RULE,
    count_votes,
    findings_of,
    findings_request,
    list_findings,
    merge_backends,
    read_findings,
    same_issue,
)
from pytest_lok.core.results import Finding, Severity
from pytest_lok.core.workflow.model import Rule
from pytest_lok.errors import OutputError
from tests.core.reports import SAID, finding, said

ONE = said({})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[]", 0),
        (" [ ]\n", 0),
        ("\ufeff[]", 0),
        ('{"findings": []}', 0),
        ("```json\n[]\n```", 0),
        ("```\n[]\n```\n", 0),
        ("~~~JSON\r\n[]\r\n~~~", 0),
        (ONE, 1),
        (f'{{"findings": {ONE}}}', 1),
        (f"```json\n{ONE}\n```", 1),
        (f"I looked at it all. This is wrong:\n\n```json\n{ONE}\n```\n\nGood luck.", 1),
        (f"This is wrong: {ONE}", 1),
        (said({}, {"line": 9}), 2),
        (said({"message": "two\nlines"}).replace("\\n", "\n"), 1),  # a raw newline in a string
        (said({"fingerprint": "x", "blocking": False, "verdict": "pass", "votes": {}}), 1),
    ],
)
def test_an_answer_that_is_findings(text: str, count: int) -> None:
    assert len(read_findings(text)) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("I found nothing to report.", "holds no JSON"),
        ("```json\n```", "is empty"),
        ("```json\n\n```", "is empty"),
        ("null", "no array"),
        ('"none"', "no array"),
        ("0", "no array"),
        ("{}", "a JSON object"),
        ('{"findings": null}', "a JSON object"),
        ('{"findings": {}}', "a JSON object"),
        ('{"findings": [], "error": "the diff was too long"}', "a JSON object"),
        ('{"verdict": "pass", "findings": []}', "a JSON object"),
        ('{"result": []}', "a JSON object"),
        (json.dumps(SAID), "a JSON object"),
        ("[[]]", "not of type 'object'"),
        ("[{}]", "'rule_id' is a required property"),
        ("[null]", "not of type 'object'"),
        ("I cannot help with that.\n```json\n[]\n```", "empty array among other text"),
        ("There are none: []", "empty array among other text"),
        ("`x = []` is fine", "empty array among other text"),
        ("[]\n[]", "empty array among other text"),
        (f"[]\n\n{ONE}", "2 JSON values"),
        (f"```json\n[]\n```\nNo, wait:\n```json\n{ONE}\n```", "2 JSON values"),
        (f"For example [1], and so\n{ONE}", "2 JSON values"),
        (ONE[:-1], "cut off"),
        (ONE[:-20], "cut off"),
        (f"```json\n{ONE[:-9]}\n```", "cut off|broken"),
        ("[" * 101 + "]" * 101, "levels deep"),
        (f'{{"findings": {ONE}, "findings": []}}', "a key twice"),
        (ONE.replace('"line"', '"severity": "low", "line"'), "a key twice"),
        (said({"confidence": None}), "'confidence' is a required property"),
        (ONE.replace("0.9", "NaN"), "NaN"),
        (ONE.replace("0.9", "1e999"), "too large"),
    ],
)
def test_an_answer_that_is_none_never_counts_as_nothing_found(text: str, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        read_findings(text)


@pytest.mark.parametrize(
    "key", ["rule_id", "title", "message", "severity", "confidence", "path", "line", "evidence"]
)
def test_a_finding_lacks_nothing(key: str) -> None:
    with pytest.raises(OutputError, match=f"'{key}' is a required property"):
        read_findings(said({}, {key: None}))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"severity": "HIGH"}, "severity"),
        ({"severity": "blocker"}, "severity"),
        ({"severity": 3}, "severity"),
        ({"confidence": "0.9"}, "confidence"),
        ({"confidence": 90}, "confidence"),
        ({"confidence": -0.1}, "confidence"),
        ({"confidence": True}, "confidence"),
        ({"line": "3"}, "line"),
        ({"line": -1}, "line"),
        ({"line": 3.5}, "line"),
        ({"line": True}, "line"),
        ({"end_line": 10**12}, "end_line"),
        ({"evidence": " \n"}, "evidence"),
        ({"title": ""}, "title"),
        ({"path": []}, "path"),
        ({"edits": [{"file": "a"}]}, "edits"),
        ({"cwe": "CWE-89"}, "cwe"),
    ],
)
def test_types_are_strict(change: dict[str, Any], where: str) -> None:
    with pytest.raises(OutputError, match=rf"\$\[1\]\.{where}"):
        read_findings(said({}, change))


def test_an_answer_holds_so_many_at_most() -> None:
    assert len(read_findings(said(*[{}] * MAX_FINDINGS))) == MAX_FINDINGS
    with pytest.raises(OutputError, match="1,001 findings"):
        read_findings(said(*[{}] * (MAX_FINDINGS + 1)))


@given(st.text(alphabet='[]{}",:`\njsonfidg 1', max_size=40))
def test_only_an_array_alone_says_that_nothing_was_found(text: str) -> None:
    try:
        found = read_findings(text)
    except OutputError:
        return
    bare = "".join(text.split()).replace("```json", "").replace("`", "")
    assert found == []
    assert bare in ("[]", '{"findings":[]}')


@given(st.integers(0, len(ONE) - 1))
def test_no_beginning_of_an_answer_is_one(end: int) -> None:
    with pytest.raises(OutputError):
        read_findings(ONE[:end])


# --- what an entry becomes

RULES = {"sql": Rule(severity="high", description="SQL from values"), "style": Rule(severity="low")}


def one(rules: dict[str, Rule], **changes: Any) -> Finding:
    (found,) = findings_of(read_findings(said(changes)), "claude", rules)
    return found


def test_a_finding_is_what_was_said() -> None:
    found = one({}, end_line=4, cwe=[89], edits=[{"file": "a", "old": "b", "new": "c", "why": "d"}])
    assert (found.backend, found.rule_id, found.path, found.line, found.end_line) == (
        "claude", "sql-injection", "db.py", 3, 4,
    )  # fmt: skip
    assert (found.cwe, found.edits) == ((89,), ({"file": "a", "old": "b", "new": "c"},))


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ({"line": 3}, (3, 3)),
        ({"line": 3, "end_line": 15}, (3, 15)),
        ({"line": 15, "end_line": 3}, (3, 15)),
        ({"line": 3, "end_line": 0}, (3, 3)),  # no line: not said
        ({"line": 0, "end_line": 3}, (0, 3)),  # all of the file
    ],
)
def test_both_lines_count_in_whichever_order_they_are_given(
    said: dict[str, int], lines: tuple[int, int]
) -> None:
    found = one({}, **said)
    assert (found.line, found.end_line) == lines
    answer = json.dumps([{"number": 1, "path": "db.py", "evidence": "x", **said}])
    (correct,) = read_corrections(answer, 1)
    corrected = correct(one({}))
    assert (corrected.line, corrected.end_line) == lines


def test_what_the_model_must_not_say_is_not_believed() -> None:
    lies = {
        "fingerprint": "f",
        "evidence_found": True,
        "in_diff": False,
        "known": True,
        "votes": {"a": "low"},
    }
    found = one({}, **lies, standing="minor", blocking=False, backend="other", called="x")
    assert found == one({})
    assert (found.fingerprint, found.evidence_found, found.standing) == ("", None, "")


@pytest.mark.parametrize(
    ("rule", "said", "severity"),
    [
        ("sql", "critical", "critical"),
        ("sql", "high", "high"),
        ("sql", "medium", "medium"),
        ("sql", "low", "medium"),
        ("sql", "info", "medium"),
        ("style", "critical", "medium"),
        ("style", "info", "info"),
        ("worst", "info", "high"),
        ("least", "critical", "low"),
    ],
)
def test_a_severity_is_the_rule_s_or_one_step_from_it(rule: str, said: str, severity: Severity) -> None:
    rules = {**RULES, "worst": Rule(severity="critical"), "least": Rule(severity="info")}
    assert one(rules, rule_id=rule, severity=said).severity == severity


def test_a_rule_that_is_not_listed_is_another() -> None:
    found = one(RULES, rule_id="xss", severity="critical")
    assert (found.rule_id, found.called, found.severity) == (OTHER_RULE, "xss", "critical")
    assert one({**RULES, OTHER_RULE: Rule(severity="info")}, rule_id="xss").severity == "low"
    assert (one({}, rule_id="xss").rule_id, one({}, rule_id="xss").called) == ("xss", "")


def test_the_prompt_says_what_is_wanted() -> None:
    plain, ruled = findings_request({}), findings_request(RULES)
    for text in (plain, ruled):
        assert all(f'- "{key}"' in text for key in [*SAID, "end_line", "edits", "cwe"])
        assert "`[]`" in text
    assert OTHER_RULE not in plain
    assert OTHER_RULE in ruled
    assert ruled.endswith("\n- sql (high): SQL from values\n- style (low)")


# --- several backends


@pytest.mark.parametrize(
    ("line", "changes", "same"),
    [
        (13, {}, True),
        (14, {}, False),
        (7, {}, True),
        (6, {}, False),
        (5, {"end_line": 20}, True),
        (90, {"evidence": " here\t()"}, True),
        (10, {"path": "other.py"}, False),
        (10, {"rule_id": "other"}, False),
        (10, {"called": "other"}, False),
    ],
)
def test_what_means_the_same(line: int, changes: dict[str, Any], same: bool) -> None:
    here = finding(line=10, evidence="here ()", backend="a")
    there = finding(line=line, backend="b", **{"evidence": "there()", **changes})
    assert same_issue(here, there) is same_issue(there, here) is same
    assert count_votes({"a": [here], "b": [there]})[0].votes == {
        "a": "high",
        "b": "high" if same else "absent",
    }


def test_votes_are_what_each_backend_says() -> None:
    answers = {
        "a": [finding(line=10, backend="a")],
        "b": [
            finding(line=12, backend="b", severity="low"),
            finding(line=11, backend="b", severity="critical"),
        ],
        "c": [finding(line=50, backend="c")],
        "d": [],
    }
    votes = [dict(it.votes) for it in count_votes(answers)]
    assert votes[0] == {"a": "high", "b": "critical", "c": "absent", "d": "absent"}
    assert votes[1] == {"a": "high", "b": "low", "c": "absent", "d": "absent"}
    assert votes[3] == {"a": "absent", "b": "absent", "c": "high", "d": "absent"}
    (command,) = count_votes({"": [finding(backend="")]})
    assert dict(command.votes) == {}


def test_what_is_said_alike_is_said_once_in_the_worst_words() -> None:
    answers = {
        "a": [finding(line=10, backend="a", title="one"), finding(line=12, backend="a", title="two")],
        "b": [finding(line=11, backend="b", title="three", severity="critical")],
        "c": [finding(line=40, backend="c", title="four", severity="low")],
    }
    kept = merge_backends(count_votes(answers))
    assert [it.title for it in kept] == ["three", "two", "four"]  # a's second is another one, though near
    assert kept[0].reporters == ("a", "b")
    twice = [finding(title="x"), finding(title="y")]
    assert len(merge_backends(twice)) == 1  # one place, one rule, one backend


def test_what_blocks_comes_first() -> None:
    kept = merge_backends(
        [
            finding(line=1, severity="critical", standing="known"),
            finding(line=20, severity="high", standing="undecided"),
            finding(line=40, severity="low", standing="blocks"),
        ]
    )
    assert [it.standing for it in kept] == ["blocks", "undecided", "known"]


def test_a_list_for_people() -> None:
    text = list_findings(
        [
            finding(title="a\nb", standing="blocks", votes={"a": "high", "b": "absent"}),
            finding(evidence_found=False),
        ]
    )
    assert "[high] sql-injection db.py:3 – a b\n" in text  # noqa: RUF001 - a dash is meant
    assert "blocks; confidence 0.9; a: high, b: absent" in text
    assert "> db.execute(sql3)\n  bind the value" in text
    assert "(this quote is nowhere)" in text
