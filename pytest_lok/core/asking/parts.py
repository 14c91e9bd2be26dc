"""Files or a diff -> parts of a bounded size, so that each can be put into one question.

A part ends where a file ends. One file that is larger than a part is a part of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from pytest_lok.core.asking.attachments import MAX_FILE_BYTES
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

T = TypeVar("T")

PART_BYTES = 60_000
"""About 15,000 tokens: small enough for every model, large enough to hold what belongs together."""

_FILE_HEADER = late_regex(r"^(?=diff --git )", re.MULTILINE)
_HUNK_HEADER = late_regex(r"^(?=@@ )", re.MULTILINE)
_NAME = late_regex(r'^(?:\+\+\+|---) (?:"?[ab]/)?(.+?)"?\t?$', re.MULTILINE)
_GIT_NAME = late_regex(r'^diff --git "?a/.*? "?b/(.+?)"?$', re.MULTILINE)
_BINARY = late_regex(r"^(?:Binary files .* differ|GIT binary patch)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some files that go into one question. ``text`` is their diff, "" for a part of whole files.

    ``too_large``: no question can hold the part, so it has no text and must not be taken for reviewed.
    """

    files: tuple[str, ...]
    text: str = ""
    too_large: bool = False

    @property
    def name(self) -> str:
        """The file, or the first and the last one and how many there are."""
        if len(self.files) == 1:
            return self.files[0]
        return f"{self.files[0]} … {self.files[-1]} ({len(self.files)} files)"


def group_files(sizes: Iterable[tuple[str, int]], limit: int = PART_BYTES) -> list[Part]:
    """Files with their sizes in bytes, in order, as parts of at most ``limit`` bytes."""
    return [Part(files=tuple(names)) for names in _packed(sizes, limit)]


def split_diff(diff: str, limit: int = PART_BYTES) -> tuple[list[Part], list[str]]:
    """A diff as git prints it -> its parts, and the binary files that it only names.

    A file whose diff is larger than ``limit`` bytes is cut between two hunks. A hunk that is larger still
    is a part of its own, up to ``MAX_FILE_BYTES``; a larger one is a part without a text.
    """
    pieces: list[tuple[str, str]] = []
    binary: list[str] = []
    for chunk in filter(str.strip, _FILE_HEADER.split(diff)):
        name = _file_of(chunk)
        if _BINARY.search(chunk) and not _HUNK_HEADER.search(chunk):
            binary.append(name)
        else:
            pieces += [(name, piece) for piece in _hunks(chunk, limit)]
    groups = _packed(((at, len(piece.encode())) for at, (_, piece) in enumerate(pieces)), limit)
    return [_part([pieces[at] for at in group]) for group in groups], binary


def _part(pieces: Sequence[tuple[str, str]]) -> Part:
    files = tuple(dict.fromkeys(name for name, _ in pieces))
    text = "".join(piece for _, piece in pieces)
    # several pieces together are never larger than the limit of a part
    too_large = len(pieces) == 1 and len(text.encode()) > MAX_FILE_BYTES
    return Part(files=files, text="" if too_large else text, too_large=too_large)


def coverage(shown: int, parts: Sequence[Part], skipped: Sequence[tuple[str, str]]) -> str:
    """One line: ``214 of 217 files in 12 parts; 3 skipped: 2 binary, 1 empty``."""
    total = shown + len(skipped)
    line = f"{shown:,} of {_counted(total, 'file')} in {_counted(len(parts), 'part')}"
    counts = Counter(why for _, why in skipped)
    whys = ", ".join(f"{number:,} {why}" for why, number in counts.items())
    return f"{line}; {len(skipped):,} skipped: {whys}" if skipped else line


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _packed(sizes: Iterable[tuple[T, int]], limit: int) -> Iterator[list[T]]:
    """Things with their sizes, in order, in groups that are as full as the limit lets them be."""
    group: list[T] = []
    filled = 0
    for thing, size in sizes:
        if group and filled + size > limit:
            yield group
            group, filled = [], 0
        group.append(thing)
        filled += size
    if group:
        yield group


def _hunks(chunk: str, limit: int) -> list[str]:
    """The diff of one file, cut between hunks where it is too large; each piece begins with its header."""
    if len(chunk.encode()) <= limit:
        return [chunk]
    header, *hunks = _HUNK_HEADER.split(chunk)
    if not hunks:
        return [chunk]
    room = max(limit - len(header.encode()), 1)
    return [
        header + "".join(group) for group in _packed(((hunk, len(hunk.encode())) for hunk in hunks), room)
    ]


def _file_of(chunk: str) -> str:
    """The name of the file after the change; that before it where it is removed."""
    names = [name for name in _NAME.findall(chunk.split("\n@@ ", 1)[0]) if name != "/dev/null"]
    if names:
        return str(names[-1])
    found = _GIT_NAME.search(chunk)
    return found[1] if found else "(unnamed)"
