"""Paths with ``*``, ``?`` and ``**`` → the files of a project that they mean."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from pytest_lok.late_regex import late_regex

MOST_FILES = 1000
"""Files that one pattern may mean."""

_ANY_DEPTH = "**"
_WILD = late_regex(r"[*?]")


def is_pattern(text: str) -> bool:
    """Whether a path is a pattern. Brackets are not: files are called ``[id].tsx``."""
    return _WILD.search(text) is not None


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be one; None if it can."""
    if any(_ANY_DEPTH in part and part != _ANY_DEPTH for part in pattern.split("/")):
        return "`**` stands for directories, between slashes: docs/**/*.md"
    return None


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that the pattern means, sorted.

    ``*`` and ``?`` stay in one part of a path, ``**`` is any number of directories, and at its end any file
    below. None of them stands for a part that begins with a dot.
    """
    wanted = pattern.removeprefix("./").split("/")
    if wanted[-1] == _ANY_DEPTH:
        wanted.append("*")
    return sorted({name for name in names if _matches(wanted, name.split("/"))})


def _matches(wanted: list[str], parts: list[str]) -> bool:
    # the places in the pattern where the parts so far may have led to
    places = _without_depth(wanted, {0})
    for part in parts:
        found = set()
        for at in places:
            if at < len(wanted) and _means(wanted[at], part):
                found.add(at if wanted[at] == _ANY_DEPTH else at + 1)
        places = _without_depth(wanted, found)
    return len(wanted) in places


def _without_depth(wanted: list[str], places: set[int]) -> set[int]:
    """The places, with those behind each ``**``, which may be no directory at all."""
    found = set(places)
    for at in range(len(wanted)):
        if at in found and wanted[at] == _ANY_DEPTH:
            found.add(at + 1)
    return found


def _means(wanted: str, part: str) -> bool:
    if part.startswith(".") and not wanted.startswith("."):
        return False
    return wanted == _ANY_DEPTH or fnmatch.fnmatchcase(part, wanted.replace("[", "[[]"))
