"""What a process prints -> text of bounded size, by pipe or by file."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

KEPT_BYTES = 4 * 1024 * 1024
"""Bytes of a stream that are kept of its beginning, and as many of its end."""

_CHUNK = 65536


class OutputPipe:
    """A pipe. The beginning and the end of what comes through are kept; ``listen`` gets all of it."""

    def __init__(self, listen: Callable[[bytes], None] | None = None) -> None:
        self._listen = listen
        self.our_fd, self._child_fd = os.pipe()
        os.set_blocking(self.our_fd, False)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._dropped = 0

    @property
    def child_fd(self) -> int:
        """The end of the pipe to write to."""
        return self._child_fd

    @property
    def size(self) -> int:
        """Bytes that were read until now."""
        return len(self._head) + self._dropped + self._tail_size

    def started(self) -> None:
        """Close our copy, now that the child has its own: only the child writes."""
        os.close(self._child_fd)
        self._child_fd = -1

    def read(self) -> int:
        """Read at most 64 KiB, so that other work gets its turn."""
        try:
            data = os.read(self.our_fd, _CHUNK)
        except BlockingIOError:
            return -1
        self._keep(data)
        if data and self._listen is not None:
            self._listen(data)
        return len(data)

    def close(self) -> None:
        """Close both ends; closing again does nothing."""
        for descriptor in (self.our_fd, self._child_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.our_fd = self._child_fd = -1
        self._listen = None  # whoever listens holds us

    @property
    def cut(self) -> bool:
        """Whether something was dropped between beginning and end."""
        return self._dropped > 0

    def text(self) -> str:
        """What was printed: bytes that are no text as U+FFFD, a line in place of what was dropped."""
        return _decode(bytes(self._head), b"".join(self._tail), self._dropped)

    def text_so_far(self) -> str:
        """The text that was kept."""
        return self.text()

    def _keep(self, data: bytes) -> None:
        room = KEPT_BYTES - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        # whole chunks go, so at least KEPT_BYTES of the end are left
        while self._tail_size - len(self._tail[0]) >= KEPT_BYTES:
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._dropped += gone


class OutputFile:
    """An unnamed file, which is read when the process has ended."""

    our_fd = -1

    def __init__(self) -> None:
        import tempfile

        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._text = ""
        self._dropped = 0

    @property
    def child_fd(self) -> int:
        """The descriptor of the file, at its beginning."""
        return self._file.fileno()

    @property
    def size(self) -> int:
        """Bytes in the file until now."""
        return 0 if self._file.closed else os.fstat(self._file.fileno()).st_size

    def started(self) -> None:
        """A file needs no watching."""

    def read(self) -> int:
        """Always 0: a file is read whole, at the end."""
        return 0

    def close(self) -> None:
        """Read what is kept of the file, and close it."""
        if self._file.closed:
            return
        with self._file as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            head = file.read(min(size, KEPT_BYTES))
            start = max(len(head), size - KEPT_BYTES)
            file.seek(start)
            self._dropped = start - len(head)
            self._text = _decode(head, file.read(KEPT_BYTES), self._dropped)

    @property
    def cut(self) -> bool:
        """Whether the file was longer than what is kept."""
        return self._dropped > 0

    def text_so_far(self) -> str:
        """What would be kept if the process ended now; the position in the file, which is shared, stays."""
        if self._file.closed:
            return self._text
        file, size = self._file.fileno(), self.size
        head = os.pread(file, KEPT_BYTES, 0)
        start = max(len(head), size - KEPT_BYTES)
        return _decode(head, os.pread(file, KEPT_BYTES, start), start - len(head))

    def text(self) -> str:
        """The text that was kept, once closed."""
        return self._text


OutputSink: TypeAlias = OutputPipe | OutputFile
"""Where one output stream of a child process goes.

``our_fd`` is the descriptor to watch: when it is readable, call ``read``, which returns the size of a chunk,
0 at the end of the stream, -1 where nothing has come. -1 = there is none, or none any more.
"""


class InputPipe:
    """A pipe for a process to read from. Nobody waits for a reader, and what was not read is known.

    We hold the reading end too, so that no SIGPIPE comes where nobody reads. With ``stays_open`` more may be
    added until it is closed.
    """

    def __init__(self, data: bytes, *, stays_open: bool = False) -> None:
        self._stays_open = stays_open
        self.child_fd, self.our_fd = os.pipe()
        os.set_blocking(self.our_fd, False)
        self._rest = memoryview(data)

    def write(self) -> None:
        """Write as much as there is room for; ``our_fd`` is -1 when all that there will be is written."""
        with contextlib.suppress(BlockingIOError):
            self._rest = self._rest[os.write(self.our_fd, self._rest) :]
        if not self._rest and not self._stays_open:
            os.close(self.our_fd)
            self.our_fd = -1

    def add(self, data: bytes) -> None:
        """Add to what is still to be written."""
        self._rest = memoryview(bytes(self._rest) + data)

    @property
    def is_written(self) -> bool:
        """Whether nothing is left to write for now."""
        return not self._rest

    def unread(self) -> int:
        """Bytes that the process has not read."""
        left = array.array("i", [0])
        fcntl.ioctl(self.child_fd, termios.FIONREAD, left)
        return len(self._rest) + left[0]

    def close(self) -> None:
        """Close both ends; closing again does nothing."""
        for descriptor in (self.our_fd, self.child_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.our_fd = self.child_fd = -1


def _decode(head: bytes, tail: bytes, dropped: int) -> str:
    if not dropped:
        return (head + tail).decode("utf-8", "replace")
    gap = f"\n[... {dropped} bytes of output dropped here ...]\n"
    return head.decode("utf-8", "replace") + gap + tail.decode("utf-8", "replace")
