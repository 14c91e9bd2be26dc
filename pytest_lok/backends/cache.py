"""A backend and a cache of its answers -> a backend that is not asked the same question twice.

The cache keeps a question as a digest only, and never keeps an answer that repeats a secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.core.asking.cassette import canonical_options, canonical_schema
from pytest_lok.core.results import CACHED_USAGE, Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.files import write_atomically

MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Bytes of all entries together; the oldest are removed first."""
MAX_ENTRY_BYTES = MAX_TOTAL_BYTES // 64
"""Bytes of one entry; a larger answer is not kept."""

TreeState: TypeAlias = Callable[[], Awaitable[str | None]]
"""Gives the state of the work tree that an answer depends on; None = the state is unknown."""

_FORMAT = 1
_SKEW = 60.0  # seconds that clocks may differ, where a home is shared


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An entry of the cache. ``age`` is in seconds, ``size`` in bytes."""

    backend: str
    text: str
    model: str
    age: float
    size: int


class AnswerCache:
    """Answers in a private folder, one file each, for ``ttl`` seconds.

    An entry that cannot be used (broken, too old, in a folder of somebody else) counts as absent, and is
    never an error.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ttl: float,
        redactor: Redactor,
        most: int = MAX_TOTAL_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.ttl = ttl
        self._redactor = redactor
        self._most = most
        self._now = now
        self._size: int | None = None

    def find(self, key: str) -> KeptAnswer | None:
        """The answer under that key; None if there is none, or if it is too old."""
        if not self._is_private():
            return None
        entry = self._read(self.folder / f"{key}.json")
        return entry if entry is not None and -_SKEW <= entry.age < self.ttl else None

    def put(self, key: str, reply: Reply) -> None:
        """Store an answer under a key. An answer that must not or cannot be stored is left out silently."""
        said = {"backend": reply.backend, "model": reply.model, "text": reply.text}
        if self._redactor.value(said) != said:
            return
        document = {"format": _FORMAT, "key": key, "saved": self._now(), **said}
        data = json.dumps(document, sort_keys=True).encode()
        # a full disk or a missing right must not cost the answer
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if len(data) <= MAX_ENTRY_BYTES and self._is_private():
                self._make_room(len(data))
                write_atomically(self.folder / f"{key}.json", data, mode=0o600)

    def entries(self) -> list[KeptAnswer]:
        """Every readable entry, also those that are too old."""
        found = (self._read(path) for path, _ in self._files())
        return [entry for entry in found if entry is not None]

    def clear(self) -> int:
        """Remove every file and return how many there were; OSError if one cannot be removed."""
        paths = [path for path, _ in self._files()]
        for path in paths:
            path.unlink(missing_ok=True)
        self._size = None
        return len(paths)

    def _is_private(self) -> bool:
        """Whether the folder belongs to this user alone, so that nobody else can have put answers there."""
        try:
            found = self.folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077

    def _read(self, path: Path) -> KeptAnswer | None:
        try:
            # O_NOFOLLOW: a link in the folder could lead to a file that anybody may write.
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(file, "rb") as stream:
                data = stream.read(MAX_ENTRY_BYTES + 1)
            document: Any = json.loads(data)
            kinds = {"backend": str, "model": str, "text": str, "saved": float, "key": str, "format": int}
            if any(type(document.get(name)) is not kind for name, kind in kinds.items()):
                return None
        except (OSError, ValueError, AttributeError, RecursionError):
            return None
        if document["format"] != _FORMAT or f"{document['key']}.json" != path.name:
            return None
        return KeptAnswer(
            backend=document["backend"],
            text=document["text"],
            model=document["model"],
            age=self._now() - document["saved"],
            size=len(data),
        )

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file of the folder, also those that an interrupted process left half written."""
        if not self._is_private():
            return
        for found in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                yield Path(found.path), found.stat(follow_symlinks=False)

    def _make_room(self, size: int) -> None:
        """Remove files that are too old, and the oldest, if the next ``size`` bytes would be too many."""
        if self._size is None or self._size + size > self._most:
            files = sorted(self._files(), key=lambda it: it[1].st_mtime)
            self._size = sum(found.st_size for _, found in files)
            for path, found in files:
                # down to three quarters, so that the next files need no look at all of them
                if self._size + size <= self._most * 3 // 4 and found.st_mtime + self.ttl > self._now():
                    break
                path.unlink(missing_ok=True)
                self._size -= found.st_size
        self._size += size


class CachingBackend(DelegatingBackend):
    """Answers from the cache, or asks ``backend`` and stores the answer; a failure is never stored.

    ``identity`` holds everything about the backend that an answer depends on. With ``tree`` an answer also
    depends on the state of the work tree; no answer is stored if that state is unknown, or changed meanwhile.

    Unless ``identity`` says which model answers (``is_model_fixed``), the question or the backend has to say
    so before it is asked. Where neither does, each question is asked anew: another model may answer by now.
    """

    def __init__(
        self,
        backend: Backend,
        cache: AnswerCache,
        *,
        identity: str,
        is_model_fixed: bool = True,
        tree: TreeState | None = None,
    ) -> None:
        super().__init__(backend)
        self._cache = cache
        self._identity = identity
        self._is_model_fixed = is_model_fixed
        self._tree = tree

    async def recall(self, prompt: Prompt) -> Reply | None:
        key = await self._key(prompt)
        return None if key is None else self._cached_reply(key)

    async def ask(self, prompt: Prompt) -> Reply:
        key = await self._key(prompt)
        known = None if key is None else self._cached_reply(key)
        if known is not None:
            return known
        reply = await super().ask(prompt)
        # The work tree may have changed while the backend read it; then the key is another one.
        if key is not None and key == await self._key(prompt):
            self._cache.put(key, reply)
        return reply

    def _cached_reply(self, key: str) -> Reply | None:
        entry = self._cache.find(key)
        if entry is None:
            return None
        return Reply(text=entry.text, backend=self.name, model=entry.model, usage=CACHED_USAGE, cached=True)

    async def _key(self, prompt: Prompt) -> str | None:
        model = prompt.model
        if not model and not self._is_model_fixed:
            # on a thread: it may be a server that knows
            model = await asyncio.to_thread(self.usual_model)
            if not model:
                return None
        state = "" if self._tree is None else await self._tree()
        if state is None:
            return None
        parts = (
            self._identity, state, model, prompt.system, prompt.text, canonical_schema(prompt.schema),
            canonical_options(prompt.options), str(prompt.sample),
        )  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
