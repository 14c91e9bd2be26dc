"""``.lok/runs/<run id>/`` -> the record that lies there, or why it is not to be believed.

``run.json`` says how it began, ``<workflow>-<digest>.jsonl`` is the journal of a workflow, and ``end.json``
says how the process ended. Without ``end.json`` the process was killed, or still runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_lok.locks import NumberedLocks
from pytest_lok.store.event_lines import decoded
from pytest_lok.store.frames import UnusableRecordError
from pytest_lok.store.records import (
    FORMAT,
    UNKNOWN_CODE,
    Record,
    RecordBeginning,
    RecordEnding,
    State,
    documents_of,
    run_of,
)

BEGINNING, ENDING, LOCK = "run.json", "end.json", "session.lock"
"""The files of a record beside its journals."""


def read_record(path: Path, *, owner: int | None = None, root: Path | None = None) -> Record:
    """The record of that directory; UnusableRecordError says why nothing of it is to be believed.

    ``owner``: the user it has to belong to, and nobody else may be able to read it; None = whoever it is
    from, the user has named this directory. ``root``: the project that it has to be of; None = any.
    """
    check_directory(path, owner)
    state: State = "running" if is_alive(path) else "killed"
    beginning = _read_beginning(path, owner, root)
    ending = _read_ending(path, owner)
    if ending is not None:
        state = "ended"
    code = ending.exit_code if ending else UNKNOWN_CODE
    runs = [run_of(file, state, code, data) for file, data in _journals(path, ending, owner)]
    runs.sort(key=lambda run: run.result.started)
    return Record(path=path, beginning=beginning, state=state, exit_code=code, runs=tuple(runs))


def check_record(path: Path, owner: int | None, root: Path | None) -> None:
    """UnusableRecordError where ``read_record`` could not believe it; its events are not looked at."""
    check_directory(path, owner)
    _read_beginning(path, owner, root)
    for _, data in _journals(path, _read_ending(path, owner), owner):
        for _ in documents_of(data, ended=True):
            pass


def check_directory(path: Path, owner: int | None) -> None:
    """UnusableRecordError if this is no directory, or one of somebody else."""
    try:
        found = path.lstat()
    except OSError as missing:
        raise UnusableRecordError(f"it cannot be looked into: {missing.strerror}") from missing
    if not stat.S_ISDIR(found.st_mode):
        raise UnusableRecordError("it is no directory")
    _check_owner(found, owner)


def is_alive(path: Path) -> bool:
    """Whether the process that writes a record is alive; OSError as a lock that cannot be looked at."""
    if not (path / LOCK).exists():
        return False
    lock = NumberedLocks(path / LOCK)
    try:
        return not lock.try_acquire(0)
    finally:
        lock.close()


def _check_owner(found: os.stat_result, owner: int | None) -> None:
    if owner is None:
        return
    if found.st_uid != owner:
        raise UnusableRecordError("it belongs to another user")
    # git and archives make such files: what a checkout brings along was not recorded here
    if found.st_mode & 0o077:
        raise UnusableRecordError("others than its owner may read it, so lok has not written it here")


def _read_file(path: Path, owner: int | None) -> bytes | None:
    """A file of a record; None if there is no such file, UnusableRecordError if it is none of lok's."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise UnusableRecordError(f"{path.name} cannot be read: {failure.strerror}") from failure
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnusableRecordError(f"{path.name} is no file")
        _check_owner(found, owner)
        return stream.read()


def _read_only_document(path: Path, owner: int | None) -> bytes | None:
    """The document of a file with a single line; None if there is no such file."""
    data = _read_file(path, owner)
    if data is None:
        return None
    documents = list(documents_of(data, ended=True))
    if len(documents) != 1 or not data.endswith(b"\n"):
        raise UnusableRecordError(f"{path.name} is not as it was written")
    return documents[0]


def _read_beginning(path: Path, owner: int | None, root: Path | None) -> RecordBeginning:
    document = _read_only_document(path / BEGINNING, owner)
    if document is None:
        raise UnusableRecordError(f"it has no {BEGINNING}, so it is none of this version of lok")
    said = json.loads(document)
    written = said.get("format") if isinstance(said, dict) else None
    if not isinstance(written, int) or written > FORMAT:
        raise UnusableRecordError(
            f"lok {said.get('version', '')} has written it, which is newer than this lok"
        )
    try:
        beginning = decoded(RecordBeginning, document)
    except ValueError as unknown:
        raise UnusableRecordError(str(unknown)) from None
    if owner is not None and beginning.run_id != path.name:
        raise UnusableRecordError(f"it is a copy of the run {beginning.run_id}")
    if root is not None and os.path.realpath(beginning.root) != os.path.realpath(root):
        raise UnusableRecordError(f"it was recorded in another project, {beginning.root}")
    return beginning


def _read_ending(path: Path, owner: int | None) -> RecordEnding | None:
    document = _read_only_document(path / ENDING, owner)
    try:
        return None if document is None else decoded(RecordEnding, document)
    except ValueError as unknown:
        raise UnusableRecordError(str(unknown)) from None


def _journals(path: Path, ending: RecordEnding | None, owner: int | None) -> Iterator[tuple[Path, bytes]]:
    """Each journal of a record, with its bytes; UnusableRecordError if they are not those of its end."""
    files = sorted(path.glob("*.jsonl"))
    if ending is not None and ending.journals.keys() != {file.name for file in files}:
        raise UnusableRecordError("the journals are not those with which it ended")
    for file in files:
        data = _read_file(file, owner) or b""
        if ending is not None and ending.journals[file.name] != hashlib.sha256(data).hexdigest():
            raise UnusableRecordError(f"{file.name} was changed after the run ended")
        yield file, data
