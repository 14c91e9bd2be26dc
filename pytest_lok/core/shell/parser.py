"""Shell text -> Script: its commands and words, read once from left to right, or UnsupportedSyntax.

Three readers share one cursor: ``Parser`` reads commands, ``Lexer`` the words of a command, and
``RedirectionReader`` redirections, and the bodies of here-documents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pytest_lok.core.shell.ast import (
    HereDoc,
    Hole,
    PipeInput,
    Script,
    ShellWord,
    SimpleCommand,
    UnsupportedSyntax,
)
from pytest_lok.core.shell.cursor import ASSIGNMENT, HOLE, KEYWORD, NAME, Cursor
from pytest_lok.core.shell.lexer import Lexer
from pytest_lok.core.shell.redirections import RedirectionReader
from pytest_lok.late_regex import late_regex

_OPENERS = frozenset({"{", "if", "while", "until", "for", "case"})
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_BASH_ONLY = frozenset({"function", "select", "coproc"})
_BRACKETS = late_regex(r"\([ \t]*\)")


def scan(text: str, holes: Iterable[Hole] = ()) -> Script:
    """Read the whole text, whose holes must be runs of ``HOLE``.

    UnsupportedSyntax if any part is not understood.
    """
    by_start = {hole.start: hole for hole in holes}
    # quick where it is true of nearly every text: no NUL stands outside of a hole
    if text.count(HOLE) > sum(hole.end - hole.start for hole in by_start.values()):
        inside = {at for hole in by_start.values() for at in range(hole.start, hole.end)}
        stray = next(at for at, char in enumerate(text) if char == HOLE and at not in inside)
        raise UnsupportedSyntax("it holds a NUL character", stray)
    script = Script()
    Parser(Cursor(text, by_start, script)).run()
    return script


class Parser:
    """Reads commands at the cursor into the cursor's script.

    ``inputs`` reach the standard input of the commands that come next; ``in_function``: those are part of a
    function.
    """

    def __init__(
        self, cursor: Cursor, inputs: Iterable[PipeInput | HereDoc] = (), *, in_function: bool = False
    ) -> None:
        self.cursor = cursor
        self.script = cursor.script
        self.lexer = Lexer(cursor, self)
        self.redirections = RedirectionReader(cursor, self.lexer)
        self.inputs = [*inputs]
        self.in_function = in_function

    def run(self) -> None:
        """Read the whole text; UnsupportedSyntax if commands do not end where it does."""
        self._sequence({""})
        self.cursor.require_bodies()

    def substitution(self) -> None:
        """Read the commands of a ``$(…)``, in which quoting starts anew and here-documents end."""
        # a here-document that began outside has its body after the line, behind this
        outer, self.cursor.pending = self.cursor.pending, []
        self._sequence({")"})
        self.cursor.require_bodies()
        self.cursor.pending = outer

    def backtick_code(self, code: str) -> None:
        """Read commands that stand in the text in another spelling, and so hold no holes."""
        cursor = Cursor(code, {}, self.script, depth=self.cursor.depth)
        Parser(cursor, self.inputs, in_function=self.in_function).run()

    def skip_blank_lines(self) -> None:
        """Pass everything between two commands, bodies of here-documents among it."""
        self.cursor.skip_blanks()
        while self.cursor.char == "\n":
            self.cursor.at += 1
            self.redirections.bodies()
            self.cursor.skip_blanks()

    # --- commands

    def _sequence(self, closers: Collection[str]) -> str:
        """Past commands and the one of the closers that ends them ("" is the end of the text)."""
        self.skip_blank_lines()
        while (closer := self._closer()) is None:
            with self.cursor.deeper():
                self._pipeline()
            self._separator()
            self.skip_blank_lines()
        if closer not in closers:
            raise self.cursor.unexpected()
        self.cursor.at += len(closer)
        return closer

    def _closer(self) -> str | None:
        if (char := self.cursor.char) in ("", ")"):
            return char
        if self.cursor.looking_at(";;"):
            return ";;"
        return keyword if (keyword := self.cursor.keyword()) in _CLOSERS else None

    def _separator(self) -> None:
        self.cursor.skip_blanks()
        for operator in ("&&", "||", "&", ";"):
            if self.cursor.looking_at(operator) and not self.cursor.looking_at(";;"):
                self.cursor.at += len(operator)
                # a job in the background runs beside the commands that follow it
                self.script.out_of_order = self.script.out_of_order or operator == "&"
                if (operator + self.cursor.char) in ("&>", ";&"):
                    raise self.cursor.unsupported(f"`{operator}{self.cursor.char}`", self.cursor.at - 1)
                return
        if self.cursor.char not in ("", "\n") and self._closer() is None:
            raise self.cursor.unexpected()

    def _pipeline(self) -> None:
        bookmark, outer = self.script.bookmark(), self.inputs
        while True:
            while self.cursor.accept("!"):
                self.cursor.skip_blanks()
            start, first = self.cursor.at, len(self.script.commands)
            self._command()
            self.cursor.skip_blanks()
            if self.cursor.char != "|" or self.cursor.looking_at("||"):
                break
            if self.cursor.looking_at("|&"):
                raise self.cursor.unsupported("`|&`")
            # all that stands before may be printed: its values, and what its here-documents hold
            self.script.piped.append((start, self.script.commands[first:]))
            self.inputs = [
                *outer,
                PipeInput(*self.script.since(bookmark)),
                *self.script.here_documents[bookmark[2] :],
            ]
            self.cursor.at += 1
            self.skip_blank_lines()
        self.inputs = outer

    def _command(self) -> None:
        keyword = self.cursor.keyword()
        if keyword in _BASH_ONLY:
            raise self.cursor.unsupported(f"`{keyword}`")
        first = len(self.script.commands)
        if self.cursor.char == "(":
            if self.cursor.looking_at("(("):
                raise self.cursor.unsupported("`((`")
            self.cursor.at += 1
            self._sequence({")"})
        elif keyword in _OPENERS:
            self.cursor.at += len(keyword)
            self._compound(keyword)
        else:
            self._simple()
            return
        self.cursor.skip_blanks()
        while self.redirections.accept(self.script.commands[first:]):
            self.cursor.skip_blanks()

    def _compound(self, keyword: str) -> None:
        match keyword:
            case "{":
                self._sequence({"}"})
            case "if":
                self._sequence({"then"})
                while (closer := self._sequence({"elif", "else", "fi"})) == "elif":
                    self._sequence({"then"})
                if closer == "else":
                    self._sequence({"fi"})
            case "while" | "until":
                # a loop may run each of its commands after each other one
                self.script.out_of_order = True
                self._sequence({"do"})
                self._sequence({"done"})
            case "for":
                self._loop()
            case _:
                self._case()

    def _loop(self) -> None:
        self.cursor.skip_blanks()
        if (name := self.cursor.match(NAME)) is None:
            raise self.cursor.unexpected()
        self.cursor.at = name.end()
        self.skip_blank_lines()
        words: list[ShellWord] = []
        if self.cursor.accept("in"):
            self.cursor.skip_blanks()
            while self.cursor.char not in ("", ";", "\n"):
                words.append(self.lexer.word())
                self.cursor.skip_blanks()
        self.script.loops.append((name[0], words))
        self.script.out_of_order = True
        if self.cursor.char == ";":
            self.cursor.at += 1
        self.skip_blank_lines()
        self.cursor.expect("do")
        self._sequence({"done"})

    def _case(self) -> None:
        self.cursor.skip_blanks()
        self.lexer.word()
        self.skip_blank_lines()
        self.cursor.expect("in")
        while True:
            self.skip_blank_lines()
            if self.cursor.accept("esac"):
                return
            if self.cursor.char == "(":
                self.cursor.at += 1
            self._patterns()
            if self._sequence({";;", "esac"}) == "esac":
                return
            if self.cursor.char == "&":
                raise self.cursor.unsupported("`;;&`", self.cursor.at - 2)

    def _patterns(self) -> None:
        bookmark = self.script.bookmark()
        while True:
            self.cursor.skip_blanks()
            self.lexer.word()
            self.cursor.skip_blanks()
            if self.cursor.char == ")":
                break
            if self.cursor.char != "|":
                raise self.cursor.unexpected()
            self.cursor.at += 1
        self.cursor.at += 1
        self.script.forbid(bookmark, "in a pattern of `case`")

    def _simple(self) -> None:
        command = SimpleCommand(inputs=[*self.inputs], in_function=self.in_function)
        start = self.cursor.at
        while True:
            self.cursor.skip_blanks()
            if self.redirections.accept([command]):
                continue
            if self.cursor.char in ("", "\n", ";", "&", "|", ")"):
                break
            if self.cursor.char == "(":
                self._function(command)
                return
            self._argument(command)
        if self.cursor.at == start:
            raise self.cursor.unexpected()
        self.script.commands.append(command)

    def _argument(self, command: SimpleCommand) -> None:
        """The next word: an assignment, the command's name or an argument of it."""
        assignment = None if command.words else self.cursor.match(ASSIGNMENT)
        word = self.lexer.word()
        if assignment:
            command.assignments.append((assignment[1], word.without_prefix(len(assignment[0]))))
            return
        if not command.words:
            # `a[1]=b` or `a+=b`, which only bash takes for assignments
            if "=" in self.cursor.text[word.start : word.end]:
                raise self.cursor.unsupported("an assignment of this kind", word.start)
            # a keyword where it cannot begin anything, which shells take differently
            if word.unquoted and KEYWORD.fullmatch(word.literal or " "):
                raise self.cursor.unsupported(f"`{word.literal}` in this spelling", word.start)
        command.words.append(word)

    def _function(self, command: SimpleCommand) -> None:
        """``name() command``; any other ``(`` after a word belongs to bash."""
        brackets = self.cursor.match(_BRACKETS)
        name = command.words[0].literal if len(command.words) == 1 and command.words[0].unquoted else None
        if not brackets or not name or not NAME.fullmatch(name) or command.assignments:
            raise self.cursor.unsupported("a `(` after a word")
        if name.startswith("command_not_found_handle"):
            raise UnsupportedSyntax(f"`{name}` can be called in place of any command", command.words[0].start)
        self.script.functions.add(name)
        self.script.out_of_order = True
        self.cursor.at = brackets.end()
        self.skip_blank_lines()
        if self.cursor.char != "(" and self.cursor.keyword() not in _OPENERS:
            raise self.cursor.unexpected()
        # the body is read where it stands; nobody knows who calls it, and with which input
        outer, self.in_function = self.in_function, True
        self._command()
        self.in_function = outer
