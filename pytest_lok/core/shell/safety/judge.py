"""Script -> Review: where a value would be more than a piece of data, and where it may not start with ``-``.

The scanner says how a hole is quoted; this says what is done with it. A value is refused as an
argument of whatever runs its arguments as code, and it is followed through variables, pipes and
here-documents to such places. What a program does with its data is not followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_lok.core.shell.ast import (
    POSITIONAL,
    Hole,
    NamedCommand,
    Script,
    ShellWord,
    SimpleCommand,
    UnsupportedSyntax,
)
from pytest_lok.core.shell.cursor import MAX_DEPTH
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.safety.arrivals import brings
from pytest_lok.core.shell.safety.command_tables import (
    BUILD_FILES,
    DUMP_OPTIONS,
    DUMPS,
    INPUT_FILE,
    PRINTERS,
    QUIET,
    WRAPPERS,
    interpreter,
    runs_operands,
)
from pytest_lok.core.shell.safety.files import FileTrace
from pytest_lok.core.shell.safety.options import VALUE_OPTIONS, decides, program, reads_file
from pytest_lok.core.shell.safety.programs import knows, name_of, rule
from pytest_lok.core.shell.safety.taint import ANY, CALLERS, IDENTIFIER, TaintFlow

DASH = ("-",)
ASSIGNS = "="
"""Among marks: no start of the text, but a name and a ``=`` at it."""


@dataclass(slots=True, kw_only=True)
class SafetyReport:
    """``refused`` are holes, what a value would be there, and what to do instead where that is special.

    ``formats`` are those in a ``printf``'s format. ``guarded`` are words no value may start with one of
    the marks; ``split`` ones are split by the shell, and no part of them may. ``targets`` are words that
    name files to write, ``started`` the names of files that are run. ``unknown`` are commands that get
    values and of which nothing is known.
    """

    refused: dict[Hole, tuple[str, str]] = field(default_factory=dict)
    guarded: list[tuple[ShellWord, tuple[str, ...]]] = field(default_factory=list)
    split: list[ShellWord] = field(default_factory=list)
    formats: set[Hole] = field(default_factory=set)
    targets: list[ShellWord] = field(default_factory=list)
    started: frozenset[str] = frozenset()
    unknown: dict[str, None] = field(default_factory=dict)


def review(script: Script) -> SafetyReport:
    """Judge every hole of the script; Unreadable if a command in it leaves that open."""
    judge = CommandJudge(script)
    judge.read(script)
    judge.conclude(script)
    return judge.review


class CommandJudge:
    """Reads commands, and collects what is to be said about the values in them."""

    def __init__(self, script: Script) -> None:
        self.review = SafetyReport(
            refused={hole: (hole.unsafe_place, "") for hole in script.holes if hole.unsafe_place}
        )
        self.functions = script.functions
        self.flow = TaintFlow()
        self.depth = 0
        self.trace = FileTrace()
        self.current = SimpleCommand()
        self.piped: set[SimpleCommand] = set()  # commands whose output another reads
        self._leads: list[tuple[ShellWord, str, tuple[str, ...]]] = []  # arguments that start with a variable
        self._named: list[ShellWord] = []  # names of files to write
        self.scripts: list[ShellWord] = []  # names of files to run
        self.fed: list[tuple[SimpleCommand, str]] = []  # commands whose arguments come from their input

    # --- the text

    def read(self, script: Script) -> None:
        """Every part of a text."""
        self.trace.repeats = self.trace.repeats or script.out_of_order
        self.piped.update(command for _, commands in script.piped for command in commands)
        for doc in script.here_documents:
            self.flow.printed.update(doc.holes)
        for path in script.output_files:
            self.flow.writes(path, content=True)
        for name, reads in script.defaults:
            self.flow.reads(name, reads)
        if script.arithmetic:
            self.flow.calculates(script.arithmetic, "`$((…))`")
        for command in script.commands:
            for name, word in command.assignments:
                self.assign(name, word)
            if command.words:
                self.line(command.words, command)
        for name, words in script.loops:
            self._loop(name, words)
        for word in script.dynamic_outputs:
            self.target(word)

    def _loop(self, name: str, words: Sequence[ShellWord]) -> None:
        if not words:
            self.flow.reads(name, {POSITIONAL})
        if decides(name):
            self.runs(words, name, f"in `{name}`, which decides what is run")
        for word in words:
            self.flow.becomes(name, word, split=True)
            if word.own_holes:
                self.guard(word)

    def code(self, words: Sequence[ShellWord], call: NamedCommand) -> None:
        """Judge words that the command runs as shell code."""
        if any(None in word.pieces for word in words):
            self.flow.runs({ANY}, f"`{call.name}`")  # it may become code that names any variable
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise UnsupportedSyntax("it is nested too deeply", 0)
            inner = scan(" ".join(map(self.as_code, words)))
            if inner.functions:
                raise UnsupportedSyntax("it defines functions", 0)
            for command in inner.commands:
                command.inputs += call.command.inputs
                command.in_function = command.in_function or call.command.in_function
            self.read(inner)
        except UnsupportedSyntax as error:
            at = call.args[0].start
            raise UnsupportedSyntax(
                f"the code that `{call.name}` runs is not clear: {error.message}", at
            ) from None
        self.depth -= 1

    def conclude(self, script: Script) -> None:
        """What can be said once everything is read."""
        for word in self._named:
            for text in self.flow.texts(word):
                self.flow.writes(text)
        for word in self.scripts:
            for text in self.flow.texts(word):
                self.flow.starts(text, file=True)
        for hole, what in self.flow.refused(script.holes):
            self.refuse([hole], what)
        self.trace.conclude(self, changing=self.flow.written)
        for word, name, marks in self._leads:
            self._lead(word, name, marks)
        for word in self._named:
            known, unknown = self.flow.parts(word)
            self.review.targets += [part for part in known if part not in self.review.targets]
            self.refuse(unknown, "in the name of a file to write that is known only when it is written")
        for command, name in self.fed:
            what = f"input of `{name}`, which may take it for an option or a file to write"
            self.refuse(self.flow.fed(command), what, f"end the command in `--` (`{name} … --`);")
        self.review.started = self.flow.started

    def _lead(self, word: ShellWord, name: str, marks: tuple[str, ...]) -> None:
        """An argument that starts with what a variable or a command says."""
        guarded, split, unknown = self.flow.leads(word)
        self.review.guarded += [(part, marks) for part in guarded]
        self.review.split += split if marks == DASH else []
        if marks != DASH:
            for part in split:
                self.refuse(
                    part.own_holes, f"in words that the shell splits for `{name}`", "write it in quotes;"
                )
        self.refuse(
            unknown,
            f"in what `{name}` may take for an option",
            "write `--` before it, or something that is no dash at its start;",
        )

    # --- verdicts

    def refuse(self, holes: Iterable[Hole], what: str, instead: str = "") -> None:
        """No value can stand there."""
        for hole in holes:
            self.review.refused.setdefault(hole, (what, instead))

    def guard(self, word: ShellWord, name: str = "", marks: tuple[str, ...] = DASH) -> None:
        """No value may start the word with one of the marks."""
        named = ASSIGNS in marks and (not word.prefix or IDENTIFIER.fullmatch(word.prefix))
        if word.pieces and (isinstance(word.pieces[0], Hole) or (named and word.own_holes)):
            self.review.guarded.append((word, marks))
            if len(word.pieces) > 1 and None in word.pieces:
                self._leads.append((word, name, marks))
        elif word.pieces and (word.pieces[0] is None or (named and None in word.pieces)):
            self._leads.append((word, name, marks))

    def target(self, word: ShellWord, *, content: bool = False, changes: bool = False) -> None:
        """The word names a file to write.

        ``content``: with what the command gets; ``changes``: it is deleted, or keeps what is in it.
        """
        if word.prefix.startswith(("/dev/", "/proc/")):
            self.refuse(word.holes, "in the name of something that is no file")
        if any(not isinstance(piece, str) for piece in word.pieces):
            self._named.append(word)
        if not changes:
            self.flow.writes(word.shown, content=content)

    def forget(self, fed: Hole) -> bool:
        """Take back what was said of a place that stands for others; whether it named a file."""
        self._leads = [entry for entry in self._leads if fed not in entry[0].pieces]
        named = [word for word in self._named if fed in word.pieces]
        self._named = [word for word in self._named if word not in named]
        return bool(named)

    def runs(self, words: Iterable[ShellWord], name: str, what: str = "", instead: str = "") -> None:
        """The words are code of the command, or may be."""
        for word in words:
            self.refuse(word.holes, what or f"an argument of `{name}`, which can run it as code", instead)
            if None in word.pieces:
                self.flow.runs(word.reads, f"`{name}`")

    def runs_input(self, name: str, command: SimpleCommand) -> None:
        """The command runs its standard input, which may be shell code that names any variable."""
        known = interpreter(name)
        self.trace.eats(name)
        names = {CALLERS} if command.in_function else set()
        names |= {ANY} if (known.posix if known else command.inputs) else set()
        for feed in command.inputs:
            self.refuse(feed.holes, f"input of `{name}`, which runs it as code")
            names |= feed.reads
        self.flow.runs(names, f"`{name}`")

    def runs_file(self, path: str, call: NamedCommand) -> None:
        """The command runs a file; some names are not what they seem."""
        self.flow.starts(path, file=True)
        self.flow.dumped = self.flow.dumped or path.startswith("/proc/")
        if INPUT_FILE.fullmatch(path):
            self.runs_input(call.name, call.command)

    # --- commands

    def assign(self, name: str, word: ShellWord) -> None:
        """A variable is set."""
        if decides(name):
            self.runs([word], name, f"in `{name}`, which decides what is run")
        elif name in ("TMPDIR", "TMP", "TEMP"):
            self.target(word, changes=True)
        self.flow.becomes(name, word)

    def line(self, words: Sequence[ShellWord], command: SimpleCommand) -> None:
        """Judge a command by its name and its arguments."""
        head, args = words[0], words[1:]
        self.runs([head], head.shown, "in the name of a command")
        self.flow.starts(head.shown)
        name = name_of(head)
        if name is None:
            self.flow.runs({ANY}, f"`{head.shown}`")
            self.runs(args, head.shown, "an argument of a command whose name is not written out")
            self.runs_input(head.shown, command)
            return
        if name == "alias":
            raise UnsupportedSyntax("`alias` changes how the rest is read", head.start)
        for path in BUILD_FILES.get(name, ()):
            self.flow.starts(path, file=True)
        call = NamedCommand(name=name, args=args, command=command)
        self.current = command
        self.trace.sees(call)
        brings(self, call)
        if name in PRINTERS:
            self.flow.printed.update(hole for word in args for hole in word.holes)
        if name in QUIET:
            self.flow.quiet.update(hole for word in args for hole in word.own_holes)
        if name == "printenv" or (name in DUMPS and all(word.literal in DUMP_OPTIONS for word in args)):
            self.flow.dumped = True
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnsupportedSyntax("commands that run commands are nested too deeply", head.start)
        if name in self.functions:  # it may be called before it is defined, or not be called at all
            self._function(call)
        rule(name)(self, call)
        self.depth -= 1

    def _function(self, call: NamedCommand) -> None:
        self.flow.is_input(CALLERS, call.command)
        self.data(call)
        for word in call.args:
            self.flow.printed.update(word.holes)
            self.flow.becomes(POSITIONAL, word, split=True)

    def data(
        self, call: NamedCommand, args: Sequence[ShellWord] | None = None, marks: tuple[str, ...] = ()
    ) -> None:
        """The words are arguments of a command; its options say which of them take code.

        ``marks`` are starts of operands that make them more than that.
        """
        known, name = program(call.name), call.name
        api = any(word.literal in ("api", "run") for word in call.args[:2])
        runs = any(word.literal in ("exec", "run") for word in call.args)
        runner = ("exec", "eval", "--") if runs else ("exec", "eval")
        previous, ended = "", False
        for word in call.args if args is None else args:
            if word.literal is not None or self._boxed(word):
                self._open(call, "" if ended else known.opened(previous, word.literal or ""))
                previous, ended = word.literal or "", ended or word.literal == "--"
                continue
            given, equals, _ = word.prefix.partition("=")
            attached = given.startswith("-") and not ended
            option = given if attached else previous if previous.startswith("-") and not ended else ""
            if attached and not equals and (given == "-" or given[:2] == "--") and (known.open or known.code):
                self.runs([word], name, f"a part of the name of an option of `{name}`")
            elif known.takes_code(option, "" if ended else previous, attached=attached):
                option = option if known.runs(option, attached=attached) else previous
                self.runs([word], name, f"the value of `{option}`, which can be run as code")
            elif previous in runner and not knows(name):
                self.runs([word], name, f"behind `{name} … {previous}`, which can run it as code")
            elif better := reads_file(name, option, word.prefix, api=api):
                what = f"the value of `{option or name}`, which reads a file where it starts with @"
                self.runs([word], name, what, f"`{better}` takes it as it is;")
            marked = (*known.marks, *marks)
            if not ended and previous not in VALUE_OPTIONS and option not in known.exact:
                self.guard(word, name, (*DASH, *marked))
            elif marked:
                self.guard(word, name, marked)
            if any(hole.start >= 0 for hole in word.holes) and not (knows(name) or name in self.functions):
                self.review.unknown[name] = None
            options = [text for text in self.flow.texts(word) if text.startswith("-")]
            previous = options[0].split()[-1] if options else ""

    def _open(self, call: NamedCommand, path: str) -> None:
        if path:
            self.runs_file(path, call)

    def _boxed(self, word: ShellWord) -> bool:
        """Whether it is an object around all values in it."""
        return (
            word.pieces == [None]
            and bool(word.holes)
            and not word.may_split
            and self.flow.boxed.issuperset(word.holes)
        )

    def operands(self, call: NamedCommand) -> None:
        """A command among the arguments of another makes a command line of those that follow."""
        for place, word in enumerate(call.args):
            text = word.literal
            if text and not text.startswith("-") and runs_operands(text):
                self.line(call.args[place:], call.command)
                return

    @staticmethod
    def is_inline(call: NamedCommand) -> bool:
        """Whether it starts a command, or shell code, that is judged by itself."""
        known = interpreter(call.name)
        inline = (
            known
            and known.posix
            and any(known.inline.fullmatch(word.literal or "") for word in call.args[:2])
        )
        return bool(inline) or call.name in WRAPPERS

    @staticmethod
    def as_code(word: ShellWord) -> str:
        """The word's text, with something harmless for what only the shell will know."""
        return "".join(piece if isinstance(piece, str) else "x" for piece in word.pieces)
