"""The bytes of a file before and after a change -> the lines that the change touches.

Only bytes count: whatever a repository's attributes, filters or configuration call unchanged, a line is
the old one where it is paired with an equal line of the old file, in order, and changed everywhere else.
Any such pairing is a sound one, so where looking for a longer one takes too long the rest counts as changed.
"""

from __future__ import annotations

import bisect
import codecs
from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_lok.dataclass import dataclass

Span = tuple[int, int]
"""First and last line, from 1, both part of it."""

MAX_EFFORT = 2_000_000
"""Steps that are spent on one file."""

# the longer mark first: the one of UTF-32 begins like the one of UTF-16
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Lines of the old file that are there no more, and the lines of the new one in or around their place."""

    first: int
    last: int
    place: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChanges:
    """What a change does to one file: spans of lines of the new one that it adds, and what it removes."""

    added: tuple[Span, ...] = ()
    removed: tuple[Removed, ...] = ()

    def __bool__(self) -> bool:
        """Whether the change touches any line."""
        return bool(self.added or self.removed)

    def touches(self, line: int, end_line: int) -> bool:
        """Whether one of these lines of the new file is added, or stands beside what is removed."""
        spans = (*self.added, *(gone.place for gone in self.removed))
        return any(first <= end_line and line <= last for first, last in spans)

    def removes(self, line: int, end_line: int) -> bool:
        """Whether one of these lines of the old file is there no more."""
        return any(gone.first <= end_line and line <= gone.last for gone in self.removed)


def changed_lines(before: bytes | None, after: bytes | None, *, effort: int = MAX_EFFORT) -> LineChanges:
    """The lines in which the two differ; None = there is no such file."""
    if before == after:
        return LineChanges()
    old, new = lines_of(before or b""), lines_of(after or b"")
    added, removed = list[Span](), list[Removed]()
    # a file without a line is new all the same, so its first line counts as added
    if before is None and not new:
        added.append((1, 1))
    i = j = 0
    for at, to, length in (*_Pairing(old, new, effort).blocks(), (len(old), len(new), 0)):
        if j < to:
            added.append((j + 1, to))
        if i < at:
            # with nothing in its place, the lines on both sides of the gap stand for it
            place = (j + 1, to) if j < to else (max(j, 1), j + 1)
            removed.append(Removed(first=i + 1, last=at, place=place))
        i, j = at + length, to + length
    return LineChanges(added=tuple(added), removed=tuple(removed))


def lines_of(content: bytes) -> list[bytes]:
    """The lines of a file, each with its line feed; a mark at its beginning tells how wide characters are."""
    codec = next((codec for mark, codec in _WIDE_MARKS if content.startswith(mark)), "")
    if not codec:
        lines = content.split(b"\n")
        return [*(line + b"\n" for line in lines[:-1]), *filter(None, lines[-1:])]
    feed = "\n".encode(codec)
    lines, begin, at = list[bytes](), 0, content.find(feed)
    while at >= 0:
        # between two characters the bytes of a line feed may meet by chance
        if at % len(feed):
            at = content.find(feed, at + 1)
            continue
        lines.append(content[begin : at + len(feed)])
        begin = at + len(feed)
        at = content.find(feed, begin)
    return [*lines, *filter(None, [content[begin:]])]


_Block = tuple[int, int, int]
"""So many lines of the old file, from one place, are those of the new file, from another (from 0)."""


class _Pairing:
    """Which lines stay: first those that each side has once, then the shortest way between them.

    ``effort`` is what may still be spent; where nothing is left, lines are left without a partner.
    """

    def __init__(self, old: Sequence[bytes], new: Sequence[bytes], effort: int) -> None:
        numbers: dict[bytes, int] = {}
        self._old = [numbers.setdefault(line, len(numbers)) for line in old]
        self._new = [numbers.setdefault(line, len(numbers)) for line in new]
        self._left = effort

    def blocks(self) -> list[_Block]:
        """In order, without a line twice."""
        found, todo = list[_Block](), [(0, len(self._old), 0, len(self._new))]
        while todo:
            i, i_end, j, j_end = todo.pop()
            i, j, i_end, j_end = self._trim_equal_ends(found, i, i_end, j, j_end)
            if i == i_end or j == j_end or self._left <= 0:
                continue
            if pairs := self._unique_pairs(i, i_end, j, j_end):
                for a, b in pairs:
                    found.append((a, b, 1))
                    todo.append((i, a, j, b))
                    i, j = a + 1, b + 1
                todo.append((i, i_end, j, j_end))
            else:
                found += self._shortest_edit(i, i_end, j, j_end)
        return sorted(found)

    def _trim_equal_ends(
        self, found: list[_Block], i: int, i_end: int, j: int, j_end: int
    ) -> tuple[int, int, int, int]:
        """A gap without its equal beginning and end, which are added to ``found``."""
        old, new, begin, end = self._old, self._new, 0, 0
        most = min(i_end - i, j_end - j)
        while begin < most and old[i + begin] == new[j + begin]:
            begin += 1
        while end < most - begin and old[i_end - end - 1] == new[j_end - end - 1]:
            end += 1
        found += [(i, j, begin)] * (begin > 0)
        found += [(i_end - end, j_end - end, end)] * (end > 0)
        return i + begin, j + begin, i_end - end, j_end - end

    def _unique_pairs(self, i: int, i_end: int, j: int, j_end: int) -> list[tuple[int, int]]:
        """The longest run, in order on both sides, of lines that each side of a gap has once."""
        self._left -= i_end - i + j_end - j
        olds, news = Counter(self._old[i:i_end]), Counter(self._new[j:j_end])
        places = {self._new[b]: b for b in range(j, j_end) if news[self._new[b]] == 1}
        # patience sorting: `tops` are the lowest ends of runs by length, `chain` leads back from each
        tops, chain = list[int](), dict[int, tuple[int, int, int]]()
        for a in range(i, i_end):
            line = self._old[a]
            if olds[line] == 1 and line in places:
                b = places[line]
                at = bisect.bisect_left(tops, b)
                tops[at : at + 1] = [b]
                chain[b] = (a, b, tops[at - 1] if at else -1)
        found, b = list[tuple[int, int]](), tops[-1] if tops else -1
        while b >= 0:
            a, here, b = chain[b]
            found.append((a, here))
        return found[::-1]

    def _shortest_edit(self, i: int, i_end: int, j: int, j_end: int) -> Iterator[_Block]:
        """The fewest lines that change in a gap (Myers 1986); none stays where that is too far to go."""
        old, new = self._old[i:i_end], self._new[j:j_end]
        furthest, history = {1: 0}, list[dict[int, int]]()
        for distance in range(len(old) + len(new) + 1):
            history.append(dict(furthest))
            for k in range(-distance, distance + 1, 2):
                down = k == -distance or (k != distance and furthest[k - 1] < furthest[k + 1])
                x = furthest[k + 1] if down else furthest[k - 1] + 1
                start = x
                while x < len(old) and 0 <= x - k < len(new) and old[x] == new[x - k]:
                    x += 1
                furthest[k] = x
                self._left -= 1 + x - start
                if x >= len(old) and x - k >= len(new):
                    return _equal_runs(history, k, x, i, j)
            self._left -= len(furthest)
            if self._left <= 0:
                return iter(())
        raise AssertionError("the last distance reaches the end")


def _equal_runs(history: Sequence[dict[int, int]], k: int, x: int, i: int, j: int) -> Iterator[_Block]:
    """The equal runs of the way that ends at ``x`` on diagonal ``k``, moved to where the gap stands."""
    for distance in range(len(history) - 1, -1, -1):
        before = history[distance]
        down = k == -distance or (k != distance and before[k - 1] < before[k + 1])
        came = k + 1 if down else k - 1
        start = before[came] + (not down) if distance else 0
        if x > start:
            yield i + start, j + start - k, x - start
        k, x = came, before[came]
