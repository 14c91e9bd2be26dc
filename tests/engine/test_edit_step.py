from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.local_workspace import LocalWorkspace
from tests.engine.worlds import Ran, ran, world

P, F, E = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "a.txt").write_text("one\ntwo\n")
    return made


def answer(*edits: tuple[str, str, str]) -> str:
    listed = [{"file": file, "old": old, "new": new} for file, old, new in edits]
    return f"Here you are:\n```json\n{json.dumps({'edits': listed, 'summary': 'done'})}\n```\n"


def run(root: Path, keys: str, *rules: ScriptedReply | str, name: str = "claude") -> Ran:
    scripted = [ScriptedReply(reply=rule) if isinstance(rule, str) else rule for rule in rules]
    text = f'[[steps]]\nname = "fix"\nprompt = "Fix it."\nbackend = "{name}"\napply_edits = true\n{keys}\n'
    return ran(text, world(root, Scripted(name, scripted)))


def fixed(root: Path, keys: str, *rules: ScriptedReply | str) -> StepResult:
    return run(root, keys, *rules).result.steps["fix"]


def test_edits_are_applied_and_shown(root: Path) -> None:
    result = fixed(
        root, 'verify = "grep -q TWO a.txt"', answer(("a.txt", "two", "TWO"), ("new.txt", "", "x"))
    )
    assert result.outcome is P
    assert (root / "a.txt").read_text() == "one\nTWO\n"
    assert (root / "new.txt").read_text() == "x"
    assert "+TWO" in next(section.text for section in result.sections if section.title == "edits")


def test_one_edit_that_does_not_apply_leaves_every_file_alone(root: Path) -> None:
    result = fixed(root, "", answer(("a.txt", "two", "TWO"), ("a.txt", "three", "3"), ("../x", "", "y")))
    assert result.outcome is F
    assert "edit 2" in result.reason
    assert "edit 3" in result.reason
    assert (root / "a.txt").read_text() == "one\ntwo\n"
    assert not (root.parent / "x").exists()


def test_a_failed_verify_restores_every_file(root: Path) -> None:
    result = fixed(
        root, 'verify = "echo broken; exit 1"', answer(("a.txt", "two", "TWO"), ("d/new", "", "x"))
    )
    assert result.outcome is F
    assert "verify failed" in result.reason
    assert "broken" in result.output
    assert (root / "a.txt").read_text() == "one\ntwo\n"
    assert sorted(path.name for path in root.iterdir()) == ["a.txt"]


def test_nothing_is_asked_where_a_verify_that_detects_has_nothing_to_detect(root: Path) -> None:
    backend = Scripted("claude", "no edits")
    here = world(root, backend)
    files, git = Files(root, root.parent / "state"), Git(root, here.shell, ["main"])
    here = replace(here, workspace=LocalWorkspace(root, files=files, git=git))
    text = '[[steps]]\nname = "fix"\nprompt = "?"\nbackend = "claude"\nverify = "true"\n'
    for step in (f"{text}apply_edits = true", f"{text}repeat = 2", f"{text}for_each = [1, 2]"):
        done = ran(step, here)
        assert done.outcomes == {"fix": Outcome.ERROR}
        assert "verify: " in done.result.steps["fix"].reason
    assert backend.asked == []


def test_a_failed_assert_restores_every_file(root: Path) -> None:
    keys = """assert = ["output contains 'never said'"]"""
    assert fixed(root, keys, answer(("a.txt", "two", "TWO"))).outcome is F
    assert (root / "a.txt").read_text() == "one\ntwo\n"


def test_verify_runs_once_an_attempt_with_what_it_printed_in_the_reason(root: Path) -> None:
    keys = 'verify = "echo x >> ../runs; echo broken; exit 1"\nfix_retries = 1'
    result = fixed(root, keys, answer(("a.txt", "two", "TWO")))
    assert result.outcome is F
    assert (root.parent / "runs").read_text() == "x\nx\n"
    assert "broken" in result.output


def test_a_verify_that_times_out_restores_every_file(root: Path) -> None:
    keys = 'verify = "sleep 60"\ntimeout = 300'
    assert fixed(root, keys, answer(("a.txt", "two", "TWO"))).outcome is E
    assert (root / "a.txt").read_text() == "one\ntwo\n"


def test_without_rollback_the_edits_stay(root: Path) -> None:
    assert fixed(root, 'verify = "false;"\nrollback = false', answer(("a.txt", "two", "TWO"))).outcome is F
    assert (root / "a.txt").read_text() == "one\nTWO\n"


def test_fix_retries_undo_ask_again_with_the_error_and_apply_again(root: Path) -> None:
    done = run(
        root,
        'verify = "cat a.txt; grep -q 2 a.txt"\nfix_retries = 2',
        ScriptedReply(reply=answer(("a.txt", "two", "TWO")), times=1),
        ScriptedReply(match="verify failed", reply=answer(("a.txt", "two", "2"))),
    )
    assert done.outcomes == {"fix": P}
    assert (root / "a.txt").read_text() == "one\n2\n"
    assert done.result.steps["fix"].usage.calls == 2


def test_fix_retries_also_follow_edits_that_do_not_apply(root: Path) -> None:
    done = run(
        root,
        "fix_retries = 1",
        ScriptedReply(match="do not apply", reply=answer(("a.txt", "two", "2"))),
        ScriptedReply(reply=answer(("a.txt", "three", "3"))),
    )
    assert done.outcomes == {"fix": P}


def test_when_every_fix_fails_the_tree_is_as_before(root: Path) -> None:
    result = fixed(root, 'verify = "exit 7"\nfix_retries = 2', answer(("a.txt", "two", "TWO")))
    assert result.outcome is F
    assert result.usage.calls == 3
    assert (root / "a.txt").read_text() == "one\ntwo\n"


def test_configuration_is_protected_unless_listed(root: Path) -> None:
    result = fixed(root, "", answer(("conftest.py", "", "import os")))
    assert result.outcome is F
    assert "allow_paths" in result.reason
    assert fixed(root, 'allow_paths = ["conftest.py"]', answer(("conftest.py", "", "x = 1"))).outcome is P


def test_instructions_are_protected_unless_listed(root: Path) -> None:
    keys, edit = 'instructions = ["house/Rules.md"]', answer(("house/rules.md", "", "Be kind."))
    result = fixed(root, keys, edit)
    assert result.outcome is F
    assert "models work by it (`instructions`)" in result.reason
    assert fixed(root, f'{keys}\nallow_paths = ["house"]', edit).outcome is P


def test_an_answer_without_edits_is_asked_for_again_once(root: Path) -> None:
    result = fixed(root, "", '{"summary": "nothing"}')
    assert result.outcome is E
    assert '{"edits": [...]}' in result.reason
    assert result.usage.calls == 2


def test_edits_work_with_several_backends(root: Path) -> None:
    text = """
    [[steps]]
    name = "fix"
    prompt = "Fix it."
    backends = ["a", "b", "c"]
    consensus = "vote"
    apply_edits = true
    """
    good, other = answer(("a.txt", "two", "2")), answer(("a.txt", "one", "1"))
    backends = [Scripted("a", other), Scripted("b", good), Scripted("c", good)]
    assert ran(text, world(root, *backends)).outcomes == {"fix": P}
    assert (root / "a.txt").read_text() == "one\n2\n"


def test_edits_work_inside_for_each_one_transaction_at_a_time(root: Path) -> None:
    text = """
    [[steps]]
    name = "fix"
    for_each = ["one", "two"]
    prompt = "Fix {{ item }}."
    backend = "claude"
    apply_edits = true
    verify = "mkdir lock && sleep 0.05 && rmdir lock"
    """
    rules = {"Fix one": answer(("a.txt", "one", "1")), "Fix two": answer(("a.txt", "two", "2"))}
    assert ran(text, world(root, Scripted("claude", rules))).outcomes == {"fix": P}
    assert (root / "a.txt").read_text() == "1\n2\n"


def test_the_result_says_which_files_were_edited_and_what_verified_them(root: Path) -> None:
    good = answer(("a.txt", "two", "2\n3"), ("new.txt", "", "hello\n"))
    result = fixed(root, "verify = 'grep -q 2 a.txt'", good)
    assert [(it.file, it.added, it.removed, it.created) for it in result.edits] == [
        ("a.txt", 2, 1, False),
        ("new.txt", 1, 0, True),
    ]
    assert result.verified == "grep -q 2 a.txt"


@pytest.mark.parametrize(("keys", "stay"), [("", False), ("rollback = false", True)])
def test_only_edits_that_stay_are_told(root: Path, keys: str, stay: bool) -> None:
    result = fixed(root, f"verify = 'exit 1'\n{keys}", answer(("a.txt", "two", "2")))
    assert (result.outcome, bool(result.edits), result.verified) == (F, stay, "")
