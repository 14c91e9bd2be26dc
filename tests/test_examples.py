"""The examples that act: copied into a project, run with scripted backends, a real repository and a recorded gh."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_lok.backends.scripted import ScriptedReply
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.reports.case_table import case_lines
from tests.lok_workflows.yard import HOSTILE, Yard

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED
PULL = {
    "number": 31, "title": HOSTILE, "author": {"login": "ada"}, "body": "b", "baseRefName": "main",
    "headRefName": "topic", "additions": 1, "deletions": 1, "changedFiles": 1, "state": "OPEN",
    "url": "https://github.com/o/r/pull/31", "comments": [], "reviews": [{"body": HOSTILE}],
}  # fmt: skip


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    made = Yard(tmp_path)
    made.write("pyproject.toml", "[tool.ruff]\n")
    made.write(".venv/bin/ruff", "#!/bin/sh\ngrep -q TWO app.py\n").chmod(0o755)
    made.write(".gitignore", ".venv\n")
    return made


def edits(new: str, summary: str) -> str:
    return json.dumps({"edits": [{"file": "app.py", "old": "two", "new": new}], "summary": summary})


def reasons(result: RunResult) -> list[tuple[str, str]]:
    return [(step.name, step.reason) for step in result.steps.values() if step.reason]


def finding(severity: str) -> str:
    return json.dumps([{
        "rule_id": "wrong-result", "title": "two is wrong", "message": HOSTILE, "severity": severity,
        "confidence": 0.9, "path": "app.py", "line": 2, "evidence": "two",
    }])  # fmt: skip


class TestPickAndPropose:
    def test_the_proposal_is_commented_at_the_issue_that_was_picked(self, yard: Yard) -> None:
        yard.answers("gh issue list", json.dumps([{"number": 7, "title": HOSTILE, "labels": []}]))
        yard.answers(
            "gh issue view", json.dumps({"number": 7, "title": HOSTILE, "body": HOSTILE, "comments": []})
        )
        pick = {"worth most": json.dumps({"number": 7, "reason": HOSTILE}), "": HOSTILE}
        result = yard.run(yard.example("pick-and-propose"), claude=pick, codex=HOSTILE)
        assert result.passed, reasons(result)
        comment = yard.call("gh issue comment")
        assert comment.argv[3] == b"7"
        assert HOSTILE.encode() in comment.stdin
        assert not yard.pwned

    def test_an_issue_that_is_not_there_is_not_answered(self, yard: Yard) -> None:
        yard.answers("gh issue list", json.dumps([{"number": 7, "title": "t", "labels": []}]))
        result = yard.run(
            yard.example("pick-and-propose"), claude=json.dumps({"number": 8, "reason": "r"}), codex="x"
        )
        assert result.steps["known"].outcome is F
        assert not yard.calls("gh issue comment")

    def test_no_open_issue_is_nothing_to_do(self, yard: Yard) -> None:
        yard.answers("gh issue list", "[]")
        result = yard.run(yard.example("pick-and-propose"), claude="x", codex="x")
        assert {step.outcome for step in result.steps.values()} == {P, S}
        assert not yard.calls("gh issue comment")


class TestReworkPr:
    def test_what_was_asked_for_is_done_verified_pushed_and_told(self, yard: Yard) -> None:
        yard.answers("gh pr view", json.dumps(PULL))
        yard.answers("gh pr diff", "+two")
        replies = [
            ScriptedReply(match="previous answer was undone", reply=edits("TWO", HOSTILE)),
            ScriptedReply(reply=edits("no better", "x")),
        ]
        workflow = yard.example("rework-pr")
        yard.git("checkout", "-q", "-b", "topic")
        result = yard.run(workflow, "31", claude=replies, codex=replies, gemini=replies)
        assert result.passed, reasons(result)
        assert yard.git("show", "origin/topic:app.py") == "one\nTWO"
        assert yard.call("git commit").value("--message") == HOSTILE
        assert HOSTILE.encode() in yard.call("gh pr comment").stdin
        assert not yard.pwned

    def test_work_of_one_s_own_is_not_swept_along(self, yard: Yard) -> None:
        workflow = yard.example("rework-pr")
        yard.answers("gh pr view", json.dumps(PULL))
        yard.answers("gh pr diff", "+two")
        yard.write("mine.py", "unfinished\n")
        result = yard.run(
            workflow, "31", claude=edits("TWO", "s"), codex=edits("TWO", "s"), gemini=edits("TWO", "s")
        )
        assert not result.passed
        assert not yard.calls("git commit")
        assert (yard.root / "app.py").read_text() == "one\ntwo\n"


class TestFullHeal:
    @pytest.mark.parametrize("approved", [True, False])
    def test_a_pull_request_is_opened_only_if_somebody_else_approves(
        self, yard: Yard, approved: bool
    ) -> None:
        yard.answers("gh pr create", "https://github.com/o/r/pull/32")
        rules = [
            ScriptedReply(match="Find the bugs", regex="(?s)File app.py", reply=finding("high")),
            ScriptedReply(match="Find the bugs", reply="[]"),
            ScriptedReply(match="Fix this bug", reply=edits("TWO", HOSTILE)),
        ]
        read = json.dumps({"approved": approved, "reason": HOSTILE})
        codex = [*rules, ScriptedReply(match="Is this change right", reply=read)]
        result = yard.run(yard.example("full-heal"), "app.py", claude=rules, codex=codex, gemini=rules)
        assert result.passed is approved, reasons(result)
        assert len(yard.calls("gh pr create")) == approved
        if approved:
            assert yard.call("gh pr create").argv[3] == f"--title={HOSTILE}".encode()
            (branch,) = yard.git("ls-remote", "--heads", "origin", "heal/*").splitlines()
            assert yard.git("show", f"{branch.split()[0]}:app.py") == "one\nTWO"
        else:
            assert result.steps["read"].outcome is F
        assert not yard.pwned

    def test_nothing_found_is_nothing_to_do(self, yard: Yard) -> None:
        result = yard.run(yard.example("full-heal"), "app.py", claude="[]", codex="[]", gemini="[]")
        assert result.passed, reasons(result)
        assert not yard.calls("gh pr create")


class TestRailsAudit:
    @pytest.mark.parametrize(("severity", "outcome"), [("critical", F), ("low", P)])
    def test_a_serious_finding_is_red(self, yard: Yard, severity: str, outcome: Outcome) -> None:
        yard.write("app/models/user.rb", "User.create(params)\n")
        report = json.dumps([{
            "rule_id": "slow-request" if severity == "low" else "mass-assignment", "title": "t", "message": "m",
            "severity": severity, "confidence": 0.9, "path": "app/models/user.rb", "line": 1,
            "evidence": "User.create(params)",
        }])  # fmt: skip
        result = yard.run(yard.example("rails-audit"), claude=report, codex=report, gemini=report)
        assert result.steps["audit"].outcome is outcome, reasons(result)
        assert result.steps["coverage"].output == "1 of 1 file in 1 part"


def topic(yard: Yard, text: str = "one\nTWO\n") -> None:
    """A branch with a change of app.py, beside main."""
    yard.git("checkout", "-q", "-b", "topic")
    yard.write("app.py", text)
    yard.git("commit", "-q", "-am", "Make it TWO")


class TestSecurityReview:
    @pytest.mark.parametrize(("severity", "outcome"), [("critical", F), ("low", P)])
    def test_a_serious_hole_of_the_branch_is_red(self, yard: Yard, severity: str, outcome: Outcome) -> None:
        workflow = yard.example("security-review")
        topic(yard)
        rule = "injection" if severity == "critical" else "other"
        report = json.dumps([{
            "rule_id": rule, "title": "t", "message": "m", "severity": severity, "confidence": 0.9,
            "path": "app.py", "line": 2, "evidence": "TWO",
        }])  # fmt: skip
        result = yard.run(workflow, claude=report, codex=report, gemini=report)
        assert result.steps["review"].outcome is outcome, reasons(result)


class TestMergeVote:
    @pytest.mark.parametrize(
        ("votes", "outcome"),
        [
            (("approve", "approve", "reject"), P),
            (("reject", "reject", "approve"), F),
            (("approve", "reject", ""), F),  # who does not answer counts against it
        ],
    )
    def test_two_of_three_decide(self, yard: Yard, votes: tuple[str, ...], outcome: Outcome) -> None:
        workflow = yard.example("merge-vote")
        topic(yard)
        said = [json.dumps({"verdict": vote, "why": HOSTILE}) if vote else () for vote in votes]
        result = yard.run(workflow, claude=said[0], codex=said[1], gemini=said[2])
        assert result.steps["vote"].outcome is outcome, reasons(result)
        assert not yard.pwned


class TestPersonas:
    @pytest.mark.parametrize(
        ("votes", "outcome"),
        [
            (("approve", "approve", "reject"), P),
            (("approve", "reject", "reject"), F),
            (("reject", "approve", "approve"), F),  # security alone can stop it
            (("approve", "approve", ""), S),  # a voice that is missing is no voice, and nothing is decided
        ],
    )
    def test_two_of_three_decide_and_security_has_a_veto(
        self, yard: Yard, votes: tuple[str, ...], outcome: Outcome
    ) -> None:
        workflow = yard.example("personas")
        topic(yard)
        said = [json.dumps({"verdict": vote, "why": HOSTILE}) if vote else () for vote in votes]
        result = yard.run(workflow, claude=said[0], codex=said[1], gemini=said[2])
        assert result.steps["decision"].outcome is outcome, reasons(result)
        assert result.passed is (outcome is P)
        assert not yard.pwned


class TestJsonFacts:
    BANANA: ClassVar = {"color": "Yellow", "countries": ["India", "Ecuador"]}
    FRUIT: ClassVar = {"color": "purple", "countries": ["Brazil", "Peru"]}

    def facts(self, yard: Yard, **said: Any) -> dict[str, Outcome]:
        right = {"a banana": json.dumps(self.BANANA), "": json.dumps(self.FRUIT)}
        result = yard.run(yard.example("json-facts"), claude=right, codex={**right, **said})
        return {name: step.outcome for name, step in result.steps.items()}

    def test_each_model_is_right_or_wrong_about_each_case(self, yard: Yard) -> None:
        assert self.facts(yard) == {
            f"facts[{backend}-{case}]": P
            for case in ("banana", "passion-fruit")
            for backend in ("claude", "codex")
        }

    @pytest.mark.parametrize(
        ("said", "outcome"),
        [
            ({"color": "purple", "countries": ["Brazil"]}, F),  # none of the countries besides
            ({"color": "green", "countries": ["Brazil", "Peru"]}, F),
            ({"color": "purple", "countries": "Brazil, Peru"}, E),  # not in the form that was asked for
            ("purple, Brazil and Peru", E),
        ],
    )
    def test_one_wrong_answer_makes_one_case_red(self, yard: Yard, said: Any, outcome: Outcome) -> None:
        outcomes = self.facts(yard, **{"": said if isinstance(said, str) else json.dumps(said)})
        assert outcomes.pop("facts[codex-passion-fruit]") is outcome
        assert {*outcomes.values()} == {P}


class TestSupportAnswers:
    def test_a_model_grades_another_and_a_grade_that_is_none_is_no_yes(self, yard: Yard) -> None:
        grades = [
            ScriptedReply(match="bot answers", reply='{"verdict": "yes", "reason": "ok"}'),
            ScriptedReply(match="Sorry, no kettle", reply='{"score": 4, "reason": "cold"}'),
            ScriptedReply(match="Size 39 it is", reply='{"score": "very good", "reason": "fine"}'),
            ScriptedReply(reply='{"score": 9, "reason": "good"}'),
        ]
        answers = {"kettle": "Sorry, no kettle.", "size 39": "Size 39 it is.", "": "Of course, in two days."}
        workflow = yard.example("support-answers")
        result = yard.run(workflow, claude="Of course.", codex=answers, gemini=grades)
        outcomes = {name: step.outcome for name, step in result.steps.items()}
        assert outcomes.pop("answers[codex-find]") is F
        assert outcomes.pop("answers[codex-stock]") is E
        assert len(outcomes) == 10
        assert {*outcomes.values()} == {P}
        assert [score.value for score in result.steps["answers[codex-find]"].scores] == [4]
        assert "codex: 4 of 6 passed  mean 8/10 (5 of 6)" in "\n".join(case_lines(result))

    def test_what_should_not_be_said_is_found_without_a_judge(self, yard: Yard) -> None:
        said = {"parcel": "As a language model I cannot know.", "": "Yes."}
        result = yard.run(yard.example("support-answers"), claude=said, codex=said)
        assert result.steps["answers[claude-track]"].outcome is F
        assert result.steps["answers[claude-pay]"].outcome is E, "the judge has nothing to say"


class TestCiDoctor:
    LOG = "build\tstep\terror: expected two, found TWO\n"
    SAID: ClassVar = {
        "cause": "change", "title": "app.py says TWO and the test wants two", "body": HOSTILE,
        "evidence": "error: expected two, found TWO", "labels": ["bug"],
    }  # fmt: skip

    def doctor(self, yard: Yard, conclusion: str = "failure", known: str = "[]", **said: Any) -> RunResult:
        view = {"conclusion": conclusion, "displayTitle": HOSTILE, "headSha": "b" * 40, "url": "https://x"}
        # the recorder knows a command by its first words, so the log is in the same answer
        yard.answers("gh run view", json.dumps({**view, "workflowName": "CI", "log": self.LOG}))
        yard.answers("gh issue list", known)
        reply = json.dumps({**self.SAID, **said})
        return yard.run(yard.example("ci-doctor"), "12", claude=reply, codex=reply, gemini=reply)

    def test_one_issue_with_labels_of_the_list(self, yard: Yard) -> None:
        result = self.doctor(yard)
        assert result.passed, reasons(result)
        created = yard.call("gh issue create")
        assert created.argv[3:] == [
            f"--title={self.SAID['title']}".encode(),
            b"--label=ci-doctor,bug",
            b"--body-file=-",
        ]
        assert HOSTILE.strip().encode() in created.stdin
        assert not yard.pwned

    @pytest.mark.parametrize(
        ("said", "outcome"),
        [
            ({"labels": ["bug", "flaky", "build"]}, E),
            ({"labels": ["wontfix"]}, E),
            ({"title": "two\nlines of a title"}, E),
            ({"body": "x" * 4001}, E),
            ({"state": "closed"}, E),
            ({"evidence": "error: what no log says"}, F),
        ],
    )
    def test_what_is_out_of_bounds_is_not_written(
        self, yard: Yard, said: dict[str, Any], outcome: Outcome
    ) -> None:
        result = self.doctor(yard, **said)
        assert result.steps["diagnose"].outcome is outcome, reasons(result)
        assert not yard.calls("gh issue create")

    @pytest.mark.parametrize("why", ["known", "weather", "green"])
    def test_what_is_known_or_weather_or_green_is_not_told(self, yard: Yard, why: str) -> None:
        known = json.dumps([{"title": self.SAID["title"]}] if why == "known" else [])
        cause, conclusion = (
            ("weather" if why == "weather" else "test"),
            ("success" if why == "green" else "failure"),
        )
        result = self.doctor(yard, conclusion, known, cause=cause)
        assert result.passed, reasons(result)
        assert bool(result.steps["diagnose"].replies) is (why != "green")
        assert not yard.calls("gh issue create")


class TestEachFile:
    def test_each_changed_file_is_asked_about_and_summed_up(self, yard: Yard) -> None:
        workflow = yard.example("each-file")
        yard.git("checkout", "-q", "-b", "topic")
        for name in ("app.py", "new file.py", "é.py"):
            yard.write(name, "changed\n")
        yard.git("add", ".")
        yard.git("commit", "-q", "-m", "change")
        replies = [ScriptedReply(match="These are reviews", reply="sum"), ScriptedReply(reply="fine")]
        result = yard.run(workflow, claude=replies, codex=replies, gemini=replies)
        assert result.passed, reasons(result)
        asked = {str(item.item) for item in result.steps["review"].items}
        assert all(any(name in it for it in asked) for name in ("app.py", "new file.py", "é.py"))
        assert len(asked) == 3
        assert result.steps["summary"].output == "sum"

    def test_a_branch_without_changes_is_not_asked_about(self, yard: Yard) -> None:
        result = yard.run(yard.example("each-file"), "HEAD", claude="x", codex="x", gemini="x")
        assert not result.steps["summary"].replies


class TestReleaseNotes:
    @pytest.mark.parametrize("since", [(), ("v1",)])
    def test_the_commits_since_a_tag_are_what_is_asked_about(
        self, yard: Yard, since: tuple[str, ...]
    ) -> None:
        workflow = yard.example("release-notes")
        yard.git("tag", "v1")
        yard.write("app.py", "three\n")
        yard.git("commit", "-q", "-am", HOSTILE)
        everybody = [ScriptedReply(regex="(?s)<commits>(?P<it>.*)</commits>", reply=r"\g<it>")]
        result = yard.run(workflow, *since, claude=everybody, codex=everybody, gemini=everybody)
        assert result.passed, reasons(result)
        assert "touch pwned" in result.output
        assert "begin" not in result.output
        assert not yard.pwned

    def test_nothing_new_asks_nobody(self, yard: Yard) -> None:
        workflow = yard.example("release-notes")
        yard.git("tag", "v1")
        result = yard.run(workflow)
        assert result.steps["notes"].outcome is S


class TestTriage:
    @pytest.mark.parametrize("comment", [HOSTILE, ""])
    def test_an_issue_gets_a_label_of_the_list_and_perhaps_a_question(self, yard: Yard, comment: str) -> None:
        yard.answers("gh issue view", json.dumps({"title": HOSTILE, "body": HOSTILE}))
        said = json.dumps({"label": "bug", "comment": comment})
        result = yard.run(yard.example("triage"), "7", claude=said, codex=said, gemini=said)
        assert result.passed, reasons(result)
        assert yard.call("gh issue edit").argv[3:] == [b"7", b"--add-label", b"bug"]
        assert [call.stdin for call in yard.calls("gh issue comment")] == [comment.encode()] * bool(comment)
        assert not yard.pwned

    def test_no_label_is_invented(self, yard: Yard) -> None:
        yard.answers("gh issue view", json.dumps({"title": "t", "body": "b"}))
        said = json.dumps({"label": "wontfix", "comment": ""})
        result = yard.run(yard.example("triage"), "7", claude=said, codex=said, gemini=said)
        assert result.steps["judge"].outcome is E
        assert not yard.calls("gh issue edit")


class TestChecks:
    @pytest.mark.parametrize(("failing", "passed"), [("", True), ("pip-audit", True), ("mypy", False)])
    def test_all_must_pass_but_the_one_that_only_warns(self, yard: Yard, failing: str, passed: bool) -> None:
        tools = Path(yard.environ["PATH"].split(":")[0])
        for tool in ("ruff", "mypy", "pytest", "pip-audit", "python"):
            program = tools / tool
            program.write_text(f"#!/bin/sh\nexit {int(tool == failing)}\n")
            program.chmod(0o755)
        result = yard.run(yard.example("checks"))
        assert result.passed is passed, reasons(result)
        assert result.steps["build"].outcome is (P if passed else S)


def always(**words: str) -> Sequence[ScriptedReply]:
    """What a backend says to prompts that hold a text, which is spelled with _ here; the first that fits."""
    return [ScriptedReply(match=match.replace("_", " "), reply=reply) for match, reply in words.items()]


class TestReviewUntilClean:
    def test_it_reviews_and_fixes_until_nothing_is_found(self, yard: Yard) -> None:
        yard.example("review-and-fix")
        workflow = yard.example("review-until-clean")
        said = [
            ScriptedReply(match="List the mistakes", reply=finding("high"), times=1),
            *always(List_the_mistakes="[]", Fix_these_findings=edits("TWO", HOSTILE)),
        ]
        result = yard.run(workflow, "HEAD~2", claude=said, codex=said, gemini=said)
        assert result.passed, reasons(result)
        rounds = result.steps["rounds"]
        told = [[(step.name, step.outcome) for step in run.steps] for run in rounds.nested]
        last = [("change", P), ("review", P), ("fix", S)]
        assert told == [[("change", P), ("review", Outcome.SOFT), ("fix", P)], last]
        assert isinstance(rounds.data, dict)
        assert (rounds.data["clean"], rounds.data["found"], rounds.findings) == (True, [], ())
        assert yard.git("diff", "--stat", "HEAD").startswith("app.py")
        assert not yard.pwned

    def test_it_ends_early_where_nobody_gets_further(self, yard: Yard) -> None:
        yard.example("review-and-fix")
        workflow = yard.example("review-until-clean")
        yard.write("app.py", "one\ntwo\nTWO\n")
        said = always(List_the_mistakes=finding("high"), Fix_these=json.dumps({"edits": [], "summary": "no"}))
        result = yard.run(workflow, "HEAD~2", claude=said, codex=said, gemini=said)
        rounds = result.steps["rounds"]
        assert (rounds.outcome, len(rounds.nested)) == (E, 2)
        assert rounds.reason == "after round 2: 2 rounds in a row have left the same files and said the same"

    def test_a_review_that_could_not_be_made_is_no_reason_to_fix_anything(self, yard: Yard) -> None:
        yard.example("review-and-fix")
        said = always(Fix_these_findings=edits("TWO", "fixed"))
        result = yard.run(yard.example("review-until-clean"), "HEAD~2", claude=said, codex=said, gemini=said)
        assert (result.steps["rounds"].outcome, len(result.steps["rounds"].nested)) == (E, 1)
        assert yard.git("status", "--porcelain") == ""


TASKS = [
    {"title": "Shout two", "task": "Write the second line in capitals."},
    {"title": "Shout one", "task": "Write the first line in capitals."},
]


class TestEpic:
    @pytest.mark.parametrize("ruling", ["yes", "no"])
    def test_each_task_is_a_commit_or_leaves_nothing(self, yard: Yard, ruling: str) -> None:
        yard.example("epic-task")
        workflow = yard.example("epic")
        yard.write("plan.md", HOSTILE)
        yard.git("add", "plan.md")
        yard.git("commit", "-q", "-m", "plan")
        one = {"edits": [{"file": "app.py", "old": "one", "new": "ONE"}], "summary": "one"}
        said = always(
            You_are_a_strict_judge=json.dumps({"verdict": ruling, "reason": "so"}),
            Split_the_work=json.dumps(TASKS),
            second_line=edits("TWO", HOSTILE),
            first_line=json.dumps(one),
        )
        result = yard.run(workflow, "plan.md", claude=said, codex=said, gemini=said)
        each = result.steps["each"]
        log = yard.git("log", "--format=%s", "-3").splitlines()
        if ruling == "yes":
            assert result.passed, reasons(result)
            assert log == ["Shout one", "Shout two", "plan"]
            assert [run.item for run in each.nested] == [0, 1]
        else:
            assert each.outcome is F
            assert log[0] == "plan"
        assert yard.git("status", "--porcelain") == ""
        assert not yard.pwned


def test_each_example_is_run_here() -> None:
    tests = Path(__file__).read_text()
    for path in (Path(__file__).parents[1] / "workflows").glob("*.toml"):
        assert f'example("{path.stem}")' in tests, path.stem
