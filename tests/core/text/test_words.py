"""Tables written as text."""

from __future__ import annotations

from pytest_lok.core.text.words import rows, words


def test_the_words_of_all_texts_are_one_set() -> None:
    assert words() == words("", " \n") == frozenset()
    assert words("a  b\n c", "b d") == frozenset("abcd")


def test_a_row_goes_on_where_a_line_is_indented() -> None:
    table = """
a b | x|y | --one
    --two
c | | |
d
"""
    assert list(rows(table, 3)) == [
        [["a", "b"], ["x|y"], ["--one", "--two"]],
        [["c"], [], [], []],
        [["d"], [], []],
    ]
