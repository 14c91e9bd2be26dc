"""Records of calls: those of a living call stay, old calls go as a whole, nothing behind a link is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_lok.store.calls import RecordedCall, call_folders


def begun(folder: Path, records: int, kept: int = 3, days: float = 0) -> RecordedCall:
    call = RecordedCall(folder, root=folder.parent, days=days, kept=kept)
    for _ in range(records):
        made = call.store.new(command=["lok"], root=folder.parent)
        made.end(0)
        made.close()
    return call


def sizes(folder: Path) -> list[int]:
    return [len([it for it in call.iterdir() if it.name != ".gitignore"]) for call in call_folders(folder)]


def test_a_call_keeps_all_of_its_records_and_old_calls_go_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / ".lok" / "each"
    begun(folder, 2).close()
    begun(folder, 5).close()
    assert sizes(folder) == [5, 2]
    newest = begun(folder, 1)
    assert sizes(folder) == [1], "five are more than three, and what is older goes with them"
    newest.close()
    assert {it.name for it in folder.iterdir() if it.is_file()} == {
        ".gitignore",
        f"{newest.store.folder.name}.lock",
    }


def test_what_a_living_call_has_recorded_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".lok" / "each"
    living = begun(folder, 5)
    begun(folder, 5).close()
    begun(folder, 0).close()
    assert sizes(folder) == [5]
    assert call_folders(folder) == [living.store.folder]
    living.close()
    begun(folder, 0).close()
    assert sizes(folder) == []
    assert [it.name for it in folder.iterdir()] == [".gitignore"]


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    folder = tmp_path / ".lok" / "each"
    old, young = begun(folder, 1), begun(folder, 1)
    old.close()
    young.close()
    os.utime(old.store.folder, (0, 0))
    begun(folder, 0, days=14).close()
    assert call_folders(folder) == [young.store.folder]


@pytest.mark.parametrize("where", ["each", ".lok"])
def test_a_link_is_not_followed_and_a_record_is_made_elsewhere(tmp_path: Path, where: str) -> None:
    (tmp_path / "theirs" / "x").mkdir(parents=True)
    folder = tmp_path / ".lok" / "each"
    folder.parent.mkdir()
    if where == "each":
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.parent.rmdir()
        folder.parent.symlink_to(tmp_path / "theirs")
    call = begun(folder, 0)
    assert call.is_elsewhere
    made = call.store.new(command=["lok"], root=tmp_path)
    assert not made.path.is_relative_to(tmp_path)
    made.close()
    call.close()
    assert call_folders(folder) == []
    assert [it.name for it in (tmp_path / "theirs").iterdir()] == ["x"]
