from dataclasses import replace

import pytest

from pytest_lok.core.results import Finding, ItemResult, Outcome, Reply, StepResult, Verdict
from pytest_lok.reports.answers import answers
from tests.reports.results import FAILED, PASSED, SKIPPED, run_of


def said(name: str, output: str, **replies: str) -> StepResult:
    given = tuple(Reply(text=text, backend=who, seconds=1.0) for who, text in replies.items())
    return StepResult(name=name, outcome=Outcome.PASSED, output=output, replies=given)


def shown(*steps: StepResult, every: bool = False) -> str:
    return answers(run_of(*steps, leaves=tuple(step.name for step in steps)), every=every)


def test_an_answer_stands_under_its_step_and_who_gave_it() -> None:
    assert shown(PASSED, said("build", "built\n")) == "== review == claude\nall is well\n\n== build ==\nbuilt"


def test_what_did_not_pass_is_told_where_it_failed() -> None:
    assert shown(FAILED, SKIPPED, said("empty", "")) == ""
    run = run_of(
        FAILED, SKIPPED, replace(FAILED, name="mute", output="exit code 1"), leaves=("tests", "mute")
    )
    assert answers(run, complete=True) == "== tests ==\n1 failed"


def test_only_the_last_steps_or_every_step() -> None:
    run = run_of(said("first", "1"), said("last", "2"), leaves=("last",))
    assert answers(run) == "== last ==\n2"
    assert answers(run, every=True) == "== first ==\n1\n\n== last ==\n2"


def test_a_vote_is_one_block() -> None:
    verdict = Verdict(
        strategy="vote", text="yes", backend="a", tally={"yes": 2.0, "no": 1.0}, dissent=("gamma: no",)
    )
    step = replace(said("safe", "yes", a="yes", b="yes", gamma="no"), verdict=verdict)
    assert shown(step) == "== safe == yes 2 : 1 no (gamma)\na      yes\nb      yes\ngamma  no"
    long = replace(said("safe", "yes\nwhy", a="yes\nwhy", gamma="no"), verdict=verdict)
    assert shown(long) == (
        "== safe · a == 1.0 s\nyes\nwhy\n\n== safe · gamma == 1.0 s\nno\n\n"
        "== safe == yes 2 : 1 no (gamma)\nyes\nwhy"
    )


def test_every_answer_that_was_paid_for_is_shown() -> None:
    step = replace(
        said("review", "both", a="one", b="two"),
        verdict=Verdict(strategy="synthesis", text="both", backend="a", note="synthesised by a from a, b"),
    )
    assert shown(step) == (
        "== review · a == 1.0 s\none\n\n== review · b == 1.0 s\ntwo\n\n"
        "== review == synthesised by a from a, b\nboth"
    )


FINDING = Finding(
    rule_id="sql",
    title="Injection",
    message="m",
    severity="high",
    confidence=0.9,
    path="a.py",
    line=3,
    end_line=3,
    evidence="code",
    votes={"a": "high", "b": "absent"},
)


def test_findings_are_listed_once_for_all_who_report_them() -> None:
    step = replace(said("review", "[json]", a="[json]", b="[]"), findings=(FINDING,))
    text = shown(step)
    assert text.startswith("== review ==")
    assert "[high] sql a.py:3" in text
    assert "a: high, b: absent" in text
    assert "json" not in text


@pytest.mark.parametrize("count", [0, 2])
def test_findings_of_items_are_one_short_list_that_says_why_they_do_not_block(count: int) -> None:
    items = tuple(
        ItemResult(index=n, item=n, outcome=Outcome.PASSED, output='[{"json": 1}]') for n in range(count)
    )
    minor = replace(FINDING, standing="minor", fingerprint="f00d", votes={"a": "high"})
    known = replace(FINDING, standing="known", acceptance="Ann: later", votes={"a": "high"})
    found = {0: (), 2: (minor, known)}[count]
    step = replace(said("review", '[{"json": 1}]', a="[]"), items=items, findings=found)
    head = "[high] sql a.py:3 \N{EN DASH} Injection\n  does not block: it is"
    lists = {
        0: "no findings",
        2: f"{head} not severe enough\n{head} in the baseline; Ann: later",
    }
    assert shown(step) == f"== review == a\n{lists[count]}"
    whole = shown(step, every=True)
    assert "json" not in whole
    assert ("fingerprint f00d" in whole) == bool(count)


def test_items_stand_under_their_numbers() -> None:
    items = tuple(
        ItemResult(index=n, item=item, outcome=Outcome.PASSED, output=f"about {item}")
        for n, item in enumerate("ab")
    )
    assert shown(replace(said("each", "[json]"), items=items)) == (
        "== each [0] a ==\nabout a\n\n== each [1] b ==\nabout b"
    )


def test_of_many_steps_each_is_shown_by_its_end() -> None:
    text = "\n".join(f"line {n}" for n in range(9))
    steps = [said("short", "one"), *(said(f"s{n}", text) for n in range(10))]
    assert "line 0" in shown(*steps[:10])
    many = shown(*steps)
    assert many.startswith("== short ==  one\n== s0 ==\n[4 lines before")
    assert many.endswith("== s9 ==\n[4 lines before; -v shows them]\nline 4\nline 5\nline 6\nline 7\nline 8")
    assert "line 0" in shown(*steps, every=True)
    run = run_of(*steps, leaves=tuple(step.name for step in steps))
    assert answers(run, complete=True) == shown(*steps, every=True)


def test_answers_that_are_kept_stand_under_one_heading_each() -> None:
    for replies in ({"a": "1", "b": "2"}, {"a": "1"}):
        verdict = Verdict(strategy="all", text="== a ==\n1", backend=" + ".join(replies))
        step = replace(said("explain", "== a ==\n1", **replies), verdict=verdict)
        assert shown(step) == "\n\n".join(
            f"== explain · {who} == 1.0 s\n{text}" for who, text in replies.items()
        )
