"""What is known of a shell text once it is read: its commands, their words, and the holes in them.

A hole is a place for a value: ``{{ … }}`` in the text as it was written.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import field, replace

from pytest_lok.dataclass import dataclass

POSITIONAL = "@"
"""Stands for ``$1``, ``$@``, ``$*`` … together: they change place too easily to be told apart."""

_NO_NAMES: frozenset[str] = frozenset()


class UnsupportedSyntax(Exception):  # noqa: N818 - never leaves the compiler
    """The text leaves what is surely read alike by every sh; ``at`` is the offset where."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class Quoting(enum.Enum):
    """What surrounds a hole, as far as its spelling goes."""

    BARE = enum.auto()
    OPEN = enum.auto()  # "…" and here-documents: a reference is expanded, and stays one piece
    SINGLE = enum.auto()


@dataclass(slots=True, eq=False)
class Hole:
    """A place for a value, at ``start:end`` of the text.

    ``unsafe_place`` says where it stands ("inside backticks") if no value may stand there, else "".
    ``in_comment``: nothing runs there, so no value is needed.
    """

    start: int
    end: int
    quoting: Quoting = Quoting.BARE
    unsafe_place: str = ""
    in_comment: bool = False


@dataclass(slots=True, eq=False)
class ShellWord:
    """One word. ``pieces`` are literal text, holes, and None for what only the shell will know.

    ``reads`` and ``holes`` are the variables and holes in the word at any depth, those in ``$(…)`` too.
    ``variables`` are the names of those Nones that are nothing but ``$name``.
    ``may_split``: the shell may make several words of it. ``unquoted``: the word has no quoting, so it
    can be a keyword.
    """

    start: int
    end: int = 0
    pieces: list[str | Hole | None] = field(default_factory=list)
    reads: frozenset[str] = frozenset()
    holes: tuple[Hole, ...] = ()
    variables: list[str] = field(default_factory=list)
    may_split: bool = False
    unquoted: bool = True

    def add(self, text: str) -> None:
        """Append literal text to the word."""
        if self.pieces and isinstance(last := self.pieces[-1], str):
            self.pieces[-1] = last + text
        elif text:
            self.pieces.append(text)

    def add_expansion(self, *, quoted: bool) -> None:
        """Append what only the shell will know; outside of quotes the shell may split it."""
        self.pieces.append(None)
        self.unquoted = False
        self.may_split = self.may_split or not quoted

    def without_prefix(self, count: int) -> ShellWord:
        """The word without the first ``count`` characters of its prefix."""
        pieces = [piece for piece in (self.prefix[count:], *self.pieces[1:]) if piece != ""]
        return replace(self, pieces=pieces)

    @property
    def literal(self) -> str | None:
        """The whole text of the word, None if only the shell will know it."""
        if len(self.pieces) == 1:
            return self.pieces[0] if isinstance(self.pieces[0], str) else None
        texts = [piece for piece in self.pieces if isinstance(piece, str)]
        return "".join(texts) if len(texts) == len(self.pieces) else None

    @property
    def shown(self) -> str:
        """The word for a message: ``…`` stands for what only the shell will know."""
        return "".join(piece if isinstance(piece, str) else "$…" for piece in self.pieces)

    @property
    def prefix(self) -> str:
        """The literal text that the word starts with, "" if it starts with none."""
        return self.pieces[0] if self.pieces and isinstance(self.pieces[0], str) else ""

    @property
    def own_holes(self) -> list[Hole]:
        """The holes that are part of the word itself, not of a ``$(…)`` in it."""
        return [piece for piece in self.pieces if isinstance(piece, Hole)]

    @property
    def as_code(self) -> str:
        """The word as a piece of code: ``x`` stands for what only the shell will know."""
        return "".join(piece if isinstance(piece, str) else "x" for piece in self.pieces)


@dataclass(slots=True, eq=False)
class HereDoc:
    """A here-document: its delimiter as written at ``start:end``, its body at ``body_start:body_end``."""

    start: int
    end: int
    delimiter: str
    literal: bool  # the delimiter is quoted: nothing in the body is expanded
    strip_tabs: bool  # <<-: leading tabs are dropped
    body_start: int = 0
    body_end: int = 0
    holes: tuple[Hole, ...] = ()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class PipeInput:
    """What may come in from before a ``|``, or from behind a ``<``: holes, and variables that are read."""

    holes: tuple[Hole, ...] = ()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class SimpleCommand:
    """A simple command. ``inputs`` are all that may reach its standard input, ``outputs`` files it writes to.

    ``in_function``: the command is part of a function, and reads what the callers have as input.
    """

    assignments: list[tuple[str, ShellWord]] = field(default_factory=list)
    words: list[ShellWord] = field(default_factory=list)
    inputs: list[PipeInput | HereDoc] = field(default_factory=list)
    in_function: bool = False
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCommand:
    """A command by its name, with its arguments; ``command`` has its inputs."""

    name: str
    args: Sequence[ShellWord]
    command: SimpleCommand


@dataclass(slots=True, eq=False)
class Script:
    """Everything of a text that matters for what may become of a value in it.

    ``reads``: variables that are expanded, and ``arithmetic`` those in ``$((…))``. ``defaults``: what
    ``${x:=…}`` assigns. ``output_files``: where redirections write to, and ``dynamic_outputs`` those of
    them whose names only the shell will know. ``piped``: what stands before a ``|``, where it starts and
    its commands. ``out_of_order``: commands may run in another order than that of the text, or twice.
    The lists are in the order of the text, inner commands before outer ones.
    """

    holes: list[Hole] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    commands: list[SimpleCommand] = field(default_factory=list)
    loops: list[tuple[str, list[ShellWord]]] = field(default_factory=list)
    here_documents: list[HereDoc] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    arithmetic: set[str] = field(default_factory=set)
    defaults: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    output_files: list[str] = field(default_factory=list)
    piped: list[tuple[int, list[SimpleCommand]]] = field(default_factory=list)
    dynamic_outputs: list[ShellWord] = field(default_factory=list)
    out_of_order: bool = False

    def bookmark(self) -> tuple[int, int, int]:
        """How many holes, variables and here-documents were read so far."""
        return len(self.holes), len(self.reads), len(self.here_documents)

    def since(self, bookmark: tuple[int, int, int]) -> tuple[tuple[Hole, ...], frozenset[str]]:
        """The holes and the variables that were read after the bookmark."""
        holes, reads = self.holes[bookmark[0] :], self.reads[bookmark[1] :]
        kept = tuple([hole for hole in holes if not hole.in_comment]) if holes else ()
        return kept, frozenset(reads) if reads else _NO_NAMES

    def forbid(self, bookmark: tuple[int, int, int], place: str) -> None:
        """No hole that was read after the bookmark may hold a value: it stands in that place."""
        for hole in self.since(bookmark)[0]:
            hole.unsafe_place = hole.unsafe_place or place
