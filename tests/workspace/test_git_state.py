"""Whether a tree is the one it was: by real git, in real repositories."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_lok.workspace.git_state import MAX_BYTES, MAX_FILES, tree_state
from pytest_lok.workspace.processes.runner import LocalProcesses

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(root: Path, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *args], cwd=root, env=ENV, check=True, capture_output=True
    )


def state(root: Path) -> str | None:
    return asyncio.run(tree_state(LocalProcesses(root, ENV)))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "a.txt").write_text("one\n")
    (root / "sub" / "b c.txt").write_text("two\n")
    (root / ".gitignore").write_text("ignored\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


def commit(root: Path) -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", "y")


def link(root: Path) -> None:
    (root / "l").symlink_to("a.txt")


def beside(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "ü\n").write_text("")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a commit": commit,
    "a changed file": lambda root: (root / "a.txt").write_text("two\n"),
    "a changed file in a directory": lambda root: (root / "sub" / "b c.txt").write_text("x"),
    "a new file": lambda root: (root / "new").write_text(""),
    "a new file in a new directory": beside,
    "a new link": link,
    "a file that is gone": lambda root: (root / "a.txt").unlink(),
    "a mode": lambda root: (root / "a.txt").chmod(0o755),
    "a file taken out of git": lambda root: git(root, "rm", "-q", "--cached", "a.txt"),
    "a renamed file": lambda root: git(root, "mv", "a.txt", "z.txt"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_another_state(repo: Path, change: str) -> None:
    before = state(repo)
    assert before is not None
    assert state(repo) == before
    CHANGES[change](repo)
    after = state(repo)
    assert after not in (None, before)
    assert state(repo) == after


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
@pytest.mark.parametrize("name", ["a.txt", "sub/b c.txt"])
def test_a_file_that_git_is_told_not_to_look_at_counts(repo: Path, flag: str, name: str) -> None:
    git(repo, "update-index", flag, name)
    seen = {state(repo), state(repo / "sub")}
    assert len(seen) == 1
    for text in ("x", "y"):
        (repo / name).write_text(text)
        seen.add(state(repo))
    (repo / name).unlink()
    seen.add(state(repo))
    assert (len(seen), None in seen) == (4, False)


def test_a_changed_file_that_changes_again_is_another_state(repo: Path) -> None:
    seen = set()
    for text in ("x", "y", "z"):
        (repo / "a.txt").write_text(text)
        (repo / "new").write_text(text)
        seen.add(state(repo))
    (repo / "new").write_text("other")
    seen.add(state(repo))
    (repo / "l").symlink_to("a.txt")
    seen.add(state(repo))
    (repo / "l").unlink()
    (repo / "l").symlink_to("b.txt")
    seen.add(state(repo))
    assert None not in seen
    assert len(seen) == 6


def test_a_change_that_is_taken_back_is_none(repo: Path) -> None:
    before = state(repo)
    (repo / "a.txt").write_text("other")
    (repo / "a.txt").write_text("one\n")
    (repo / "ignored").write_text("not git's business")
    assert state(repo) == before


def test_below_the_root_all_of_the_tree_counts(repo: Path) -> None:
    before = state(repo / "sub")
    (repo / "a.txt").write_text("other")
    assert state(repo / "sub") not in (None, before)


def test_what_is_staged_counts_apart_from_what_is_there(repo: Path) -> None:
    (repo / "a.txt").write_text("two")
    unstaged = state(repo)
    git(repo, "add", "a.txt")
    assert state(repo) not in (None, unstaged)


def test_without_a_repository_or_a_commit_nothing_is_known(tmp_path: Path) -> None:
    assert state(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert state(tmp_path) is None


def test_without_git_nothing_is_known(repo: Path) -> None:
    assert asyncio.run(tree_state(LocalProcesses(repo, {"PATH": "/nowhere"}))) is None


def test_a_repository_inside_hides_its_changes(repo: Path) -> None:
    (repo / "inner").mkdir()
    git(repo / "inner", "init", "-q")
    assert state(repo) is None


def test_a_submodule_is_known_while_it_is_as_committed(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "f").write_text("x")
    git(other, "add", "-A")
    commit(other)
    git(repo, "submodule", "--quiet", "add", str(other), "module")
    git(repo, "commit", "-qm", "with a module")
    assert state(repo) is not None
    (repo / "module" / "f").write_text("y")
    assert state(repo) is None


def test_too_much_to_read_is_not_read(repo: Path) -> None:
    with (repo / "big").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert state(repo) is None
    (repo / "big").unlink()
    (repo / "many").mkdir()
    for number in range(MAX_FILES + 1):
        (repo / "many" / str(number)).touch()
    assert state(repo) is None


def test_programs_of_the_repository_are_not_run(repo: Path) -> None:
    (repo / "monitor").write_text("#!/bin/sh\ntouch ran\n")
    (repo / "monitor").chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(repo / "monitor"))
    assert state(repo) is not None
    assert not (repo / "ran").exists()
