"""What a line of an --each file lists: by an oracle that writes lines, and by a list of bad ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.repositories import read_repositories
from pytest_lok.errors import UsageError

COMMIT = "0123456789abcdef" * 2 + "01234567"
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
COMMITS = st.text("0123456789abcdef", min_size=40, max_size=40)
NOISE = st.sampled_from(["", "  ", "# a comment", "\t# https://x.example/y"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(PATHS | st.tuples(st.builds("https://h.example/{}".format, PATHS), COMMITS), unique=True),
    st.data(),
)
def test_lists_what_was_written_in_its_order_with_its_lines(
    items: list[str | tuple[str, str]], data: st.DataObject
) -> None:
    lines: list[str] = []
    expected: list[tuple[int, str, str, str]] = []
    for item in items:
        lines += data.draw(st.lists(NOISE, max_size=2))
        lines.append(item if isinstance(item, str) else "@".join(item))
        expected.append((len(lines), item, "", "") if isinstance(item, str) else (len(lines), "", *item))
    text = data.draw(st.sampled_from(["\n", "\r\n"])).join(lines)
    if not items:
        with pytest.raises(UsageError, match="no repository is listed"):
            read_repositories(text, "f")
        return
    found = read_repositories(text, "f")
    assert [(it.line, it.path, it.url, it.commit) for it in found] == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("https://h.example/a", "needs @COMMIT"),
        ("https://h.example/a@main", "needs @COMMIT"),
        (f"https://h.example/a@{COMMIT[:12]}", "needs @COMMIT"),
        (f"https://h.example/a@{COMMIT.upper()}", "needs @COMMIT"),
        (f"https://h.example/a?x=SECRET@{COMMIT}", "no plain URL"),
        (f"https://me:SECRET@h.example/a@{COMMIT}", "no plain URL"),
        (f"https://SECRET@h.example/a@{COMMIT}", "user or a token"),
        (f"ssh://-oProxyCommand=SECRET/a@{COMMIT}", "no plain URL"),
        (f"ssh://-oX@h.example/a@{COMMIT}", "no plain URL"),
        (f"--upload-pack=SECRET://h/a@{COMMIT}", "no plain URL"),
        (f"ftp://h.example/a@{COMMIT}", "is not fetched"),
        (f"file://h.example/a@{COMMIT}", "has no host"),
        (f"https:///a@{COMMIT}", "has no host"),
        ("ext::sh -c SECRET", "helper program"),
        (f"git@h.example:SECRET@{COMMIT}", "ssh://"),
        ("~/SECRET", "whole path"),
        ("a\x1b[2JSECRET", "unprintable"),
        ("a\x00SECRET", "unprintable"),
        ("good", "same repository as in line 1"),
    ],
)
def test_a_bad_line_is_named_by_its_place_and_never_repeated(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        read_repositories(f"good\n\n{line}\n", "repos.txt")
    assert "repos.txt:3: " in refused.value.message
    assert "SECRET" not in str(refused.value)


def test_two_spellings_of_one_commit_are_one_repository_and_two_commits_are_two() -> None:
    url = "https://h.example/a/b"
    with pytest.raises(UsageError, match="line 1"):
        read_repositories(f"{url}@{COMMIT}\nhttps://H.example/a//b.git@{COMMIT}", "f")
    assert len(read_repositories(f"{url}@{COMMIT}\n{url}@{COMMIT[::-1]}", "f")) == 2
