"""What the engine says of a command that runs at another place, and of the files that it sees there."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import StepUnableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files of a work tree at one moment, without those that git ignores.

    ``tree`` is git's hash of them all, as the bytes that they are. ``diff`` is a binary diff that makes them
    of the files of ``commit``. ``folder`` is where in the tree the workspace lies, "" = the whole of it.
    ``pack`` gives the objects of that commit, as a pack of git, for a place that does not have them.
    """

    commit: str
    diff: bytes
    tree: str
    folder: str = ""
    pack: Callable[[], Awaitable[bytes]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a command has made: its bytes, and whether it may be executed."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What a command needs of the place that it runs at.

    ``on`` is a label of the place, "" = any. ``cores`` and ``memory`` (bytes) are its alone while it runs.
    """

    on: str = ""
    cores: float = 1.0
    memory: int = 0

    @property
    def words(self) -> str:
        """What it needs, for people: ``"a place labelled 'big' with 4 cores and 8 GB"``."""
        label = f" labelled {self.on!r}" if self.on else ""
        cores = f"{self.cores:g} core{'' if self.cores == 1 else 's'}"
        memory = f" and {self.memory / 1e9:g} GB" if self.memory else ""
        return f"a place{label} with {cores}{memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRun:
    """One attempt of a command at another place; ``artifacts`` are the patterns of files that come back.

    ``name`` tells people which one it is. ``timeout`` in seconds counts from its start; waiting for a place
    is no part of it. ``files`` are laid out beside those of the workspace, by their path. ``begin`` is called
    at the start with the name of the place, and ``say`` with what people have to know.
    ``repeatable``: another attempt may follow where nobody knows how this one ended.
    """

    name: str
    placement: Placement
    artifacts: tuple[str, ...] = ()
    timeout: float = math.inf
    files: Mapping[str, Artifact] = field(default_factory=dict, repr=False)
    begin: Callable[[str], None] = field(default=lambda _: None, compare=False, repr=False)
    say: Callable[[str], None] = field(default=lambda _: None, compare=False, repr=False)
    repeatable: bool = False


class LostError(StepUnableError):
    """A command was started at another place, and nobody knows how it ended."""
