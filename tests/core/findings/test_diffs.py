"""What leads from the bytes of a file to others, held against git itself in tests/workspace/test_git.py."""

from __future__ import annotations

import pytest

from pytest_lok.core.findings.diffs import LineChanges, changed_lines, lines_of


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def touched(changes: LineChanges) -> set[int]:
    return {line for line in range(1, 20) if changes.touches(line, line)}


@pytest.mark.parametrize(
    ("before", "after", "here", "gone"),
    [
        (lines(*"abc"), lines(*"abc"), set(), set()),
        (lines(*"abc"), lines(*"aXc"), {2}, {2}),
        (lines(*"abcd"), lines(*"aXYZd"), {2, 3, 4}, {2, 3}),
        (lines(*"abc"), lines(*"abXYc"), {3, 4}, set()),
        (lines(*"abcdef"), lines(*"abef"), {2, 3}, {3, 4}),  # what is removed touches both sides
        (lines(*"abc"), lines(*"c"), {1}, {1, 2}),
        (lines(*"abc"), lines(*"ab"), {2, 3}, {3}),
        (lines(*"ab"), b"a\nb", {2}, {2}),  # no line feed at the end
        (lines(*"abcd"), lines(*"XbYd"), {1, 3}, {1, 3}),
        (lines(*"ab"), b"a\r\nb\n", {1}, {1}),
        (lines(*"ab"), b"\xef\xbb\xbfa\nb\n", {1}, {1}),
        (None, lines(*"ab"), {1, 2}, set()),
        (None, b"", {1}, set()),
        (lines(*"ab"), None, {1}, {1, 2}),
        (b"\0\xff\n\0\n", b"\0\xfe\n\0\n", {1}, {1}),
        (lines(*"}}x}}"), lines(*"}}y}}"), {3}, {3}),
        (lines(*"ab"), lines(*"ba"), {1, 2}, {1}),
    ],
)
def test_the_lines_of_a_change(
    before: bytes | None, after: bytes | None, here: set[int], gone: set[int]
) -> None:
    changes = changed_lines(before, after)
    assert touched(changes) == here
    assert {line for line in range(1, 20) if changes.removes(line, line)} == gone
    assert bool(changes) is (before != after)


def test_where_looking_would_take_too_long_the_rest_counts_as_changed() -> None:
    before, after = lines(*"aXbxxbYa"), lines(*"aZbxxbWa")
    assert touched(changed_lines(before, after)) == {2, 7}
    assert touched(changed_lines(before, after, effort=1)) == {2, 3, 4, 5, 6, 7}


def test_a_large_file_takes_no_time() -> None:
    before = [f"line {number}" for number in range(100_000)]
    after = [f"{line} changed" if number % 50 == 0 else line for number, line in enumerate(before)]
    changes = changed_lines(lines(*before), lines(*after))
    assert changes.added == tuple((number + 1, number + 1) for number in range(0, 100_000, 50))


def test_lines_that_all_look_alike_take_no_time() -> None:
    changes = changed_lines(lines(*"ab" * 40_000), lines(*"ba" * 20_000, "c", *"ab" * 20_000))
    assert changes.touches(40_001, 40_001)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_lines_of_wide_characters_end_where_characters_do(codec: str) -> None:
    text = "\ufeffone\n\u0a00\u0a0a\u0d0a two\nthree"
    assert [line.decode(codec) for line in lines_of(text.encode(codec))] == text.splitlines(keepends=True)


@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n", b"a\nb", b"\n\na\r\n\rb\n"])
def test_nothing_is_lost_in_lines(content: bytes) -> None:
    found = lines_of(content)
    assert b"".join(found) == content
    assert all(line.count(b"\n") == line.endswith(b"\n") for line in found)
