"""Long text -> the part of it that is shown, with a mark where something is missing."""

from __future__ import annotations


def truncate(text: str, limit: int = 200) -> str:
    """The beginning of a text, at most ``limit`` characters; the last one is "…" where text is missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(text: str, limit: int) -> str:
    """The text on one line, cut as ``truncate`` cuts."""
    return truncate(" ".join(text.split()), limit)


def leave_out_middle(text: str, *, head: int, tail: int, lines: int | None = None) -> str:
    """The first ``head`` and the last ``tail`` characters, and of them at most ``lines`` lines.

    A line between says how much is missing.
    """
    if (missing := len(text) - head - tail) > 0:
        text = f"{text[:head]}\n… {missing:,} characters left out …\n{text[-tail:]}"
    rows = text.split("\n")
    if lines is None or len(rows) <= lines:
        return text
    half = lines // 2
    return "\n".join([*rows[:half], f"… {len(rows) - 2 * half:,} lines left out …", *rows[-half:]])
