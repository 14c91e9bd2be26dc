"""Where the lines of a list lead: each directory once, whatever it is called, from files and from pipes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_lok.each.listing import read_rows
from pytest_lok.errors import UsageError


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "lists" / "list.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines))
    return file


def test_a_relative_path_begins_at_the_directory_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    rows = read_rows(written(tmp_path, "../link", f"{tmp_path}/b", "../nothing/../c"))
    assert [row.root for row in rows] == [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    assert [row.repository.label for row in rows] == ["../link", f"{tmp_path}/b", "../nothing/../c"]


@pytest.mark.parametrize("other", ["../a/", "../a/.", "../link", "../lists/../a", "../LINK/../a"])
def test_two_names_of_one_directory_are_one_repository(tmp_path: Path, other: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "LINK").symlink_to("lists")
    with pytest.raises(UsageError, match=r"list\.txt:3: the same directory as in line 1"):
        read_rows(written(tmp_path, "../a", "../b", other))


def test_two_names_of_nothing_are_one_as_well(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the same directory as in line 1"):
        read_rows(written(tmp_path, "../nothing", "../lists/../nothing"))


def test_a_list_out_of_a_pipe_begins_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.write(writing, b"a\n")
    os.close(writing)
    rows = read_rows(Path(f"/dev/fd/{reading}"))
    os.close(reading)
    assert [row.root for row in rows] == [tmp_path / "a"]


def test_a_device_without_an_end_is_no_list() -> None:
    with pytest.raises(UsageError, match="is no list of repositories"):
        read_rows(Path("/dev/zero"))
