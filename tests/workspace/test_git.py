"""What git says of a change, whatever the configuration, the attributes and the names in the tree."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.core.findings.diffs import LineChanges, changed_lines
from pytest_lok.engine.ports import Comparison, FileVersions
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.git import Git, JudgedTree
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.sides import MAX_BYTES

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": f"{who}@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


class Repository:
    """A repository whose branch ``feature`` leaves ``main``."""

    def __init__(self, root: Path, **files: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write({"a.txt": "".join(f"line {n}\n" for n in range(1, 11)), **files})
        self.commit("first")
        self.git("switch", "--quiet", "--create=feature")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, env=ENVIRON, check=True, capture_output=True)

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, newline="")

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")


def ask(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def git(root: Path, *bases: str) -> Git:
    return Git(root, LocalProcesses(root, ENVIRON), bases or ("main",))


def comparison(root: Path, *paths: str, base: str = "main") -> Comparison:
    found: Comparison = ask(git(root, base).comparison(paths))
    return found


def changes(root: Path, *paths: str) -> dict[str, LineChanges]:
    """What the change does to each file that can be compared."""
    return {
        path: changed_lines(file.before, file.after)
        for path, file in comparison(root, *paths).files.items()
        if not file.unknown
    }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def numbered(*changed: int) -> str:
    return "".join(f"{'LINE' if n in changed else 'line'} {n}\n" for n in range(1, 11))


def test_committed_staged_and_other_changes_count(repository: Repository) -> None:
    repository.write({"a.txt": numbered(2)})
    repository.commit("two")
    repository.write({"a.txt": numbered(2, 5)})
    repository.git("add", "a.txt")
    repository.write({"a.txt": numbered(2, 5, 9), "new.txt": "x\n"})
    found = changes(repository.root, "a.txt", "new.txt")
    assert found["a.txt"].added == ((2, 2), (5, 5), (9, 9))
    assert found["new.txt"].added == ((1, 1),)


def test_what_the_base_did_since_is_no_change(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    repository.write({"a.txt": numbered(7)})
    repository.commit("on main")
    repository.git("switch", "--quiet", "feature")
    repository.write({"a.txt": numbered(2)})
    assert changes(repository.root, "a.txt")["a.txt"].added == ((2, 2),)


def test_nothing_is_asked_about_files_nobody_names(repository: Repository) -> None:
    repository.write({"a.txt": numbered(2)})
    found = comparison(repository.root)
    assert found.files == {}
    assert found.base.startswith("main (")


@pytest.mark.parametrize(
    "setting",
    [
        "diff.noprefix=true", "diff.mnemonicPrefix=true", "diff.context=9", "diff.interHunkContext=9",
        "color.diff=always", "color.ui=always", "core.quotePath=true", "diff.external=false",
        "diff.wsErrorHighlight=all", "diff.relative=false", "diff.algorithm=patience", "core.pager=false",
        "diff.x.textconv=tac", "diff.x.binary=true", "diff.x.command=false",
    ],
)  # fmt: skip
def test_no_configuration_has_a_say(repository: Repository, setting: str) -> None:
    repository.git("config", *setting.split("=", 1))
    repository.write({".gitattributes": "*.txt diff=x\n", "a.txt": numbered(2, 4), "ä b.txt": "x\n"})
    repository.git("add", "ä b.txt")
    found = changes(repository.root, "a.txt", "ä b.txt")
    assert found["a.txt"].added == ((2, 2), (4, 4))
    assert found["ä b.txt"].added == ((1, 1),)


@pytest.mark.parametrize(
    "attribute", ["-diff", "binary", "-text", "diff=x", "linguist-generated", "export-ignore"]
)
def test_a_change_cannot_hide_by_its_attributes(repository: Repository, attribute: str) -> None:
    repository.write({".gitattributes": f"*.txt {attribute}\n", "a.txt": numbered(3) + "\0"})
    repository.commit("hide")
    assert changes(repository.root, "a.txt")["a.txt"].touches(3, 3)


NAMES = [
    "with space.txt",
    "tab\there.txt",
    'quo"te.txt',
    "back\\slash.txt",
    "*.txt",
    "ä.txt",
    "-x.txt",
    ":(top)x",
    "new\nline",
]


@pytest.mark.parametrize("tracked", [True, False])
def test_any_name_will_do(tmp_path: Path, tracked: bool) -> None:
    files = dict.fromkeys(NAMES, "one\ntwo\n")
    repository = Repository(tmp_path / "repo", **(files if tracked else {}))
    repository.write(dict.fromkeys(NAMES, "one\nTWO\n"))
    for name in NAMES:
        found = changes(repository.root, name)
        assert found[name].touches(2, 2), name
        assert found[name].touches(1, 1) is not tracked


def test_a_directory_below_the_repository_is_a_workspace_too(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo", **{"sub/b.txt": "one\n", "sub/.lok/baseline.json": "old"})
    repository.write({"sub/b.txt": "ONE\n", "sub/c.txt": "x\n", "sub/.lok/baseline.json": "new"})
    found = changes(repository.root / "sub", "b.txt", "c.txt")
    assert {path: lines.added for path, lines in found.items()} == {"b.txt": ((1, 1),), "c.txt": ((1, 1),)}
    assert found["b.txt"].removed
    assert ask(git(repository.root / "sub").text_at_base(".lok/baseline.json")) == "old"
    assert ask(git(repository.root).text_at_base(".lok/baseline.json")) is None


def test_a_moved_file_is_a_new_one(repository: Repository) -> None:
    repository.git("mv", "a.txt", "b.txt")
    assert changes(repository.root, "b.txt")["b.txt"].touches(7, 7)


def test_ignored_files_are_new_ones(repository: Repository) -> None:
    repository.write({".gitignore": "*.log\n", "x.log": "x\n"})
    assert changes(repository.root, "x.log")["x.log"].touches(1, 1)


def test_the_lines_are_those_of_the_files(repository: Repository) -> None:
    """Held against a comparison of the lines themselves, over random changes."""
    chance = random.Random(7)
    old = [f"line {n}" for n in range(1, 11)]
    for _ in range(25):
        new = [
            line if chance.random() < 0.8 else f"{line} {chance.random()}"
            for line in old
            if chance.random() < 0.9
        ]
        at = chance.randrange(len(new) + 1)
        new[at:at] = [f"new {chance.random()}" for _ in range(chance.randrange(3))]
        repository.write({"a.txt": "".join(f"{line}\n" for line in new)})
        found = changes(repository.root, "a.txt")["a.txt"]
        added = {number for number, line in enumerate(new, 1) if line not in old}
        assert all(found.touches(number, number) for number in added)
        beside = (
            {n for n in range(1, len(new)) if old.index(new[n - 1]) + 1 != old.index(new[n])}
            if not added
            else set()
        )
        assert all(found.touches(number, number) for number in beside)


# --- the base


def test_a_file_is_read_as_the_base_has_it_now(repository: Repository) -> None:
    repository.write({".lok/baseline.json": "mine"})
    repository.commit("silence")
    assert ask(git(repository.root).text_at_base(".lok/baseline.json")) is None
    repository.git("switch", "--quiet", "main")
    repository.write({".lok/baseline.json": "theirs é"})
    repository.commit("accept")
    repository.git("switch", "--quiet", "feature")
    assert ask(git(repository.root).text_at_base(".lok/baseline.json")) == "theirs é"


def test_the_first_base_that_exists_is_the_one(repository: Repository) -> None:
    assert comparison(repository.root).base.startswith("main (")
    found: Comparison = ask(
        git(repository.root, "origin/nothing", "--help", "feature", "main").comparison(["a.txt"])
    )
    assert found.base.startswith("feature (")


@pytest.mark.parametrize(
    ("prepare", "bases", "why", "hint"),
    [
        (
            None,
            ("develop", "trunk"),
            "nothing to compare the change with (tried: develop, trunk)",
            "LOK_BASE",
        ),
        (["checkout", "--orphan", "new"], ("main",), "git rev-parse failed", "LOK_BASE"),
    ],
)
def test_without_a_base_there_is_no_answer(
    repository: Repository, prepare: list[str] | None, bases: tuple[str, ...], why: str, hint: str
) -> None:
    if prepare:
        repository.git(*prepare)
    with pytest.raises(StepUnableError) as caught:
        ask(git(repository.root, *bases).comparison(["a.txt"]))
    assert why in caught.value.message
    assert hint in caught.value.hint


def test_unrelated_or_shallow_histories_have_no_common_commit(repository: Repository, tmp_path: Path) -> None:
    repository.git("checkout", "--quiet", "--orphan", "new")
    repository.commit("alone")
    with pytest.raises(StepUnableError, match="no common commit") as caught:
        ask(git(repository.root).comparison(["a.txt"]))
    assert "fetch-depth: 0" in caught.value.hint


def test_a_directory_without_a_repository_has_no_answer(tmp_path: Path) -> None:
    for work in (git(tmp_path).comparison(["a.txt"]), git(tmp_path).text_at_base("x")):
        with pytest.raises(StepUnableError, match="git rev-parse failed: fatal: not a git repository"):
            ask(work)
    nowhere = Git(tmp_path, LocalProcesses(tmp_path, {"PATH": str(tmp_path)}), ["main"])
    with pytest.raises(StepUnableError, match="command not found: git"):
        ask(nowhere.comparison(["a.txt"]))


# --- what is judged


def test_in_a_sparse_checkout_files_are_there_that_are_not(repository: Repository) -> None:
    repository.write({"kept/c.txt": "c\n"})
    repository.commit("kept")
    repository.git("sparse-checkout", "set", "kept")
    repository.git("sparse-checkout", "add", "other")
    repository.git("update-index", "--skip-worktree", "a.txt")
    (repository.root / "a.txt").unlink(missing_ok=True)
    file = comparison(repository.root, "a.txt").files["a.txt"]
    assert (file.before, file.after) == (numbered().encode(), numbered().encode())
    repository.git("update-index", "--no-skip-worktree", "a.txt")
    assert comparison(repository.root, "a.txt").files["a.txt"].after is None


def judged(root: Path, what: JudgedTree, path: str) -> FileVersions:
    found: Comparison = ask(
        Git(root, LocalProcesses(root, ENVIRON), ["main"], judged=what).comparison([path])
    )
    return found.files[path]


def test_what_is_staged_is_judged_as_it_is(repository: Repository) -> None:
    repository.write({"a.txt": "staged\n", "new.txt": "x\n"})
    repository.git("add", "a.txt", "new.txt")
    repository.git("update-index", "--chmod=+x", "a.txt")
    repository.write({"a.txt": "not staged\n"})
    (repository.root / "new.txt").unlink()
    file = judged(repository.root, JudgedTree.STAGED, "a.txt")
    assert (file.before, file.after, file.mode_changed) == (numbered().encode(), b"staged\n", True)
    assert judged(repository.root, JudgedTree.STAGED, "new.txt").after == b"x\n"
    repository.git("rm", "-qf", "--cached", "a.txt")
    assert judged(repository.root, JudgedTree.STAGED, "a.txt").after is None


def test_what_is_committed_is_judged_where_nothing_else_is_there(repository: Repository) -> None:
    repository.write({"a.txt": "committed\n"})
    repository.commit("a")
    assert judged(repository.root, JudgedTree.COMMITTED, "a.txt").after == b"committed\n"
    repository.write({"a.txt": "something else\n"})
    file = judged(repository.root, JudgedTree.COMMITTED, "a.txt")
    assert (file.before, file.after) == (None, None)
    assert "commit it" in file.unknown
    (repository.root / "a.txt").unlink()
    assert judged(repository.root, JudgedTree.COMMITTED, "a.txt").unknown
    assert not judged(repository.root, JudgedTree.FILES, "a.txt").unknown


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("fifo", "no regular file"),
        ("large", "larger than"),
        ("../outside", "no path in the workspace"),
        ("/etc/passwd", "no path in the workspace"),
        ("nul\0", "no path in the workspace"),
        ("\ud800", "no path in the workspace"),
        ("a" * 256, "no path in the workspace"),
        ("dir-link/x.txt", "symbolic link"),
    ],
)
def test_what_cannot_be_compared_says_why(repository: Repository, path: str, why: str) -> None:
    os.mkfifo(repository.root / "fifo")
    with (repository.root / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    repository.write({"dir/x.txt": "x\n"})
    (repository.root / "dir-link").symlink_to("dir")
    found = comparison(repository.root, path, "a.txt")
    assert not found.files["a.txt"].unknown
    assert why in found.files[path].unknown


def test_a_blob_that_is_too_large_is_not_read(repository: Repository) -> None:
    with (repository.root / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    repository.commit("large")
    repository.git("branch", "--force", "main", "HEAD")
    repository.write({"large": "small\n"})
    assert "larger than" in comparison(repository.root, "large").files["large"].unknown


def test_a_mode_that_the_file_system_does_not_keep_is_the_one_of_the_index(repository: Repository) -> None:
    (repository.root / "a.txt").chmod(0o755)
    assert comparison(repository.root, "a.txt").files["a.txt"].mode_changed
    repository.git("config", "core.fileMode", "false")
    assert not comparison(repository.root, "a.txt").files["a.txt"].mode_changed
    repository.git("update-index", "--chmod=+x", "a.txt")
    assert comparison(repository.root, "a.txt").files["a.txt"].mode_changed


def test_every_name_is_known(repository: Repository) -> None:
    repository.git("mv", "a.txt", "ä\n.txt")
    repository.write({"new.txt": "x\n", "ignored.log": "x\n", ".gitignore": "*.log\n"})
    assert ask(git(repository.root).file_names()) == {"a.txt", "ä\n.txt", "new.txt", ".gitignore"}


def test_many_files_are_asked_about(repository: Repository) -> None:
    names = {f"dir{number % 7}/{number}.txt": f"{number}\n" for number in range(1200)}
    repository.write(names)
    found = comparison(repository.root, *names).files
    assert {path: file.after for path, file in found.items()} == {
        path: text.encode() for path, text in names.items()
    }
