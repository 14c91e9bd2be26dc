"""Parts of a project and of a diff: nothing is lost, nothing is shown twice, sizes hold."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.asking.attachments import MAX_FILE_BYTES, attachment
from pytest_lok.core.asking.diff import read_diff
from pytest_lok.core.asking.parts import Part, coverage, group_files, split_diff
from tests.fuzz import examples

LINES = st.lists(st.text(alphabet="ab é𝄞@+-\\ ", max_size=12), max_size=30)
NAMES = st.text(alphabet="abc/. é", min_size=1, max_size=8).filter(lambda it: it.strip() == it)


def diff_of(name: str, before: list[str], after: list[str]) -> str:
    body = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in [f"diff --git a/{name} b/{name}", *body])


@given(st.lists(st.tuples(NAMES, st.integers(0, 300)), unique_by=lambda it: it[0]), st.integers(1, 500))
@settings(max_examples=examples(200))
def test_every_file_is_in_one_part_and_no_part_is_larger_than_it_may_be(
    sizes: list[tuple[str, int]], limit: int
) -> None:
    parts = group_files(sizes, limit)
    assert [name for part in parts for name in part.files] == [name for name, _ in sizes]
    known = dict(sizes)
    for part in parts:
        assert len(part.files) == 1 or sum(known[name] for name in part.files) <= limit


@given(st.dictionaries(NAMES, st.tuples(LINES, LINES), max_size=6), st.integers(60, 400))
@settings(max_examples=examples(150))
def test_every_changed_line_is_in_one_part_of_a_diff(
    files: dict[str, tuple[list[str], list[str]]], limit: int
) -> None:
    changed = {name: pair for name, pair in files.items() if pair[0] != pair[1]}
    diff = "".join(diff_of(name, *pair) for name, pair in changed.items())
    parts, binary = split_diff(read_diff(diff), limit)
    assert binary == []
    assert list(dict.fromkeys(name for part in parts for name in part.files)) == list(changed)

    def body(text: str) -> list[str]:
        return [
            line for line in text.split("\n") if line and not line.startswith(("diff --git ", "--- ", "+++ "))
        ]

    assert body("".join(part.text for part in parts)) == body(diff)
    assert all(part.text.startswith("diff --git ") for part in parts)


def test_a_file_is_cut_between_hunks_and_each_piece_has_its_header() -> None:
    hunks = "".join(f"@@ -{n} +{n} @@\n-old {n}\n+new {n}\n" for n in range(1, 40))
    header = "diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n"
    parts, _ = split_diff(read_diff(header + hunks), 300)
    assert len(parts) > 3
    assert all(part.text.startswith(header) for part in parts)
    assert all(part.files == ("x.py",) for part in parts)
    assert "".join(part.text.removeprefix(header) for part in parts) == hunks


def test_what_no_question_can_hold_has_no_text() -> None:
    huge = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+" + "é" * MAX_FILE_BYTES + "\n"
    small = "diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"
    parts, _ = split_diff(read_diff(huge + small))
    assert [(part.files, bool(part.unreadable), part.text == "") for part in parts] == [
        (("x",), True, True),
        (("y",), False, False),
    ]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("diff --git a/x y.py b/x y.py\n--- a/x y.py\t\n+++ b/x y.py\t\n@@ -1 +1 @@\n-a\n+b\n", "x y.py"),
        ("diff --git a/old.py b/new.py\nrename from old.py\nrename to new.py\n", "new.py"),
        ("diff --git a/gone b/gone\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "gone"),
        ('diff --git "a/caf\\303\\251" "b/caf\\303\\251"\nnew file mode 100644\n', "caf\\303\\251"),
    ],
)
def test_a_part_names_its_file_as_the_diff_does(header: str, name: str) -> None:
    parts, _ = split_diff(read_diff(header))
    assert [part.files for part in parts] == [(name,)]


def test_pictures_are_named_and_any_other_binary_file_is_not_taken_for_reviewed() -> None:
    binary = "diff --git a/{0} b/{0}\nindex 1..2\nBinary files a/{0} and b/{0} differ\n"
    raw = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b\0\n"
    for diff in (binary, raw):
        assert split_diff(read_diff(diff.format("l.PNG"))) == ([], ["l.PNG"])
        assert split_diff(read_diff(diff.format("run.sh"))) == (
            [Part(files=("run.sh",), unreadable="it is binary")],
            [],
        )
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+Binary files a and b differ\n"
    assert [part.text for part in split_diff(read_diff(text))[0]] == [text]


def test_coverage_counts_what_is_shown_and_what_is_not() -> None:
    parts = [Part(files=("a",)), Part(files=("b", "c"))]
    assert coverage(parts, []) == "3 of 3 files in 2 parts"
    assert coverage(parts[:1], [("x", "binary"), ("y", "empty"), ("z", "binary")]) == (
        "1 of 4 files in 1 part; 3 skipped: 2 binary, 1 empty"
    )
    hidden = Part(files=("d",), unreadable="it is binary")
    assert coverage([*parts, hidden], []) == "3 of 4 files in 2 parts; 1 cannot be shown"
    assert [part.name for part in parts] == ["a", "b … c (2 files)"]


@given(st.text(alphabet="`\n ab", max_size=40))
@settings(max_examples=examples(100))
def test_no_file_can_end_its_fence(text: str) -> None:
    shown = attachment("x", text)
    _, fence, *inside, end = shown.split("\n")
    assert set(fence) == {"`"}
    assert end == fence
    assert "\n".join(inside) in (text, text.removesuffix("\n"))
    assert not any(line.startswith(fence) for line in inside)
