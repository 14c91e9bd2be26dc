"""Where values go inside a script: from holes through variables and inputs to what is run as code.

Order and branches do not count: what may happen at all, happens.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from pytest_lok.core.shell.ast import POSITIONAL, Hole, ShellWord, SimpleCommand
from pytest_lok.core.shell.cursor import NAME
from pytest_lok.dataclass import dataclass

ANY = "*"
"""Among names that are read: whichever there are."""

CALLERS = "<"
"""Among names: what functions may read as their input."""

_NOWHERE = frozenset({"", "/dev/null", "/dev/stderr", "/dev/stdout"})


@dataclass(frozen=True, slots=True)
class _Sink:
    """Variables whose text is run, and by what.

    ``is_arithmetic``: it is run as a calculation, in which bash lets commands run.
    """

    names: frozenset[str]
    what: str
    is_arithmetic: bool


class TaintFlow:
    """Collects which variable gets what from where; ``refused`` draws the conclusions.

    ``printed`` are the holes that commands print as they are; what other programs print of a value is
    code only where code is made from it, not where it is calculated with.
    """

    def __init__(self) -> None:
        self.printed: set[Hole] = set()
        self.not_printed: set[Hole] = set()  # arguments that their command does not print
        self.in_objects: set[Hole] = set()  # arguments of which their command prints an object
        self.prints_environment = False  # all variables are printed
        self.sets_git_alias = False  # git is told an alias
        self._variables_into: defaultdict[str, set[str]] = defaultdict(set)  # variable <- variables
        self._holes_into: defaultdict[str, set[Hole]] = defaultdict(set)  # variable <- holes
        self._sinks: list[_Sink] = []
        self._set_to: defaultdict[str, list[ShellWord]] = defaultdict(list)  # variable <- what it is set to
        self._set_otherwise: set[str] = set()  # variables that are set in other ways too
        self._written: set[str] = set()
        self._file_has_output = False  # a file gets text that may have values in it
        self.little_programs: list[str] = []  # programs of sed and awk, which can write files
        self._run_paths: set[str] = set()
        self._run_files: set[str] = set()

    def reads(self, name: str, names: Iterable[str]) -> None:
        """A variable gets its text from the variables ``names``."""
        self._variables_into[name].update(names)
        self._set_otherwise.add(name)

    def becomes(self, name: str, word: ShellWord, *, split: bool = False) -> None:
        """The word's text becomes the value of a variable; a part of it, where the shell may split it."""
        # only some part of the text arrives there, so what it may start with is not known
        if split and word.may_split:
            self._set_otherwise.add(name)
        self._set_to[name].append(word)
        self._variables_into[name] |= word.reads
        for piece in word.pieces:  # arithmetic and eval read a variable that another one names
            self._variables_into[name].update(NAME.findall(piece) if isinstance(piece, str) else ())
        self._holes_into[name].update(word.holes)
        self.printed.update(word.own_holes)

    def is_input(self, name: str, command: SimpleCommand) -> None:
        """The command's input becomes the value of a variable."""
        self._set_otherwise.add(name)
        self._variables_into[name] |= {CALLERS} if command.in_function else set()
        for feed in command.inputs:
            self._variables_into[name] |= feed.reads
            self._holes_into[name].update(feed.holes)

    def runs(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is run as code."""
        self._sinks.append(_Sink(frozenset(names), what, is_arithmetic=False))

    def calculates(self, names: Iterable[str], what: str) -> None:
        """The text of these variables is calculated with."""
        self._sinks.append(_Sink(frozenset(names), what, is_arithmetic=True))

    def writes(self, path: str, *, content: bool = False) -> None:
        """A file is written; ``content``: with output of the text."""
        self._written.add(path)
        self._file_has_output = self._file_has_output or (content and path not in _NOWHERE)

    def runs_path(self, path: str, *, file: bool = False) -> None:
        """A path is run: as a command, or as a ``file`` that another command opens."""
        self._run_paths.add(path)
        if file or "/" in path:
            self._run_files.add(path)

    def known_texts(self, word: ShellWord) -> list[str]:
        """What a word that is one variable may say, as far as that is written out before."""
        if len(word.pieces) != 1 or len(word.variables) != 1 or word.pieces[0] is not None:
            return []
        return [text for part in self._set_to.get(word.variables[0], ()) if (text := part.literal)]

    @property
    def writes_files(self) -> bool:
        """Whether the text writes any file."""
        return bool(self._written - _NOWHERE)

    @property
    def run_files(self) -> frozenset[str]:
        """The names of files that are run, without their directories, in lower case."""
        return frozenset(_base(path).lower() for path in self._run_files)

    def refused(self, holes: Collection[Hole]) -> Iterator[tuple[Hole, str]]:
        """Those of all ``holes`` of the text whose values reach code, each with how."""
        for sink in self._sinks:
            for hole in self.holes_in_variables(sink.names):
                # a number that a program counts cannot be code in a calculation; the value itself can
                if hole in self.printed or not sink.is_arithmetic:
                    yield hole, f"text that {sink.what} reads later and may run as code"
        # one reason is enough: it holds for all values of the text
        if reason := next(self._reasons(), ""):
            yield from ((hole, reason) for hole in holes)

    def _reasons(self) -> Iterator[str]:
        """Why no value of the text is safe, wherever it stands."""
        # no value is in a file to which the text prints nothing
        written = {path: _base(path) for path in self._written - _NOWHERE} if self._file_has_output else {}
        started = {_base(path) for path in self._run_paths}
        code = [sink for sink in self._sinks if not sink.is_arithmetic]
        for path in sorted(written):
            if written[path] in started:
                yield f"in a text that writes to `{path}` and runs it"
        for name in sorted({_base(path) for path in self._run_files} - {""}):
            named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
            if any(map(named.search, self.little_programs)):
                yield f"in a text that writes to `{name}` by a program, and runs it"
        # find's `-exec {}` runs whatever it comes upon
        if written and "{}" in started:
            yield "in a text that writes files and runs what it finds"
        if self.prints_environment:
            yield from (f"in a text that prints its variables and has {sink.what}" for sink in code)
        if written:
            yield from (f"in a text that writes files and has {it.what}" for it in code if ANY in it.names)
        if self.sets_git_alias:
            yield "in a text that sets an alias of git, which can run it as code"

    def origins(self, word: ShellWord) -> tuple[list[ShellWord], list[Hole]]:
        """Where a name's text comes from: words with holes, and the holes that come in by unknown ways."""
        known, unknown, seen, todo = list[ShellWord](), list[Hole](), set[str](), [word]
        while todo:
            word = todo.pop()
            if word.own_holes:
                known.append(word)
            unknown += [hole for hole in word.holes if hole not in word.own_holes]
            names = _only_variables(word)
            for name in word.reads if names is None or not _stands_apart(word.pieces) else ():
                unknown += self.holes_in_variables({name})
            unknown += self._follow(names or (), seen, todo)
        return known, unknown

    def starts_of(self, word: ShellWord) -> tuple[list[ShellWord], list[ShellWord], list[Hole]]:
        """What an argument starts with: words with it, words split into it, and holes by unknown ways."""
        guarded, split, unknown = list[ShellWord](), list[ShellWord](), list[Hole]()
        may_split, seen, todo = word.may_split, set[str](), [word]
        while todo:
            part = todo.pop()
            if part is not word and part.own_holes:
                # with another IFS it is not white space that splits
                if may_split and "IFS" not in self._set_to:
                    split.append(part)
                elif may_split or _is_option(part):
                    unknown += part.own_holes
                elif isinstance(part.pieces[0], Hole) or NAME.match(part.prefix):
                    guarded.append(part)
                if may_split and _is_option(part):
                    unknown += part.own_holes
            if None not in (part.pieces if may_split else _first_pieces(part.pieces)):
                continue
            if (names := _only_variables(part)) is None:
                nested = [hole for hole in part.holes if hole not in part.own_holes]
                unknown += [*nested, *self.holes_in_variables(part.reads)]
            unknown += self._follow(names or (), seen, todo)
        return guarded, split, [hole for hole in unknown if hole not in self.not_printed]

    def _follow(self, names: Iterable[str], seen: set[str], todo: list[ShellWord]) -> list[Hole]:
        """Adds to ``todo`` what sets the variables, each once; the holes that reach them otherwise."""
        unknown = list[Hole]()
        for name in names:
            # set by a program or a loop: only its holes are known, not its text
            if name in self._set_otherwise:
                unknown += self.holes_in_variables({name})
            elif name not in seen:
                seen.add(name)
                todo += self._set_to[name]
        return unknown

    def holes_in(self, words: Iterable[ShellWord], *, whole: bool = True) -> list[Hole]:
        """The holes whose values may be in the words, ``whole`` or as what a command makes of them."""
        listed = list(words)
        holes = [hole for word in listed for hole in word.holes]
        reads = {name for word in listed for name in word.reads}
        return [
            hole
            for hole in (*holes, *self.holes_in_variables(reads))
            if not (whole and hole in self.not_printed)
        ]

    def holes_in_input(self, command: SimpleCommand) -> list[Hole]:
        """The holes that the command's input may consist of."""
        holes = [hole for feed in command.inputs for hole in feed.holes]
        names = {name for feed in command.inputs for name in feed.reads} | (
            {CALLERS} if command.in_function else set()
        )
        return [hole for hole in (*holes, *self.holes_in_variables(names)) if hole not in self.not_printed]

    def holes_in_variables(self, names: Collection[str]) -> list[Hole]:
        """The holes whose values may be in variables of these names."""
        seen: set[str] = set()
        todo = list(self._holes_into if ANY in names else names)
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += self._variables_into[name]
        return [hole for name in seen for hole in self._holes_into[name]]


def _only_variables(word: ShellWord) -> set[str] | None:
    """The variables in the word, None if something else than their text is."""
    if None not in word.pieces:
        return set()
    names = {name if NAME.fullmatch(name) else POSITIONAL for name in word.variables}
    # a substitution makes a None too, and is no variable's text
    whole = len(word.variables) == word.pieces.count(None) and names == word.reads
    return names if whole and "#" not in word.variables else None


def _first_pieces(pieces: Sequence[str | Hole | None]) -> Sequence[str | Hole | None]:
    """The pieces that may be at the start of the text: those up to the first that surely is some."""
    texts = [place for place, piece in enumerate(pieces) if isinstance(piece, str)]
    return pieces[: texts[0]] if texts else pieces


def _is_option(word: ShellWord) -> bool:
    """Whether an option is written in it."""
    texts = ((place, piece) for place, piece in enumerate(word.pieces) if isinstance(piece, str))
    return any(re.search(r"\s-" if place else r"(\A|\s)-", text) for place, text in texts)


def _stands_apart(pieces: Sequence[str | Hole | None]) -> bool:
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
