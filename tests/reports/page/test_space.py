"""The space of a page: what is shown of a text, what it takes, and that no token is cut in two."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.page.space import LONGEST_TEXT, PageSpace
from tests.reports.formats.runs import HOSTILE, LONG

TOKEN = "ghp_0123456789012345678901234567890123"
KEY = f"-----BEGIN PRIVATE KEY-----\n{'A' * 3_000}\n-----END PRIVATE KEY-----"


@given(st.text(max_size=200))
def test_a_short_text_is_shown_whole(text: str) -> None:
    said = html.unescape(PageSpace(100_000, 1).shown(text))
    if text.isascii() and text.isprintable() and "##" not in text and "::" not in text:
        assert said == text


@pytest.mark.parametrize("text", [LONG, HOSTILE * 1_000, "\x1b" * 100_000, "<" * 100_000, "é" * 100_000])
def test_a_long_text_takes_no_more_than_its_share(text: str) -> None:
    space = PageSpace(100_000, 10)
    said = space.shown(text)
    assert len(said.encode()) <= 10_000 + 200
    assert "characters left out" in said


def test_what_is_red_gets_more_and_no_text_more_than_the_most() -> None:
    assert len(PageSpace(100_000, 10).shown(LONG, red=True)) > 14_000
    assert len(PageSpace(10_000_000, 1).shown(LONG)) <= LONGEST_TEXT + 200


def test_a_full_page_shows_no_more_and_says_so() -> None:
    space = PageSpace(1_000, 1)
    for _ in range(8):
        space.shown(LONG)
    assert space.shown("a" * 500) == "<em>500 characters are not shown: the page is full</em>"
    assert not space.take(100)
    assert space.shown("") == ""


@given(st.integers(0, 5_000), st.sampled_from([TOKEN, KEY]))
def test_no_part_of_a_token_is_shown_where_a_text_is_cut(before: int, token: str) -> None:
    said = PageSpace(1_000, 1).shown("x " * (before // 2) + token + " y" * 1_000)
    assert token[10:25] not in said
    assert "AAAA" not in said
