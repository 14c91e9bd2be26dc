"""Words in a text, as a set."""

from __future__ import annotations

from pytest_lok.core.text.words import words


def test_the_words_of_all_texts_are_one_set() -> None:
    assert words() == words("", " \n") == frozenset()
    assert words("a  b\n c", "b d") == frozenset("abcd")
