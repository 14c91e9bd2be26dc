"""How much of each text a page of bounded size shows."""

from __future__ import annotations

from markupsafe import Markup

from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.reports.drawing.markup import element, joined, neutral

LONGEST_TEXT = 16_384
"""Characters of one text that are shown at most; of more, its start and its end."""
_SHORTEST_TEXT = 240
_RED = 6
"""So many times as much is shown of what was not passed."""


class PageSpace:
    """The bytes of a page that texts and rows may take, shared among the texts that there are."""

    def __init__(self, total: int, texts: int) -> None:
        self._left = total
        self._share = total // max(texts, 1)
        self.skipped = 0

    def take(self, size: int) -> bool:
        """Whether a row of so many bytes may still be shown; if so, its place is taken."""
        if self._left < size:
            self.skipped += 1
            return False
        self._left -= size
        return True

    def shown(self, text: str, *, red: bool = False, most: int = LONGEST_TEXT) -> Markup:
        """As much of the text as there is place for, and how much of it is left out."""
        share = self._share * (_RED if red else 1)
        allowed = min(most, max(share, _SHORTEST_TEXT), max(self._left, 0))
        if allowed < min(len(text), _SHORTEST_TEXT):
            self.skipped += 1
            return element("em", f"{len(text):,} characters are not shown: the page is full")
        said = _within(text, allowed)
        self._left -= len(said.encode())
        return said


def _within(text: str, allowed: int) -> Markup:
    """The text in about so many bytes; a character may take ten of them when it is spelled out."""
    room = allowed
    while True:
        kept = leave_out_middle(text.strip("\n"), head=room * 2 // 3, tail=room // 3)
        said = neutral(kept)
        size = len(said.encode())
        if size <= allowed + 200 or room <= _SHORTEST_TEXT // 10:
            return joined(said)
        room = min(room - 1, room * allowed // size)
