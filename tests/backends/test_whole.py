"""Files that are replaced whole."""

import stat
from pathlib import Path

import pytest

from pytest_lok.backends.whole import write_whole


def test_it_replaces_what_is_there_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for data in (b"one", b"two"):
        write_whole(file, data)
        assert file.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_private_is_private(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "x").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "target").read_text() == "kept"
    assert (tmp_path / "x").read_text() == "new"


def test_where_it_cannot_be_put_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="x"):
        write_whole(tmp_path / "x", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
