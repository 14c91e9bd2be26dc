"""Cases as commits: directories, patches, and commits of a repository."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from pytest_lok.errors import CaseError
from pytest_lok.workspace.cases.commits import ChangeCommits, commit_cases, read_files
from pytest_lok.workspace.cases.shelf import read_cases
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.cli.changes import WHO
from tests.workspace.cases.test_shelf import CLEAN, write

ENVIRON = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **WHO}
PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\n"


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, env=ENVIRON, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Store:
    """The repository that the cases below ``root`` are committed to."""

    def __init__(self, root: Path, clone: Path | None = None) -> None:
        self.folder = root / "store"
        self.folder.mkdir()
        self.git = LocalProcesses(self.folder, ENVIRON)
        source = LocalProcesses(clone, ENVIRON) if clone else None
        self.commits: list[ChangeCommits] = asyncio.run(
            commit_cases(self.git, self.folder, read_cases(root / "cases"), source)
        )

    def read(self, commit: str, path: str) -> bytes | None:
        return asyncio.run(read_files(self.git, [(commit, path)]))[0]


def test_directories_become_commits_to_the_byte(tmp_path: Path) -> None:
    odd = 'ä "q"\\ \t1'
    sides = {f"cases/one/{side}/{odd}": f"{side}\r\n$Id$\n" for side in ("before", "after")}
    write(tmp_path, {"cases/one/case.toml": CLEAN, **sides, "cases/one/before/gone": "x"})
    write(tmp_path, {"cases/one/after/.gitattributes": "* text eol=lf ident\n"})
    (tmp_path / "cases/one/after" / odd).chmod(0o755)
    store = Store(tmp_path)
    (ids,) = store.commits
    # `cat-file --batch` reads a name to the end of its line
    assert store.read(ids.base, odd) == b"before\r\n$Id$\n"
    assert store.read(ids.head, odd) == b"after\r\n$Id$\n"
    assert (store.read(ids.base, "gone"), store.read(ids.head, "gone")) == (b"x", None)
    assert git(store.folder, "ls-tree", "-r", "-z", ids.head).split("\0")[1].startswith("100755")
    assert git(store.folder, "rev-parse", f"{ids.head}^") == ids.base


def test_a_patch_is_applied_to_a_directory(tmp_path: Path) -> None:
    write(tmp_path, {"cases/one/case.toml": f'{CLEAN}patch = "p"\n', "cases/one/before/a": "old\n"})
    write(tmp_path, {"cases/one/p": PATCH})
    store = Store(tmp_path)
    assert [store.read(it, "a") for it in (store.commits[0].base, store.commits[0].head)] == [
        b"old\n",
        b"new\n",
    ]


def test_commits_of_a_repository_are_taken_as_they_are(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    write(clone, {"a": "old\n"})
    git(clone, "init", "-q", ".")
    ids = []
    for text in ("old\n", "new\n"):
        (clone / "a").write_text(text)
        git(clone, "add", "a")
        git(clone, "commit", "-q", "-m", "x")
        ids.append(git(clone, "rev-parse", "HEAD"))
    before = git(clone, "count-objects", "-v")
    write(tmp_path, {"cases/both/case.toml": f'{CLEAN}base = "{ids[0]}"\nhead = "{ids[1]}"\n'})
    write(
        tmp_path,
        {"cases/patched/case.toml": f'{CLEAN}base = "{ids[0]}"\npatch = "p"\n', "cases/patched/p": PATCH},
    )
    store = Store(tmp_path, clone)
    assert [store.read(it.head, "a") for it in store.commits] == [b"new\n", b"new\n"]
    assert store.commits[0] == ChangeCommits(base=ids[0], head=ids[1])
    assert git(clone, "count-objects", "-v") == before, "nothing is written into the clone"


@pytest.mark.parametrize(
    ("keys", "patch", "why"),
    [
        ('patch = "p"\n', PATCH.replace("old", "other"), "the patch does not apply: patch failed: a:1"),
        ('patch = "p"\n', "no patch\n", "the patch does not apply: No valid patches in input"),
        (
            'patch = "p"\n',
            PATCH.replace("a/a", "a/../../x").replace("b/a", "b/../../x"),
            "the patch does not apply",
        ),
        (f'base = "{"0" * 39}1"\npatch = "p"\n', PATCH, "there is no such commit"),
        ("", "", "the change changes nothing"),
    ],
)
def test_a_change_that_cannot_be_made_is_a_mistake(tmp_path: Path, keys: str, patch: str, why: str) -> None:
    write(
        tmp_path,
        {"cases/one/case.toml": f"{CLEAN}{keys}", "cases/one/before/a": "old\n", "cases/one/p": patch},
    )
    write(tmp_path, {"cases/one/after/a": "old\n"})
    git(tmp_path, "init", "-q", ".")
    with pytest.raises(CaseError) as wrong:
        Store(tmp_path, tmp_path)
    assert why in str(wrong.value)
