"""Directories of cases: what is read of them, and every mistake in them at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lok.errors import CaseError, UsageError
from pytest_lok.workspace.cases import shelf
from pytest_lok.workspace.cases.shelf import read_cases

CLEAN = "clean = true\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


ONE = {"one/case.toml": CLEAN, "one/before/a": "1", "one/after/a": "2"}
SHARED = {
    "py/two/case.toml": f'{CLEAN}before = "../../trees/t"\npatch = "p"\n',
    "py/two/p": "diff",
    "trees/t/d/x.sh": "x",
}


def test_cases_are_found_with_their_files(tmp_path: Path) -> None:
    write(tmp_path, {**ONE, **SHARED, "README": "these are cases", ".hidden/x": ""})
    (tmp_path / "trees/t/d/x.sh").chmod(0o755)
    one, two = read_cases(tmp_path)
    assert (one.case.name, two.case.name) == ("one", "py/two")
    assert one.before is not None
    assert one.after is not None
    assert (one.before["a"].content, one.after["a"].content, one.patch) == (b"1", b"2", None)
    assert two.before is not None
    assert (two.patch, two.after, two.before["d/x.sh"].executable) == (b"diff", None, True)
    assert [it.case.name for it in read_cases(tmp_path / "one")] == ["one"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({**ONE, "typo/case.tml": CLEAN}, r"typo: this directory has no case.toml"),
        ({**ONE, "py/typo/x": ""}, r"py/typo: this directory has no case.toml"),
        ({"one/case.toml": CLEAN, "one/after/a": ""}, "before: there is no such directory"),
        ({**ONE, "one/case.toml": f'{CLEAN}patch = "p"'}, r"case.toml:2:9: p: it cannot be read"),
        ({**ONE, "one/case.toml": f'{CLEAN}before = "../../x"'}, "it lies outside of"),
        ({**ONE, "one/after/.git/config": ""}, ".git belongs to a repository"),
        ({**ONE, "one/case.toml": "clean = 1\n"}, r"case.toml:1:9: `clean` must be true or false"),
        ({**ONE, "one/case.toml": "#" * 200_001}, "the file has more than 200,000 bytes"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, files: dict[str, str], why: str) -> None:
    with pytest.raises(CaseError) as wrong:
        read_cases(write(tmp_path, files))
    assert re.search(why, str(wrong.value)), str(wrong.value)


@pytest.mark.parametrize(
    "link", ["one/before/link", "one/case.toml", "one/before", "dir", "trees/t", "py/two/p"]
)
def test_no_link_is_followed(tmp_path: Path, link: str) -> None:
    write(tmp_path / "cases", {**ONE, **SHARED})
    write(tmp_path, {"secret/a": CLEAN})
    place = tmp_path / "cases" / link
    aside = tmp_path / "aside"
    if place.exists():
        place.rename(aside)
    place.symlink_to(aside if aside.exists() else tmp_path / "secret")
    with pytest.raises(CaseError, match=r"link"):
        read_cases(tmp_path / "cases")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    files = {"a/case.toml": "x = 1\n", "b/case.toml": CLEAN, "c/x": ""}
    with pytest.raises(CaseError) as wrong:
        read_cases(write(tmp_path, files))
    # the directories of `b` are both missing
    told = [Path(it.path).relative_to(tmp_path).parts[0] for it in wrong.value.problems]
    assert sorted(told) == ["a", "b", "b", "c"]


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ONE)
    monkeypatch.setattr(shelf, "MAX_FILES", 0)
    with pytest.raises(CaseError, match="it has more than"):
        read_cases(tmp_path)
    monkeypatch.setattr(shelf, "MAX_CASES", 0)
    with pytest.raises(UsageError, match="more than 0 cases"):
        read_cases(tmp_path)


def test_a_directory_without_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no case in"):
        read_cases(tmp_path)
