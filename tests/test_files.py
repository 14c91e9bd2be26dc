"""Files that are replaced whole: ours, and those that a user named."""

import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import existing_path, write_atomically, write_output


def test_a_file_is_written_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_output(tmp_path / "new", "é\n")
    assert (tmp_path / "new").read_bytes() == "é\n".encode()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "usual"]


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("old and longer")
    file.chmod(0o640)
    write_output(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_output(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_output(pipe, "through")
    reader.join(10)
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_cannot_be_encoded_is_spelled_out(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "\udc80")
    assert (tmp_path / "out").read_text() == r"\udc80"


def test_a_failure_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(LokError, match=r"cannot write .*directory: Is a directory"):
        write_output(tmp_path / "directory", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]
    with pytest.raises(LokError, match="No such file"):
        write_output(tmp_path / "missing" / "out", "x")


def test_it_replaces_what_is_there_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for data in (b"one", b"two"):
        write_atomically(file, data)
        assert file.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_private_is_private(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "x").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "target").read_text() == "kept"
    assert (tmp_path / "x").read_text() == "new"


def test_where_it_cannot_be_put_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="x"):
        write_atomically(tmp_path / "x", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["nowhere", "circle", "a" * 300, "a/" * 3000, "no\0name", "file/x"])
def test_a_path_that_leads_nowhere_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UsageError) as refused:
        existing_path(tmp_path, name)
    assert len(refused.value.message) < 400
    assert existing_path(tmp_path, "./file") == tmp_path.resolve() / "file"


def test_nothing_is_written_through_a_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(LokError, match="symbolic links"):
        write_output(tmp_path / "circle", "x")
    assert (tmp_path / "circle").is_symlink()
