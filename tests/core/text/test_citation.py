"""What may be quoted by a text as people and models write it."""

from __future__ import annotations

import pytest

from pytest_lok.core.text.citation import Quote, possible_quotes, quote_key, unnumbered


def quotes(text: str) -> tuple[set[Quote], set[Quote]]:
    exact, loose = possible_quotes(text)
    return set(exact), set(loose)


def test_the_text_as_it_is_comes_first() -> None:
    exact, loose = quotes("a = 1")
    assert exact == loose == {Quote(pieces=("a=1",))}


def test_a_piece_of_a_diff_has_two_sides() -> None:
    exact, _ = quotes("+ a\n- b\n  c")
    assert Quote(pieces=("ac",), side="after", lines=True) in exact
    assert Quote(pieces=("bc",), side="before", lines=True) in exact


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("12: a\n13: b", ("ab",)),
        ("```\nab\n```", ("ab",)),
        ("> a\n> b", ("ab",)),
        ("a\n...\nb", ("a", "b")),
        ("a\n# ... the rest\nb", ("a", "b")),
        ("&lt;ab&gt;", ("<ab>",)),
        ('\\"ab\\"', ('"ab"',)),
        ("`ab`", ("ab",)),
    ],
)
def test_what_stands_around_a_quote_may_be_no_part_of_it(text: str, pieces: tuple[str, ...]) -> None:
    assert pieces in {quote.pieces for quote in quotes(text)[1]}


def test_ways_to_cite_one_text_have_one_key() -> None:
    cited = ("a b", "`a  b`", "12: a b", "```\na b\n```", "+a b", "> a b")
    assert {quote_key(text) for text in cited} == {"a b"}
    assert unnumbered("1 a\n2 b") == "a\nb"
