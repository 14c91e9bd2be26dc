"""The name of a file, and the pattern that a workflow has → whether the pattern means that file."""

from __future__ import annotations

from fnmatch import fnmatchcase

SUFFIXES = (".toml", ".csv", ".jsonl")
"""How the name of a file of cases ends, which says how it is read."""

MOST_CHARACTERS = 2_000_000
"""Characters of one file of cases."""


def is_named(name: str, pattern: str) -> bool:
    """Whether the pattern means the file; its last part may have ``*``, ``?`` and ``[``.

    A file whose name begins with a dot is meant by its whole name only.
    """
    folder, _, last = pattern.rpartition("/")
    its_folder, _, its_name = name.rpartition("/")
    if not set("*?[") & set(last):
        return name == pattern
    return its_folder == folder and not its_name.startswith(".") and fnmatchcase(its_name, last)
