"""What a diff touches, held against git itself in tests/workspace/test_git.py."""

from __future__ import annotations

import pytest

from pytest_lok.core.diffs import changed_lines


def diff(*hunks: str, path: str = "a.py") -> str:
    return "\n".join(
        [f"diff --git a/{path} b/{path}", "index 1..2 100644", f"--- a/{path}", f"+++ b/{path}", *hunks, ""]
    )


@pytest.mark.parametrize(
    ("hunk", "touched"),
    [
        ("@@ -2 +2 @@\n-old\n+new", {2}),
        ("@@ -2,2 +2,3 @@ def f():\n-a\n-b\n+c\n+d\n+e", {2, 3, 4}),
        ("@@ -5,0 +6,2 @@\n+a\n+b", {6, 7}),
        ("@@ -5,2 +4,0 @@\n-a\n-b", {4, 5}),  # what is removed touches both sides
        ("@@ -1,2 +0,0 @@\n-a\n-b", {1}),
        ("@@ -2 +2 @@\n-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file", {2}),
        ("@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n-d\n e\n+f", {2, 3, 4, 5}),  # with context
        ("@@ -1 +1 @@\n--- a/other\n+++ b/other", {1}),  # lines that look like a header
        ("@@ -1,0 +2,2 @@\n+@@ -9 +9 @@\n+x", {2, 3}),
        ("@@ -1 +1 @@\n-a\r\n+b\r", {1}),
    ],
)
def test_the_lines_of_a_hunk(hunk: str, touched: set[int]) -> None:
    changes = changed_lines(diff(hunk))
    assert {line for line in range(1, 20) if changes.touches("a.py", line, line)} == touched
    assert "a.py" in changes
    assert not changes.touches("b.py", 1, 99)


def test_files_and_hunks_are_kept_apart() -> None:
    text = diff("@@ -1 +1 @@\n-a\n+b", "@@ -8 +8 @@\n-a\n+b") + diff("@@ -3 +3 @@\n-a\n+b", path="dir/b.py")
    changes = changed_lines(text, ["new.py"])
    assert changes.spans == {"a.py": ((1, 1), (8, 8)), "dir/b.py": ((3, 3),)}
    assert changes.touches("a.py", 2, 9)
    assert not changes.touches("a.py", 2, 7)
    assert changes.touches("new.py", 70, 70)
    assert "new.py" in changes
    assert "other.py" not in changes


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("b/a b.py\t", "a b.py"),
        ('"b/tab\\there \\"q\\" \\\\ \\303\\244.py"', 'tab\there "q" \\ ä.py'),
        ("b/ä.py", "ä.py"),
        ("b/b/c.py", "b/c.py"),
    ],
)
def test_names_are_read_as_git_writes_them(written: str, path: str) -> None:
    assert changed_lines(f"--- a/x\n+++ {written}\n@@ -1 +1 @@\n-a\n+b\n").spans == {path: ((1, 1),)}


def test_a_removed_file_touches_nothing() -> None:
    assert changed_lines("--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n").spans == {}


@pytest.mark.parametrize(
    "hunk", ["@@ -1 +1,9 @@\n-a\n+b", "@@ -1 +1,2 @@\n-a\n[... cut ...]\n+b", "@@ -1 +1,2 @@\n-a\n\n+b"]
)
def test_half_a_diff_is_none(hunk: str) -> None:
    with pytest.raises(ValueError, match="hunk"):
        changed_lines(diff(hunk))
