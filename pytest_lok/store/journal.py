"""Events of one run <-> a file of JSON lines with checksums, valid at every moment."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_lok.core.events import LIVE_EVENTS, Event, RunFinished, StepFinished, StepStarted
from pytest_lok.late_regex import late_regex
from pytest_lok.store.disk import Disk
from pytest_lok.store.event_lines import from_json, to_json
from pytest_lok.store.frames import TORN, FrameReader, FrameWriter, UnusableRecordError

DURABLE_EVENTS = (StepFinished, RunFinished)
"""Events that are brought to the disk; the others only survive the process, not the power."""
_OTHER_KINDS = (b'"kind":"workflow"}',)
"""How lines end that are no events: what the run is of."""
_DIGITS = 12  # of a digest, hexadecimal: few enough for an offset in a file, enough to be unique
_STEM = 100  # characters of a file's name, where systems take 255 bytes
_NOT_IN_NAMES = late_regex(r"[^A-Za-z0-9._-]")


def workflow_digest(said: str) -> str:
    """A short digest of the path or the node id by which a workflow is known."""
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


def journal_name(stem: str, digest: str) -> str:
    """The name of a workflow's journal: ``review-0c030896b56c.jsonl``."""
    return f"{_NOT_IN_NAMES.sub('_', stem)[:_STEM]}-{digest}.jsonl"


class Journal:
    """The file of one run. Several processes may append: each event is one write of one line.

    ``disk`` begins to bring the file to the disk where a step or the run ends; None = the system does.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self._disk = disk
        self._offset = 0
        self._file = -1
        self._frames = FrameWriter(os.urandom(4).hex())
        self._reader = FrameReader()

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

        When this returns the start of a step with effects is on the disk. OSError where it is not written
        whole.
        """
        if isinstance(event, LIVE_EVENTS):
            return
        # what a push has begun to do is not undone by a loss of power: it must not be forgotten either
        before_effects = isinstance(event, StepStarted) and event.effects
        self._append(to_json(event), durable=before_effects or isinstance(event, DURABLE_EVENTS))
        if before_effects and self._disk is not None:
            self._disk.wait()

    def append_document(self, document: str) -> None:
        """Add a line for a JSON object that is no event, with ``workflow`` as its kind; OSError as above."""
        self._append(document, durable=False)

    def _append(self, document: str, *, durable: bool) -> None:
        line = self._frames.frame(document)
        file = self._file if self._file >= 0 else self._open()
        try:
            # one write to a file opened for appending: no other process can come in between
            written = os.write(file, line)
            if durable and self._disk is not None:
                self._disk.request(self.path)
        finally:
            if file != self._file:
                os.close(file)
        if written != len(line):
            raise OSError(f"{self.path}: the disk took {written} of {len(line)} bytes")

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self.path, flags, 0o600)

    def close_torn_line(self) -> None:
        """End the line in which the last writer died, if it did; no reader takes that line for an event."""
        with suppress(FileNotFoundError), self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            # a writer may have died in the middle of a line
            if file.read() not in (b"", b"\n"):
                file.write(TORN + b"\n")

    def read_new(self, *kinds: str) -> Iterator[Event]:
        """The events (of these kinds, or all) that any process has written completely since the last call.

        UnusableRecordError where a line is not as it was written.
        """
        ends = tuple(f'"kind":"{kind}"}}'.encode() for kind in kinds)
        for document in self.read_documents():
            # an event's last field
            if document.endswith(ends or b"}") and not document.endswith(_OTHER_KINDS):
                yield _event(document)

    def read_documents(self, *, ended: bool = False) -> Iterator[bytes]:
        """Each line's JSON object since the last call, as text in UTF-8; UnusableRecordError as ``read_new``.

        ``ended``: nobody writes any more, so that a last line without an end is judged too.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        # the last line may be half written; the next call reads it
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        yield from self._reader.documents(whole.split(b"\n")[:-1])
        if ended:
            yield from self._reader.last(data[len(whole) :])


def _event(document: bytes) -> Event:
    try:
        return from_json(document.decode())
    except (ValueError, RecursionError) as unknown:
        raise UnusableRecordError(
            f"a line of it is no event that this version of lok knows: {unknown}"
        ) from None
