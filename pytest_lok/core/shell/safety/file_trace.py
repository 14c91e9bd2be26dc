"""What the commands of a text leave in files, and which commands after them may run what they find there.

Commands are kept in their order. A value in a file is refused before a command that may run the file: one
that is not known to only read data, unless the file is called as data is and the command does not name it.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TypeAlias

from pytest_lok.core.edits.protected_names import protection_reason
from pytest_lok.core.shell.ast import Hole, NamedCommand, ShellWord
from pytest_lok.core.shell.safety.command_tables import WRAPPERS, interpreter
from pytest_lok.core.shell.safety.file_tables import DATA_FILE, HIDES_VARIABLES, LOADS_FILES, OUTSIDE, READERS
from pytest_lok.core.shell.safety.taint import TaintFlow
from pytest_lok.dataclass import dataclass

Refusal: TypeAlias = tuple[list[Hole], str, str]
"""Holes, what a value would be in them, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """A file that a command fills, before command ``number`` is started.

    ``path`` is "" if nobody knows which file that is.
    ``copied``: with what is in another file. ``words`` say with what, None for all that the command gets;
    ``reads_input``: and its input.
    """

    number: int
    call: NamedCommand
    path: str
    copied: bool
    words: Sequence[ShellWord] | None
    reads_input: bool


@dataclass(slots=True, kw_only=True)
class FileTrace:
    """The commands of a text in their order, with what they may leave behind for those that follow.

    ``functions`` are the names of the text's own. ``out_of_order``: a loop, a function or a job in the
    background lets every command follow every other. ``exported`` are variables that programs see,
    ``revision_names`` words that names of git's revisions may stand for.
    """

    flow: TaintFlow
    functions: set[str]
    out_of_order: bool = False
    exported: set[str] = field(default_factory=set)
    revision_names: list[ShellWord] = field(default_factory=list)
    _calls: list[NamedCommand] = field(default_factory=list)
    _fills: list[_Fill] = field(default_factory=list)
    _directories: list[tuple[int, ShellWord]] = field(default_factory=list)
    _running_input: list[tuple[int, str]] = field(default_factory=list)

    def starts(self, call: NamedCommand) -> None:
        """The command is the next to be started, with the redirections that it has."""
        self._calls.append(call)
        for path in call.command.outputs:
            self.fills(call, path)

    def fills(
        self,
        call: NamedCommand,
        path: str,
        *,
        copied: bool = False,
        words: Sequence[ShellWord] | None = None,
        reads_input: bool = True,
    ) -> None:
        """The command writes what it gets to a file ("": nobody knows which).

        ``copied``: it writes what is in another file. ``words`` say what it writes, None for all of its
        arguments; ``reads_input``: its input, too.
        """
        # a device keeps nothing for the commands that follow
        if not path.startswith(OUTSIDE[:1]):
            number = len(self._calls)
            self._fills.append(
                _Fill(
                    number=number, call=call, path=path, copied=copied, words=words, reads_input=reads_input
                )
            )

    def enters(self, word: ShellWord) -> None:
        """The commands that follow are started in that directory."""
        self._directories.append((len(self._calls), word))

    def runs_input(self, name: str) -> None:
        """The last command, or a part of it called ``name``, runs its input."""
        self._running_input.append((len(self._calls) - 1, name))

    def chosen_directories(self) -> list[ShellWord]:
        """The directories in which commands are started, and which values have chosen."""
        return [word for _, word in self._directories if self.flow.holes_in([word], whole=False)]

    def refused_directories(self) -> Iterator[Refusal]:
        """Values that choose a directory in which a command may run what it finds."""
        for number, word in self._directories:
            holes = self.flow.holes_in([word], whole=False)
            for call in self._after(number) if holes else ():
                if call.name in LOADS_FILES or not self._only_reads(call):
                    what = f"in the name of the directory in which `{call.name}` may run what it finds"
                    yield holes, what, "take the value as an argument, or the directory as written;"

    def refused_contents(self) -> Iterator[Refusal]:
        """Values that are in a file, where it is not known what is run."""
        filled = [fill for fill in self._fills if not fill.copied and self._holes(fill)]
        if not filled:
            return
        # what runs before the first value is in a file cannot find it there
        start = 0 if self.out_of_order else min(fill.number for fill in filled)
        names = {
            fill.path
            for fill in self._fills
            if fill.number >= start and (fill.words is None or fill in filled)
        }
        holes = [hole for fill in filled for hole in self._holes(fill)]
        for what in self._reasons(start, names):
            instead = "run it in a step of its own, or name the file as data (.txt, .json, .md, …);"
            yield holes, what, instead

    def _holes(self, fill: _Fill) -> list[Hole]:
        """The values that may be in the file, or have chosen what is in it."""
        fed = self.flow.holes_in_input(fill.call.command) if fill.reads_input else []
        if fill.words is not None:
            return [*self.flow.holes_in(fill.words, whole=False), *fed]
        given = [*fill.call.args, *(word for _, word in fill.call.command.assignments)]
        seen = self.flow.holes_in_variables(self.exported) if fill.call.name not in HIDES_VARIABLES else []
        return [*self.flow.holes_in(given, whole=False), *fed, *seen]

    def _reasons(self, start: int, names: set[str]) -> Iterator[str]:
        # git obeys its own files whatever the command is
        if any(re.search(r"(\A|/)\.git/", path) for path in names):
            yield "in a file of git's own, which says what git runs"
        for number, name in self._running_input:
            if number >= start and self._calls[number].command.inputs:
                yield f"in a file of a text in which `{name}` runs what it reads"
        for call in self._after(start):
            for path in () if self._only_reads(call) else sorted(names):
                if not _is_data(path) or _mentions(call, path):
                    yield f"in a file that is written before `{call.name}`, which may run what it finds"

    def _after(self, number: int) -> list[NamedCommand]:
        # in a loop what is written last may be run first
        return self._calls if self.out_of_order else self._calls[number:]

    def _only_reads(self, call: NamedCommand) -> bool:
        return call.name in READERS or call.name in self.functions or _starts_command(call)


def _starts_command(call: NamedCommand) -> bool:
    """Whether the command starts another, or shell code, which is a command of the trace itself."""
    known = interpreter(call.name)
    first = [word.literal or "" for word in call.args[:2]]
    runs_code = known is not None and known.posix and any(map(known.code_options.fullmatch, first))
    return runs_code or call.name in WRAPPERS


def _is_data(path: str) -> bool:
    """Whether a file is called as data is, which nobody runs who is not told to by its name."""
    if path.startswith(OUTSIDE):
        return True
    return (
        bool(DATA_FILE.fullmatch(posixpath.basename(path)))
        and protection_reason(posixpath.normpath(path)) is None
    )


def _mentions(call: NamedCommand, path: str) -> bool:
    """Whether the command's arguments name the file, or may."""
    name = posixpath.basename(path)
    for word in call.args:
        text = "".join(piece if isinstance(piece, str) else "*" for piece in word.pieces)
        # a pattern may name the file without its name standing there
        if name in text or (
            ("*" in word.shown or "?" in word.shown) and fnmatch.fnmatch(name, posixpath.basename(text))
        ):
            return True
    return False
