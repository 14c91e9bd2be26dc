"""How much of each text a page of bounded size shows."""

from __future__ import annotations

from markupsafe import Markup

from pytest_lok.reports.drawing.markup import element, neutral
from pytest_lok.reports.untrusted import mask_tokens

LONGEST_TEXT = 16_384
"""Characters of one text that are shown at most; of more, its start and its end."""
_SHORTEST_TEXT = 240
_READ = 100_000  # characters at each end of a text that are looked at
_NOTE = 200  # bytes of the line that says how much is left out, and some more
_LEAST = 24
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
    text = text.strip("\n")
    # a token is masked before anything of it is cut off
    start, end = mask_tokens(text[:_READ]), mask_tokens(text[-_READ:])
    room = allowed
    while True:
        head, tail = room * 2 // 3, room // 3
        missing = len(text) - head - tail
        cut = f"{start[:head]}\n… {missing:,} characters left out …\n{end[-tail:]}"
        said = neutral(cut if missing > 0 else start)
        size = len(said.encode())
        if size <= allowed + _NOTE or room <= _LEAST:
            return said
        room = min(room - 1, room * allowed // size)
