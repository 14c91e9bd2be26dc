from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pytest_lok.core.results import Finding, Outcome, StepResult
from pytest_lok.reports.run_summary import LONGEST_TEXT, cleaned, findings_of, run_document, run_text, verdict
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT, run_of

FINDING = Finding(
    rule_id="r", title="a title", message="a message", severity="low", confidence=1, path="a.py", line=3, end_line=3, evidence="x"
)  # fmt: skip
HOSTILE = "\x1b[31m\ud800\u202e\0" * 20_000


def test_the_verdict_is_green_for_a_passed_run_alone() -> None:
    assert verdict(run_of(PASSED), 0) == "passed"
    assert verdict(run_of(PASSED, FAILED), 1).startswith("NOT PASSED (failed, exit code 1): tests: ")
    assert verdict(run_of(ERROR), 3).startswith("NOT PASSED (error, exit code 3): ")
    assert verdict(run_of(SOFT), 0).startswith("NOT PASSED (soft, exit code 0)")
    # who calls may know better than the result: nothing was judged in CI, nobody answered
    assert verdict(run_of(PASSED), 3).startswith("NOT PASSED (passed, exit code 3)")
    skipped = StepResult(name="a", outcome=Outcome.SKIPPED, reason="`when` is false")
    assert "nothing was judged" in verdict(run_of(skipped), 0)
    assert verdict(replace(run_of(PASSED), interrupted="the run did not end"), 3).endswith(
        "the run did not end"
    )


def test_the_verdict_comes_first_and_says_the_same_everywhere() -> None:
    run = run_of(PASSED, FAILED, SKIPPED)
    document: dict[str, Any] = run_document(run, 1)
    text = run_text(run, 1)
    assert next(iter(document)) == "verdict"
    assert document["verdict"] == text.splitlines()[0] == verdict(run, 1)
    assert (document["passed"], document["exit_code"], document["outcome"]) == (False, 1, "failed")
    assert document["steps"] == {"passed": 1, "failed": 1, "skipped": 1}
    assert [one["step"] for one in document["reasons"]] == ["tests"]
    assert "failed tests" in text


def test_the_findings_that_block_come_first_and_what_is_left_out_is_counted() -> None:
    minor = replace(FINDING, message="m" * 3_000)
    found = (*[minor] * 100, replace(FINDING, title="blocks", standing="blocks"))
    run = run_of(replace(PASSED, findings=found))
    assert [one.title for _, one in findings_of(run)][:2] == ["blocks", "a title"]
    document: dict[str, Any] = run_document(run, 0)
    shown, left_out = document["findings"], document["findings_left_out"]
    assert (shown[0]["title"], shown[0]["blocking"]) == ("blocks", True)
    assert 0 < left_out == 101 - len(shown)
    text = run_text(run, 0)
    listed = text.count("a.py:3")
    assert f"101 findings:\n- {PASSED.name}: " in text
    assert listed == 101 or f"{101 - listed:,} more: the tool `findings` has them" in text


def test_one_finding_is_no_findings() -> None:
    assert "1 finding:\n- " in run_text(run_of(replace(PASSED, findings=(FINDING,))), 0)


def test_no_text_is_too_long_and_none_obeys_a_terminal() -> None:
    steps = [
        replace(FAILED, name=f"s{at}", reason=HOSTILE, hint=HOSTILE, output=HOSTILE, findings=(replace(FINDING, title=HOSTILE, message=HOSTILE),) * 9)
        for at in range(40)
    ]  # fmt: skip
    run = run_of(*steps, PASSED, leaves=(*(step.name for step in steps), PASSED.name))
    text, document = run_text(run, 1), json.dumps(run_document(run, 1), ensure_ascii=False)
    assert len(text) <= LONGEST_TEXT
    assert len(document) < 6 * LONGEST_TEXT
    for said in (text, document):
        said.encode()
        assert not set("\x1b\u202e\0") & set(said)


def test_an_output_is_shown_under_its_name_where_there_are_several() -> None:
    one, other = replace(PASSED, name="one", output="first"), replace(PASSED, name="two", output="second")
    assert run_document(run_of(one, leaves=("one",)), 0)["output"] == "first"
    document = run_document(run_of(one, other, leaves=("one", "two")), 0)
    assert (document["output"], document["output_is_cut"]) == ("== one ==\nfirst\n\n== two ==\nsecond", False)


def test_an_output_that_is_cut_says_so() -> None:
    long = run_document(run_of(replace(PASSED, output="a" * 50_000), leaves=(PASSED.name,)), 0)
    assert long["output_is_cut"] is True
    assert "characters left out" in str(long["output"])
    assert (
        run_document(run_of(replace(PASSED, output="short", cut=True), leaves=(PASSED.name,)), 0)[
            "output_is_cut"
        ]
        is True
    )
    quoted = run_document(
        run_of(replace(PASSED, output="… 9 characters left out …"), leaves=(PASSED.name,)), 0
    )
    assert quoted["output_is_cut"] is False


def test_a_document_holds_nothing_that_json_has_no_word_for() -> None:
    assert cleaned({"a": [float("nan"), {"b": "\x07\ud800"}]}) == {"a": [None, {"b": "\\x07\\ud800"}]}
