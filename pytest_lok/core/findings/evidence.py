"""A finding's quote + both versions of the files it may name -> every place where it really stands."""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_lok.core.findings.diffs import LineChanges, Span, changed_lines
from pytest_lok.core.findings.encodings import decode_readings
from pytest_lok.core.results import Finding
from pytest_lok.core.text.citation import Quote, Side, possible_quotes
from pytest_lok.core.text.invisible import rule_key, squeezed_words
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.findings.baseline import Baseline

MAX_PLACES = 2_000
"""Places of one quote that are looked at; of a quote with more of them none counts as harmless."""


class SqueezedText:
    """One reading of a file, without what nobody sees, so that this makes no difference."""

    def __init__(self, text: str) -> None:
        # lines that are not blank, their numbers, where they begin in `_squeezed`, and where words begin
        self._lines: list[str] = []
        self._numbers: list[int] = []
        self._starts: list[int] = []
        self._pieces: list[str] = []
        self._words = set[int]()
        at = 0
        for number, line in enumerate(text.split("\n"), 1):
            if words := squeezed_words(line):
                self._lines.append(line)
                self._numbers.append(number)
                self._starts.append(at)
                self._pieces.append("".join(words))
            for word in words:
                self._words.add(at)
                at += len(word)
        self._squeezed = "".join(self._pieces)

    def places(self, quote: Quote) -> tuple[set[Span], bool]:
        """First and last lines of all the places of a quote; False where there are too many to tell."""
        looked = [self._offsets(piece, lines=quote.lines and not n) for n, piece in enumerate(quote.pieces)]
        first, *more = (offsets for offsets, _ in looked)
        if not all([first, *more]):
            return set(), True
        found, last = set[Span](), quote.pieces[-1]
        for begin in first:
            at, end = begin, begin + len(quote.pieces[0])
            # of each further piece the next one after the last
            for piece, offsets in zip(quote.pieces[1:], more, strict=True):
                following = bisect.bisect_left(offsets, end)
                if following == len(offsets):
                    break
                at = offsets[following]
                end = at + len(piece)
            else:
                found.add(self._span(begin, at + len(last)))
        # a piece after an ellipsis may also be one further down: each place where it may stand counts
        if found and more:
            lowest = min(first)
            for piece, offsets in zip(quote.pieces, (first, *more), strict=True):
                if any(map(str.isalnum, piece)):
                    found |= {self._span(at, at + len(piece)) for at in offsets if at >= lowest}
        return found, all(complete for _, complete in looked)

    def words(self, span: Span) -> str:
        """The lines from a place's first to its last, white space made one blank each."""
        first = bisect.bisect_left(self._numbers, span[0])
        last = bisect.bisect_right(self._numbers, span[1])
        return " ".join(" ".join(line.split()) for line in self._lines[first:last])

    def copies(self, span: Span) -> int:
        """How often the lines of a place stand in the file."""
        first, last = bisect.bisect_left(self._numbers, span[0]), bisect.bisect_right(self._numbers, span[1])
        wanted = self._pieces[first:last]
        if len(wanted) == 1:
            return self._counted[wanted[0]]
        numbers = range(len(self._pieces) - len(wanted) + 1)
        return sum(
            self._pieces[n : n + len(wanted)] == wanted for n in numbers if self._pieces[n] == wanted[0]
        )

    @cached_property
    def _counted(self) -> Counter[str]:
        return Counter(self._pieces)

    def _offsets(self, piece: str, *, lines: bool) -> tuple[list[int], bool]:
        """Where a piece stands, inside of other words if nowhere else; False if there are more places."""
        found: list[int] = []
        at = self._squeezed.find(piece)
        while at >= 0 and len(found) < MAX_PLACES:
            n = self._index(at)
            if not lines or self._starts[n] == at:
                found.append(at)
            elif n + 1 < len(self._starts):
                at = self._starts[n + 1] - 1
            else:
                break
            at = self._squeezed.find(piece, at + 1)
        # `id` in `idle` is no place of `id`, unless there is no better one
        whole = [at for at in found if self._is_edge(at) and self._is_edge(at + len(piece))]
        return whole or found, len(found) < MAX_PLACES

    def _is_edge(self, at: int) -> bool:
        """Whether no word goes on there."""
        around = self._squeezed[at - 1 : at + 1] if at else ""
        return at in self._words or len(around) < 2 or not all(it.isalnum() or it == "_" for it in around)

    def _span(self, at: int, end: int) -> Span:
        return self._numbers[self._index(at)], self._numbers[self._index(end - 1)]

    def _index(self, offset: int) -> int:
        return bisect.bisect_right(self._starts, offset) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotePlace:
    """Where a quote stands: lines of a file as it is now, or of the base's where the change ``removed`` them.

    ``in_diff``, ``file_changed``: the change touches these lines, or the file; None = that is not known,
    and ``doubt`` says why. ``identity`` is of the lines, which stand there so many times (``copies``).
    """

    path: str
    line: int
    end_line: int
    identity: str
    copies: int = 1
    removed: bool = False
    in_diff: bool | None = None
    file_changed: bool | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteSearch:
    """Where a quote was seen. ``everywhere``: all was looked into; else ``doubt`` names what was not."""

    places: tuple[QuotePlace, ...] = ()
    everywhere: bool = True
    doubt: str = ""


# a class with caches, not a value: files are read once for all the findings in them
@dataclass(kw_only=True)
class EvidenceFile:
    """A file that findings may quote, now and at the base; None = it is not there.

    ``compared``: both sides are known. ``same``: the base is what is judged, so nothing is outside.
    ``unknown`` says why the sides cannot be compared, ``unreadable`` why the file cannot be looked into.
    """

    path: str
    after: bytes | None = None
    before: bytes | None = None
    compared: bool = False
    same: bool = False
    mode_changed: bool = False
    unknown: str = ""
    unreadable: str = ""
    _found: dict[str, QuoteSearch] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether there is anything to look into, or that cannot be looked into."""
        return self.after is not None or self.before is not None or bool(self.unknown or self.unreadable)

    def find_quote(self, finding: Finding) -> QuoteSearch:
        """Where the finding's quote stands in the file."""
        everywhere = not self.unreadable and all(whole for _, whole in self._texts.values())
        doubt = self.unreadable or ("" if everywhere else f"the encoding of {self.path} is not known")
        for group in possible_quotes(finding.evidence):
            found = dict.fromkeys(self._places(group, finding))
            if found:
                return QuoteSearch(places=tuple(found), everywhere=everywhere, doubt=doubt)
        return QuoteSearch(everywhere=everywhere, doubt=doubt)

    def _places(self, group: Sequence[Quote], finding: Finding) -> Iterator[QuotePlace]:
        for quote in group:
            here = list(self._places_on_side("after", replace(quote, side="both"), finding))
            if quote.side != "before":
                yield from here
            for place in self._places_on_side("before", quote, finding):
                if place.in_diff:
                    yield place
                # none of its lines is gone, but others stand between them now: the change did that
                elif not here:
                    yield replace(place, in_diff=True, doubt="")

    def _places_on_side(self, side: Side, quote: Quote, finding: Finding) -> Iterator[QuotePlace]:
        if quote.side not in (side, "both"):
            return
        for text in self._texts.get(side, ((), True))[0]:
            spans, complete = text.places(quote)
            for span in sorted(spans):
                yield self._place(text, side, span, finding)
            # one more place that nobody has looked at, so that the quote never counts as harmless
            if not complete:
                where, to = _lines_meant(None, finding)
                doubt = f"its quote is in too many places of {self.path}"
                yield QuotePlace(path=self.path, line=where, end_line=to, identity="", doubt=doubt)

    def _place(self, text: SqueezedText, side: Side, span: Span, finding: Finding) -> QuotePlace:
        in_diff, doubt = self._touched(side, span if side == "before" else _lines_meant(span, finding))
        return QuotePlace(
            path=self.path,
            line=span[0],
            end_line=span[1],
            identity=text.words(span),
            copies=text.copies(span),
            removed=side == "before",
            in_diff=in_diff,
            file_changed=self.file_changed,
            doubt=doubt,
        )

    @cached_property
    def _texts(self) -> Mapping[Side, tuple[list[SqueezedText], bool]]:
        found = dict[Side, tuple[list[SqueezedText], bool]]()
        sides: tuple[tuple[Side, bytes | None], ...] = (("after", self.after), ("before", self.before))
        for side, content in sides:
            # an unchanged file is read once
            if content is not None and not (side == "before" and self.before == self.after):
                texts, whole = decode_readings(content)
                found[side] = [SqueezedText(text) for text in texts], whole
        return found

    @cached_property
    def _changes(self) -> LineChanges:
        return changed_lines(self.before, self.after)

    @property
    def file_changed(self) -> bool | None:
        """Whether the change touches the file at all, None = not known."""
        if not self.compared:
            return None
        if self.mode_changed or self.before != self.after:
            return True
        # where the base itself is judged, every file equals it, which says nothing
        return None if self.same else False

    def stated_lines_touched(self, finding: Finding) -> bool | None:
        """Whether the change touches the lines a finding gives: no, only if the file is the base's."""
        if not self.compared:
            return None
        return True if self._changes.touches(*_lines_meant(None, finding)) else self.file_changed and None

    def _touched(self, side: Side, extent: Span) -> tuple[bool | None, str]:
        """Whether a change touches lines of a side, and why that is not known."""
        if not self.compared:
            return None, self.unknown
        touches = self._changes.touches if side == "after" else self._changes.removes
        if touches(*extent):
            return True, ""
        if self.same:
            return None, "the base is what is judged"
        if self.mode_changed:
            return None, f"the mode of {self.path} is changed"
        binary = any(0 in (content or b"") for content in (self.before, self.after))
        # the marks of wide characters, which hold zeros too
        wide = (self.after or self.before or b"").startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
        if binary and self.before != self.after and not wide:
            return None, f"{self.path} is a binary file, and changed"
        return False, ""


def _lines_meant(span: Span | None, finding: Finding) -> Span:
    """The lines a finding is about: those it quotes, and as many after them as it says.

    Where the quote is within the lines it gives, all of these; line 0 is all of the file.
    """
    if finding.line < 1:
        return 1, 1 << 40
    said = finding.line, max(finding.line, finding.end_line)
    if span is None:
        return said
    if said[0] <= span[0] and span[1] <= said[1]:
        return said
    return span[0], max(span[1], span[0] + said[1] - said[0])


# --- the finding there, and what identifies it


def at_place(finding: Finding, place: QuotePlace, is_accepted: bool | None, acceptance: str = "") -> Finding:
    """The finding at one of the places of its quote; ``acceptance`` is what the baseline says of it."""
    return replace(
        finding,
        path=place.path,
        line=place.line,
        end_line=place.end_line,
        evidence_found=True,
        removed=place.removed,
        copies=place.copies,
        in_diff=place.in_diff,
        file_changed=place.file_changed,
        known=is_accepted,
        acceptance=acceptance,
        doubt=place.doubt,
        fingerprint=fingerprint(rule_key(finding.rule_id), place.path, place.identity),
    )


def without_place(
    finding: Finding, path: str, sightings: Sequence[QuoteSearch], baseline: Baseline | None
) -> Finding:
    """The finding whose quote was seen nowhere: not there, or somewhere in what could not be looked into."""
    gaps = [sighting.doubt for sighting in sightings if not sighting.everywhere]
    digest = fingerprint(rule_key(finding.rule_id), path, " ".join(finding.evidence.split()), None)
    return replace(
        finding,
        path=path,
        line=max(finding.line, 1),
        end_line=max(finding.end_line, 1),
        evidence_found=None if gaps else False,
        known=None if baseline is None else digest in baseline.counts,
        acceptance=baseline.notes.get(digest, "") if baseline else "",
        doubt=next(
            filter(None, gaps), f"its quote is not in {path}" if sightings else f"there is no file {path}"
        ),
        fingerprint=digest,
    )


def fingerprint(rule: str, path: str, identity: str, copy: int | None = 0) -> str:
    """What identifies a finding: its rule, its file and the lines that hold the quote, wherever they stand.

    An earlier version counted the ``copy`` of the lines in the file and spelled rules as they were reported.
    """
    parts = ("lokFinding/v1", rule, path, identity if copy is None else f"{identity}\0{copy}")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_accepted(finding: Finding, place: QuotePlace, accepted: Mapping[str, int]) -> bool | None:
    """Whether the lines were accepted; None where one of their copies was, and nobody knows which.

    Where the file has more copies than were accepted, those that the change touches are new.
    """
    count = max(_accepted(rule, place, accepted) for rule in (rule_key(finding.rule_id), finding.rule_id))
    if count >= place.copies:
        return True
    return None if count and place.in_diff is not True else False


def acceptance_note(finding: Finding, place: QuotePlace, notes: Mapping[str, str]) -> str:
    """What the baseline's ``notes`` say of these lines; "" where it has no entry about them."""
    if not notes:
        return ""
    rules = (rule_key(finding.rule_id), finding.rule_id)
    prints = (digest for rule in rules for digest in _fingerprints(rule, place))
    return next((notes[digest] for digest in prints if digest in notes), "")


def _accepted(rule: str, place: QuotePlace, accepted: Mapping[str, int]) -> int:
    """How many copies: a number, or an entry of an earlier version for each."""
    counts = [accepted.get(digest, 0) for digest in _fingerprints(rule, place)]
    return max(counts[0], sum(map(bool, counts)))


def _fingerprints(rule: str, place: QuotePlace) -> Iterator[str]:
    for copy in range(min(place.copies + 10, MAX_PLACES)):
        yield fingerprint(rule, place.path, place.identity, copy)
