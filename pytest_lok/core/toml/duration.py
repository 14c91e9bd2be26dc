"""``"90s"``, ``"5m"``, ``"1h30m"`` -> seconds."""

from __future__ import annotations

import re

from pytest_lok.late_regex import late_regex

MAX_SECONDS = 365 * 24 * 3600.0
"""A limit beyond this many seconds is a slip of the unit."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = late_regex(r"(\d+(?:\.\d+)?)[ \t]*(ms|s|m|h)[ \t]*", re.ASCII)
_ALL = late_regex(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds (0 stays 0); ValueError says what is wrong with the text."""
    stripped = text.strip()
    if not _ALL.fullmatch(stripped):
        unit = " (the unit is missing)" if re.fullmatch(r"\d+(\.\d+)?", stripped) else ""
        raise ValueError(f"{text!r} is not a duration{unit}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(stripped))
