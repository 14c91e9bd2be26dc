"""A name that is not known -> the known one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, spelled: str = "`{}`") -> str:
    """The question whether the nearest of the known names was meant, "" where none is near.

    ``spelled`` is how the name is written in a file or on the command line.
    """
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {spelled.format(near[0])}?" if near else ""
