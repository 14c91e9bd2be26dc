"""Files or a diff -> parts of a bounded size, so that each can be put into one question.

A part ends where a file ends. One file that is larger than a part is a part of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from pytest_lok.core.asking.attachments import MAX_FILE_BYTES
from pytest_lok.core.asking.diff import FileDiff
from pytest_lok.dataclass import dataclass

T = TypeVar("T")

PART_BYTES = 60_000
"""About 15,000 tokens: small enough for every model, large enough to hold what belongs together."""

_MEDIA = frozenset({
    *("avif", "bmp", "eot", "flac", "gif", "heic", "ico", "jpeg", "jpg", "mov", "mp3", "mp4", "ogg", "otf"),
    *("pdf", "png", "tif", "tiff", "ttf", "wav", "webm", "webp", "woff", "woff2"),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some files that go into one question. ``text`` is their diff, "" for a part of whole files.

    ``unreadable`` says why no question can hold the part: it must not be taken for reviewed.
    """

    files: tuple[str, ...]
    text: str = ""
    unreadable: str = ""

    @property
    def name(self) -> str:
        """The file, or the first and the last one and how many there are."""
        if len(self.files) == 1:
            return self.files[0]
        return f"{self.files[0]} … {self.files[-1]} ({len(self.files)} files)"


def is_media(name: str) -> bool:
    """Whether the ending of a name is that of pictures, fonts, sound, film or PDF, which nobody runs."""
    return name.rpartition(".")[2].casefold() in _MEDIA


def group_files(sizes: Iterable[tuple[str, int]], limit: int = PART_BYTES) -> list[Part]:
    """Files with their sizes in bytes, in order, as parts of at most ``limit`` bytes."""
    return [Part(files=tuple(names)) for names in _packed(sizes, limit)]


def split_diff(files: Iterable[FileDiff], limit: int = PART_BYTES) -> tuple[list[Part], list[str]]:
    """The files of a diff -> its parts, and the media files, of which nothing is shown.

    A file whose diff is larger than ``limit`` bytes is cut between two hunks. What no question can hold is an
    unreadable part: a hunk of more than ``MAX_FILE_BYTES``, a submodule, and a binary file that is no picture
    or the like, because what cannot be read may be anything.
    """
    pieces: list[tuple[str, str]] = []
    media: list[str] = []
    hidden: list[Part] = []
    for file in files:
        if file.is_repository:
            hidden.append(Part(files=(file.name,), unreadable="it is a repository of its own"))
        elif file.is_binary and is_media(file.name):
            media.append(file.name)
        elif file.is_binary:
            hidden.append(Part(files=(file.name,), unreadable="it is binary"))
        else:
            pieces += [(file.name, piece) for piece in _pieces(file, limit)]
    groups = _packed(((at, len(piece.encode())) for at, (_, piece) in enumerate(pieces)), limit)
    return [*(_part([pieces[at] for at in group]) for group in groups), *hidden], media


def coverage(parts: Sequence[Part], skipped: Sequence[tuple[str, str]]) -> str:
    """One line: ``214 of 217 files in 12 parts; 2 skipped: 2 binary; 1 cannot be shown``."""
    hidden = {name for part in parts if part.unreadable for name in part.files}
    shown = {name for part in parts for name in part.files} - hidden
    readable = sum(not part.unreadable for part in parts)
    total = len(shown) + len(hidden) + len(skipped)
    line = f"{len(shown):,} of {_counted(total, 'file')} in {_counted(readable, 'part')}"
    counts = Counter(why for _, why in skipped)
    if skipped:
        whys = ", ".join(f"{number:,} {why}" for why, number in counts.items())
        line += f"; {len(skipped):,} skipped: {whys}"
    return f"{line}; {len(hidden):,} cannot be shown" if hidden else line


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _part(pieces: Sequence[tuple[str, str]]) -> Part:
    files = tuple(dict.fromkeys(name for name, _ in pieces))
    text = "".join(piece for _, piece in pieces)
    # several pieces together are never larger than the limit of a part
    if len(pieces) == 1 and (size := len(text.encode())) > MAX_FILE_BYTES:
        return Part(
            files=files, unreadable=f"it has {size:,} bytes in one piece; the limit is {MAX_FILE_BYTES:,}"
        )
    return Part(files=files, text=text)


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


def _pieces(file: FileDiff, limit: int) -> list[str]:
    """The diff of one file, cut between hunks where it is too large; each piece begins with its header."""
    if not file.hunks or len(file.text.encode()) <= limit:
        return [file.text]
    room = max(limit - len(file.header.encode()), 1)
    sizes = ((hunk, len(hunk.encode())) for hunk in file.hunks)
    return [file.header + "".join(group) for group in _packed(sizes, room)]
