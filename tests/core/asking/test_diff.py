"""Reading a diff by its own counts: what a file says is never taken for the diff's own words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.asking.diff import DiffError, FileDiff, read_diff
from tests.fuzz import examples

HOSTILE = st.sampled_from([
    "diff --git a/logo.png b/logo.png",
    "Binary files a/logo.png and b/logo.png differ",
    "GIT binary patch",
    "@@ -1 +1 @@",
    "--- a/x",
    "+++ b/x",
    "* Unmerged path x",
    "\r",
    "x\rdiff --git a/y b/y\rBinary files a/y and b/y differ\r",
    "\\ No newline at end of file",
    "",
    " ",
    "plain",
])  # fmt: skip
LINES = st.lists(HOSTILE, max_size=8)


def git_diff(tmp_path: Path, before: list[str], after: list[str], *, end: str) -> str:
    for name, lines in (("before", before), ("after", after)):
        (tmp_path / name).write_bytes("\n".join(lines).encode() + (end.encode() if lines else b""))
    words = ["git", "diff", "--no-index", "--text", "--no-color", "--", "before", "after"]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).stdout.decode()


@given(LINES, LINES, st.sampled_from(["", "\n"]))
@settings(max_examples=examples(60), deadline=None)
def test_each_file_of_git_is_one_file_with_all_of_its_lines(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], after: list[str], end: str
) -> None:
    diff = git_diff(tmp_path_factory.mktemp("d"), before, after, end=end)
    found = read_diff(diff)
    assert [file.name for file in found] == (["after"] if diff else [])
    assert "".join(file.text for file in found) == diff
    assert not any(file.is_binary for file in found)


DIFF = (
    "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n"
    "@@ -1,2 +1,3 @@ def f\n x\n-y\n+z\n+eval(x)\n\\ No newline at end of file\n"
    "@@ -9 +10 @@\n-a\n+b\n"
    "diff --git a/b.py b/b.py\nold mode 100644\nnew mode 100755\n"
)


def test_a_whole_diff_is_read_and_every_cut_in_a_hunk_is_seen() -> None:
    assert [(file.name, len(file.hunks)) for file in read_diff(DIFF)] == [("a.py", 2), ("b.py", 0)]
    lines = DIFF.split("\n")
    whole = {at for at in range(len(lines)) if _is_whole(lines[:at])}
    # behind a hunk, between hunks and files a cut cannot be seen: that is what the number of files is for
    assert set(range(3, 14)) & whole == {9, 10, 13}


def _is_whole(lines: list[str]) -> bool:
    try:
        read_diff("\n".join(lines))
    except DiffError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "hello world",
        "* Unmerged path b.py\n",
        "diff --cc b.py\nindex 1,2..3\n--- a/b.py\n+++ b/b.py\n@@@ -1,1 -1,1 +1,2 @@@\n++x\n",
        "diff --git a/a b/a\nwarning: something\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1,9 @@\n-a\n+b\n",
        "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n+c\n",
        "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ what @@\n",
        "diff --git nonsense\n",
    ],
)
def test_what_is_no_whole_diff_is_an_error(text: str) -> None:
    with pytest.raises(DiffError):
        read_diff(text)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("index 1..2\nBinary files a/x and b/x differ\n", (True, False)),
        ("index 1..2\nGIT binary patch\nliteral 3\nKcmZQ\n\n", (True, False)),
        (
            "index 1..2 160000\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n",
            (False, True),
        ),
        (
            "new file mode 160000\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+Subproject commit 1\n",
            (False, True),
        ),
        ("index 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\0\n", (True, False)),
    ],
)
def test_what_nobody_can_read_is_told(header: str, wanted: tuple[bool, bool]) -> None:
    (file,) = read_diff(f"diff --git a/x b/x\n{header}")
    assert isinstance(file, FileDiff)
    assert (file.name, (file.is_binary, file.is_repository)) == ("x", wanted)
