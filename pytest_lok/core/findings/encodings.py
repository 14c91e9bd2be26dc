"""A file's bytes -> the texts they may be, and whether that is all of them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from pytest_lok.late_regex import late_regex

# the longer mark first: the one of UTF-32 begins like the one of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_HEAD = 2_000
"""Bytes in which a file may say how it is encoded."""
_DECLARED = late_regex(
    rb"(?:coding[:=][ \t]{0,9}|\bfenc=|<\?xml[^>]{0,200}?\sencoding\s{0,9}=\s{0,9}[\"']"
    rb"|<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?|@charset\s{1,9}\")([-\w.]{1,40})",
    re.IGNORECASE,
)
# codecs of texts, each of which reads any bytes in linear time
_KNOWN = late_regex(
    r"ascii|utf-(?:7|8|16|32)(?:-[bl]e|-sig)?|iso8859-\d+|cp\d+|koi8-[rtu]|kz1048|mac-\w+|ptcp154|tis-620"
    r"|hp-roman8|gbk?|gb2312|gb18030|hz|big5(?:hkscs)?|euc_\w+|shift_jis\w*|johab|iso2022_\w+"
)


def is_binary(content: bytes) -> bool:
    """Whether the bytes are no text: they hold NUL, and no mark at their beginning says why."""
    return 0 in content and not any(content.startswith(mark) for mark, _ in _MARKS)


def decode_readings(content: bytes) -> tuple[tuple[str, ...], bool]:
    """Every text that the bytes may be, with the same lines; False where they may be others too.

    A byte order mark decides. Else it is what the file declares, and UTF-8, for which others take it.
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            marked = content[len(mark) :]
            return (marked.decode(codec, "replace"),), _decode_strictly(marked, codec) is not None
    utf_8, declared = _decode_strictly(content, "utf-8"), list(_declared(content[:_HEAD]))
    found = [text for codec in declared if (text := _decode_strictly(content, codec)) is not None]
    whole = None not in declared and len(found) == len(declared) and (utf_8 is not None or bool(found))
    lines = content.count(b"\n")
    # a reading with other line breaks would give its lines other numbers
    texts = dict.fromkeys(text for text in found if text.count("\n") == lines)
    same_lines = len(texts) == len(set(found))
    known = whole and same_lines and 0 not in content
    return (*texts, utf_8 or content.decode("utf-8", "replace")), known


def _declared(head: bytes) -> Iterator[str | None]:
    """The codecs a file names for itself, where programs look for them; None for one that reads no texts."""
    first = b"\n".join(head.split(b"\n", 2)[:2])
    for found in _DECLARED.finditer(head):
        if not (found[0].lower().startswith((b"coding", b"fenc")) and found.end() > len(first)):
            yield _codec(found[1].decode("ascii", "replace"))


def _codec(name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return codec if _KNOWN.fullmatch(codec) else None


def _decode_strictly(content: bytes, codec: str | None) -> str | None:
    """The text, None where the bytes are none in that codec."""
    try:
        return None if codec is None else content.decode(codec)
    except (UnicodeError, LookupError):
        return None
