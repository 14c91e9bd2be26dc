"""Words in a text -> the set of them: a table of names is easier to read and to sort without quotes."""

from __future__ import annotations


def words(*texts: str) -> frozenset[str]:
    """Every word of the texts; words are parted by white space."""
    return frozenset(word for text in texts for word in text.split())
