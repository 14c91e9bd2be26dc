"""Reads the commands of a script, and collects what is to be said about the values in them.

The parser says how a hole is quoted; the judge says what is done with its value. A value is refused as an
argument of whatever runs its arguments as code, and it is followed through variables, pipes, files and
here-documents to such places. What a program does with its data is not followed.

What single commands do is not known here. Each has a rule in ``rules/``, which calls the judge's methods
``refuse``, ``runs_words``, ``writes_file`` and so on. The judge finds the rule by name in the ``RuleTable``
that it is given, so rules import the judge, and the judge imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TypeAlias

from pytest_lok.core.shell.ast import (
    POSITIONAL,
    Hole,
    NamedCommand,
    Script,
    ShellWord,
    SimpleCommand,
    UnsupportedSyntax,
)
from pytest_lok.core.shell.cursor import MAX_DEPTH, NAME
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.safety.arrivals import arriving
from pytest_lok.core.shell.safety.command_tables import (
    BUILD_FILES,
    ENVIRONMENT_PRINTERS,
    HIDES_ARGUMENTS,
    INPUT_FILE,
    PRINTERS,
    PRINTING_OPTIONS,
    interpreter,
)
from pytest_lok.core.shell.safety.file_trace import FileTrace
from pytest_lok.core.shell.safety.options import decides_what_runs, is_known
from pytest_lok.core.shell.safety.taint import ANY, CALLERS, TaintFlow
from pytest_lok.dataclass import dataclass

DASH = ("-",)
ASSIGNS = "="
"""Among forbidden starts: no start of the text, but a name with a ``=`` behind it."""

Rule: TypeAlias = "Callable[[CommandJudge, NamedCommand], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The rules of commands ``by_name``; of interpreters, of functions of the text, and of all others."""

    by_name: Mapping[str, Rule]
    interpreter: Rule
    function: Rule
    ordinary: Rule

    def rule(self, name: str) -> Rule:
        """The rule of the command, the ordinary one by default."""
        return self.interpreter if interpreter(name) else self.by_name.get(name, self.ordinary)

    def is_ordinary(self, name: str) -> bool:
        """Whether the command has no rule of its own."""
        return self.rule(name) is self.ordinary

    def knows(self, name: str) -> bool:
        """Whether anything is known of the command: a rule, or which options it has."""
        return name in self.by_name or is_known(name) or interpreter(name) is not None


@dataclass(slots=True, kw_only=True)
class SafetyReport:
    """``refused`` are holes, with what a value would be there, and what to do instead ("" as a rule).

    ``forbidden_starts`` are words that no value may start like that. The shell splits ``split_words``, and no
    part of them may start with a dash. ``printf_formats`` are holes in a format of ``printf``.
    ``written_files`` are words that name files to write, ``run_files`` names of files that are run, in lower
    case. ``unknown_commands`` get values, and nothing is known of them; the order is that of the text.
    """

    refused: dict[Hole, tuple[str, str]] = field(default_factory=dict)
    forbidden_starts: list[tuple[ShellWord, tuple[str, ...]]] = field(default_factory=list)
    split_words: list[ShellWord] = field(default_factory=list)
    printf_formats: set[Hole] = field(default_factory=set)
    written_files: list[ShellWord] = field(default_factory=list)
    run_files: frozenset[str] = frozenset()
    unknown_commands: dict[str, None] = field(default_factory=dict)


class CommandJudge:
    """Judges scripts, one or more, and sums up in ``report`` when it is told to ``conclude``."""

    def __init__(self, script: Script, rules: RuleTable) -> None:
        self.rules = rules
        self.report = SafetyReport(
            refused={hole: (hole.unsafe_place, "") for hole in script.holes if hole.unsafe_place}
        )
        self.functions = script.functions
        self.flow = TaintFlow()
        self.trace = FileTrace(flow=self.flow, functions=self.functions)
        self.piped: set[SimpleCommand] = set()  # commands whose output another reads
        self.script_names: list[ShellWord] = []  # names of files to run
        self.input_as_arguments: list[tuple[SimpleCommand, str]] = []  # as of xargs, with the names to show
        self._depth = 0
        self._variable_starts: list[
            tuple[ShellWord, str, tuple[str, ...]]
        ] = []  # what they say is known late
        self._written_names: list[ShellWord] = []

    # --- the text

    def read(self, script: Script) -> None:
        """Judge every part of a script."""
        self.trace.out_of_order = self.trace.out_of_order or script.out_of_order
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
            # the command sees what is assigned before it
            for name, word in command.assignments:
                self.assign(name, word)
            if command.words:
                self.command_line(command.words, command)
        for name, words in script.loops:
            self._loop(name, words)
        for word in script.dynamic_outputs:
            self.writes_file(word)

    def _loop(self, name: str, words: Sequence[ShellWord]) -> None:
        if not words:
            self.flow.reads(name, {POSITIONAL})
        if decides_what_runs(name):
            self.runs_words(words, name, f"in `{name}`, which decides what is run")
        for word in words:
            self.flow.becomes(name, word, split=True)
            if word.own_holes:
                self.forbid_start(word)

    def shell_code(self, words: Sequence[ShellWord], call: NamedCommand) -> None:
        """Judge words that the command runs as shell code; UnsupportedSyntax if that is not clear."""
        # a part that only the shell will know may name any variable as code
        if any(None in word.pieces for word in words):
            self.flow.runs({ANY}, f"`{call.name}`")  # it may become code that names any variable
        # code in code in code would exhaust the stack
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise UnsupportedSyntax("it is nested too deeply", 0)
            inner = scan(" ".join(word.as_code for word in words))
            # a function in there would change what a name means in the rest of the text
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
        self._depth -= 1

    def conclude(self, script: Script) -> None:
        """Say what can be said only when every command is read: an assignment may follow its use."""
        for word in self._written_names:
            for text in self.flow.known_texts(word):
                self.flow.writes(text)
        for word in self.script_names:
            for text in self.flow.known_texts(word):
                self.flow.runs_path(text, file=True)
        for hole, what in self.flow.refused(script.holes):
            self.refuse([hole], what)
        self._conclude_files()
        for word, name, starts in self._variable_starts:
            self._conclude_start(word, name, starts)
        for word in self._written_names:
            known, unknown = self.flow.origins(word)
            self.report.written_files += [part for part in known if part not in self.report.written_files]
            # a name that is made by a program cannot be checked before it runs
            self.refuse(unknown, "in the name of a file to write that is known only when it is written")
        for command, name in self.input_as_arguments:
            what = f"input of `{name}`, which may take it for an option or a file to write"
            self.refuse(self.flow.holes_in_input(command), what, f"end the command in `--` (`{name} … --`);")
        self.report.run_files = self.flow.run_files

    def _conclude_files(self) -> None:
        # in a directory that a value chose, a file is written where the value says, too
        directories = self.trace.chosen_directories()
        for holes, what, instead in self.trace.refused_directories():
            self.refuse(holes, what, instead)
        for word in directories if self.flow.writes_files else ():
            self.writes_file(word, changes=True)
        for holes, what, instead in self.trace.refused_contents():
            self.refuse(holes, what, instead)

    def _conclude_start(self, word: ShellWord, name: str, starts: tuple[str, ...]) -> None:
        """An argument starts with what a variable or a command says: where may that come from?"""
        own, split, unknown = self.flow.starts_of(word)
        self.report.forbidden_starts += [(part, starts) for part in own]
        self.report.split_words += split if starts == DASH else []
        for part in split if starts != DASH else ():
            what = f"in words that the shell splits for `{name}`"
            self.refuse(part.own_holes, what, "write it in quotes;")
        what = f"in what `{name}` may take for an option"
        self.refuse(unknown, what, "write `--` before it, or something that is no dash at its start;")

    # --- what rules say of words

    def refuse(self, holes: Iterable[Hole], what: str, instead: str = "") -> None:
        """No value can stand in the holes: it would be ``what`` ("code that …")."""
        for hole in holes:
            self.report.refused.setdefault(hole, (what, instead))

    def forbid_start(self, word: ShellWord, name: str = "", starts: tuple[str, ...] = DASH) -> None:
        """No value may begin the word of the command ``name`` with one of the ``starts``."""
        assigns = ASSIGNS in starts and (not word.prefix or NAME.fullmatch(word.prefix))
        if word.pieces and (isinstance(word.pieces[0], Hole) or (assigns and word.own_holes)):
            self.report.forbidden_starts.append((word, starts))
            # the value may be empty, and then the variable behind it begins the word
            if len(word.pieces) > 1 and None in word.pieces:
                self._variable_starts.append((word, name, starts))
        elif word.pieces and (word.pieces[0] is None or (assigns and None in word.pieces)):
            self._variable_starts.append((word, name, starts))

    def writes_file(self, word: ShellWord, *, content: bool = False, changes: bool = False) -> None:
        """The word names a file that is written.

        ``content``: with what the command gets; ``changes``: it is deleted, or keeps what is in it.
        """
        # /dev/tcp, /proc/self/mem: the name alone decides what a write does
        if word.prefix.startswith(("/dev/", "/proc/")):
            self.refuse(word.holes, "in the name of something that is no file")
        if any(not isinstance(piece, str) for piece in word.pieces):
            self._written_names.append(word)
        if not changes:
            self.flow.writes(word.shown, content=content)

    def forget(self, hole: Hole) -> bool:
        """Take back what was said of a hole that stands for others; whether it named a file to write."""
        self._variable_starts = [entry for entry in self._variable_starts if hole not in entry[0].pieces]
        named = [word for word in self._written_names if hole in word.pieces]
        self._written_names = [word for word in self._written_names if word not in named]
        return bool(named)

    def runs_words(self, words: Iterable[ShellWord], name: str, what: str = "", instead: str = "") -> None:
        """The command runs the words as code, or may run them."""
        for word in words:
            self.refuse(word.holes, what or f"an argument of `{name}`, which can run it as code", instead)
            if None in word.pieces:
                self.flow.runs(word.reads, f"`{name}`")

    def runs_input(self, name: str, command: SimpleCommand) -> None:
        """The command runs its standard input, which may be shell code that names any variable."""
        known = interpreter(name)
        self.trace.runs_input(name)
        names = {CALLERS} if command.in_function else set()
        # shell code may name any variable; code of another language holds only what is fed to it
        names |= {ANY} if (known.posix if known else command.inputs) else set()
        for given in command.inputs:
            self.refuse(given.holes, f"input of `{name}`, which runs it as code")
            names |= given.reads
        self.flow.runs(names, f"`{name}`")

    def runs_file(self, path: str, call: NamedCommand) -> None:
        """The command runs a file, or its input where the name stands for that."""
        self.flow.runs_path(path, file=True)
        self.flow.prints_environment = self.flow.prints_environment or path.startswith("/proc/")
        if INPUT_FILE.fullmatch(path):
            self.runs_input(call.name, call.command)

    def assign(self, name: str, word: ShellWord) -> None:
        """A variable is set to the word."""
        if decides_what_runs(name):
            self.runs_words([word], name, f"in `{name}`, which decides what is run")
        elif name in ("TMPDIR", "TMP", "TEMP"):
            self.writes_file(word, changes=True)
        self.flow.becomes(name, word)

    # --- commands

    def command_line(self, words: Sequence[ShellWord], command: SimpleCommand) -> None:
        """Judge words that are a command and its arguments; UnsupportedSyntax if they are too deep."""
        head = words[0]
        self.runs_words([head], head.shown, "in the name of a command")
        self.flow.runs_path(head.shown)
        name = name_of(head)
        if name is None:
            self.flow.runs({ANY}, f"`{head.shown}`")
            self.runs_words(words[1:], head.shown, "an argument of a command whose name is not written out")
            self.runs_input(head.shown, command)
            return
        if name == "alias":
            raise UnsupportedSyntax("`alias` changes how the rest is read", head.start)
        call = NamedCommand(name=name, args=words[1:], command=command)
        self._trace(call)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsupportedSyntax("commands that run commands are nested too deeply", head.start)
        if name in self.functions:  # it may be called before it is defined, or not be called at all
            self.rules.function(self, call)
        self.rules.rule(name)(self, call)
        self._depth -= 1

    def _trace(self, call: NamedCommand) -> None:
        """Note what every command of that name reads and prints, whatever its rule says."""
        # a value in such a file is run though the text does not name it
        for path in BUILD_FILES.get(call.name, ()):
            self.flow.runs_path(path, file=True)
        self.trace.starts(call)
        if arrival := arriving(call):
            self.trace.fills(call, "", words=arrival.words, reads_input=arrival.from_input)
        if call.name in PRINTERS:
            self.flow.printed.update(hole for word in call.args for hole in word.holes)
        if call.name in HIDES_ARGUMENTS:
            self.flow.not_printed.update(hole for word in call.args for hole in word.own_holes)
        listing = call.name in ENVIRONMENT_PRINTERS and all(
            word.literal in PRINTING_OPTIONS for word in call.args
        )
        if listing or call.name == "printenv":
            self.flow.prints_environment = True


def name_of(word: ShellWord) -> str | None:
    """The name of the command without its directory; None if only the shell will know it."""
    tail = word.pieces[-1] if word.pieces else None
    if not isinstance(tail, str) or (word.literal is None and "/" not in tail):
        return None
    return tail.rpartition("/")[2] or None
