"""What is known of a shell text once it is read: its commands, their words, and the holes in them.

A hole is a place for a value: ``{{ … }}`` in the text as it was written.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

POSITIONAL = "@"
"""Stands for ``$1``, ``$@``, ``$*`` … together: they change place too easily to be told apart."""


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
    """A place for a value. ``ban`` says what it would be there, where that alone rules it out.

    ``dropped`` ones stand in a comment: nothing runs there, and no value is needed.
    """

    start: int
    end: int
    quoting: Quoting = Quoting.BARE
    ban: str = ""
    dropped: bool = False


@dataclass(slots=True, eq=False)
class ShellWord:
    """One word. ``pieces`` are literal text, holes, and None for what only the shell will know.

    ``reads`` and ``holes`` are the variables and holes in it at any depth, those in ``$(…)`` too.
    ``variables`` are the names of the Nones that are nothing but ``$name``.
    ``loose`` words may become several. ``plain`` ones have no quoting, so they can be keywords.
    """

    start: int
    end: int = 0
    pieces: list[str | Hole | None] = field(default_factory=list)
    reads: frozenset[str] = frozenset()
    holes: tuple[Hole, ...] = ()
    variables: list[str] = field(default_factory=list)
    loose: bool = False
    plain: bool = True

    def add(self, text: str) -> None:
        """More literal text."""
        if self.pieces and isinstance(last := self.pieces[-1], str):
            self.pieces[-1] = last + text
        elif text:
            self.pieces.append(text)

    def skip(self, count: int) -> None:
        """Leave out so many characters of the literal text it starts with."""
        self.pieces = [piece for piece in (self.prefix[count:], *self.pieces[1:]) if piece != ""]

    @property
    def literal(self) -> str | None:
        """The word's text, None if only the shell will know it."""
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
        """The literal text it starts with."""
        return self.pieces[0] if self.pieces and isinstance(self.pieces[0], str) else ""

    @property
    def direct(self) -> list[Hole]:
        """The holes that are part of the word itself."""
        return [piece for piece in self.pieces if isinstance(piece, Hole)]


@dataclass(slots=True, eq=False)
class HereDoc:
    """A here-document: its delimiter as written at ``start:end``, its body at ``body:stop``."""

    start: int
    end: int
    delimiter: str
    literal: bool  # the delimiter is quoted: nothing in the body is expanded
    tabs: bool  # <<-: leading tabs are dropped
    body: int = 0
    stop: int = 0
    holes: tuple[Hole, ...] = ()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class PipeInput:
    """What stands before a ``|``, or behind a ``<``."""

    holes: tuple[Hole, ...] = ()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class SimpleCommand:
    """A simple command. ``inputs`` are all that may reach its standard input, ``outputs`` files it writes to.

    ``called`` ones are part of a function, and read what its callers have as input.
    """

    assignments: list[tuple[str, ShellWord]] = field(default_factory=list)
    words: list[ShellWord] = field(default_factory=list)
    inputs: list[PipeInput | HereDoc] = field(default_factory=list)
    called: bool = False
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

    ``arithmetic`` are the names in ``$((…))``, ``defaults`` what ``${x:=…}`` assigns, ``written`` the
    files that output goes to, ``targets`` those whose names only the shell will know, ``piped`` what
    stands before a ``|``: where, and its commands. ``repeats``: commands do not run in the order of the
    text. The lists are in the order of the text, inner commands before outer ones.
    """

    holes: list[Hole] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    commands: list[SimpleCommand] = field(default_factory=list)
    loops: list[tuple[str, list[ShellWord]]] = field(default_factory=list)
    docs: list[HereDoc] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    arithmetic: set[str] = field(default_factory=set)
    defaults: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    piped: list[tuple[int, list[SimpleCommand]]] = field(default_factory=list)
    targets: list[ShellWord] = field(default_factory=list)
    repeats: bool = False
