"""The gate: each rule, what is not known, and that nothing turns red into green."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.findings.gate import (
    GateDecision,
    GateInputs,
    GateVerdict,
    decide_gate,
    most_blocking,
    set_aside,
)
from pytest_lok.core.findings.reading import count_votes, merge_attempts, merge_backends
from pytest_lok.core.results import Finding
from pytest_lok.core.workflow.model import Gate
from tests.core.reports import finding

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE


def judged(gate: dict[str, Any], *findings: Finding, **facts: Any) -> GateDecision:
    """One backend's findings before a gate."""
    usual = {"asked": ("a",), "answered": ("a",)}
    return decide_gate(Gate(**gate), count_votes({"a": findings}), GateInputs(**{**usual, **facts}))


def test_nothing_found_passes() -> None:
    assert judged({}) == GateDecision(verdict=PASS, findings=())


@pytest.mark.parametrize(
    ("gate", "change", "facts", "standing"),
    [
        ({}, {}, {}, "blocks"),
        ({}, {"severity": "critical"}, {}, "blocks"),
        ({}, {"severity": "medium"}, {}, "minor"),
        ({"fail_on": "info"}, {"severity": "info"}, {}, "blocks"),
        ({"fail_on": "critical"}, {}, {}, "minor"),
        ({"fail_on": "never"}, {"severity": "critical"}, {}, "minor"),
        ({"min_confidence": 0.9}, {}, {}, "blocks"),
        ({"min_confidence": 0.91}, {}, {}, "unsure"),
        ({}, {"evidence_found": False}, {}, "undecided"),
        ({}, {"evidence_found": None}, {}, "undecided"),
        ({}, {"evidence_found": False, "withdrawn": True}, {}, "withdrawn"),
        ({"evidence": "warn"}, {"evidence_found": False}, {}, "blocks"),
        ({"evidence": "warn"}, {"evidence_found": None}, {}, "blocks"),
        ({"evidence": "report"}, {"evidence_found": False}, {}, "unverified"),
        ({"evidence": "report"}, {"evidence_found": None}, {}, "undecided"),
        ({"scope": "diff"}, {"in_diff": True}, {}, "blocks"),
        ({"scope": "diff"}, {"in_diff": False}, {}, "outside"),
        ({"scope": "diff"}, {"in_diff": None}, {}, "undecided"),
        ({"scope": "diff"}, {"in_diff": False, "file_changed": True}, {}, "outside"),
        ({"scope": "diff"}, {}, {"unknowns": ("no repository",)}, "undecided"),
        ({"scope": "diff"}, {"in_diff": False, "evidence_found": None}, {}, "outside"),
        ({"scope": "file"}, {"in_diff": False, "file_changed": True}, {}, "blocks"),
        ({"scope": "file"}, {"in_diff": False, "file_changed": False}, {}, "outside"),
        ({"scope": "file"}, {"in_diff": False, "file_changed": None}, {}, "undecided"),
        ({"scope": "file"}, {}, {"unknowns": ("no repository",)}, "undecided"),
        ({"baseline": "new"}, {"known": True}, {}, "known"),
        ({"baseline": "new"}, {"known": False}, {}, "blocks"),
        ({"baseline": "new"}, {"known": None}, {}, "undecided"),
        ({"baseline": "all"}, {"known": True}, {}, "blocks"),
        ({"baseline": "new"}, {}, {"unknowns": ("no repository",)}, "undecided"),
        # a no that is known is worth more than what is not
        ({"baseline": "new"}, {"severity": "low"}, {"unknowns": ("no repository",)}, "minor"),
        ({}, {"severity": "low", "evidence_found": False}, {}, "minor"),
    ],
)
def test_a_rule(gate: dict[str, Any], change: dict[str, Any], facts: dict[str, Any], standing: str) -> None:
    judgement = judged(gate, finding(**change), **facts)
    (found,) = judgement.findings
    assert found.standing == standing
    expected = (
        FAIL
        if standing == "blocks"
        else INCONCLUSIVE
        if standing == "undecided" or "unknowns" in facts
        else PASS
    )
    assert judgement.verdict is expected


def test_the_first_rule_that_says_no_is_named() -> None:
    every: dict[str, Any] = {
        "withdrawn": True,
        "evidence_found": False,
        "in_diff": False,
        "known": True,
        "confidence": 0.1,
        "severity": "info",
    }
    gate = Gate(evidence="report", scope="diff", baseline="new", min_confidence=0.5, quorum=2)
    facts = GateInputs(asked=("a", "b"), answered=("a", "b"))
    better: dict[str, Any] = {
        "withdrawn": False, "evidence_found": True, "in_diff": True, "known": False, "confidence": 1,
    }  # fmt: skip
    for key, standing in zip(
        [*better, "votes"],
        ["withdrawn", "unverified", "outside", "known", "unsure", "outvoted"],
        strict=True,
    ):
        (found,) = decide_gate(gate, count_votes({"a": [finding(**every)], "b": []}), facts).findings
        assert found.standing == standing
        every[key] = better.get(key)
    both = {
        "a": [finding(**{**every, "votes": {}})],
        "b": [finding(**{**every, "votes": {}, "backend": "b"})],
    }
    assert decide_gate(gate, count_votes(both), facts).findings[0].standing == "minor"


def test_of_several_places_the_one_that_may_block_is_taken() -> None:
    gate = Gate(scope="diff", baseline="new")
    new: dict[str, Any] = {"in_diff": True, "known": False}
    old, accepted, unclear = {**new, "in_diff": False}, {**new, "known": True}, {**new, "in_diff": None}
    places = [finding(line=n, **it) for n, it in enumerate((old, accepted, unclear, new, new), 1)]
    assert most_blocking(gate, places, 5).line == 5
    assert most_blocking(gate, places, 1).line == 4
    assert most_blocking(gate, places[:3], 1).line == 3
    assert most_blocking(gate, places[:2], 2).line == 2
    assert (
        most_blocking(Gate(scope="file"), [finding(line=1), finding(line=9, file_changed=True)], 1).line == 9
    )
    assert most_blocking(None, places, 2).line == 2


def test_what_is_set_aside_is_named_with_its_reason() -> None:
    def one(line: int, **more: Any) -> Finding:
        return finding(line=line, evidence_found=False, **more)

    gate = Gate(evidence="report", scope="diff", min_confidence=0.5)
    inside = {"in_diff": True}
    found = [one(n, path=f"{n}.py", severity="critical") for n in range(1, 6)]
    found += [
        one(7, **inside),
        finding(line=8, in_diff=False),
        one(9, severity="low"),
        finding(line=20, **inside),
    ]
    found += [finding(line=30, confidence=0.1, **inside), finding(line=40, path="a\nb", in_diff=False)]
    said = decide_gate(
        gate, count_votes({"": [replace(it, backend="") for it in found]}), GateInputs()
    ).findings
    assert set_aside(gate, said) == (
        "5 critical findings were set aside: their quotes are not in 1.py, 2.py, 3.py and 2 more",
        "2 high findings were set aside: they are not in the change (a b:40, db.py:8)",
        "1 high finding was set aside: its quote is not in db.py",
        "1 high finding was set aside: its confidence is too low (db.py:30)",
    )
    assert set_aside(None, said) == set_aside(Gate(fail_on="never"), said) == ()


def test_who_reports_what_cannot_be_found_may_mean_another_s_finding() -> None:
    def ruled(other: dict[str, Any]) -> GateVerdict:
        return several({"quorum": 2, "evidence": "warn"}, a=by("a"), b=by("b", line=50, **other)).verdict

    lost = {"evidence_found": False}
    assert ruled({}) is PASS
    assert ruled(lost) is INCONCLUSIVE
    assert ruled({**lost, "rule_id": "x"}) is INCONCLUSIVE
    assert ruled({**lost, "path": "src/DB.py"}) is INCONCLUSIVE
    assert ruled({**lost, "path": "other.py"}) is PASS
    assert ruled({**lost, "withdrawn": True}) is PASS


def several(gate: dict[str, Any], **answers: list[Finding] | None) -> GateDecision:
    """What several backends found; None = it gave no valid answer."""
    given_ = {name: found for name, found in answers.items() if found is not None}
    return decide_gate(
        Gate(**gate), count_votes(given_), GateInputs(asked=tuple(answers), answered=tuple(given_))
    )


def by(backend: str, **change: Any) -> list[Finding]:
    return [finding(backend=backend, **change)]


def test_a_quorum_counts_the_backends_that_were_asked() -> None:
    majority = {"quorum": "majority"}
    assert several(majority, a=by("a"), b=by("b", line=5), c=[]).verdict is FAIL
    assert several(majority, a=by("a"), b=[], c=[]).verdict is PASS
    assert several(majority, a=by("a"), b=by("b", line=50), c=[]).verdict is PASS
    assert several({"quorum": "all"}, a=by("a"), b=by("b"), c=[]).verdict is PASS
    assert several({"quorum": 1}, a=by("a"), b=[], c=[]).verdict is FAIL
    # one that needs the other's word for it is as severe as it is itself
    assert several(majority, a=by("a"), b=by("b", severity="low"), c=[]).verdict is FAIL


def test_who_did_not_answer_might_have_decided() -> None:
    majority = {"quorum": "majority"}
    lost = several(majority, a=by("a"), b=[], c=None)
    assert (lost.verdict, lost.findings[0].standing) == (INCONCLUSIVE, "undecided")
    assert "c gave no valid answer" in lost.reason
    assert several(majority, a=[], b=[], c=None).verdict is PASS  # c alone could do nothing
    assert several({}, a=[], b=[], c=None).verdict is INCONCLUSIVE  # here it could
    assert several({"fail_on": "never"}, a=[], b=[], c=None).verdict is PASS
    # a harmless one that c might have called severe
    assert several(majority, a=by("a", severity="info"), b=[], c=None).verdict is INCONCLUSIVE
    # what blocks anyway
    assert several({}, a=by("a"), b=None, c=None).verdict is FAIL


def test_so_many_must_answer() -> None:
    gate = {"min_backends": 2, "fail_on": "never"}
    assert several(gate, a=[], b=None).verdict is INCONCLUSIVE
    assert several(gate, a=[], b=[]).verdict is PASS
    assert several({"quorum": 3}, a=by("a"), b=by("b")).verdict is INCONCLUSIVE


def test_a_command_needs_nobody_s_word() -> None:
    gate = Gate(quorum="all", min_backends=3)
    assert decide_gate(gate, count_votes({"": [finding(backend="")]}), GateInputs()).verdict is FAIL
    assert decide_gate(gate, [], GateInputs()).verdict is PASS


def test_the_reason_names_the_worst_first_and_each_once() -> None:
    found = [finding(line=10 * n, title=f"t{n}") for n in range(1, 13)]
    judgement = judged({}, finding(line=500, severity="critical", title="x\ny"), *found)
    first, worst, *_, last = judgement.reason.split("\n")
    assert first == '13 findings block (fail_on = "high"):'
    assert worst == "[critical] sql-injection db.py:500 – x y"  # noqa: RUF001 - a dash is meant
    assert last == "and 3 more"
    both = several({"quorum": 2}, a=by("a"), b=by("b"))
    assert both.reason.startswith("1 finding blocks")


# --- properties

SEVERITIES = ["info", "low", "medium", "high", "critical"]
PLACES = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["db.py", "new.py", "z.py"]),
        "rule_id": st.sampled_from(["r1", "R-1", "r2"]),
        "line": st.integers(1, 14),
        "severity": st.sampled_from(SEVERITIES),
        "confidence": st.sampled_from([0.2, 0.6, 0.9]),
        "evidence_found": st.sampled_from([True, True, False, None]),
        "evidence": st.sampled_from(["q1", "q2", "q3"]),
        "in_diff": st.sampled_from([True, True, False, None]),
        "file_changed": st.sampled_from([True, True, False, None]),
        "known": st.sampled_from([False, False, True, None]),
        "withdrawn": st.sampled_from([False, False, False, True]),
        "fingerprint": st.sampled_from(["f1", "f2", "f3", "f4"]),
    }
)
ANSWERS = st.dictionaries(
    st.sampled_from("abcd"), st.none() | st.lists(PLACES, max_size=4), min_size=1
).filter(lambda answers: any(found is not None for found in answers.values()))
GATES = st.builds(
    Gate,
    fail_on=st.sampled_from([*SEVERITIES, "never"]),
    min_confidence=st.sampled_from([0.0, 0.5]),
    scope=st.sampled_from(["all", "file", "diff"]),
    baseline=st.sampled_from(["all", "new"]),
    quorum=st.sampled_from([1, 2, 3, "majority", "all"]),
    min_backends=st.integers(1, 3),
    evidence=st.sampled_from(["required", "warn", "report"]),
)


def verdict(gate: Gate, answers: dict[str, Any], compared: bool, baseline: bool) -> GateVerdict:
    """``compared``: the change is known; ``baseline``: what was accepted is."""
    unknown: dict[str, Any] = {} if compared else {"in_diff": None, "file_changed": None}
    unknown |= {} if baseline else {"known": None}
    given_ = {
        name: [finding(**{**place, **unknown, "backend": name}) for place in found]
        for name, found in answers.items()
        if found is not None
    }
    gaps = ["no diff"] if gate.scope != "all" and not compared else []
    gaps += ["no baseline"] if gate.baseline == "new" and not baseline else []
    facts = GateInputs(asked=tuple(answers), answered=tuple(given_), unknowns=tuple(gaps))
    return decide_gate(gate, count_votes(given_), facts).verdict


CASES = {"gate": GATES, "answers": ANSWERS, "changes": st.booleans(), "baseline": st.booleans()}


@given(**CASES, place=PLACES, data=st.data())
def test_adding_a_finding_never_turns_red_into_green(
    gate: Gate,
    answers: dict[str, Any],
    changes: Any,
    baseline: Any,
    place: dict[str, Any],
    data: st.DataObject,
) -> None:
    who = data.draw(st.sampled_from([name for name, found in answers.items() if found is not None]))
    at = data.draw(st.integers(0, len(answers[who])))
    before = verdict(gate, answers, changes, baseline)
    after = verdict(
        gate, {**answers, who: [*answers[who][:at], place, *answers[who][at:]]}, changes, baseline
    )
    assert after is before or after is not PASS
    assert after is FAIL or before is not FAIL


@given(**CASES, data=st.data())
def test_raising_a_severity_or_a_confidence_never_turns_red_into_green(
    gate: Gate, answers: dict[str, Any], changes: Any, baseline: Any, data: st.DataObject
) -> None:
    every = [(name, at) for name, found in answers.items() for at in range(len(found or ()))]
    if not every:
        return
    who, at = data.draw(st.sampled_from(every))
    place = answers[who][at]
    raised = data.draw(
        st.sampled_from(
            [
                {"severity": SEVERITIES[min(SEVERITIES.index(place["severity"]) + 1, 4)]},
                {"confidence": place["confidence"] + 0.1},
            ]
        )
    )
    before = verdict(gate, answers, changes, baseline)
    found = [*answers[who][:at], {**place, **raised}, *answers[who][at + 1 :]]
    after = verdict(gate, {**answers, who: found}, changes, baseline)
    assert after is before or after is not PASS
    assert after is FAIL or before is not FAIL


@given(**CASES, data=st.data())
def test_losing_a_backend_never_turns_red_into_green(
    gate: Gate, answers: dict[str, Any], changes: Any, baseline: Any, data: st.DataObject
) -> None:
    who = data.draw(st.sampled_from(sorted(answers)))
    if verdict(gate, answers, changes, baseline) is not PASS:
        assert verdict(gate, {**answers, who: None}, changes, baseline) is not PASS


@given(**CASES)
def test_what_cannot_be_known_never_turns_red_into_green(
    gate: Gate, answers: dict[str, Any], changes: Any, baseline: Any
) -> None:
    if verdict(gate, answers, changes, baseline) is not PASS:
        assert verdict(gate, answers, False, baseline) is not PASS
        assert verdict(gate, answers, changes, False) is not PASS


@given(**CASES, data=st.data())
def test_the_order_of_answers_decides_nothing(
    gate: Gate, answers: dict[str, Any], changes: Any, baseline: Any, data: st.DataObject
) -> None:
    names = data.draw(st.permutations(list(answers)))
    shuffled = {name: answers[name] and data.draw(st.permutations(answers[name])) for name in names}
    assert verdict(gate, answers, changes, baseline) is verdict(gate, shuffled, changes, baseline)


@given(ANSWERS)
def test_folding_hides_nothing_that_is_worse(answers: dict[str, Any]) -> None:
    every = count_votes(
        {name: [finding(**{**p, "backend": name}) for p in found or ()] for name, found in answers.items()}
    )
    marked = [replace(it, standing="blocks" if it.severity == "high" else "") for it in every]
    kept = merge_backends(marked)
    assert any(it.blocking for it in kept) is any(it.blocking for it in marked)
    assert {it.fingerprint for it in kept} <= {it.fingerprint for it in marked}
    assert merge_attempts([*kept, *kept]) == kept
