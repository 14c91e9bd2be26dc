from dataclasses import replace

import pytest

from pytest_lok.core.results import CACHED_USAGE, ItemResult, NestedRun, Outcome, Section, StepResult, Usage
from pytest_lok.reports.console import answer, cost, details, duration, outputs, status, summary, tail
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT, run_of


def test_a_line_says_who_answered_at_what_cost() -> None:
    assert status(PASSED, 10) == "passed   review       2.3 s  claude  1,204 tokens, $0.0123"


def test_a_line_says_how_many_attempts_it_took() -> None:
    assert status(FAILED) == "failed   tests  0.5 s  2 attempts"


def test_a_step_that_did_not_run_took_no_time() -> None:
    assert status(SKIPPED) == "skipped  join  blocked by tests: exit code 1"
    assert list(details(SKIPPED, output=True)) == [], "the reason stands in the line"


def test_a_passed_step_needs_no_reason() -> None:
    assert list(details(PASSED, output=True)) == []


def test_only_an_assert_loses_the_line_that_is_the_reason() -> None:
    sections = (
        Section(title="assert", text="x > 1\n  where x = 0"),
        Section(title="findings", text="[high] x > 1\nmore"),
    )
    result = replace(FAILED, reason="assert failed: [high] x > 1", hint="", output="", sections=sections)
    assert list(details(result, output=True)) == [
        "    assert failed: [high] x > 1",
        "    --- assert ---",
        "      where x = 0",
        "    --- findings ---",
        "    [high] x > 1",
        "    more",
    ]


def test_all_sections_of_a_passed_step_are_there_if_asked_for() -> None:
    result = replace(PASSED, sections=(Section(title="edits", text="-a\n+b"),))
    assert list(details(result, output=True)) == []
    assert list(details(result, output=True, whole=True)) == ["    --- edits ---", "    -a", "    +b"]


def test_why_and_what_to_do_and_what_it_printed() -> None:
    assert list(details(FAILED, output=True)) == [
        "    exit code 1",
        "    hint: read the output",
        "    --- stderr ---",
        "    Traceback",
        "    boom",
        "    --- output ---",
        "    1 failed",
    ]


def test_what_is_printed_elsewhere_is_not_repeated() -> None:
    assert "    --- output ---" not in list(details(FAILED, output=False))


def test_an_output_that_is_the_reason_is_not_repeated() -> None:
    assert list(details(replace(FAILED, output="exit code 1", sections=()), output=True)) == [
        "    exit code 1",
        "    hint: read the output",
    ]


@pytest.mark.parametrize("output", [True, False])
def test_answers_that_no_output_shows_are_shown(output: bool) -> None:
    result = replace(FAILED, output="exit code 1", hint="", sections=(), replies=PASSED.replies)
    assert list(details(result, output=output)) == [
        "    exit code 1",
        "    --- claude answered ---",
        "    all is well",
    ]


def test_a_refusal_the_reason_tells_already_is_not_repeated() -> None:
    assert list(details(ERROR, output=True)) == [
        "    1 of 2 backends gave a valid answer, 2 needed (codex: no network)",
        "    gemini: timeout: no answer within 5 s",
        "    answered: 0 of 2 backends",
    ]


def test_items_that_did_not_pass_are_named() -> None:
    assert list(details(SOFT, output=True)) == [
        "    [1] b: failed: exit code 2",
        "    [2] c: error: timed out",
    ]


def test_a_summary_counts_outcomes() -> None:
    result = run_of(PASSED, FAILED, SKIPPED, SOFT)
    assert summary(result) == (
        "gate: failed in 1 min 04 s · 1 passed, 1 failed, 1 skipped, 1 soft · claude · 1,204 tokens, $0.0123"
    )


def test_a_summary_says_why_a_run_was_cut_short() -> None:
    result = run_of(PASSED, interrupted="interrupted by Ctrl-C")
    assert summary(result).startswith("gate: error in 1 min 04 s (interrupted by Ctrl-C) · 1 passed")


def test_the_leaves_are_the_output() -> None:
    result = run_of(PASSED, FAILED, leaves=("tests",))
    assert outputs(result) == "1 failed"
    told = replace(FAILED, reason="a fix did not help: 1 failed")
    assert outputs(run_of(PASSED, told, leaves=("tests",))) == "", "the reason has told it"


def test_every_output_stands_under_its_name() -> None:
    result = run_of(PASSED, SKIPPED, FAILED, leaves=("tests",))
    assert outputs(result, every=True) == ("== review ==\nall is well\n\n== join ==\n\n== tests ==\n1 failed")


def test_an_answer_stands_under_who_gave_it() -> None:
    assert answer(PASSED, backend="claude") == (
        "== claude == sonnet · 2.3 s · 1,204 tokens, $0.0123\nall is well"
    )


def test_no_answer_is_shown_as_such() -> None:
    missing = replace(ERROR, name="codex", reason="codex is not installed", hint="npm install -g codex")
    assert answer(missing, backend="codex") == (
        "== codex == 1 min 01 s\nno answer: codex is not installed\nhint: npm install -g codex"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (Usage(calls=1), ""),
        (Usage(input_tokens=1), "1 token"),
        (Usage(input_tokens=1, output_tokens=0), "1 token"),
        (Usage(output_tokens=1_234_567), "1,234,567 tokens"),
        (Usage(cost_usd=0.0), "$0.0000"),
    ],
)
def test_what_was_not_reported_is_not_shown(usage: Usage, shown: str) -> None:
    assert cost(usage) == shown


def test_a_long_text_is_shown_from_its_end() -> None:
    shown = tail("\n".join(f"line {n}" for n in range(1000)))
    assert shown.startswith("[8,530 characters before]\nline 960\n")
    assert shown.endswith("line 998\nline 999")
    assert len(shown.split("\n")) == 41


def test_one_endless_line_is_cut() -> None:
    shown = tail("x" * 1_000_000)
    assert len(shown) < 10_000
    assert shown.startswith("[992,000 characters before]\n")


def test_a_short_text_is_shown_whole() -> None:
    assert tail("a\nb\n") == "a\nb"


def test_answers_that_were_known_already_are_called_cached() -> None:
    paid = Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=0.5)
    assert cost(CACHED_USAGE) == cost(CACHED_USAGE + CACHED_USAGE) == "(cached)"
    assert cost(paid + CACHED_USAGE + CACHED_USAGE) == "12 tokens, $0.5000 (2 cached)"


HEADLINE = "[critical] injection a.py:1 - text becomes code"
FINDING = Section(title="findings", text=f"{HEADLINE}\n  blocks\n  > eval(x)")


def test_a_finding_is_told_once() -> None:
    reason = f'2 findings block (fail_on = "high"):\n{HEADLINE}'
    result = replace(FAILED, reason=reason, hint="", output="", sections=(FINDING,))
    said = list(details(result, output=True))
    assert said[:3] == [
        '    2 findings block (fail_on = "high")',
        "    --- findings ---",
        f"    {HEADLINE}",
    ]
    doubted = replace(result, reason=f"{reason} (no such file)\n[high] bug b.py:2 - wrong")
    assert list(details(doubted, output=True))[:2] == [
        '    2 findings block (fail_on = "high"):',
        "    [high] bug b.py:2 - wrong",
    ]


def test_a_finding_of_an_item_is_told_once() -> None:
    item = ItemResult(index=0, item="a.py", outcome=Outcome.FAILED, reason=f"1 finding blocks:\n{HEADLINE}")
    reason = f"1 of 1 items did not pass: [0] {item.reason}"
    sections = (replace(FINDING, title="[0] findings"),)
    result = replace(FAILED, reason=reason, hint="", output="", items=(item,), sections=sections)
    assert list(details(result, output=True))[:3] == [
        "    [0] a.py: failed: 1 finding blocks",
        "    --- [0] findings ---",
        f"    {HEADLINE}",
    ]


def test_reasons_are_wrapped_and_what_a_program_printed_is_not() -> None:
    long = "word " * 20 + "end"
    printed = "line " * 20 + "end"
    sections = (Section(title="verify", text=printed),)
    result = replace(FAILED, reason=long, hint="", output="", sections=sections)
    said = list(details(result, output=False, columns=40))
    at = said.index("    --- verify ---")
    assert at > 1
    assert all(line.startswith("    word") and len(line) <= 40 for line in said[:at])
    assert said[at + 1 :] == [f"    {printed}"]


def test_a_step_that_was_corrected_says_so_on_its_line() -> None:
    once = Section(title="before fix 1", text="verify failed: make (the command exited with code 2)\nboom")
    twice = Section(title="before fix 2", text="assert failed: x > 1")
    assert status(replace(PASSED, sections=(once,))).endswith("after 1 fix: verify failed")
    assert status(replace(PASSED, sections=(once, twice))).endswith("after 2 fixes: assert failed")
    assert "fix" not in status(replace(FAILED, sections=(once,)))


def test_errors_are_counted_as_people_do() -> None:
    assert "1 passed, 2 errors" in summary(run_of(ERROR, replace(ERROR, name="other"), PASSED))
    assert summary(run_of(ERROR)).endswith("1 error")


def test_a_command_that_said_its_reason_alone_is_told_once() -> None:
    result = replace(
        FAILED, reason="no such table", hint="", output="no such table\nexit code: 1", sections=()
    )
    assert list(details(result, output=True)) == ["    no such table"]
    more = replace(result, output="looking\nno such table\nexit code: 1")
    assert list(details(more, output=True))[1:] == ["    --- output ---", "    looking", "    no such table"]


@pytest.mark.parametrize(("number", "red", "shown"), [(12, 0, [*range(1, 13)]), (20, 3, [3, *range(10, 21)])])
def test_of_many_rounds_the_red_ones_and_the_last_are_shown(number: int, red: int, shown: list[int]) -> None:
    def run(at: int) -> NestedRun:
        outcome = Outcome.FAILED if at == red else Outcome.PASSED
        return NestedRun(
            workflow="w", round=at, steps=(StepResult(name="deep", outcome=outcome, reason="no"),)
        )

    nested = tuple(map(run, range(1, number + 1)))
    x = StepResult(name="x", outcome=Outcome.PASSED, attempts=1, nested=nested)
    lines = [*details(x, output=True, whole=False)]
    assert [line.strip() for line in lines if "round" in line] == [f"round {at}" for at in shown]
    assert any("8 more runs of the workflow: -v shows them" in line for line in lines) is (number > 12)
    assert sum("round" in line for line in details(x, output=True, whole=True)) == number
