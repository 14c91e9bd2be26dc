"""What a snapshot holds of a work tree, laid out again: the same files to the byte, by real git."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.core.remote import Snapshot
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.checkout import Checkouts, ShippedTree
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot
from tests.workspace.test_git_state import ENV, git

Tree: TypeAlias = Mapping[str, bytes | str | None]
"""Files by path: bytes, a str for the target of a link, None for a file that can be executed."""

NAMES = ["a", "a/b", "a/c d", 'q"uo\\te\n', "ü", "run.sh", ".gitattributes", "-x", "deep/er/file", "deep"]
CONTENTS = st.one_of(
    st.sampled_from(
        [b"", b"one\n", b"one\r\ntwo\r\n", b"\r", b"$Id$\n", b"no end", bytes(range(256)), b"\xff\xfe"]
    ),
    st.sampled_from(["a", "../outside", "deep"]),
    st.none(),
)
TREES = st.dictionaries(st.sampled_from(NAMES), CONTENTS, max_size=6)


def lay_out(root: Path, tree: Tree) -> None:
    """Make these the only files of ``root``, but for those of git and those that are in the way."""
    subprocess.run(
        ["sh", "-c", "find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +"], cwd=root, check=True
    )
    for name, content in tree.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.symlink_to(content)
            else:
                path.write_bytes(b"#!/bin/sh\n" if content is None else content)
                path.chmod(0o755 if content is None else 0o644)
        except OSError:  # a file is where a directory should be
            continue


def files(root: Path) -> dict[str, tuple[bool, bytes]]:
    """Every file below, as git knows one: whether it is a link or can be executed, and what it holds."""
    found = {}
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for path in {Path(folder) / name for name in [*names, *links]}:
            name = path.relative_to(root).as_posix()
            if name.startswith(".git/"):
                continue
            if path.is_symlink():
                found[name] = (True, os.fsencode(path.readlink()))
            else:
                found[name] = (bool(path.stat().st_mode & stat.S_IXUSR), path.read_bytes())
    return found


def of(root: Path) -> Snapshot:
    return asyncio.run(snapshot(root, LocalProcesses(root, ENV)))


async def shipped(taken: Snapshot) -> ShippedTree:
    return ShippedTree(
        commit=taken.commit, diff=taken.diff, tree=taken.tree, folder=taken.folder, pack=await taken.pack()
    )


def made_again(taken: Snapshot, base: Path) -> dict[str, tuple[bool, bytes]]:
    base.mkdir(exist_ok=True)
    checkouts = Checkouts(base, LocalProcesses(base, ENV))

    async def make() -> Path:
        return await checkouts.make(
            f"n{len(list(base.iterdir()))}{os.urandom(4).hex()}", await shipped(taken)
        )

    return files(asyncio.run(make()))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    (root / "one").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    committed=TREES,
    staged=TREES,
    now=TREES,
    attributes=st.sampled_from([b"", b"* text=auto eol=crlf ident\n"]),
)
def test_files_come_out_as_they_went_in(
    repo: Path, committed: Tree, staged: Tree, now: Tree, attributes: bytes
) -> None:
    lay_out(repo, {**committed, ".gitattributes": attributes})
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", "y")
    lay_out(repo, staged)
    git(repo, "add", "-A")
    lay_out(repo, {**now, ".gitattributes": attributes})
    before = files(repo / ".git")
    taken = of(repo)
    assert made_again(taken, repo.parent / "place") == files(repo)
    assert files(repo / ".git") == before  # the user's repository was only read


def test_ignored_files_stay_and_forced_ones_travel(repo: Path) -> None:
    (repo / ".gitignore").write_text("*.o\n")
    (repo / "forced.o").write_text("f")
    (repo / "left.o").write_text("l")
    git(repo, "add", "-f", "forced.o")
    assert {"forced.o", ".gitignore", "one"} == made_again(of(repo), repo.parent / "place").keys()


def test_flags_of_the_index_hide_nothing(repo: Path) -> None:
    git(repo, "update-index", "--assume-unchanged", "one")
    (repo / "one").write_text("other\n")
    assert made_again(of(repo), repo.parent / "place")["one"] == (False, b"other\n")


def test_a_workspace_below_the_top_travels_with_the_whole_tree(repo: Path) -> None:
    (repo / "sub").mkdir()
    (repo / "sub" / "x").write_text("x")
    taken = of(repo / "sub")
    assert taken.folder == "sub"
    assert {"one", "sub/x"} == made_again(taken, repo.parent / "place").keys()


def test_equal_files_have_the_same_tree_and_others_another(repo: Path) -> None:
    first = of(repo)
    assert of(repo).tree == first.tree
    (repo / "one").chmod(0o755)
    assert of(repo).tree != first.tree


def test_another_tree_than_the_one_that_was_sent_is_refused(repo: Path, tmp_path: Path) -> None:
    (repo / "new").write_text("n")
    sent = of(repo)
    wrong = Snapshot(commit=sent.commit, diff=b"", tree=sent.tree, pack=sent.pack)
    with pytest.raises(StepUnableError, match="not the ones that were sent"):
        made_again(wrong, tmp_path / "place")
    assert not [*(tmp_path / "place" / "work").iterdir()]


def test_what_cannot_travel_is_said(repo: Path, tmp_path: Path) -> None:
    (repo / "inner").mkdir()
    git(repo / "inner", "init", "-q")
    (repo / "inner" / "x").write_text("x")
    git(repo / "inner", "add", "-A")
    git(repo / "inner", "commit", "-qm", "x")
    with pytest.raises(StepUnableError, match="inside of this one cannot travel: inner/"):
        of(repo)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StepUnableError, match="not a git repository"):
        of(empty)
    git(empty, "init", "-q")
    with pytest.raises(StepUnableError, match="no commit yet"):
        of(empty)
