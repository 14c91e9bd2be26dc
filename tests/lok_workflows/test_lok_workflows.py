"""lok's published workflows, told anew with every way of quoting they use, run with text that means harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import ScriptedReply
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.errors import WorkflowError
from tests.lok_workflows.yard import HERE, HOSTILE, Yard

P, F, S = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def outputs(result: RunResult) -> dict[str, str]:
    assert result.passed, {name: (r.outcome, r.reason) for name, r in result.steps.items()}
    return {name: step.output for name, step in result.steps.items()}


def edits(file: str, old: str, new: str, summary: str) -> str:
    return json.dumps({"edits": [{"file": file, "old": old, "new": new}], "summary": summary})


def test_each_of_them_is_run_here() -> None:
    tests = Path(__file__).read_text()
    for path in HERE.glob("*.toml"):
        assert f'"{path.stem}"' in tests


# lok's tests of its engine


def test_interpolation(yard: Yard) -> None:
    said = outputs(yard.run("interpolation"))
    assert said["third"] == "at last: first printed: greetings from first"


def test_conditionals(yard: Yard) -> None:
    result = yard.run("conditionals")
    skipped = {name for name, step in result.steps.items() if step.outcome is S}
    assert skipped == {"contains_no", "equals_no"}
    assert {step.outcome for step in result.steps.values()} == {P, S}
    assert result.steps["after_a_skipped_one"].output == "skipped said: []"


def test_parallel(yard: Yard) -> None:
    said = outputs(yard.run("parallel"))
    assert said["all"] == "All of them: one is done, two is done, three is done"


def test_retry(yard: Yard) -> None:
    result = yard.run("retry")
    assert outputs(result) == {"stubborn": "try 3 was good", "tidy": "tidied up"}
    assert result.steps["stubborn"].attempts == 3
    assert not (yard.root / "attempts").exists()


# lok's built-in workflows, whose steps leave it to us whom to ask


def whoever(rules: str | dict[str, str]) -> dict[str, str | dict[str, str]]:
    return dict.fromkeys(("claude", "codex", "gemini"), rules)


@pytest.mark.parametrize(("arguments", "shown"), [((), "+staged"), (("HEAD",), "+worked on")])
def test_diff(yard: Yard, arguments: tuple[str, ...], shown: str) -> None:
    yard.write("app.py", "one\ntwo\nstaged\n")
    yard.git("add", "app.py")
    yard.write("app.py", "one\ntwo\nstaged\nworked on\n")
    result = yard.run("diff", *arguments, **whoever({shown: HOSTILE}))
    assert outputs(result)["review"] == HOSTILE


def test_diff_takes_what_it_compares_as_one_word(yard: Yard) -> None:
    result = yard.run("diff", "HEAD; touch pwned", claude="?")
    assert result.steps["get-diff"].outcome is F
    assert yard.call("git diff").argv[2:] == [b"HEAD; touch pwned"]
    assert not yard.pwned


def test_diff_takes_no_option_for_it(yard: Yard) -> None:
    result = yard.run("diff", "--output=pwned", claude="?")
    assert result.outcome is Outcome.ERROR
    assert "looks like an option" in result.steps["get-diff"].reason
    assert not yard.pwned


def test_explain(yard: Yard) -> None:
    yard.write("$(touch pwned).md", HOSTILE)
    result = yard.run("explain", **whoever({"=== README.md ===\n# App": "an app"}))
    assert outputs(result)["explain"] == "an app"
    assert "./$(touch pwned).md" in result.steps["gather-structure"].output
    assert not yard.pwned


def test_audit(yard: Yard) -> None:
    yard.write("login.py", f"password = request.form\n{HOSTILE}\n")
    claude = {f"INJECTION:\ni {HOSTILE}\n\nACCESS:\na {HOSTILE}": "report"}
    claude |= {"become code": f"i {HOSTILE}", "get in": f"a {HOSTILE}"}
    result = yard.run("audit", **whoever(claude))
    assert outputs(result)["synthesize"] == "report"
    assert result.steps["gather-code"].output == "=== Access ===\n./login.py\n\n=== Input ===\n./login.py"
    assert not yard.pwned


def test_hunt(yard: Yard) -> None:
    issues = json.dumps([{"title": HOSTILE, "body": "b", "labels": ["bug"]}])
    sides = {"swallow": "e", "again": "p", "nobody": "d"}
    result = yard.run("hunt", **whoever({"ERRORS:\ne\n\nSPEED:\np\n\nDEAD CODE:\nd": issues, **sides}))
    assert outputs(result)["synthesize"] == issues


# lok's examples


def test_fix(yard: Yard) -> None:
    yard.answers("gh issue view", HOSTILE)
    claude = {"First proposal:": HOSTILE, "How would": f"claude {HOSTILE}"}
    result = yard.run("fix", "123", claude=claude, codex=f"codex {HOSTILE}")
    assert result.passed
    assert result.steps["fetch"].output == HOSTILE
    viewed = yard.call("gh issue view")
    assert viewed.argv[3:] == [b"123", b"--json", b"number,title,body,comments"]
    said = yard.call("gh issue comment")
    assert said.argv[3:5] == [b"123", b"--body"]
    assert said.argv[5:] == [
        f"## A plan (Claude + Codex agree)\n\n{HOSTILE}\n\n---\n"
        "*Written by a workflow; costs $0, nobody's `shell` was harmed.*".encode()
    ]
    assert said.stdin == b""
    assert not yard.pwned


@pytest.mark.parametrize("number", ["12; touch pwned", "$(touch pwned)", "1 2\n3", "`touch pwned`", ""])
def test_fix_passes_any_number_as_one_argument(yard: Yard, number: str) -> None:
    assert yard.run("fix", number, claude="c", codex="d").passed
    assert yard.call("gh issue view").argv[3] == number.encode()
    assert yard.call("gh issue comment").argv[3] == number.encode()
    assert not yard.pwned


def test_pick_and_propose(yard: Yard) -> None:
    yard.answers("gh issue list", '[{"number": 7}]')
    picked = json.dumps({"number": 7, "title": HOSTILE, "reason": "because"})
    claude = {
        "First proposal:": HOSTILE,
        f"How would you fix #7, {HOSTILE}": HOSTILE,
        "fixed next": f"I would take this one:\n```json\n{picked}\n```\nShall I?",
    }
    assert yard.run("pick-and-propose", claude=claude, codex=HOSTILE).passed
    assert yard.call("gh issue view").argv[3:] == [b"7", b"--json", b"body,comments"]
    assert yard.call("gh pr list").value("--jq") == "[.[] | {number, title, body}]"
    said = yard.call("gh issue comment")
    assert said.argv[3] == b"7"
    body = f"## A plan (Claude + Codex agree)\n\n{HOSTILE}\n\n---\n*Written by a workflow*"
    assert said.value("--body") == body
    assert not yard.pwned


def test_a_picked_number_that_looks_like_an_option_is_refused(yard: Yard) -> None:
    result = yard.run("pick-and-propose", claude='{"number": "--web", "title": "t"}', codex="c")
    assert result.steps["fetch"].outcome is Outcome.ERROR
    assert "looks like an option: '--web'" in result.steps["fetch"].reason
    assert result.steps["comment"].blocked_by == "fetch"
    assert not yard.calls("gh issue view")


def test_review_pr(yard: Yard) -> None:
    verdict = {"verdict": "APPROVE", "summary": HOSTILE, "critical": "None", "important": "- one\n- two"}
    claude = {
        "FIRST:": json.dumps({**verdict, "minor": HOSTILE, "followups": []}),
        "Write a command": HOSTILE,
        "Review": HOSTILE,
    }
    yard.answers("gh pr diff", f"+{HOSTILE}")
    assert yard.run("review-pr", "31", claude=claude, codex=HOSTILE, gemini=HOSTILE).passed
    said = yard.call("gh pr comment")
    assert said.argv[3:5] == [b"31", b"--body"]
    assert said.value("--body") == (
        f"## Review (three of them)\n\n### Verdict: APPROVE\n\n{HOSTILE}\n\n**Critical:** None\n\n"
        f"**Important:** - one\n- two\n\n**Minor:** {HOSTILE}\n\n---\n*Written by a workflow*"
    )
    assert not yard.pwned


RUN_FOLLOWUPS = """
[[steps]]
name = "run_followups"
depends_on = ["create_followups"]
shell = "{{ steps.create_followups.output }}"
"""


def test_a_command_that_a_model_writes_is_refused_at_load(yard: Yard) -> None:
    with pytest.raises(WorkflowError) as caught:
        yard.load("review-pr", RUN_FOLLOWUPS)
    (problem,) = caught.value.problems
    assert problem.excerpt[problem.column - 1 :].startswith("{{ steps.create_followups.output }}")
    assert "argv" in problem.hint
    assert "stdin" in problem.hint
    assert "unsafe_shell = true" in problem.hint


def test_unless_its_author_takes_the_risk(yard: Yard) -> None:
    workflow = yard.load("review-pr", f"{RUN_FOLLOWUPS}unsafe_shell = true\n")
    command = "gh issue create --title \"Left to do\" --body 'It'\\''s small' && echo done"
    claude = {"FIRST:": '{"verdict": "APPROVE", "critical": "", "important": "", "minor": "", "summary": ""}'}
    claude |= {"Write a command": command, "Review": "fine"}
    result = yard.run(workflow, "31", claude=claude, codex="fine", gemini="fine")
    assert outputs(result)["run_followups"] == "done"
    assert yard.call("gh issue create").value("--body") == "It's small"


def test_rework_pr(yard: Yard) -> None:
    yard.git("push", "-q", "origin", "HEAD:topic")
    yard.answers("gh pr view", json.dumps({"headRefName": "topic", "title": HOSTILE}))
    yard.write("pyproject.toml", "[tool.ruff]\n")
    yard.write(".venv/bin/ruff", "#!/bin/sh\ngrep -q TWO app.py\n").chmod(0o755)
    claude = [
        ScriptedReply(match="Write the edits", times=1, reply=edits("app.py", "two", "no better", "x")),
        ScriptedReply(match="verify failed", reply=edits("app.py", "two", "TWO", HOSTILE)),
        ScriptedReply(reply=HOSTILE),
    ]
    result = yard.run("rework-pr", "31", claude=claude, codex=HOSTILE)
    assert result.passed, [(r.name, r.reason) for r in result.steps.values()]
    assert yard.call("git fetch").argv[2:] == [b"origin", b"topic"]
    message = f"as the reviewers asked: {HOSTILE}\n\nCo-Authored-By: Somebody <somebody@example.com>"
    assert yard.call("git commit").value("-m") == message
    assert yard.git("show", "origin/topic:app.py") == "one\nTWO"
    assert yard.call("gh pr comment").value("--body") == (
        f"## Reworked\n\nWhat two models agreed on.\n\n**Changed:** {HOSTILE}\n\n"
        "Costs $0; `have` another look.\n\n---\n*Written by a workflow*"
    )
    assert not yard.pwned


def test_rework_pr_of_a_branch_that_is_a_trap(yard: Yard) -> None:
    yard.answers("gh pr view", json.dumps({"headRefName": "--upload-pack=touch pwned;", "title": "t"}))
    result = yard.run("rework-pr", "31", claude="c", codex="d")
    assert "looks like an option" in result.steps["checkout"].reason
    assert {step.outcome for step in result.steps.values()} == {P, Outcome.ERROR, S}
    assert not yard.calls("git fetch")
    assert not yard.pwned


@pytest.mark.parametrize(("approved", "merged"), [('"approved": true', 1), ('"approved": false', 0)])
def test_full_heal(yard: Yard, approved: str, merged: int) -> None:
    yard.answers("gh issue create", "https://forge.example/issues/9")
    picked = {"file": "a b.py", "line": 42, "issue": HOSTILE, "severity": "high"}
    claude = {
        "one to fix today": json.dumps(picked),
        "Fix this:": edits("app.py", "two", "TWO", HOSTILE),
        "Is this change right?": f'{{{approved}, "verdict": "…", "reason": "$(touch pwned)"}}',
    }
    result = yard.run("full-heal", claude=claude, codex=HOSTILE)
    assert result.passed, [(r.name, r.reason) for r in result.steps.values()]
    issue = yard.call("gh issue create")
    assert issue.value("--title") == HOSTILE
    assert issue.value("--body") == "Severity: high\nFile: a b.py:42\n\nFound by a workflow."
    (branch,) = yard.git("ls-remote", "--heads", "origin", "fix/*").splitlines()
    assert branch.partition("refs/heads/fix/auto-heal-")[2].isdigit()
    message = f"fix: {HOSTILE}\n\nCo-Authored-By: Somebody <somebody@example.com>"
    assert yard.call("git commit").value("-m") == message
    pr = yard.call("gh pr create")
    assert pr.value("--title") == f"fix: {HOSTILE}"
    assert pr.value("--body") == (
        f"## Issue\n{HOSTILE}\n\nCreated: https://forge.example/issues/9\n\n## Fix\n{HOSTILE}\n\n"
        "---\nDone by a workflow."
    )
    assert len(yard.calls("gh pr merge")) == merged
    assert result.steps["merge"].outcome is (P if merged else S)
    assert not yard.pwned


# lok's handbook


def test_features(yard: Yard) -> None:
    claude = [
        ScriptedReply(match="Sum up", error="overload", times=1),
        ScriptedReply(match="Sum up", reply=HOSTILE),
        ScriptedReply(match="Ship it?", reply='Well: {"ship": true}'),
        ScriptedReply(match="Is ", reply=" yes "),
    ]
    codex = [
        ScriptedReply(match="Scan", error="auth", reply=HOSTILE),
        ScriptedReply(match="Sum up", reply="codex"),
        ScriptedReply(match="Ship it?", reply='{"ship": false}'),
        ScriptedReply(match="Is ", reply="Yes"),
    ]
    result = yard.run("features", "4", claude=claude, codex=codex, gemini='{"ship": true}')
    steps = result.steps
    assert result.passed, [(r.name, r.reason) for r in steps.values()]
    assert steps["flaky-scan"].outcome is Outcome.SOFT
    listed = json.loads(steps["each"].output)
    assert [(i["index"], i["output"], i["success"]) for i in listed] == [
        (0, "0: a b.txt has 1", True),
        (1, "1: c.txt has 2", True),
    ]
    assert json.loads(steps["list-files"].output) == [i["item"] for i in listed]
    assert [item.outcome for item in steps["ask-each"].items] == [P, P]
    assert steps["lines"].data == ["x", "y"]
    verdict = steps["opinion"].verdict
    assert verdict is not None
    assert (verdict.tally, verdict.dissent) == ({"true": 3.5, "false": 1.5}, ("codex: false",))
    assert steps["summary"].output == HOSTILE
    note = yard.call("glab mr note")
    assert note.argv[3] == b"4"
    assert note.value("--message") == f"{HOSTILE}\n{steps['flaky-scan'].handed_on}"
    assert HOSTILE in steps["flaky-scan"].output
    assert not yard.pwned
