"""git-agent, where it is there and has a session, is told before edits; nothing depends on it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.wiring import Project
from tests.engine.worlds import ran

EDIT = json.dumps({"edits": [{"file": "a.txt", "old": "one", "new": "two"}]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    (made / ".agent").mkdir(parents=True)
    (made / ".agent/current").write_text("a session\n")
    (made / "a.txt").write_text("one\n")
    (made / "lok.toml").write_text("")
    return made


def fixed(root: Path, agent: str | None, keys: str = "", *, dry_run: bool = False) -> StepResult:
    """A step that edits, with a git-agent that does this (None = it is not installed)."""
    program = root.parent / "bin/git-agent"
    program.parent.mkdir()
    if agent is not None:
        program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" $(pwd) $(cat a.txt) >> ../calls\n{agent}\n')
        program.chmod(0o755)
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(root.parent / "home")}
    here = replace(Project.open(root, environ=environ).world({"b": Scripted("b", EDIT)}), dry_run=dry_run)
    text = f'[[steps]]\nname = "fix"\nprompt = "?"\nbackend = "b"\napply_edits = true\n{keys}\n'
    return ran(text, here).result.steps["fix"]


def calls(root: Path) -> str:
    log = root.parent / "calls"
    return log.read_text() if log.exists() else ""


def edited(root: Path) -> bool:
    return (root / "a.txt").read_text() == "two\n"


def test_it_is_told_before_the_first_write(root: Path) -> None:
    assert fixed(root, "exit 0").passed
    assert calls(root) == f"checkpoint|-m|pre-edit: fix|{root}|one|"
    assert edited(root)


@pytest.mark.parametrize("session", ["", " \n", None])
def test_it_is_not_told_outside_a_session(root: Path, session: str | None) -> None:
    current = root / ".agent/current"
    current.unlink() if session is None else current.write_text(session)
    assert fixed(root, "exit 0").passed
    assert calls(root) == ""


def test_it_is_not_needed(root: Path) -> None:
    assert fixed(root, None).passed
    assert edited(root)


def test_it_is_not_told_of_edits_that_are_not_made(root: Path) -> None:
    assert fixed(root, "exit 0", dry_run=True).outcome is Outcome.SKIPPED
    assert calls(root) == ""


@pytest.mark.parametrize(
    ("agent", "said"),
    [("echo no room >&2; exit 1", "no room"), ("sleep 60", "no answer within 0.5 s")],
)
def test_its_failure_is_told_and_holds_nothing_up(root: Path, agent: str, said: str) -> None:
    result = fixed(root, agent, "timeout = 500")
    assert result.passed
    assert edited(root)
    (section,) = [s for s in result.sections if s.title == "git-agent made no checkpoint"]
    assert said in section.text


def test_edits_that_are_undone_are_undone_by_ourselves(root: Path) -> None:
    assert fixed(root, "exit 0", 'verify = "exit 1"').outcome is Outcome.FAILED
    assert calls(root).count("|pre-edit: fix|") == calls(root).count("checkpoint|-m") == 1
    assert not edited(root)
