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
    lines = []
    while columns_of(text) > columns:
        gaps = (gap.start() for gap in re.finditer(r" · |  +", text))
        fitting = [at for at in gaps if len(indent) < at and columns_of(text[:at]) <= columns]
        if not fitting:
            break
        lines.append(text[: fitting[-1]])
        text = indent + text[fitting[-1] :].lstrip(" ·")
    return "\n".join([*lines, text])


def aligned(rows: Sequence[Sequence[str]], *, width: int | None = None) -> list[str]:
    """A line per row, its cells in columns; the last cell is cut where the line would exceed ``width``."""
    if not rows:
        return []
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    room = None if width is None else max(20, width - sum(widths[:-1]) - 2 * (len(widths) - 1))
    return [
        "  ".join(
            [
                *(padded(cell, columns) for cell, columns in zip(row[:-1], widths, strict=False)),
                row[-1] if room is None else fit(row[-1], room),
            ]
        ).rstrip()
        for row in rows
    ]
