"""A JSON object <-> its line in a record, with a checksum, so that no line is believed that was changed.

``{"crc":"9ae0daaf","line":"5f1c07a2.12",…}``: ``crc`` is the CRC-32 of all that follows it, in hexadecimal.
``line`` names the writer and counts its lines from 0, so that a line that is missing is noticed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from pytest_lok.errors import LokError
from pytest_lok.late_regex import late_regex

TORN = b" torn"
"""How the line ends in which a writer died; no line of JSON ends so."""
_HEAD = late_regex(rb'\{"crc":"([0-9a-f]{8})","line":"([0-9a-f]{8})\.([0-9]{1,15})",')
_CHECKED = len('{"crc":"00000000"')
"""Where in a line begins what its checksum is of."""


class UnusableRecordError(LokError):
    """A record is not to be believed: it was changed, is somebody else's, or a newer version wrote it."""


class FrameWriter:
    """One writer of a file; ``name`` are eight hexadecimal digits that no other writer of the file has."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def frame(self, document: str) -> bytes:
        """The line of a JSON object that is not empty, with its end."""
        line = f',"line":"{self._name}.{self._count}",{document[1:]}'.encode("utf-8", "replace")
        self._count += 1
        return b'{"crc":"%08x"%b\n' % (zlib.crc32(line), line)


class FrameReader:
    """Lines -> the JSON objects in them, as they were framed."""

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}

    def documents(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The documents of whole lines without their ends; UnusableRecordError at the first that is none.

        Lines in which a writer died are left out.
        """
        for line in lines:
            if line.endswith(TORN):
                continue
            yield self._checked(line)

    def last(self, tail: bytes) -> Iterator[bytes]:
        """The document of a last line without an end, if it is whole; a cut one is the end of its writer.

        UnusableRecordError where the end itself was changed.
        """
        if is_frame(tail):
            yield self._checked(tail)
        elif is_frame(tail[:-1]):  # another byte stands where the line break was
            raise UnusableRecordError("the end of its last line was changed")

    def _checked(self, line: bytes) -> bytes:
        head = _HEAD.match(line)
        if head is None:
            raise UnusableRecordError("a line of it is none that lok has written")
        if not is_frame(line):
            raise UnusableRecordError("a line of it was changed after it was written")
        writer, count = head[2], int(head[3])
        # several processes write to one file, and each counts its own lines
        if self._next.get(writer, 0) != count:
            raise UnusableRecordError("a line of it is missing, or stands there twice")
        self._next[writer] = count + 1
        return b"{" + line[head.end() :]


def is_frame(line: bytes) -> bool:
    """Whether a line without its end is whole and as it was written."""
    head = _HEAD.match(line)
    return head is not None and zlib.crc32(memoryview(line)[_CHECKED:]) == int(head[1], 16)
