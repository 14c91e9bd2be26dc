"""A quote as people, models and tools write it -> the texts of a file that it may mean.

A reading that leads nowhere costs nothing: what no reading finds is not known, never harmless.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal, TypeAlias

from pytest_lok.core.text.invisible import squeezed
from pytest_lok.core.text.path_spellings import readings, unquoted
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

Side: TypeAlias = Literal["after", "before", "both"]
"""Of which version of a file a text is quoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """``squeezed`` texts that follow each other in a file; ``lines``: the first begins a line."""

    pieces: tuple[str, ...]
    side: Side = "both"
    lines: bool = False


def possible_quotes(evidence: str) -> Iterator[tuple[Quote, ...]]:
    """What may be quoted, in groups: what is found of one makes the later ones needless.

    A mark of a diff or a number before whole lines may as well be a part of them, so those readings
    stand beside the text as it is.
    """
    yield tuple(dict.fromkeys(_without_marks(evidence, exact=True)))
    found = dict[Quote, None]()
    for text in readings(evidence, _QUOTE_STEPS):
        for quote in _without_marks(text, exact=False):
            found.setdefault(quote)
            found.setdefault(replace(quote, pieces=_split_at_ellipses(quote.pieces[0])))
    # NUL parts the pieces, and no quote that was read as text can hold it
    for text in readings(_without_omission_notes(evidence), _QUOTE_STEPS):
        for plain in (text, *_without_numbers(text)):
            pieces = [squeezed(piece) for piece in plain.split("\0")]
            found.setdefault(_quote(*pieces))
            found.setdefault(_quote(*(part for piece in pieces for part in _split_at_ellipses(piece))))
    yield tuple(quote for quote in found if quote.pieces)


@functools.lru_cache(maxsize=4096)
def quote_key(evidence: str) -> str:
    """What two ways to cite one text have in common: its words, without marks, fences and numbers around."""
    text = evidence
    for step in (_unfenced, _unquoted_lines, lambda it: unquoted(it.strip("\r\n"))):
        text = step(text)
    text = next(iter(_without_numbers(text, every=True)), text)
    rows = text.split("\n")
    # marks on some lines only are words of the quote
    if all(row[:1] in ("+", "-", "") for row in rows):
        text = "\n".join(row[1:] for row in rows)
    return " ".join(filter(None, map(squeezed, (text if squeezed(text) else evidence).split())))


def _quote(*pieces: str, side: Side = "both", lines: bool = False) -> Quote:
    return Quote(pieces=tuple(filter(None, pieces)), side=side, lines=lines)


def _without_marks(text: str, *, exact: bool) -> list[Quote]:
    """The text as it is, and without the marks before its lines; ``exact``: only where all have them."""
    found = [_quote(squeezed(text)), *_diff_sides(text, lines=exact)]
    for plain in _without_numbers(text, every=exact):
        found += [_quote(squeezed(plain), lines=exact), *_diff_sides(plain, lines=exact)]
    unmarked = "\n".join(row[1:] if row[:1] in _MARKS else row for row in text.split("\n"))
    # a diff of a listing has marks before its numbers
    if unmarked != text:
        found += [_quote(squeezed(plain), lines=exact) for plain in _without_numbers(unmarked, every=exact)]
    return [quote for quote in found if quote.pieces]


_MARKS = ("+", "-")
_DIFF_HEADER = late_regex(r"@@ .*|\\ No newline.*|diff --git .*|index [0-9a-f]+\.\..*|(?:---|\+\+\+) [ab/].*")


def _diff_sides(text: str, *, lines: bool) -> list[Quote]:
    """A piece of a diff as what it leads to, and as what it comes from."""
    rows = [row for row in text.split("\n") if row.strip() and not _DIFF_HEADER.fullmatch(row)]
    # a diff that is indented as a whole
    if not lines:
        rows = [row.lstrip() if row.lstrip()[:1] in _MARKS else row for row in rows]
    if not any(row[0] in _MARKS for row in rows):
        return []
    after = "".join(squeezed(row[row[0] == "+" :]) for row in rows if row[0] != "-")
    before = "".join(squeezed(row[row[0] == "-" :]) for row in rows if row[0] != "+")
    return [_quote(after, side="after", lines=lines), _quote(before, side="before", lines=lines)]


_NUMBER = late_regex(
    r"[ \t>*|\u2502\u2503]{0,12}+[+-]?[ \t]{0,12}+(?:[^\s:]{1,200}[:-])?"
    r"[\[(#L]{0,2}(\d{1,7})[\])]?(?::\d{1,5})?"
    r"(?:[.)=+-]|[ \t]{0,12}+[:|\u2502\u2503\u2192]|[ \t]|$)"
)


def _without_numbers(text: str, *, every: bool = False) -> list[str]:
    """The text without numbers before its lines, or nothing."""
    rows = [(row, _NUMBER.match(row)) for row in text.split("\n")]
    numbers = [int(found[1]) for row, found in rows if found and row.strip()]
    whole = all(found for row, found in rows if row.strip())
    # numbers that do not grow are a part of the text, such as a column of figures
    if not numbers or (every and not (whole and numbers == sorted(numbers))):
        return []
    return ["\n".join(row[found.end() :] if found else row for row, found in rows)]


def unnumbered(text: str) -> str:
    """The text without the numbers before its lines, wherever there are some."""
    return next(iter(_without_numbers(text)), text)


_ELLIPSIS = late_regex(
    r"(?:#|//|--|/\*|<!--|;|%)?[\[(<{]?(?:\.{3,}|\u2026|\[snip\]|\[truncated\])[\])>}]?(?:\*/|-->)?",
    re.IGNORECASE,
)


def _split_at_ellipses(text: str) -> tuple[str, ...]:
    """What stands before, between and after dots that stand for something else."""
    return tuple(filter(None, _ELLIPSIS.split(text)))


def _without_omission_notes(text: str) -> str:
    """The text with ``NUL`` for lines that only tell of what is left out, such as ``# ... the rest``."""
    rows = ("\0" if _is_omission_note(row) else row for row in text.split("\n"))
    return "\n".join(rows)


def _is_omission_note(row: str) -> bool:
    found = _ELLIPSIS.search(row)
    return found is not None and not row[: found.start()].strip(" \t#/*-<!;%+>[({|0123456789:\u2192")


_FENCE = late_regex("`{3,}|~{3,}")


def _unfenced(text: str) -> str:
    rows = text.strip().split("\n")
    fence = _FENCE.match(rows[0])
    return "\n".join(rows[1:-1]) if fence and rows[-1].strip() == fence[0] else text


def _unquoted_lines(text: str) -> str:
    """The text without the ``>`` of a quoted mail before its lines."""
    rows = text.split("\n")
    return (
        "\n".join(row.lstrip()[1:] for row in rows) if all(row.lstrip()[:1] == ">" for row in rows) else text
    )


_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\n", '\\"': '"', "\\'": "'", "\\`": "`", "\\\\": "\\"}
_ESCAPED = late_regex(r"\\[ntr\"'`\\]")


def _unescaped_text(text: str) -> str:
    """The text behind a string that was escaped once too often."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)


_QUOTE_STEPS: tuple[Callable[[str], str], ...] = (
    _unfenced,
    _unquoted_lines,
    lambda text: unquoted(text.strip()),
    lambda text: text.replace("`", ""),
    html.unescape,
    _unescaped_text,
)
