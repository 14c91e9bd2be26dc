import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_lok.cli.files import write_whole
from pytest_lok.errors import LokError


def test_a_file_is_written_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "new", "é\n")
    assert (tmp_path / "new").read_bytes() == "é\n".encode()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "usual"]


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("old and longer")
    file.chmod(0o640)
    write_whole(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "through")
    reader.join(10)
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_cannot_be_encoded_is_spelled_out(tmp_path: Path) -> None:
    write_whole(tmp_path / "out", "\udc80")
    assert (tmp_path / "out").read_text() == r"\udc80"


def test_a_failure_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(LokError, match=r"cannot write .*directory: Is a directory"):
        write_whole(tmp_path / "directory", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]
    with pytest.raises(LokError, match="No such file"):
        write_whole(tmp_path / "missing" / "out", "x")
