"""Arguments by the options before them."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("frobnicate --exec {{ x }}", "the value of `--exec`"),
        ("frobnicate --exec={{ x }}", "the value of `--exec`"),
        ("frobnicate --name {{ x }}", ""),
        ("frobnicate --{{ x }}", "part of the name of an option"),
        ("frobnicate -- --exec {{ x }}", ""),
        ("frobnicate exec {{ x }}", "in the name of a command"),
        ("frobnicate eval {{ x }}", "argument of `eval`"),
        ("V=--exec; frobnicate $V {{ x }}", "the value of `--exec`"),
        ("curl -d {{ x }} https://h", "reads a file where it starts with @"),
        ("curl -d a={{ x }} https://h", ""),
        ("grep -e {{ x }} f", ""),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("grep {{ x }} f", [("-",)]),
        ("grep -- {{ x }}", []),
        ("grep a{{ x }}", []),
        ("gh issue create --title {{ x }}", []),
        ("vault write a {{ x }}", [("-", "@")]),
        ("f() { true; }; f {{ x }}", [("-",), ("-",)]),
    ],
)
def test_no_value_begins_a_word_as_an_option_does(text: str, starts: list[tuple[str, ...]]) -> None:
    assert [said for _, said in reviewed(text).forbidden_starts] == starts
