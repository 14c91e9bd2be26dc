"""Tables written as text: sets of words, and rows of them, easier to read and to sort without quotes."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.late_regex import late_regex

_NEXT_ROW = late_regex(r"\n(?=\S)")
_NEXT_COLUMN = late_regex(r"(?<!\S)\|(?!\S)")


def words(*texts: str) -> frozenset[str]:
    """Every word of the texts; words are parted by white space."""
    return frozenset(word for text in texts for word in text.split())


def rows(table: str, columns: int) -> Iterator[list[list[str]]]:
    """The rows of a table, each with the words of its columns, the last of which may be left out.

    A ``|`` that stands alone parts columns. A line that is indented goes on with the row above.
    """
    for row in _NEXT_ROW.split(table.strip()):
        cells = [column.split() for column in _NEXT_COLUMN.split(row)]
        yield cells + [[]] * (columns - len(cells))
