"""Script -> Review: where a value would be more than a piece of data, and where it may not start with ``-``.

The scanner says how a hole is quoted; this says what is done with it. A value is refused as an
argument of whatever runs its arguments as code, and it is followed through variables, pipes and
here-documents to such places. What a program does with its data is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pytest_lok.core.shell_commands import (
    BEFORE_SUBCOMMAND,
    BY_SUBCOMMAND,
    CODE_MODULES,
    CODE_OPTION,
    CODE_OPTIONS,
    DECLARATIONS,
    DUMP_OPTIONS,
    DUMPS,
    EVALUATORS,
    FIND_RUNS,
    INPUT_EVALUATORS,
    INPUT_FILE,
    NAMERS,
    PRINTERS,
    REMOTE,
    RUNNERS,
    SCRIPTED,
    TEST_BINARY,
    TEST_UNARY,
    TRUSTED_VARIABLE,
    VALUE_OPTIONS,
    WRAPPERS,
    XARGS_OPTION,
    XARGS_VALUE,
    Interpreter,
    interpreter,
)
from pytest_lok.core.shell_flow import ANY, CALLERS, Flow
from pytest_lok.core.shell_scan import scan
from pytest_lok.core.shell_script import POSITIONAL, Command, Hole, Script, Unreadable, Word
from pytest_lok.core.shell_words import MAX_DEPTH

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


@dataclass(slots=True, kw_only=True)
class Review:
    """``refused`` are holes, and what a value would be there; ``formats`` those in a ``printf``'s format.

    ``guarded`` are words that no value may start with a ``-``.
    """

    refused: dict[Hole, str] = field(default_factory=dict)
    guarded: list[Word] = field(default_factory=list)
    formats: set[Hole] = field(default_factory=set)


def review(script: Script) -> Review:
    """Judge every hole of the script; Unreadable if a command in it leaves that open."""
    judge = _Judge(script)
    judge.read(script)
    for hole, what in judge.flow.refused(script.holes):
        judge.refuse([hole], what)
    return judge.review


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A command by its name, with its arguments; ``command`` has its inputs."""

    name: str
    args: Sequence[Word]
    command: Command


class _Judge:
    def __init__(self, script: Script) -> None:
        self.review = Review(refused={hole: hole.ban for hole in script.holes if hole.ban})
        self.functions = script.functions
        self.flow = Flow()
        self.depth = 0

    # --- the text

    def read(self, script: Script) -> None:
        for doc in script.docs:
            self.flow.printed.update(doc.holes)
        for path in script.written:
            self.flow.writes(path)
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
            self.flow.reads(name, () if words else {POSITIONAL})
            for word in words:
                self.flow.becomes(name, word)
                self.guard(word)

    def code(self, words: Sequence[Word], call: _Call) -> None:
        """Judge words that the command runs as shell code."""
        if any(None in word.pieces for word in words):
            self.flow.runs({ANY}, f"`{call.name}`")  # it may become code that names any variable
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise Unreadable("it is nested too deeply", 0)
            inner = scan(" ".join(map(_as_code, words)))
            if inner.functions:
                raise Unreadable("it defines functions", 0)
            for command in inner.commands:
                command.inputs += call.command.inputs
                command.called = command.called or call.command.called
            self.read(inner)
        except Unreadable as error:
            at = call.args[0].start
            raise Unreadable(f"the code that `{call.name}` runs is not clear: {error.message}", at) from None
        self.depth -= 1

    # --- verdicts

    def refuse(self, holes: Iterable[Hole], what: str) -> None:
        for hole in holes:
            self.review.refused.setdefault(hole, what)

    def guard(self, word: Word) -> None:
        if word.pieces and isinstance(word.pieces[0], Hole):
            self.review.guarded.append(word)

    def runs(self, words: Iterable[Word], name: str, what: str = "") -> None:
        """The words are code of the command, or may be."""
        for word in words:
            self.refuse(word.holes, what or f"an argument of `{name}`, which can run it as code")
            if None in word.pieces:
                self.flow.runs(word.reads, f"`{name}`")

    def runs_input(self, name: str, command: Command) -> None:
        """The command runs its standard input, which may be shell code that names any variable."""
        known = interpreter(name)
        names = {CALLERS} if command.called else set()
        names |= {ANY} if (known.posix if known else command.inputs) else set()
        for feed in command.inputs:
            self.refuse(feed.holes, f"input of `{name}`, which runs it as code")
            names |= feed.reads
        self.flow.runs(names, f"`{name}`")

    def runs_file(self, path: str, call: _Call) -> None:
        """The command runs a file; some names are not what they seem."""
        self.flow.starts(path)
        self.flow.dumped = self.flow.dumped or path.startswith("/proc/")
        if INPUT_FILE.fullmatch(path):
            self.runs_input(call.name, call.command)

    # --- commands

    def assign(self, name: str, word: Word) -> None:
        if TRUSTED_VARIABLE.fullmatch(name):
            self.runs([word], name, f"in `{name}`, which decides what is run")
        self.flow.becomes(name, word)

    def line(self, words: Sequence[Word], command: Command) -> None:
        """Judge a command by its name and its arguments."""
        head, args = words[0], words[1:]
        self.runs([head], head.shown, "in the name of a command")
        self.flow.starts(head.shown)
        name = _name(head)
        if name is None:
            self.flow.runs({ANY}, f"`{head.shown}`")
            self.runs(args, head.shown, "an argument of a command whose name is not written out")
            self.runs_input(head.shown, command)
            return
        if name == "alias":
            raise Unreadable("`alias` changes how the rest is read", head.start)
        call = _Call(name=name, args=args, command=command)
        if name in PRINTERS:
            self.flow.printed.update(hole for word in args for hole in word.holes)
        if name == "printenv" or (name in DUMPS and all(word.literal in DUMP_OPTIONS for word in args)):
            self.flow.dumped = True
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("commands that run commands are nested too deeply", head.start)
        if name in self.functions:  # it may be called before it is defined, or not be called at all
            _function(self, call)
        rule(name)(self, call)
        self.depth -= 1

    def data(self, args: Iterable[Word], *, options: re.Pattern[str] | None = None) -> None:
        """The words are arguments of an ordinary command; ``options`` are those of it that take code."""
        previous = ""
        ended = False
        for word in args:
            given, equals, _ = word.prefix.partition("=")
            for option in (previous, given if equals else word.prefix):
                if CODE_OPTION.fullmatch(option) or (options and options.fullmatch(option)):
                    self.refuse(word.direct, f"the value of `{option}`, which can be run as code")
            if not ended and previous not in VALUE_OPTIONS:
                self.guard(word)
            previous = word.literal or ""
            ended = ended or previous == "--"


Rule: TypeAlias = Callable[[_Judge, _Call], None]


def rule(name: str) -> Rule:
    """What is known about the command; an ordinary one by default."""
    if interpreter(name):
        return _interpreted
    return next((rule for names, rule in _RULES if name in names), _ordinary)


def _name(word: Word) -> str | None:
    """What a command is called, without its directory; None if only the shell will know."""
    tail = word.pieces[-1] if word.pieces else None
    if not isinstance(tail, str) or (word.literal is None and "/" not in tail):
        return None
    return tail.rpartition("/")[2] or None


def _ordinary(judge: _Judge, call: _Call) -> None:
    elsewhere = REMOTE.get(call.name, frozenset())
    if remote := [word.literal for word in call.args if word.literal in elsewhere]:
        name = f"{call.name} {remote[0]}"
        judge.runs(call.args, name)
        judge.runs_input(name, call.command)
        return
    if call.name in BY_SUBCOMMAND:
        judge.refuse(_as_subcommand(call.args), f"the subcommand of `{call.name}`, which decides what is run")
    judge.data(call.args, options=CODE_OPTIONS.get(call.name))


def _as_subcommand(args: Iterable[Word]) -> Iterable[Hole]:
    """The holes before the first operand that is written out."""
    previous = ""
    for word in args:
        text = word.literal or ""
        if previous not in BEFORE_SUBCOMMAND and not word.prefix.startswith("-"):
            if text:
                return
            yield from word.holes
        previous = text


def _harmless(judge: _Judge, call: _Call) -> None:
    """A command whose arguments are never options that matter."""


def _function(judge: _Judge, call: _Call) -> None:
    judge.flow.is_input(CALLERS, call.command)
    judge.data(call.args)
    for word in call.args:
        judge.flow.printed.update(word.holes)
        judge.flow.becomes(POSITIONAL, word)


def _evaluator(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    if call.name in INPUT_EVALUATORS or any(INPUT_FILE.fullmatch(word.literal or "") for word in call.args):
        judge.runs_input(call.name, call.command)


def _eval(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    if call.args:
        judge.code(call.args, call)


def _trap(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    if call.args and call.args[0].literal not in ("", "-", "--"):
        judge.code(call.args[:1], call)


def _as_code(word: Word) -> str:
    """The word's text, with something harmless for what only the shell will know."""
    return "".join(piece if isinstance(piece, str) else "x" for piece in word.pieces)


def _source(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    for word in call.args[:1]:
        judge.runs_file(word.shown, call)


def _wrapper(judge: _Judge, call: _Call) -> None:
    if call.name == "command" and call.args and call.args[0].literal in ("-v", "-V"):
        judge.data(call.args[1:])
        return
    if (allowed := WRAPPERS.get(call.name)) is None:
        allowed = RUNNERS[call.name]
        if not call.args or not allowed.fullmatch(call.args[0].literal or ""):
            _ordinary(judge, call)
            return
    for place, word in enumerate(call.args):
        rest = call.args[place:]
        if assigned := _ASSIGNED.match(word.prefix):
            judge.assign(assigned[1], word)
        elif word.prefix.startswith("-") and not allowed.fullmatch(word.literal or ""):
            _unclear(judge, replace(call, name=f"{call.name} {word.prefix}", args=rest))
            return
        elif not allowed.fullmatch(word.literal or ""):
            judge.line(rest, call.command)
            return


def _unclear(judge: _Judge, call: _Call) -> None:
    """Which of the words is the command that is run is not known."""
    judge.runs(call.args, call.name)
    for word in call.args:
        if rule(_name(word) or "eval") is not _ordinary:
            judge.runs_input(call.name, call.command)


def _directory(judge: _Judge, call: _Call) -> None:
    for word in call.args:
        judge.flow.becomes("PWD", word)
    judge.data(call.args)


def _exec(judge: _Judge, call: _Call) -> None:
    """With nothing to run, it lets the commands that follow read its input."""
    _wrapper(judge, call)
    if not call.args:
        for feed in call.command.inputs:
            judge.refuse(feed.holes, "input of `exec`, which passes it on")


def _tee(judge: _Judge, call: _Call) -> None:
    for word in call.args:
        judge.flow.writes(word.literal or "")
    judge.data(call.args)


def _xargs(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    texts = [word.literal or "?" for word in call.args]
    place = 0
    while place < len(texts) and (texts[place] in XARGS_VALUE or XARGS_OPTION.fullmatch(texts[place])):
        place += 2 if texts[place] in XARGS_VALUE else 1
    if words := call.args[place:]:
        judge.line(words, call.command)
        head = words[0].literal or ""
        ordinary = re.fullmatch(r"[\w./+-]+", head) and rule(_name(words[0]) or "") in _PLAIN_RULES
        if not ordinary or head.startswith("-") or any(head in text for text in texts[:place]):
            judge.runs_input(call.name, call.command)


def _interpreted(judge: _Judge, call: _Call) -> None:
    if (known := interpreter(call.name)) is None:
        return
    place = 0
    while place < len(call.args) and known.flags.fullmatch(call.args[place].literal or "?"):
        place += 1
    rest = call.args[place:]
    text = rest[0].literal if rest else "-"
    if text is None:
        in_directory = any("/" in piece for piece in rest[0].pieces if isinstance(piece, str))
        judge.runs(rest[:1] if in_directory else rest, call.name)
        judge.flow.starts(rest[0].shown)
        judge.data(rest[1:])
    elif (text.startswith("-") and text != "-") or known.inline.fullmatch(text) or text in CODE_MODULES:
        _inline(judge, replace(call, name=f"{call.name} {text}", args=rest), known)
    else:
        judge.runs_file(text, call)
        judge.data(rest[1:])


def _inline(judge: _Judge, call: _Call, known: Interpreter) -> None:
    """An interpreter with code among its arguments, or with options that are not understood."""
    judge.runs(call.args, call.name)
    options = [place for place, word in enumerate(call.args) if known.inline.fullmatch(word.literal or "")]
    if not options:
        judge.runs_input(call.name, call.command)
    elif known.posix:
        after = [word for word in call.args[options[0] + 1 :] if not word.prefix.startswith(("-", "+"))]
        if after:
            judge.code(after[:1], call)
        for word in after[1:]:
            judge.flow.becomes(POSITIONAL, word)


def _scripted(judge: _Judge, call: _Call) -> None:
    flags, holding = SCRIPTED[call.name]
    args, place, operands = call.args, 0, 1
    while place < len(args):
        text = args[place].literal or "?"
        if text in holding:
            operands = 0
            judge.runs(args[place + 1 : place + 2], f"{call.name} {text}")
            place += 2
        elif text in ("-v", "-F") and "awk" in call.name:
            place += 2
        elif flags.fullmatch(text):
            place += 1
        else:
            break
    if place < len(args) and args[place].prefix.startswith("-") and args[place].literal != "-":
        operands = len(args)
        judge.runs_input(call.name, call.command)
    judge.runs(args[place : place + operands], call.name)
    judge.data(args[place + operands :])
    for word in args[:place]:
        judge.runs_file(word.literal or "", call)


def _find(judge: _Judge, call: _Call) -> None:
    args, plain, place = call.args, list[Word](), 0
    while place < len(args):
        if args[place].literal not in FIND_RUNS:
            plain.append(args[place])
            place += 1
            continue
        ends = (n for n in range(place, len(args)) if args[n].literal in (";", "+"))
        stop = next(ends, len(args))
        if inner := args[place + 1 : stop]:
            judge.line(inner, call.command)
        place = stop
    judge.data(plain)


def _declaration(judge: _Judge, call: _Call) -> None:
    options = any(word.prefix.startswith(("-", "+")) for word in call.args)
    for word in call.args:
        assigned = _ASSIGNED.match(word.prefix)
        if assigned and not options:
            judge.assign(assigned[1], word)
            continue
        judge.runs([word], call.name)
        if options and (declared := _IDENTIFIER.match(word.prefix)):
            judge.flow.calculates({declared[0]}, f"`{call.name}`")
            judge.flow.becomes(declared[0], word)


def _namer(judge: _Judge, call: _Call) -> None:
    judge.runs(call.args, call.name)
    if any(word.prefix.startswith("-C") for word in call.args):  # mapfile calls a command for what it reads
        judge.runs_input(call.name, call.command)
    for name in [word.literal or "" for word in call.args] or ["REPLY"]:
        if _IDENTIFIER.fullmatch(name) and call.name != "unset":
            judge.flow.is_input(name, call.command)
            judge.flow.reads(name, {POSITIONAL} if call.name == "getopts" else ())


def _calculation(judge: _Judge, call: _Call) -> None:
    """``let`` and ``[[``: bash calculates with the names in them."""
    for word in call.args:
        judge.refuse(word.holes, f"an argument of `{call.name}`, in which bash calculates")
        judge.flow.calculates((*_IDENTIFIER.findall(_as_code(word)), *word.reads), f"`{call.name}`")


def _set(judge: _Judge, call: _Call) -> None:
    ended = False
    for word in call.args:
        if not ended:
            judge.refuse(word.holes, "an argument of `set`, which changes the shell (write `set -- …`)")
        judge.flow.becomes(POSITIONAL, word)
        ended = ended or word.literal == "--"


def _printf(judge: _Judge, call: _Call) -> None:
    ended = call.args[:1] and call.args[0].literal == "--"
    for pattern in call.args[1:2] if ended else call.args[:1]:
        judge.review.formats.update(pattern.direct)
        if not ended and (pattern.prefix.startswith("-") or pattern.pieces[:1] == [None]):
            judge.runs(
                call.args, call.name, "an argument of `printf` with an option, which can run it as code"
            )
        elif pattern.loose:
            judge.runs([pattern], "printf")


def _test(judge: _Judge, call: _Call) -> None:
    looks_up = any(word.literal in ("-v", "-R") for word in call.args)
    for word in call.args:
        if None in word.pieces and (word.loose or looks_up):
            judge.flow.runs(word.reads, f"`{call.name}`")
    words = call.args[:-1] if call.name == "[" else call.args
    if any(word.direct for word in call.args) and not _is_test(words):
        what = (
            f"where `{call.name}` could take it for an operator (use `[ -n … ]`, `[ … = … ]`, and && for -a)"
        )
        judge.runs(call.args, call.name, what)


def _is_test(words: Sequence[Word]) -> bool:
    """Whether it is a test in which POSIX says which words are operators, whatever the others hold."""
    if words and words[0].literal == "!":
        words = words[1:]
    operators = [word.literal or "" for word in words]
    if any(word.loose for word in words):
        return False
    match len(words):
        case 1:
            return True
        case 2:
            return bool(TEST_UNARY.fullmatch(operators[0]))
        case 3:
            return bool(TEST_BINARY.fullmatch(operators[1]))
        case _:
            return False


_PLAIN_RULES = (_ordinary, _harmless, _printf, _test)
_RULES: tuple[tuple[Collection[str], Rule], ...] = (
    (("exec",), _exec),
    (("tee",), _tee),
    (("cd", "pushd"), _directory),
    (EVALUATORS, _evaluator),
    (WRAPPERS, _wrapper),
    (RUNNERS, _wrapper),
    (SCRIPTED, _scripted),
    (DECLARATIONS, _declaration),
    (NAMERS, _namer),
    (("eval",), _eval),
    (("trap",), _trap),
    ((".", "source"), _source),
    (("xargs",), _xargs),
    (("find",), _find),
    (("let", "[["), _calculation),
    (("set",), _set),
    (("echo", "true", "false", ":"), _harmless),
    (("printf",), _printf),
    (("test", "["), _test),
)
