"""Events of one run -> a file of JSON lines, valid at every moment, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_lok.core.events import LIVE_EVENTS, Event
from pytest_lok.store.event_lines import from_json, to_json

_TORN = b" torn\n"  # ends no event


class Journal:
    """The file of one run. Several processes may append: each event is one write of one line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._file = -1

    def open(self) -> None:
        """Hold the file open for ``append``, until ``close``; without it each ``append`` opens the file."""
        if self._file < 0:
            self._file = self._open()

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, event: Event) -> None:
        """Add an event, which survives the death of this process; one of LIVE_EVENTS is left out.

        OSError where it is not written whole.
        """
        if isinstance(event, LIVE_EVENTS):
            return
        line = to_json(event).encode() + b"\n"
        file = self._file if self._file >= 0 else self._open()
        try:
            # one write to a file opened for appending: no other process can come in between
            written = os.write(file, line)
        finally:
            if file != self._file:
                os.close(file)
        if written != len(line):
            raise OSError(f"{self.path}: the disk took {written} of {len(line)} bytes")

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close_torn_line(self) -> None:
        """End the line in which the last writer died, if it did; no reader takes that line for an event."""
        with suppress(FileNotFoundError), self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            # a writer may have died in the middle of a line
            if file.read() not in (b"", b"\n"):
                file.write(_TORN)

    def read_new(self, *kinds: str) -> Iterator[Event]:
        """The events (of these kinds, or all) that any process has written completely since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        # the last line may be half written; the next call reads it
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        ends = tuple(f'"kind":"{kind}"}}'.encode() for kind in kinds) or b"}"  # an event's last field
        for line in whole.splitlines():
            if line.endswith(ends):
                yield from_json(line.decode())
