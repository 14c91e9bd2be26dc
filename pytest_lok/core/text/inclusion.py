"""A text and the texts that it includes → pieces, in which every place has a number of its own."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

MAX_DEPTH = 10
"""Texts that include each other, one within the other."""

MAX_INCLUSIONS = 100
"""Texts that one text includes, by itself and by those that it includes."""

MAX_CHARACTERS = 1_000_000
"""Characters of a text with all that it includes."""


MAX_INSTRUCTIONS = 100_000
"""Characters of the instructions of a step, all of them together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedText:
    """A text, the name that workflows give it, and the path of its file; both "" in a workflow's own file."""

    text: str
    name: str = ""
    path: str = ""


Fetch: TypeAlias = Callable[[str], NamedText]
"""The text of a name; UsageError where there is none."""


class ProjectTexts(Protocol):
    """Where texts of workflows come from that have files of their own; UsageError where there is none."""

    def prompt(self, name: str) -> NamedText:
        """The text of a prompt."""
        ...

    def instruction(self, path: str) -> NamedText:
        """The text of a file of the project that tells models how to work in it."""
        ...


def no_texts(name: str) -> NamedText:
    """The text of a name for a workflow that is of no project: there is none."""
    raise UsageError(f"there is no {name!r}", hint="this workflow is of no project, which could hold it")


class FetchedTexts:
    """Texts by their names, each fetched once, so that all who ask get the same. ``fetched`` has them."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._texts: dict[str, NamedText] = {}

    def __call__(self, name: str) -> NamedText:
        """The text of that name; UsageError where there is none."""
        if name not in self._texts:
            self._texts[name] = self._fetch(name)
        return self._texts[name]

    @property
    def fetched(self) -> list[NamedText]:
        """Those that somebody has asked for, by name."""
        return [self._texts[name] for name in sorted(self._texts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPiece:
    """A text where it is put in: its first character has the number ``start``."""

    named: NamedText
    start: int

    @property
    def end(self) -> int:
        """The number after its last character, which no other piece has."""
        return self.start + len(self.named.text)


class Inclusion:
    """A text on its way to be one with those that it includes. ``pieces`` are all of them, as they are met.

    The numbers of the text's own places are its offsets.
    """

    def __init__(self, text: NamedText, fetch: Fetch) -> None:
        self._fetch = fetch
        self._open = [text.name]
        self._tags: list[tuple[int, int, TextPiece]] = []
        self.pieces = [TextPiece(named=text, start=0)]

    @contextmanager
    def entered(self, name: str, start: int, end: int) -> Iterator[TextPiece]:
        """The text of that name, put in for the tag from ``start`` to ``end``; what it includes follows.

        UsageError where there is no such text, or where it would go round in a circle, too deep or too far.
        """
        if name in self._open:
            chain = " -> ".join(filter(None, [*self._open[self._open.index(name) :], name]))
            raise UsageError(f"texts include each other: {chain}", hint="remove one `include`")
        if len(self._open) > MAX_DEPTH:
            raise UsageError(f"texts include each other more than {MAX_DEPTH} deep", hint="join some of them")
        if len(self.pieces) > MAX_INCLUSIONS:
            raise UsageError(f"more than {MAX_INCLUSIONS} texts are included", hint="join some of them")
        named, begin = self._fetch(name), self.pieces[-1].end + 1
        piece = TextPiece(named=named, start=begin)
        if piece.end > MAX_CHARACTERS:
            raise UsageError(
                f"with what it includes the text has more than {MAX_CHARACTERS:,} characters",
                hint="`attach` gives files to a question, one by one",
            )
        self.pieces.append(piece)
        self._tags.append((start, end, piece))
        self._open.append(name)
        yield piece
        self._open.pop()

    def piece_at(self, place: int) -> TextPiece:
        """The piece that the place is in."""
        return self.pieces[bisect.bisect_right(self.pieces, place, key=lambda piece: piece.start) - 1]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of what is included, each once."""
        return tuple(dict.fromkeys(piece.named.path for piece in self.pieces[1:]))

    def expanded(self) -> str:
        """The text as it is written, with the included ones in the places of their tags."""
        return self._expanded(self.pieces[0])

    def _expanded(self, piece: TextPiece) -> str:
        parts, at = list[str](), piece.start
        for start, end, inner in self._tags:
            if piece.start <= start < piece.end:
                parts += [piece.named.text[at - piece.start : start - piece.start], self._expanded(inner)]
                at = end
        return "".join([*parts, piece.named.text[at - piece.start :]])
