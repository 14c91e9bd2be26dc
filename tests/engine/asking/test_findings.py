"""Findings steps from the answer to the outcome: asked, read, looked up in the files, gated."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.findings.baseline import Acceptance, extended_baseline
from pytest_lok.core.findings.reading import OTHER_RULE
from pytest_lok.core.results import Finding, Outcome, StepResult
from pytest_lok.core.trust.redaction import MASK, Redactor
from pytest_lok.engine.ports import Comparison
from pytest_lok.store.event_lines import to_json
from tests.core.reports import said
from tests.engine.worlds import Ran, Tree, ran, world

TODAY = date(2026, 11, 29)
P, F, E, S, SOFT = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.SOFT
CODE = "import db\n\n\ndb.execute(sql)\n\n\nprint('done')\n"
HARMLESS = {"severity": "low"}
RULES = '[rules]\nsql-injection = "high"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "repo"
    path.mkdir()
    (path / "db.py").write_text(CODE)
    return path


def git(root: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(root.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}
    subprocess.run(["git", *arguments], cwd=root, env=env, check=True, capture_output=True)


def commit(root: Path, message: str = "more") -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", f"--message={message}")


def branched(root: Path) -> None:
    """A repository whose ``main`` has the code, and a branch that has left it."""
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, "first")
    git(root, "switch", "--quiet", "--create=feature")


def run(root: Path, above: str, *backends: Scripted, keys: str = "", after: str = "") -> Ran:
    names = ", ".join(f'"{backend.name}"' for backend in backends)
    step = f'[[steps]]\nname = "review"\nprompt = "Review it."\nbackends = [{names}]\noutput_format = "findings"\n'
    return ran(f"{above}\n{step}{keys}\n{after}", world(root, *backends))


def review(root: Path, above: str, *answers: str | Scripted, keys: str = "") -> StepResult:
    """The one step's result; the answers are those of backends a, b, c."""
    backends = [
        answer if isinstance(answer, Scripted) else Scripted(name, answer)
        for name, answer in zip("abc", answers, strict=False)
    ]
    return run(root, above, *backends, keys=keys).result.steps["review"]


def findings(result: StepResult) -> tuple[Finding, ...]:
    assert result.findings is not None
    return result.findings


# --- one backend


def test_without_a_gate_findings_are_looked_into_and_not_judged(root: Path) -> None:
    result = review(root, "", said({"severity": "critical"}, {"evidence": "nowhere", "line": 2}))
    assert result.outcome is P
    there, invented = findings(result)
    assert (there.line, there.evidence_found, there.standing, there.votes) == (4, True, "", {"a": "critical"})
    assert (invented.line, invented.evidence_found) == (2, False)
    assert (there.in_diff, there.known) == (None, None)
    assert result.data == json.loads(result.output) == [it.document() for it in findings(result)]
    assert "db.execute(sql)" in next(it.text for it in result.sections if it.title == "findings")


def test_asserts_judge_them_as_they_like(root: Path) -> None:
    for condition in (
        "findings | selectattr('severity', 'eq', 'high') | list == []",
        "json[0].line != 4",
        "findings[0].reporters == []",
    ):
        result = review(root, "", said({}), keys=f'assert = ["{condition}"]')
        assert result.outcome is F
        assert condition in result.reason
    assert review(root, "", said({}), keys="assert = [\"findings[0].votes.a == 'high'\"]").outcome is P


def test_the_gate_fails_the_step_and_names_the_worst(root: Path) -> None:
    result = review(
        root, "[gate]", said(HARMLESS, {}, {"severity": "critical", "title": "worse", "rule_id": "x"})
    )
    assert result.outcome is F
    assert result.reason.split("\n") == [
        '2 findings block (fail_on = "high"):',
        "[critical] x db.py:4 – worse",  # noqa: RUF001 - a dash is meant
        "[high] sql-injection db.py:4 – user input in a query",  # noqa: RUF001
    ]
    assert [it.standing for it in findings(result)] == ["blocks", "blocks", "minor"][: len(findings(result))]
    assert review(root, "[gate]", said(HARMLESS)).outcome is P
    assert review(root, "[gate]", "[]").outcome is P


def test_other_steps_of_the_workflow_are_none_of_its_business(root: Path) -> None:
    other = '[[steps]]\nname = "other"\nshell = "true"\n'
    done = run(root, "[gate]", Scripted("a", said({})), after=other)
    assert done.outcomes == {"review": F, "other": P}
    assert done.result.steps["other"].findings is None


def test_an_invented_quote_is_no_ruling_unless_another_is_wanted(root: Path) -> None:
    invented = said({"evidence": "os.system(sql)"})
    result = review(root, "[gate]", invented)
    assert (result.outcome, findings(result)[0].standing) == (E, "undecided")
    assert "its quote is not in db.py" in result.reason
    assert review(root, '[gate]\nevidence = "warn"', invented).outcome is F
    told = review(root, '[gate]\nevidence = "report"', invented)
    assert (told.outcome, findings(told)[0].standing) == (P, "unverified")
    assert told.set_aside == ("1 high finding was set aside: its quote is not in db.py",)
    assert review(root, "[gate]", said({"evidence": "os.system(sql)", **HARMLESS})).outcome is P
    for path in ("nowhere.py", "../repo/nowhere.py", "/etc/passwd", ".", "a\0b", "x" * 5000):
        outcome = review(root, "[gate]", said({"path": path[:4000]})).outcome
        assert outcome is E, path


@pytest.mark.parametrize(
    "path", ["db.py", "./db.py", "b/db.py", "a/db.py", "{root}/db.py", "b/services/shop/db.py", "/app/db.py"]
)
def test_paths_are_taken_as_models_write_them(root: Path, path: str) -> None:
    result = review(root, "[gate]", said({"path": path.format(root=root)}))
    assert (result.outcome, findings(result)[0].path) == (F, "db.py")


def test_the_whole_path_wins_over_its_end(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "db.py").write_text("nothing\n")
    result = review(root, "[gate]", said({"path": "sub/db.py"}))
    assert (result.outcome, findings(result)[0].path) == (E, "sub/db.py")


def test_a_link_is_not_followed_and_not_taken_for_innocence(root: Path) -> None:
    (root / "link.py").symlink_to("db.py")
    result = review(root, "[gate]", said({"path": "link.py"}))
    assert (result.outcome, findings(result)[0].evidence_found) == (E, None)
    assert result.reason.startswith("inconclusive: ")
    assert review(root, "[gate]", said({"path": "link.py", **HARMLESS})).outcome is P


def test_rules_are_a_closed_list_with_severities(root: Path) -> None:
    backend = Scripted("a", said({"severity": "info"}, {"rule_id": "mine", "severity": "low", "line": 7}))
    result = review(root, f"[gate]\n{RULES}", backend)
    assert [(it.rule_id, it.severity) for it in findings(result)] == [
        ("sql-injection", "medium"),
        (OTHER_RULE, "low"),
    ]
    assert "- sql-injection (high)" in backend.asked[0].text
    assert '- "evidence"' in backend.asked[0].text


def test_a_wrong_answer_is_asked_again_once_with_what_is_wrong(root: Path) -> None:
    backend = Scripted(
        "a", [ScriptedReply(reply=said({"severity": "HIGH"}), times=1), ScriptedReply(reply=said({}))]
    )
    assert review(root, "[gate]", backend).outcome is F
    assert len(backend.asked) == 2
    assert "'HIGH' is not one of" in backend.asked[1].text
    stubborn = Scripted("a", "There is nothing to report.")
    result = review(root, "[gate]", stubborn)
    assert (result.outcome, len(stubborn.asked), result.findings) == (E, 2, None)
    assert "holds no JSON" in result.reason


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "LGTM",
        "```json\n```",
        "[]\n[]",
        said({})[:-5],
        '{"findings": [], "note": "not read"}',
        "x = []",
        "null",
    ],
)
@pytest.mark.parametrize("above", ["", "[gate]", '[gate]\nfail_on = "never"\non_inconclusive = "warn"'])
def test_no_broken_answer_is_ever_green(root: Path, answer: str, above: str) -> None:
    assert review(root, above, answer).outcome is E


# --- what changed


def test_only_changed_lines_block(root: Path) -> None:
    branched(root)
    (root / "db.py").write_text(CODE.replace("print('done')", "eval(sql)"))
    scope = '[gate]\nscope = "diff"'
    old, new = {"title": "old"}, {"rule_id": "eval", "evidence": "eval(sql)", "title": "new"}
    assert review(root, scope, said(old)).outcome is P
    result = review(root, scope, said(old, new))
    assert result.outcome is F
    assert [(it.title, it.standing, it.in_diff) for it in findings(result)] == [
        ("new", "blocks", True), ("old", "outside", False),
    ]  # fmt: skip
    commit(root)
    assert review(root, scope, said(new)).outcome is F
    assert review(root, '[gate]\nscope = "file"', said(old)).outcome is F
    assert any("main (" in section.text for section in result.sections)


def test_a_new_file_is_changed_whole(root: Path) -> None:
    branched(root)
    (root / "new.py").write_text("db.execute(sql)\n")
    assert review(root, '[gate]\nscope = "diff"', said({"path": "new.py"})).outcome is F


@pytest.mark.parametrize("key", ['scope = "diff"', 'scope = "file"', 'baseline = "new"'])
@pytest.mark.parametrize("answer", ["[]", said(HARMLESS), said({})])
def test_without_a_base_there_is_no_ruling(root: Path, key: str, answer: str) -> None:
    result = review(root, f"[gate]\n{key}", answer)
    assert result.outcome is E
    assert "not a git repository" in result.reason
    assert "LOK_BASE" in result.hint


# --- the baseline


def test_what_the_base_has_accepted_does_not_block(root: Path) -> None:
    (known,) = findings(review(root, "[gate]", said({})))
    (root / ".lok").mkdir()
    (root / ".lok" / "baseline.json").write_text(extended_baseline([known], None, TODAY, Acceptance())[0])
    branched(root)
    (root / "db.py").write_text("# moved down\n\n" + CODE)
    gate = '[gate]\nbaseline = "new"'
    result = review(root, gate, said({"title": "in other words"}))
    assert (result.outcome, findings(result)[0].standing, findings(result)[0].known) == (P, "known", True)
    assert review(root, "[gate]", said({})).outcome is F
    # a second one like it is not known
    (root / "db.py").write_text(CODE + "db.execute(sql)\n")
    assert review(root, gate, said({"line": 8})).outcome is F


def test_a_change_cannot_silence_itself(root: Path) -> None:
    (known,) = findings(review(root, "[gate]", said({})))
    branched(root)
    (root / ".lok").mkdir()
    (root / ".lok" / "baseline.json").write_text(extended_baseline([known], None, TODAY, Acceptance())[0])
    commit(root, "nothing to see here")
    assert review(root, '[gate]\nbaseline = "new"', said({})).outcome is F


def test_an_acceptance_ends_with_its_last_day_by_the_world_s_clock(root: Path) -> None:
    (known,) = findings(review(root, "[gate]", said({})))
    (root / ".lok").mkdir()
    how = Acceptance(reason="later", author="Ada", until=TODAY)
    (root / ".lok" / "baseline.json").write_text(extended_baseline([known], None, TODAY, how)[0])
    branched(root)
    text = (
        '[gate]\nbaseline = "new"\n[[steps]]\nname = "review"\nprompt = "x"\nbackend = "a"\n'
        'output_format = "findings"\n'
    )

    def on(day: date) -> StepResult:
        within = replace(world(root, Scripted("a", said({}))), today=lambda: day)
        return ran(text, within).result.steps["review"]

    (before,), (after,) = findings(on(TODAY)), findings(on(TODAY + timedelta(days=1)))
    assert (before.standing, before.acceptance) == ("known", "accepted by Ada until 2026-11-29: later")
    assert (after.standing, after.known) == ("blocks", False)
    assert after.acceptance.startswith("no longer accepted since 2026-11-30")
    assert "no longer accepted since 2026-11-30" in on(TODAY + timedelta(days=9)).reason


def test_a_broken_baseline_is_no_ruling(root: Path) -> None:
    (root / ".lok").mkdir()
    (root / ".lok" / "baseline.json").write_text("{")
    branched(root)
    result = review(root, '[gate]\nbaseline = "new"', "[]")
    assert result.outcome is E
    assert "the baseline cannot be used" in result.reason


# --- several backends


def test_what_several_find_is_one_list_with_votes(root: Path) -> None:
    result = review(
        root,
        "",
        said({}),
        said(
            {"severity": "critical", "title": "the same"}, {"rule_id": "x", "line": 1, "evidence": "import"}
        ),
        "[]",
    )
    first, second = findings(result)
    assert (first.title, first.severity) == ("the same", "critical")
    assert dict(first.votes) == {"a": "high", "b": "critical", "c": "absent"}
    assert second.reporters == ("b",)
    assert len(result.replies) == 3
    assert result.backend == "a + b + c"
    assert result.verdict is not None
    assert "together" in result.verdict.note


def test_so_many_must_report_a_finding(root: Path) -> None:
    gate = '[gate]\nquorum = "majority"'
    assert review(root, gate, said({}), "[]", "[]").outcome is P
    assert review(root, gate, said({}), said({"line": 6}), "[]").outcome is F


@pytest.mark.parametrize("keys", ["", "quorum = 2"])
def test_a_backend_that_gave_no_valid_answer_might_have_found_more(root: Path, keys: str) -> None:
    broken = Scripted("c", "I would rather not.")
    result = review(root, "[gate]", "[]", "[]", broken, keys=keys)
    assert result.outcome is E
    assert "c gave no valid answer" in result.reason
    assert review(root, "[gate]", said({}), "[]", broken).outcome is F
    assert review(root, '[gate]\nquorum = "majority"', "[]", "[]", broken).outcome is P


def test_so_many_must_answer(root: Path) -> None:
    gate = '[gate]\nquorum = "all"\nmin_backends = 3'
    assert review(root, gate, "[]", "[]", "[]").outcome is P
    result = review(root, gate, "[]", "[]", Scripted("c", [ScriptedReply(error="auth")]))
    assert result.outcome is E
    assert "2 backends gave a valid answer, 3 needed" in result.reason


def test_first_takes_one_backend_s_word(root: Path) -> None:
    slow = Scripted("b", [ScriptedReply(reply=said({}), delay=60)])
    result = review(root, "[gate]", "[]", slow, keys='consensus = "first"')
    assert (result.outcome, result.backend, result.findings) == (P, "a", ())
    result = review(
        root, "[gate]", Scripted("a", [ScriptedReply(error="auth")]), said({}), keys='consensus = "first"'
    )
    assert (result.outcome, findings(result)[0].votes) == (F, {"b": "high"})


# --- commands, items, repetitions, and who comes after


def command(root: Path, above: str, output: str, keys: str = "") -> StepResult:
    (root / "out.json").write_text(output)
    text = f'{above}\n[[steps]]\nname = "lint"\nshell = "cat out.json"\noutput_format = "findings"\n{keys}'
    return ran(text, world(root)).result.steps["lint"]


def test_a_command_reports_findings_too(root: Path) -> None:
    result = command(root, '[gate]\nquorum = "all"\nmin_backends = 2', said({}))
    assert (result.outcome, findings(result)[0].votes, findings(result)[0].line) == (F, {}, 4)
    assert command(root, "[gate]", "[]").outcome is P
    assert command(root, "[gate]", "").outcome is E
    assert command(root, "[gate]", "no findings").outcome is E


def test_each_item_is_judged_and_all_findings_are_kept(root: Path) -> None:
    answers = [
        ScriptedReply(
            match="item one", reply=said(HARMLESS, {"line": 1, "evidence": "import db", **HARMLESS})
        ),
        ScriptedReply(reply=said({})),
    ]
    backend = Scripted("a", answers)
    text = (
        '[gate]\n[[steps]]\nname = "review"\nprompt = "item {{ item }}"\nbackend = "a"\noutput_format = "findings"\n'
        'for_each = ["one", "two"]\n'
        '[[steps]]\nname = "count"\nargv = ["echo", "{{ steps.review.findings | length }}"]\n'
        'depends_on = ["review"]\nmin_deps_success = 0\n'
    )
    done = ran(text, world(root, backend)).result
    review = done.steps["review"]
    assert (review.outcome, [item.outcome for item in review.items]) == (F, [P, F])
    assert [it.standing for it in findings(review)] == ["blocks", "minor"]
    assert "1 finding blocks" in review.reason
    assert done.steps["count"].output == "2"


def test_repeated_questions_are_judged_one_by_one(root: Path) -> None:
    flaky = [ScriptedReply(reply=said({}), times=1), ScriptedReply(reply="[]")]
    assert review(root, "[gate]", Scripted("a", flaky), keys="repeat = 3\npass = 2").outcome is P
    result = review(root, "[gate]", Scripted("a", flaky), keys="repeat = 3")
    assert (result.outcome, findings(result)[0].standing) == (F, "blocks")


def test_no_ruling_may_be_a_warning(root: Path) -> None:
    gate = '[gate]\nscope = "diff"\non_inconclusive = "warn"'
    result = review(root, gate, said({}))
    assert (result.outcome, result.underlying) == (SOFT, E)
    assert result.reason.startswith("inconclusive: ")
    assert review(root, gate, said({}), keys='assert = ["findings == []"]').outcome is F
    each = review(root, gate, said({}), keys="for_each = [1, 2]")
    assert (each.outcome, [item.outcome for item in each.items]) == (SOFT, [SOFT, SOFT])
    assert review(root, gate, said({}), keys="repeat = 2").outcome is SOFT
    broken = Scripted("a", [ScriptedReply(reply="no", times=2), ScriptedReply(reply="[]")])
    assert review(root, gate, broken, keys="repeat = 2").outcome is E


def test_a_verdict_of_asserts_is_worth_more_than_none(root: Path) -> None:
    result = review(root, '[gate]\nscope = "diff"', said({}), keys='assert = ["findings == []"]')
    assert (result.outcome, "assert failed" in result.reason) == (F, True)


def test_later_steps_read_them(root: Path) -> None:
    after = (
        '[[steps]]\nname = "tell"\nfor_each = "steps.review.output"\n'
        'argv = ["echo", "{{ item.path }}:{{ item.line }}"]\n'
        '[[steps]]\nname = "all"\nargv = ["echo", "{{ steps.review.findings[0].severity }} {{ steps.review.output.findings | length }}"]\n'
        '[[steps]]\nname = "quiet"\nwhen = "steps.review.findings | selectattr(\'blocking\') | list != []"\nshell = "true"\n'
    )
    done = run(root, "[gate]", Scripted("a", said(HARMLESS)), after=after)
    assert done.outcomes == {"review": P, "tell": P, "all": P, "quiet": S}
    assert done.result.steps["tell"].items[0].output == "db.py:4"
    assert done.result.steps["all"].output == "low 1"


def test_a_failed_review_can_still_be_told_of(root: Path) -> None:
    after = '[[steps]]\nname = "tell"\nargv = ["echo", "{{ steps.review.findings[0].title }}"]\n'
    done = run(root, "[gate]", Scripted("a", said({})), keys="continue_on_error = true", after=after)
    assert done.outcomes == {"review": SOFT, "tell": P}
    assert done.result.steps["tell"].output == "user input in a query"


def test_a_secret_in_a_quote_stays_here(root: Path) -> None:
    (root / "db.py").write_text('password = "correct horse battery"\n')
    leaky = said({"rule_id": "secret", "evidence": 'password = "correct horse battery"', "line": 1})
    text = '[gate]\n[[steps]]\nname = "review"\nprompt = "?"\nbackend = "a"\noutput_format = "findings"\n'
    here = replace(world(root, Scripted("a", leaky)), redactor=Redactor(["correct horse battery"]))
    done = ran(text, here)
    assert done.outcomes == {"review": F}
    assert findings(done.result.steps["review"])[0].evidence == f'password = "{MASK}"'
    assert not any("correct horse" in to_json(event) for event in done.events)


class Slow(Tree):
    """A workspace whose repository never answers."""

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        await asyncio.sleep(60)
        return Comparison(base="main")

    async def commits(self) -> tuple[str, str]:
        return "", ""

    async def text_at_base(self, path: str) -> str | None:
        await asyncio.sleep(60)
        return None


@pytest.mark.parametrize(
    ("tree", "key", "why"),
    [
        (Slow, 'scope = "diff"', "the diff timed out after 0.1 s"),
        (Slow, 'baseline = "new"', "the baseline timed out after 0.1 s"),
    ],
)
def test_a_repository_that_does_not_answer_leaves_no_ruling(
    root: Path, tree: type[Tree], key: str, why: str
) -> None:
    step = (
        '[[steps]]\nname = "review"\nprompt = "?"\nbackend = "a"\noutput_format = "findings"\ntimeout = 100\n'
    )
    here = replace(world(root, Scripted("a", said({}))), workspace=tree(str(root)))
    result = ran(f"[gate]\n{key}\n{step}", here).result.steps["review"]
    assert result.outcome is E
    assert why in result.reason


def test_what_only_another_answer_reports_is_told(root: Path) -> None:
    flaky = [ScriptedReply(reply=said({}), times=1), ScriptedReply(reply="[]")]
    result = review(root, "[gate]", Scripted("a", flaky), keys="repeat = 3\npass = 2")
    assert (result.outcome, findings(result)[0].standing) == (P, "outvoted")
    assert result.set_aside == ("1 high finding was set aside: too few report it (db.py:4)",)


def test_a_path_that_may_mean_too_many_files_is_not_known(root: Path) -> None:
    for number in range(25):
        (root / f"{number}").mkdir()
        (root / f"{number}" / "x.py").write_text("db.execute(sql)\n")
    branched(root)
    result = review(root, '[gate]\nevidence = "report"', said({"path": "y/x.py"}))
    assert (result.outcome, findings(result)[0].evidence_found) == (E, None)
    assert "may mean 25 files" in result.reason
