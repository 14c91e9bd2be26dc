"""Where values go inside a script: from holes through variables and inputs to what is run as code.

Order and branches do not count: what may happen at all, happens.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_lok.core.shell.ast import POSITIONAL, Hole, ShellWord, SimpleCommand

ANY = "*"
"""Among names that are read: whichever there are."""

CALLERS = "<"
"""Among names: what functions may read as their input."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOWHERE = frozenset({"", "/dev/null", "/dev/stderr", "/dev/stdout"})


@dataclass(frozen=True, slots=True)
class _Sink:
    """Variables whose text is run, and by what. ``sums``: as a calculation, which bash lets run commands."""

    names: frozenset[str]
    what: str
    sums: bool


class TaintFlow:
    """Collects who gets what from whom; ``refused`` draws the conclusions.

    ``printed`` are the holes that commands print as they are; what other programs print of a value is
    code only where code is made from it, not where it is calculated with.
    """

    def __init__(self) -> None:
        self.printed: set[Hole] = set()
        self.quiet: set[Hole] = set()  # arguments that their command does not print
        self.boxed: set[Hole] = set()  # arguments of which their command prints an object
        self.dumped = False  # all variables are printed
        self.aliased = False  # git is told an alias
        self._sources: defaultdict[str, set[str]] = defaultdict(set)  # variable <- variables
        self._entering: defaultdict[str, set[Hole]] = defaultdict(set)  # variable <- holes
        self._sinks: list[_Sink] = []
        self._words: defaultdict[str, list[ShellWord]] = defaultdict(list)  # variable <- what it is set to
        self._blind: set[str] = set()  # variables that are set in other ways too
        self._written: set[str] = set()
        self._filled = False  # a file gets text that may have values in it
        self.mentioned: list[str] = []  # programs of sed and awk, which can write files
        self._started: set[str] = set()
        self._files: set[str] = set()

    def reads(self, name: str, names: Iterable[str]) -> None:
        """A variable gets its text from others."""
        self._sources[name].update(names)
        self._blind.add(name)

    def becomes(self, name: str, word: ShellWord, *, split: bool = False) -> None:
        """The word's text becomes the value of a variable; a part of it, where the shell may split it."""
        if split and word.may_split:
            self._blind.add(name)
        self._words[name].append(word)
        self._sources[name] |= word.reads
        for piece in word.pieces:  # arithmetic and eval read a variable that another one names
            self._sources[name].update(IDENTIFIER.findall(piece) if isinstance(piece, str) else ())
        self._entering[name].update(word.holes)
        self.printed.update(word.own_holes)

    def is_input(self, name: str, command: SimpleCommand) -> None:
        """The command's input becomes the value of a variable."""
        self._blind.add(name)
        self._sources[name] |= {CALLERS} if command.in_function else set()
        for feed in command.inputs:
            self._sources[name] |= feed.reads
            self._entering[name].update(feed.holes)

    def runs(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is run as code."""
        self._sinks.append(_Sink(frozenset(names), what, sums=False))

    def calculates(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is calculated with."""
        self._sinks.append(_Sink(frozenset(names), what, sums=True))

    def writes(self, path: str, *, content: bool = False) -> None:
        """A file is written; ``content``: with output of the text."""
        self._written.add(path)
        self._filled = self._filled or (content and path not in _NOWHERE)

    def starts(self, path: str, *, file: bool = False) -> None:
        """A file is run, or a command, if it is not called a ``file``."""
        self._started.add(path)
        if file or "/" in path:
            self._files.add(path)

    def texts(self, word: ShellWord) -> list[str]:
        """What a word that is one variable may say, as far as that is written out before."""
        if len(word.pieces) != 1 or len(word.variables) != 1 or word.pieces[0] is not None:
            return []
        return [text for part in self._words.get(word.variables[0], ()) if (text := part.literal)]

    @property
    def written(self) -> bool:
        """Whether files are written."""
        return bool(self._written - _NOWHERE)

    @property
    def started(self) -> frozenset[str]:
        """The names of files that are run, without their directories, in lower case."""
        return frozenset(_base(path).lower() for path in self._files)

    def refused(self, holes: Collection[Hole]) -> Iterator[tuple[Hole, str]]:
        """The holes among all ``holes`` whose values reach code, and how."""
        for sink in self._sinks:
            for hole in self._reaching(sink.names):
                if hole in self.printed or not sink.sums:
                    yield hole, f"text that {sink.what} reads later and may run as code"
        written = {path: _base(path) for path in self._written - _NOWHERE} if self._filled else {}
        started = {_base(path) for path in self._started}
        code = [sink for sink in self._sinks if not sink.sums]
        reasons = [
            f"in a text that writes to `{path}` and runs it"
            for path in sorted(written)
            if written[path] in started
        ]
        files = {_base(path) for path in self._files} - {""}
        reasons += [
            f"in a text that writes to `{name}` by a program, and runs it"
            for name in sorted(files)
            if any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) for text in self.mentioned)
        ]
        if written and "{}" in started:
            reasons.append("in a text that writes files and runs what it finds")
        reasons += [
            f"in a text that prints its variables and has {sink.what}" for sink in code if self.dumped
        ]
        reasons += [
            f"in a text that writes files and has {s.what}" for s in code if written and ANY in s.names
        ]
        reasons += ["in a text that sets an alias of git, which can run it as code"] if self.aliased else []
        for reason in reasons[:1]:
            yield from ((hole, reason) for hole in holes)

    def parts(self, word: ShellWord) -> tuple[list[ShellWord], list[Hole]]:
        """Where a name's text comes from: words with holes, and the holes that come in by unknown ways."""
        known, unknown, seen, todo = list[ShellWord](), list[Hole](), set[str](), [word]
        while todo:
            word = todo.pop()
            if word.own_holes:
                known.append(word)
            unknown += [hole for hole in word.holes if hole not in word.own_holes]
            names = _plain(word)
            for name in word.reads if names is None or not _apart(word.pieces) else ():
                unknown += self._reaching({name})
            unknown += self._behind(names or (), seen, todo)
        return known, unknown

    def leads(self, word: ShellWord) -> tuple[list[ShellWord], list[ShellWord], list[Hole]]:
        """What an argument starts with: words with it, words split into it, and holes by unknown ways."""
        guarded, split, unknown = list[ShellWord](), list[ShellWord](), list[Hole]()
        loose, seen, todo = word.may_split, set[str](), [word]
        while todo:
            part = todo.pop()
            if part is not word and part.own_holes:
                if loose and "IFS" not in self._words:
                    split.append(part)
                elif loose or _is_option(part):
                    unknown += part.own_holes
                elif isinstance(part.pieces[0], Hole) or IDENTIFIER.match(part.prefix):
                    guarded.append(part)
                if loose and _is_option(part):
                    unknown += part.own_holes
            if None not in (part.pieces if loose else _start(part.pieces)):
                continue
            if (names := _plain(part)) is None:
                nested = [hole for hole in part.holes if hole not in part.own_holes]
                unknown += [*nested, *self._reaching(part.reads)]
            unknown += self._behind(names or (), seen, todo)
        return guarded, split, [hole for hole in unknown if hole not in self.quiet]

    def _behind(self, names: Iterable[str], seen: set[str], todo: list[ShellWord]) -> list[Hole]:
        """Adds to ``todo`` what sets the variables, each once; the holes that reach them otherwise."""
        unknown = list[Hole]()
        for name in names:
            if name in self._blind:
                unknown += self._reaching({name})
            elif name not in seen:
                seen.add(name)
                todo += self._words[name]
        return unknown

    def holding(self, words: Iterable[ShellWord], *, whole: bool = True) -> list[Hole]:
        """The holes whose values may be in the words, ``whole`` or as what a command makes of them."""
        listed = list(words)
        holes = [hole for word in listed for hole in word.holes]
        reads = {name for word in listed for name in word.reads}
        return [hole for hole in (*holes, *self._reaching(reads)) if not (whole and hole in self.quiet)]

    def fed(self, command: SimpleCommand) -> list[Hole]:
        """The holes that the command's input may consist of."""
        holes = [hole for feed in command.inputs for hole in feed.holes]
        names = {name for feed in command.inputs for name in feed.reads} | (
            {CALLERS} if command.in_function else set()
        )
        return [hole for hole in (*holes, *self._reaching(names)) if hole not in self.quiet]

    def inside(self, names: Collection[str]) -> list[Hole]:
        """The holes whose values may be in the variables."""
        return self._reaching(names)

    def _reaching(self, names: Collection[str]) -> list[Hole]:
        seen: set[str] = set()
        todo = list(self._entering if ANY in names else names)
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += self._sources[name]
        return [hole for name in seen for hole in self._entering[name]]


def _plain(word: ShellWord) -> set[str] | None:
    """The variables in the word, None if something else than their text is."""
    if None not in word.pieces:
        return set()
    names = {name if IDENTIFIER.fullmatch(name) else POSITIONAL for name in word.variables}
    whole = len(word.variables) == word.pieces.count(None) and names == word.reads
    return names if whole and "#" not in word.variables else None


def _start(pieces: Sequence[str | Hole | None]) -> Sequence[str | Hole | None]:
    """The pieces that may be at the start of the text: those up to the first that surely is some."""
    texts = [place for place, piece in enumerate(pieces) if isinstance(piece, str)]
    return pieces[: texts[0]] if texts else pieces


def _is_option(word: ShellWord) -> bool:
    """Whether an option is written in it."""
    return any(isinstance(piece, str) and re.search(r"(\A|\s)-", piece) for piece in word.pieces[:1]) or any(
        isinstance(piece, str) and re.search(r"\s-", piece) for piece in word.pieces
    )


def _apart(pieces: Sequence[str | Hole | None]) -> bool:
    """Whether a variable among them stands so that it makes no ``..`` and no absolute path with the rest."""
    for place, piece in enumerate(pieces):
        if piece is None:
            before, after = pieces[place - 1] if place else "/", (*pieces, "/")[place + 1]
            if not isinstance(before, str) or before.endswith("."):
                return False
            if not isinstance(after, str) or re.match(r"\.+(/|\Z)", after):
                return False
    return True


def _base(path: str) -> str:
    """A file's name: what is written may be moved, and is found from other directories."""
    return path.rstrip("/").rpartition("/")[2]
