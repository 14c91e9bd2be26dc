from __future__ import annotations

from dataclasses import replace

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import (
    EditedFile,
    ItemResult,
    Outcome,
    Refusal,
    Reply,
    Section,
    StepResult,
    Usage,
    Verdict,
)
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Shell, Step
from pytest_lok.reports.failure_text import excerpt, explain, reason_line

SHELL = Step(
    name="lint",
    action=Shell(shell=ShellTemplate.parse("ruff check", VisibleNames())),
    path=".lok/workflows/gate.toml",
    line=7,
)
ASK = Step(name="review", action=Ask(prompt=Template.literal("Review it")), path="w.toml", line=3)
REPLY = Reply(
    text='{"verdict": "no"}',
    backend="claude",
    model="sonnet",
    usage=Usage(calls=1, input_tokens=1200, output_tokens=4),
    seconds=3.21,
)


def test_a_failed_command() -> None:
    result = StepResult(
        name="lint",
        outcome=Outcome.FAILED,
        reason="the command exited with code 1",
        output="E501 too long\nexit code: 1",
        attempts=2,
        seconds=1.5,
    )
    assert explain(result, SHELL) == (
        ".lok/workflows/gate.toml:7: step 'lint' failed\n"
        "command:\n"
        "    ruff check\n"
        "output:\n"
        "    E501 too long\n"
        "    exit code: 1\n"
        "E   the command exited with code 1\n"
        "(2 attempts, 1.5 s)"
    )


def test_a_failed_assertion_shows_the_question_and_the_answer() -> None:
    result = StepResult(
        name="review",
        outcome=Outcome.FAILED,
        reason="assert failed: json.verdict == 'yes'",
        output="json.verdict == 'no'",
        replies=(REPLY,),
        sections=(Section(title="assert", text="json.verdict == 'no'"),),
        attempts=1,
    )
    asked = [BackendAsked(step="review", backend="claude", prompt="Review this:\n+ x = 1", model="sonnet")]
    assert explain(result, ASK, asked=asked) == (
        "w.toml:3: step 'review' failed\n"
        "asked claude (sonnet):\n"
        "    Review this:\n"
        "    + x = 1\n"
        "claude answered (sonnet, 3.2 s, 1,204 tokens):\n"
        '    {"verdict": "no"}\n'
        "assert:\n"
        "    json.verdict == 'no'\n"
        "E   assert failed: json.verdict == 'yes'"
    )


def test_one_prompt_to_several_is_shown_once_and_the_vote_with_its_dissent() -> None:
    result = StepResult(
        name="review",
        outcome=Outcome.FAILED,
        reason="no agreement",
        replies=(REPLY,),
        refusals=(Refusal(backend="codex", kind="rate limit", reason="429"),),
        verdict=Verdict(
            strategy="vote",
            text="no",
            backend="claude",
            tally={"no": 2, "yes": 1},
            dissent=("gemini: yes",),
            note="a tie was broken",
        ),
        attempts=1,
    )
    asked = [
        BackendAsked(step="review", backend=name, prompt="same") for name in ("claude", "codex", "claude")
    ]
    text = explain(result, ASK, asked=asked)
    assert text.count("    same") == 1
    assert "asked claude, codex:" in text
    assert "codex gave no valid answer: rate limit: 429" in text
    assert "vote: no 2 : 1 yes (gemini)" in text
    assert "a tie was broken" in text
    assert "codex  " in text, "a row of the table"


def test_an_error_that_asked_nobody_shows_the_prompt_as_written_and_what_to_do() -> None:
    result = StepResult(
        name="review", outcome=Outcome.ERROR, reason="no backend is available", hint="run lok doctor"
    )
    assert explain(result, ASK) == (
        "w.toml:3: step 'review' could not do its work\n"
        "prompt, as written:\n"
        "    Review it\n"
        "E   no backend is available\n"
        "hint: run lok doctor"
    )


def test_a_step_that_did_not_run_names_the_root_and_its_way_out() -> None:
    root = StepResult(name="lint", outcome=Outcome.FAILED, reason="exit code 1", hint="fix it")
    result = StepResult(
        name="review", outcome=Outcome.SKIPPED, reason="blocked: step 'lint' failed", blocked_by="lint"
    )
    assert explain(result, ASK, root=root) == (
        "w.toml:3: step 'review' did not run\n"
        "E   blocked: step 'lint' failed\n"
        "E   lint: exit code 1\n"
        "hint: fix it"
    )


def each(count: int, *red: int) -> StepResult:
    """A step that asked about so many items; the red ones failed."""
    said = {n: "BLOCK" if n in red else "fine" for n in range(count)}
    return StepResult(
        name="review",
        outcome=Outcome.FAILED if red else Outcome.PASSED,
        reason=f"{len(red)} of {count} items did not pass" if red else "",
        items=tuple(
            ItemResult(
                index=n,
                item={"file": f"f{n}.py"},
                outcome=Outcome.FAILED if n in red else Outcome.PASSED,
                reason="assert failed: output != 'BLOCK'" if n in red else "",
                output=said[n],
            )
            for n in range(count)
        ),
        replies=tuple(Reply(text=said[n], backend="claude", item=n) for n in range(count)),
        sections=tuple(Section(title=f"[{n}] assert", text="output = 'BLOCK'") for n in red),
        attempts=count,
    )


def questions(count: int) -> list[BackendAsked]:
    return [
        BackendAsked(step="review", backend="claude", prompt=f"Is f{n} fine?", item=n) for n in range(count)
    ]


def test_the_question_and_the_answer_of_an_item_stand_together_and_red_items_first() -> None:
    assert explain(each(3, 1), ASK, asked=questions(3)) == (
        "w.toml:3: step 'review' failed\n"
        "   item                   outcome\n"
        '✗  [1] {"file": "f1.py"}  failed   assert failed: output != \'BLOCK\'\n'
        '✓  [0] {"file": "f0.py"}  passed   fine\n'
        '✓  [2] {"file": "f2.py"}  passed   fine\n'
        '[1] {"file": "f1.py"}: failed: assert failed: output != \'BLOCK\'\n'
        "    asked claude:\n"
        "        Is f1 fine?\n"
        "    claude answered (0.0 s):\n"
        "        BLOCK\n"
        "    assert:\n"
        "        output = 'BLOCK'\n"
        "E   1 of 3 items did not pass"
    )


def test_items_that_are_reported_by_themselves_are_listed_only() -> None:
    text = explain(each(3, 1), ASK, asked=questions(3), parts_apart=True)
    assert "✗  [1]" in text
    assert "Is f1 fine?" not in text
    in_error = replace(each(3, 1), outcome=Outcome.ERROR)
    assert "Is f1 fine?" in explain(in_error, ASK, asked=questions(3), parts_apart=True)


def test_of_many_items_some_are_shown_and_the_rest_is_counted() -> None:
    text = explain(each(200, *range(0, 180, 3)), ASK, asked=questions(200))
    assert text.count("asked claude") == 5
    assert text.count("✗") == 20
    assert "and 180 items more: 140 passed, 40 failed" in text
    assert "attempts" not in text, "one of each item"


def test_of_several_fixes_the_last_is_shown_whole_and_the_others_in_a_line() -> None:
    log = "verify failed: pytest\n" + "\n".join(f"log {{}} line {n}" for n in range(9))
    sections: list[Section] = []
    for fix in range(1, 4):
        sections += [
            Section(title="verify", text=log.format(*[fix] * 9)),
            Section(title=f"before fix {fix}", text=log.format(*[fix] * 9)),
        ]
    sections.append(Section(title="verify", text=log.format(*[4] * 9)))
    result = StepResult(
        name="review",
        outcome=Outcome.FAILED,
        reason="3 fixes did not help: verify failed: pytest",
        sections=tuple(sections),
        attempts=1,
    )
    text = explain(result, ASK)
    assert [line for line in text.split("\n") if "before fix" in line] == [
        f"before fix {fix}: verify failed: pytest" for fix in (1, 2, 3)
    ]
    assert "log 4 line 8" in text
    assert not any(f"log {fix} " in text for fix in (1, 2, 3))
    assert text.endswith("E   3 fixes did not help: verify failed: pytest")


def test_what_a_step_has_done_is_told_though_it_failed() -> None:
    result = StepResult(
        name="review",
        outcome=Outcome.FAILED,
        reason="assert failed",
        edits=(EditedFile(file="app.py", added=2, removed=1),),
        verified="pytest",
        set_aside=("sql db.py:1: in the baseline",),
        attempts=1,
    )
    lines = explain(result, ASK).split("\n")
    assert lines[-4:] == [
        "edited app.py (+2 -1)",
        "verified: pytest",
        "set aside: sql db.py:1: in the baseline",
        "E   assert failed",
    ]


def test_everything_is_bounded() -> None:
    huge = "word " * 2_000_000 + "THE END"
    result = StepResult(
        name="review",
        outcome=Outcome.FAILED,
        reason=huge,
        output=huge,
        replies=(REPLY, *(Reply(text=huge, backend=f"b{n}") for n in range(3))),
        sections=(Section(title="verify", text=huge),),
        attempts=1,
    )
    text = explain(result, ASK, asked=[BackendAsked(step="review", backend="b", prompt=huge)])
    assert len(text) < 64_000
    assert "THE END" in text
    assert len(reason_line(result)) <= 300


def test_no_text_commands_a_terminal_or_a_ci_runner() -> None:
    hostile = "\x1b[31m::error::gone\n::add-mask::x ##[error]y \x00\u202e"
    result = StepResult(
        name="review", outcome=Outcome.FAILED, reason=hostile, output=hostile, hint=hostile, attempts=1
    )
    for text in (explain(result, ASK), reason_line(result)):
        assert not any(control in text for control in "\x1b\x00\u202e")
        assert "##[" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_bounds() -> None:
    assert excerpt("a\nb\n") == "a\nb"
    text = "\n".join(map(str, range(100)))
    assert excerpt(text, lines=4) == "0\n1\n… 96 lines left out …\n98\n99"
    assert excerpt("x" * 100, chars=10) == "xxxxx\n… 90 characters left out …\nxxxxx"
