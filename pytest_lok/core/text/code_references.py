"""Prose of an issue or a question -> the places of code it names, and the words to look for."""

from __future__ import annotations

import re
from collections.abc import Collection

from pytest_lok.late_regex import late_regex

_PLACE = late_regex(r"(?<![\w/.-])([\w.-]+(?:/[\w.-]+)*\.\w{1,8})(?::|#L| line )(\d{1,7})\b")
_WORD = late_regex(r"[A-Za-z_][A-Za-z0-9_]{3,}")
_COMMON = frozenset({
    *("about", "after", "again", "also", "because", "been", "before", "being", "between", "both", "cannot"),
    *("could", "does", "doing", "done", "each", "error", "else", "every", "file", "files", "from", "have"),
    *("here", "instead", "into", "issue", "just", "like", "line", "made", "make", "many", "more", "most"),
    *("much", "need", "never", "only", "other", "over", "please", "same", "should", "some", "such", "than"),
    *("that", "their", "them", "then", "there", "these", "they", "this", "those", "through", "true", "under"),
    *("until", "using", "very", "want", "what", "when", "where", "which", "while", "will", "with", "without"),
    *("work", "works", "would", "wrong", "your"),
})  # fmt: skip


def code_places(text: str, files: Collection[str]) -> list[tuple[str, int]]:
    """The ``path:line`` pairs of the text whose path is one of these files, each once, in order.

    Only files of the project are taken, so that no text can make lok show another one.
    """
    found = ((path, int(line)) for path, line in _PLACE.findall(text))
    return list(dict.fromkeys((path, line) for path, line in found if path in files and line > 0))


def search_words(text: str, most: int = 5) -> list[str]:
    """The words of a text that are worth looking for in code: identifiers first, then the longest."""
    words = list(dict.fromkeys(word for word in _WORD.findall(text) if word.casefold() not in _COMMON))
    names = [word for word in words if "_" in word or re.search(r"[a-z][A-Z]", word)]
    others = sorted((word for word in words if word not in names), key=len, reverse=True)
    return [*names, *others][:most]


def excerpt(text: str, line: int, around: int = 15) -> str:
    """The lines around one of a file, numbered; "" if the file has no such line."""
    lines = text.splitlines()
    if line > len(lines):
        return ""
    first = max(line - around, 1)
    shown = lines[first - 1 : line + around]
    return "\n".join(f"{number:>5}  {said}" for number, said in enumerate(shown, first))
