"""Text -> how many columns it takes on a terminal, and the text cut or padded to so many."""

from __future__ import annotations

import re
from collections.abc import Sequence


def columns_of(text: str) -> int:
    """How many columns the text takes; a character of Chinese, Japanese or Korean takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, columns: int) -> str:
    """The text on one line in at most so many columns; "…" stands where something is missing."""
    text = " ".join(text.split())
    if columns_of(text) <= columns:
        return text
    text = text[: columns - 1]
    while columns_of(text) >= columns:
        text = text[:-1]
    return f"{text}…"


def padded(text: str, columns: int) -> str:
    """The text with blanks behind it, so that it takes so many columns."""
    return text + " " * (columns - columns_of(text))


def folded(text: str, columns: int, *, indent: str = "    ") -> str:
    """A line of facts in lines of at most so many columns, broken between facts; the further ones indented.

    Facts stand between blanks in a row or between " · ". One that is longer than a line stays whole.
    """
    return "\n".join(_broken(text, columns, r" · |  +", indent))


def wrapped(text: str, columns: int) -> list[str]:
    """A line in lines of at most so many columns, broken between words; all are indented as it is.

    A word that is longer than a line stays whole.
    """
    return _broken(text, columns, " +", text[: len(text) - len(text.lstrip(" "))])


def _broken(text: str, columns: int, gap: str, indent: str) -> list[str]:
    lines, gaps = [], re.compile(gap)
    while columns_of(text) > columns:
        found = (it.start() for it in gaps.finditer(text, len(indent) + 1, columns + 3))
        fitting = [at for at in found if columns_of(text[:at]) <= columns]
        longer = None if fitting else gaps.search(text, max(len(indent) + 1, 1))
        if not fitting and longer is None:
            break
        at = fitting[-1] if fitting else longer.start()  # type: ignore[union-attr]  # one of the two is there
        lines.append(text[:at].rstrip())
        text = indent + text[at:].lstrip(" ·")
    return [*lines, text]


def aligned(rows: Sequence[Sequence[str]], *, width: int | None = None, whole: bool = False) -> list[str]:
    """A line per row, its cells in columns; the last cell is cut where the line would exceed ``width``.

    ``whole``: it is not cut, and goes on in its column in the next line.
    """
    if not rows:
        return []
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    room = None if width is None else max(20, width - sum(widths[:-1]) - 2 * (len(widths) - 1))
    lines = []
    for row in rows:
        heads = [padded(cell, columns) for cell, columns in zip(row[:-1], widths, strict=False)]
        last = [row[-1]] if room is None else wrapped(row[-1], room) if whole else [fit(row[-1], room)]
        for cell in last:
            lines.append("  ".join([*heads, cell]).rstrip())
            heads = [" " * columns_of(head) for head in heads]
    return lines
