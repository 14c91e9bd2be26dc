"""One side of a change: the file at a path, or why it cannot be compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_lok.workspace import sides
from pytest_lok.workspace.sides import FileSide, TreeEntry, blob_id, file_versions, is_workspace_path
from pytest_lok.workspace.sides import side_in_listing as listed
from pytest_lok.workspace.sides import side_in_worktree as found


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("a/b", True),
        ("a//b", False),
        ("../a", False),
        ("./a", False),
        ("", False),
        ("a\0", False),
        ("a" * 256, False),
    ],
)
def test_paths_have_the_form_that_git_uses(path: str, plain: bool) -> None:
    assert is_workspace_path(path) is plain


def test_a_listing_has_a_file_or_says_what_is_in_its_place() -> None:
    entries = {
        "a": TreeEntry(mode="100755", oid="1"),
        "l": TreeEntry(mode="120000", oid="2"),
        "s": TreeEntry(mode="160000", oid="3"),
        "d": TreeEntry(mode="040000", oid="4"),
    }
    assert listed("a", entries) == FileSide(oid="1", executable=True)
    assert listed("l/x", entries).other == "is reached through a symbolic link"
    assert listed("s/x", entries).other == "lies in a submodule"
    assert listed("d", entries) == listed("nope", entries) == FileSide()


def test_the_work_tree_is_read_through_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"a\n")
    (tmp_path / "a").chmod(0o755)
    (tmp_path / "l").symlink_to("a")
    (tmp_path / "d" / ".git").mkdir(parents=True)
    assert found(tmp_path, "a") == FileSide(content=b"a\n", executable=True)
    assert found(tmp_path, "l").other == "is reached through a symbolic link"
    assert found(tmp_path, "d/x").other == "lies in a repository of its own"
    assert found(tmp_path, "nope") == found(tmp_path, "a/x") == FileSide()
    monkeypatch.setattr(sides, "MAX_BYTES", 1)
    assert found(tmp_path, "a").unavailable == sides.TOO_LARGE


def test_line_ends_of_a_checkout_are_no_change() -> None:
    was, now = FileSide(content=b"a\nb\n"), FileSide(content=b"a\r\nb\r\n")
    assert now.has_more_crlf(was)
    assert not was.has_more_crlf(now)
    assert now.without_crlf() == was


def test_what_cannot_be_compared_says_why() -> None:
    here, gone = FileSide(content=b"a", executable=True), FileSide()
    assert file_versions("p", FileSide(content=b"a"), here, here).mode_changed
    assert file_versions("p", gone, here, here).after == b"a"
    assert "is not what is committed" in file_versions("p", gone, here, gone).unknown
    assert file_versions("p", FileSide(unavailable="w"), here, here).unknown == "w"


def test_an_object_id_is_gits(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n")
    said = subprocess.run(["git", "hash-object", tmp_path / "a"], capture_output=True, text=True, check=True)
    assert blob_id(b"a\n", 40) == said.stdout.strip()
