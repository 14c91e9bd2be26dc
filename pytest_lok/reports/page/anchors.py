"""Runs and steps -> the names by which a link to this page leads to them, the same in every run."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.late_regex import late_regex

_UNSAFE = late_regex(r"[^A-Za-z0-9_-]+")
_LONGEST = 60


class Anchors:
    """The names of one page. Where two would be the same, the later one gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, *parts: str) -> str:
        """A name for this, of the letters that mean nothing in a link."""
        name = ".".join(_UNSAFE.sub("-", part)[:_LONGEST] or "-" for part in parts)
        free, number = name, 2
        while free in self._taken:
            free, number = f"{name}~{number}", number + 1
        self._taken.add(free)
        return free

    def of_steps(self, run: str, steps: Sequence[str]) -> dict[str, str]:
        """A name for each step of a run."""
        return {step: self.new(run, step) for step in steps}
