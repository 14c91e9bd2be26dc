"""What a process prints -> text of bounded size, by pipe or by file."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import tempfile
import termios
from collections import deque
from typing import Protocol

KEEP = 4 * 1024 * 1024
"""Bytes kept of a stream's beginning, and again of its end."""

_CHUNK = 65536


class OutputSink(Protocol):
    """Where one of a child's streams goes.

    ``watched`` is a descriptor that tells when to ``read``, -1 = none (any more).
    """

    watched: int

    @property
    def theirs(self) -> int:
        """The descriptor the child writes to."""
        ...

    @property
    def printed(self) -> int:
        """How many bytes have come so far."""
        ...

    def started(self) -> None:
        """The child has its descriptor."""
        ...

    def read(self) -> int:
        """Take a chunk: its size, 0 at the end, -1 when there is nothing now."""
        ...

    def close(self) -> None:
        """Let go of every descriptor. Idempotent."""
        ...

    def so_far(self) -> str:
        """What has been printed until now, as ``text`` says."""
        ...

    @property
    def cut(self) -> bool:
        """Whether something was dropped; known when ``text`` is."""
        ...

    def text(self) -> str:
        """What was printed: bytes that are no text as U+FFFD, a line in place of what was dropped."""
        ...


class OutputPipe:
    """A pipe; of what comes through it the beginning and the end are kept."""

    def __init__(self) -> None:
        self.watched, self._theirs = os.pipe()
        os.set_blocking(self.watched, False)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._dropped = 0

    @property
    def theirs(self) -> int:
        """The end to write to."""
        return self._theirs

    @property
    def printed(self) -> int:
        """Those that were read."""
        return len(self._head) + self._dropped + self._tail_size

    def started(self) -> None:
        """Only the child writes."""
        os.close(self._theirs)
        self._theirs = -1

    def read(self) -> int:
        """At most 64 KiB, so that other work gets its turn."""
        try:
            data = os.read(self.watched, _CHUNK)
        except BlockingIOError:
            return -1
        self._keep(data)
        return len(data)

    def close(self) -> None:
        """Both ends."""
        for descriptor in (self.watched, self._theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self.watched = self._theirs = -1

    @property
    def cut(self) -> bool:
        """It did not keep all that came."""
        return self._dropped > 0

    def text(self) -> str:
        """What was kept."""
        return _decode(bytes(self._head), b"".join(self._tail), self._dropped)

    def so_far(self) -> str:
        """What was kept."""
        return self.text()

    def _keep(self, data: bytes) -> None:
        room = KEEP - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= KEEP:
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._dropped += gone


class OutputFile:
    """An unnamed file, read when the process has ended."""

    watched = -1

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._text = ""
        self._dropped = 0

    @property
    def theirs(self) -> int:
        """The file, at its beginning."""
        return self._file.fileno()

    @property
    def printed(self) -> int:
        """The file's size."""
        return 0 if self._file.closed else os.fstat(self._file.fileno()).st_size

    def started(self) -> None:
        """A file needs no watching."""

    def read(self) -> int:
        """A file is read whole, at the end."""
        return 0

    def close(self) -> None:
        """Keep what may be kept; the rest goes with the file."""
        if self._file.closed:
            return
        with self._file as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            head = file.read(min(size, KEEP))
            start = max(len(head), size - KEEP)
            file.seek(start)
            self._dropped = start - len(head)
            self._text = _decode(head, file.read(KEEP), self._dropped)

    @property
    def cut(self) -> bool:
        """The file was longer than what is kept."""
        return self._dropped > 0

    def so_far(self) -> str:
        """What would be kept if it ended now; its place in the file, which the child shares, stays."""
        if self._file.closed:
            return self._text
        file, size = self._file.fileno(), self.printed
        head = os.pread(file, KEEP, 0)
        start = max(len(head), size - KEEP)
        return _decode(head, os.pread(file, KEEP, start), start - len(head))

    def text(self) -> str:
        """What was kept, once closed."""
        return self._text


class InputPipe:
    """A pipe for a process to read from. Nobody waits for a reader, and what was not read is known.

    Our holding its other end, too, spares us the signal of a pipe that nobody reads.
    """

    def __init__(self, data: bytes) -> None:
        self.theirs, self.watched = os.pipe()
        os.set_blocking(self.watched, False)
        self._rest = memoryview(data)

    def write(self) -> None:
        """As much as there is room for; ``watched`` is -1 when all is in."""
        with contextlib.suppress(BlockingIOError):
            self._rest = self._rest[os.write(self.watched, self._rest) :]
        if not self._rest:
            os.close(self.watched)
            self.watched = -1

    def unread(self) -> int:
        """How many bytes nobody has taken."""
        left = array.array("i", [0])
        fcntl.ioctl(self.theirs, termios.FIONREAD, left)
        return len(self._rest) + left[0]

    def close(self) -> None:
        """Both ends. Idempotent."""
        for descriptor in (self.watched, self.theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self.watched = self.theirs = -1


def _decode(head: bytes, tail: bytes, dropped: int) -> str:
    if not dropped:
        return (head + tail).decode("utf-8", "replace")
    gap = f"\n[... {dropped} bytes of output dropped here ...]\n"
    return head.decode("utf-8", "replace") + gap + tail.decode("utf-8", "replace")
