"""A backend and recorded answers -> a backend that replays them, and asks only what may be recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.core.asking.cassette import (
    Mode,
    Question,
    Recording,
    canonical_options,
    canonical_schema,
    difference,
    dumps,
    loads,
)
from pytest_lok.core.results import CACHED_USAGE, Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError, BackendFault
from pytest_lok.files import write_atomically
from pytest_lok.locks import SharedLock

Known: TypeAlias = dict[Question, Recording]

_LOCK_TIMEOUT = 60.0  # seconds another process may take to write a file
_POLL = 0.02  # seconds between two tries
_FOLDER = Path(".lok", "cassettes")


class CassetteStore:
    """A project's recordings, ``.lok/cassettes/WORKFLOW/STEP.toml``: one file per step.

    ``since`` is when this session began, in seconds since the epoch: an older file was recorded before, a
    younger one is being recorded now, by whichever process. Processes exclude each other by the file
    ``lock``. Secrets are masked before anything is written or looked up.
    """

    def __init__(self, root: Path, mode: Mode, *, redactor: Redactor, lock: Path, since: float) -> None:
        self.mode = mode
        self._root = root
        self._redactor = redactor
        self._lock = lock
        self._since = since
        self._written: set[Path] = set()
        self._read: dict[Path, tuple[tuple[int, ...], Known]] = {}
        self._rendered: dict[Recording, str] = {}
        self._backends: frozenset[str] | None = None

    def question(self, backend: str, prompt: Prompt) -> Question:
        """A prompt as the question that is recorded, with secrets masked."""
        asked = Question(
            prompt=prompt.text,
            backend=backend,
            system=prompt.system,
            model=prompt.model,
            schema=canonical_schema(prompt.schema),
            options=canonical_options(prompt.options),
            sample=prompt.sample,
        )
        return self._redactor.value(asked)

    def find(self, question: Question, prompt: Prompt) -> Recording | None:
        """The recorded answer.

        None if the question may be asked; BackendError if it is unknown and may not be.
        """
        path = self._path(prompt)
        known = self._known(path)
        if question in known:
            return known[question]
        if self.mode in (Mode.NEW, Mode.ALL) or (self.mode is Mode.ONCE and not self._is_old(path)):
            return None
        raise self._unknown(question, prompt, known.values())

    def record(self, question: Question, prompt: Prompt, reply: Reply) -> Recording | None:
        """Record an answer and return None; if another process has recorded one since, return that one."""
        path = self._path(prompt)
        made = self._redactor.value(Recording(question=question, text=reply.text, model=reply.model))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Another process may have recorded the same question meanwhile, so the file is read once more.
            with self._locked():
                known = self._known(path)
                if question in known:
                    return known[question]
                known = {**known, question: made}
                write_atomically(path, dumps(known.values(), self._rendered).encode())
                self._written.add(path)
                self._read[path] = (_signature(path), known)
                return None
        except OSError as error:  # the lock's timeout is one
            raise self._unusable(question.backend, path, f"cannot be written: {error}") from error

    def backends(self) -> frozenset[str]:
        """The names of all backends with a recording in any workflow of the project."""
        if self._backends is None:
            found = set()
            for path in sorted((self._root / _FOLDER).glob("*/*.toml")):
                try:
                    found |= {it.backend for it in self._known(path)}
                except BackendError:  # the error is raised where a step reads this file
                    continue
            self._backends = frozenset(found)
        return self._backends

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock, until = SharedLock(self._lock), time.monotonic() + _LOCK_TIMEOUT
        try:
            while not lock.try_acquire(alone=True):
                if time.monotonic() > until:
                    raise TimeoutError(f"another process does not let go of {self._lock}")
                time.sleep(_POLL)
            yield
        finally:
            lock.release()

    def _known(self, path: Path) -> Known:
        """The recordings in a file; {} if mode ``all`` records anew and the file is of an earlier session."""
        if not path.is_file() or (self.mode is Mode.ALL and self._is_old(path)):
            return {}
        # Time, size and inode tell whether another process has replaced the file since it was read.
        signature, known = self._read.get(path, ((), {}))
        if signature != _signature(path):
            signature = _signature(path)
            try:
                known = {it.question: it for it in loads(path.read_text("utf-8"))}
            except (OSError, ValueError, RecursionError) as error:
                raise self._unusable("", path, f"cannot be read: {error}") from error
            self._read[path] = (signature, known)
        return known

    def _is_old(self, path: Path) -> bool:
        return path not in self._written and path.is_file() and path.stat().st_mtime < self._since

    def _path(self, prompt: Prompt) -> Path:
        """The file of a step. A symbolic link on the way is an error, for it may lead out of the project."""
        path = self._root / _FOLDER / _file_name(prompt.workflow) / f"{_file_name(prompt.step)}.toml"
        for part in (path, *path.relative_to(self._root).parents[:-1]):
            if (self._root / part).is_symlink():
                raise self._unusable("", path, f"is not used: {part} is a link")
        return path

    def _unknown(self, question: Question, prompt: Prompt, known: Iterable[Recording]) -> BackendError:
        path, nearest = self._path(prompt).relative_to(self._root), difference(question, known)
        message = f"no recording answers what step {prompt.step!r} asks {question.backend} ({path}"
        return BackendError(
            f"{message}); the nearest one:\n{nearest}" if nearest else f"{message} holds none)",
            kind=BackendFault.NOT_RECORDED,
            backend=question.backend,
            hint="record it where the backend can be asked: mode `new` adds it, `all` records the step anew",
        )

    def _unusable(self, backend: str, path: Path, why: str) -> BackendError:
        return BackendError(
            f"the recording {path.relative_to(self._root)} {why}",
            kind=BackendFault.NOT_RECORDED,
            backend=backend,
            hint="correct it, or delete it and record again",
        )


class ReplayBackend(DelegatingBackend):
    """Answers as recorded; asks ``backend`` only what is unknown and may be recorded. Failures never are."""

    def __init__(self, backend: Backend, cassettes: CassetteStore) -> None:
        super().__init__(backend)
        self._cassettes = cassettes

    def unavailable(self) -> BackendError | None:
        """None for a recorded backend, also where it is not installed."""
        if self._is_recorded():
            return None
        if self._cassettes.mode is not Mode.NONE:
            return super().unavailable()
        return BackendError(
            f"nothing is recorded of {self.name} in {_FOLDER}",
            kind=BackendFault.NOT_RECORDED,
            backend=self.name,
            hint="record it where it can be asked, with the mode `once`, `new` or `all`",
        )

    def unreachable(self) -> BackendError | None:
        """None where no server is asked: for a recorded backend, and where nothing may be recorded."""
        asks = self._cassettes.mode is not Mode.NONE and not self._is_recorded()
        return super().unreachable() if asks else None

    async def recall(self, prompt: Prompt) -> Reply | None:
        found = self._cassettes.find(self._cassettes.question(self.name, prompt), prompt)
        return None if found is None else self._reply(found)

    async def ask(self, prompt: Prompt) -> Reply:
        known = await self.recall(prompt)
        if known is not None:
            return known
        problem = super().unavailable()
        if problem is not None:
            raise problem
        reply = await super().ask(prompt)
        other = self._cassettes.record(self._cassettes.question(self.name, prompt), prompt, reply)
        return reply if other is None else self._reply(other)

    def _is_recorded(self) -> bool:
        return self._cassettes.mode is not Mode.ALL and self.name in self._cassettes.backends()

    def _reply(self, recording: Recording) -> Reply:
        return Reply(
            text=recording.text, backend=self.name, model=recording.model, usage=CACHED_USAGE, cached=True
        )


def _signature(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _file_name(name: str) -> str:
    """A workflow's or step's name as the name of a file, without odd characters."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", "_", name) or "_"
