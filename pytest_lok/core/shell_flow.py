"""Where values go inside a script: from holes through variables and inputs to what is run as code.

Order and branches do not count: what may happen at all, happens.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pytest_lok.core.shell_script import Command, Hole, Word

ANY = "*"
"""Among names that are read: whichever there are."""

CALLERS = "<"
"""Among names: what functions may read as their input."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOWHERE = frozenset({"", "/dev/null", "/dev/stderr", "/dev/stdout"})


@dataclass(frozen=True, slots=True)
class _Sink:
    """Variables whose text is run, and by what. ``sums``: as a calculation, which bash lets run commands."""

    names: frozenset[str]
    what: str
    sums: bool


class Flow:
    """Collects who gets what from whom; ``refused`` draws the conclusions.

    ``printed`` are the holes that commands print as they are; what other programs print of a value is
    code only where code is made from it, not where it is calculated with.
    """

    def __init__(self) -> None:
        self.printed: set[Hole] = set()
        self.dumped = False  # all variables are printed
        self._sources: defaultdict[str, set[str]] = defaultdict(set)  # variable <- variables
        self._entering: defaultdict[str, set[Hole]] = defaultdict(set)  # variable <- holes
        self._sinks: list[_Sink] = []
        self._written: set[str] = set()
        self._started: set[str] = set()

    def reads(self, name: str, names: Iterable[str]) -> None:
        """A variable gets its text from others."""
        self._sources[name].update(names)

    def becomes(self, name: str, word: Word) -> None:
        """The word's text becomes the value of a variable."""
        self._sources[name] |= word.reads
        for piece in word.pieces:  # arithmetic and eval read a variable that another one names
            self._sources[name].update(_IDENTIFIER.findall(piece) if isinstance(piece, str) else ())
        self._entering[name].update(word.holes)
        self.printed.update(word.direct)

    def is_input(self, name: str, command: Command) -> None:
        """The command's input becomes the value of a variable."""
        self._sources[name] |= {CALLERS} if command.called else set()
        for feed in command.inputs:
            self._sources[name] |= feed.reads
            self._entering[name].update(feed.holes)

    def runs(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is run as code."""
        self._sinks.append(_Sink(frozenset(names), what, sums=False))

    def calculates(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is calculated with."""
        self._sinks.append(_Sink(frozenset(names), what, sums=True))

    def writes(self, path: str) -> None:
        """Output goes to a file."""
        self._written.add(path.removeprefix("./"))

    def starts(self, path: str) -> None:
        """A file is run."""
        self._started.add(path.removeprefix("./"))

    def refused(self, holes: Collection[Hole]) -> Iterator[tuple[Hole, str]]:
        """The holes among all ``holes`` whose values reach code, and how."""
        for sink in self._sinks:
            for hole in self._reaching(sink.names):
                if hole in self.printed or not sink.sums:
                    yield hole, f"text that {sink.what} reads later and may run as code"
        written = self._written - _NOWHERE
        code = [sink for sink in self._sinks if not sink.sums]
        reasons = [
            f"in a text that writes to `{path}` and runs it" for path in sorted(self._started & written)
        ]
        reasons += [
            f"in a text that prints its variables and has {sink.what}" for sink in code if self.dumped
        ]
        reasons += [
            f"in a text that writes files and has {s.what}" for s in code if written and ANY in s.names
        ]
        for reason in reasons[:1]:
            yield from ((hole, reason) for hole in holes)

    def _reaching(self, names: Collection[str]) -> list[Hole]:
        seen: set[str] = set()
        todo = list(self._entering if ANY in names else names)
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += self._sources[name]
        return [hole for name in seen for hole in self._entering[name]]
