"""Files -> the text that follows a prompt: each file in a fence of its own, under its path."""

from __future__ import annotations

from pytest_lok.late_regex import late_regex

MAX_FILE_BYTES = 400_000
MAX_TOTAL_BYTES = 2_000_000

_BACKTICKS = late_regex(r"`{3,}")


def attachment(path: str, text: str) -> str:
    """One file under its path. The fence is longer than any in the file, so that no file can end it."""
    longest = max((len(found) for found in _BACKTICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"File {path}:\n{fence}\n{text if text.endswith(chr(10)) or not text else text + chr(10)}{fence}"
