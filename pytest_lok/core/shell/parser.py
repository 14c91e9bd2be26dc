"""Shell text -> Script: its commands and words, read once from left to right, or Unreadable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from pytest_lok.core.shell.ast import (
    HereDoc,
    Hole,
    PipeInput,
    Quoting,
    Script,
    ShellWord,
    SimpleCommand,
    UnsupportedSyntax,
)
from pytest_lok.core.shell.lexer import BLANK, KEYWORD, NAME, STOP, WordReader

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_OPENERS = frozenset({"{", "if", "while", "until", "for", "case"})
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_BASH_ONLY = frozenset({"function", "select", "coproc"})
_JOINED = re.compile(r"(?<!\\)(\\\\)*\\\n")
_DESCRIPTOR = re.compile(r"[0-9]+|-")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_COMMAND = re.compile(r"\$\(|`")
_REDIRECT = re.compile(r"([0-9]*)(<<-?(?!<)|<&|>&|<>|>>|>\||<(?![<(])|>(?![(]))")
_DELIMITER = r"[\w!%+,.:@][\w!%+,.:@-]*"
_HERE = re.compile(
    rf"[ \t]*(?:'(?P<single>{_DELIMITER})'|\"(?P<double>{_DELIMITER})\"|\\?(?P<bare>{_DELIMITER})){STOP}",
    re.ASCII,
)


def scan(text: str, holes: Iterable[Hole] = ()) -> Script:
    """Read the whole text; its holes must be runs of ``HOLE``. Unreadable if any part is not understood."""
    script = Script()
    _Scanner(text, {hole.start: hole for hole in holes}, script).run()
    return script


class _Scanner(WordReader):
    """Reads commands."""

    def __init__(self, text: str, holes: Mapping[int, Hole], script: Script) -> None:
        super().__init__(text, holes, script)
        self.inputs: list[PipeInput | HereDoc] = []  # of the commands that come next
        self.called = False

    def run(self) -> None:
        self.sequence({""})
        self.none_pending()

    def inner(self, code: str) -> None:
        scanner = _Scanner(code, {}, self.script)
        scanner.depth, scanner.inputs, scanner.called = self.depth, self.inputs, self.called
        scanner.run()

    def gap(self) -> None:
        """Past everything between two commands."""
        self.blanks()
        while self.char == "\n":
            self.newline()
            self.blanks()

    def newline(self) -> None:
        """Past the end of a line and the here-documents that follow it."""
        self.at += 1
        pending, self.pending = self.pending, []
        for doc in pending:
            self.body(doc)

    # --- commands

    def sequence(self, closers: Collection[str]) -> str:
        """Past commands and the one of the closers that ends them ("" is the end of the text)."""
        self.gap()
        while (closer := self.closer()) is None:
            with self.deeper():
                self.pipeline()
            self.separator()
            self.gap()
        if closer not in closers:
            raise self.unexpected()
        self.at += len(closer)
        return closer

    def closer(self) -> str | None:
        if (char := self.char) in ("", ")"):
            return char
        if self.sees(";;"):
            return ";;"
        return keyword if (keyword := self.keyword()) in _CLOSERS else None

    def separator(self) -> None:
        self.blanks()
        for operator in ("&&", "||", "&", ";"):
            if self.sees(operator) and not self.sees(";;"):
                self.at += len(operator)
                self.script.repeats = self.script.repeats or operator == "&"
                if (operator + self.char) in ("&>", ";&"):
                    raise self.strange(f"`{operator}{self.char}`", self.at - 1)
                return
        if self.char not in ("", "\n") and self.closer() is None:
            raise self.unexpected()

    def pipeline(self) -> None:
        mark, outer = self.mark(), self.inputs
        while True:
            while self.takes("!"):
                self.blanks()
            start, first = self.at, len(self.script.commands)
            self.command()
            self.blanks()
            if self.char != "|" or self.sees("||"):
                break
            if self.sees("|&"):
                raise self.strange("`|&`")
            self.script.piped.append((start, self.script.commands[first:]))
            self.inputs = [*outer, PipeInput(*self.since(mark)), *self.script.docs[mark[2] :]]
            self.at += 1
            self.gap()
        self.inputs = outer

    def command(self) -> None:
        keyword = self.keyword()
        if keyword in _BASH_ONLY:
            raise self.strange(f"`{keyword}`")
        first = len(self.script.commands)
        if self.char == "(":
            if self.sees("(("):
                raise self.strange("`((`")
            self.at += 1
            self.sequence({")"})
        elif keyword in _OPENERS:
            self.at += len(keyword)
            self.compound(keyword)
        else:
            self.simple()
            return
        self.blanks()
        while self.redirect(self.script.commands[first:]):
            self.blanks()

    def compound(self, keyword: str) -> None:
        match keyword:
            case "{":
                self.sequence({"}"})
            case "if":
                self.sequence({"then"})
                while (closer := self.sequence({"elif", "else", "fi"})) == "elif":
                    self.sequence({"then"})
                if closer == "else":
                    self.sequence({"fi"})
            case "while" | "until":
                self.script.repeats = True
                self.sequence({"do"})
                self.sequence({"done"})
            case "for":
                self.loop()
            case _:
                self.case()

    def loop(self) -> None:
        self.blanks()
        if (name := self.match(NAME)) is None:
            raise self.unexpected()
        self.at = name.end()
        self.gap()
        words: list[ShellWord] = []
        if self.takes("in"):
            self.blanks()
            while self.char not in ("", ";", "\n"):
                words.append(self.word())
                self.blanks()
        self.script.loops.append((name[0], words))
        self.script.repeats = True
        if self.char == ";":
            self.at += 1
        self.gap()
        self.expect("do")
        self.sequence({"done"})

    def case(self) -> None:
        self.blanks()
        self.word()
        self.gap()
        self.expect("in")
        while True:
            self.gap()
            if self.takes("esac"):
                return
            if self.char == "(":
                self.at += 1
            self.patterns()
            if self.sequence({";;", "esac"}) == "esac":
                return
            if self.char == "&":
                raise self.strange("`;;&`", self.at - 2)

    def patterns(self) -> None:
        mark = self.mark()
        while True:
            self.blanks()
            self.word()
            self.blanks()
            if self.char == ")":
                break
            if self.char != "|":
                raise self.unexpected()
            self.at += 1
        self.at += 1
        self.ban(mark, "in a pattern of `case`")

    def simple(self) -> None:
        command = SimpleCommand(inputs=[*self.inputs], called=self.called)
        start = self.at
        while True:
            self.blanks()
            if self.redirect([command]):
                continue
            if self.char in ("", "\n", ";", "&", "|", ")"):
                break
            if self.char == "(":
                self.function(command)
                return
            self.argument(command)
        if self.at == start:
            raise self.unexpected()
        self.script.commands.append(command)

    def argument(self, command: SimpleCommand) -> None:
        """The next word: an assignment, the command's name or an argument of it."""
        assignment = None if command.words else self.match(_ASSIGNMENT)
        word = self.word()
        if assignment:
            word.skip(len(assignment[0]))
            command.assignments.append((assignment[1], word))
            return
        if not command.words:
            if "=" in self.text[word.start : word.end]:
                raise self.strange("an assignment of this kind", word.start)
            if word.plain and KEYWORD.fullmatch(word.literal or " "):
                raise self.strange(f"`{word.literal}` in this spelling", word.start)
        command.words.append(word)

    def function(self, command: SimpleCommand) -> None:
        """``name() command``; any other ``(`` after a word belongs to bash."""
        brackets = self.match(re.compile(r"\([ \t]*\)"))
        name = command.words[0].literal if len(command.words) == 1 and command.words[0].plain else None
        if not brackets or not name or not NAME.fullmatch(name) or command.assignments:
            raise self.strange("a `(` after a word")
        if name.startswith("command_not_found_handle"):
            raise UnsupportedSyntax(f"`{name}` can be called in place of any command", command.words[0].start)
        self.script.functions.add(name)
        self.script.repeats = True
        self.at = brackets.end()
        self.gap()
        if self.char != "(" and self.keyword() not in _OPENERS:
            raise self.unexpected()
        outer, self.called = self.called, True
        self.command()
        self.called = outer

    def redirect(self, commands: Iterable[SimpleCommand]) -> bool:
        """Past a redirection of the commands, if there is one."""
        found = self.match(_REDIRECT)
        if found is None:
            if self.char and self.char in "<>":
                raise self.strange(f"`{self.text[self.at : self.at + 3].rstrip()}`")
            return False
        self.at = found.end()
        if found[2].startswith("<<"):
            if found[1] not in ("", "0"):
                raise UnsupportedSyntax(
                    "it has a here-document that is not the standard input", found.start()
                )
            self.here_document(commands, tabs=found[2].endswith("-"))
            return True
        mark = self.mark()
        self.blanks()
        target = self.word()
        if target.holes and (found[2] in (">&", "<&") or target.holes != tuple(target.direct)):
            self.ban(mark, "the target of a redirect of this kind (write `> file`)")
        elif found[2] == "<":
            for command in commands:
                command.inputs.append(PipeInput(target.holes, target.reads))
        elif found[2] != "<&" and not (found[2] == ">&" and _DESCRIPTOR.fullmatch(target.shown)):
            self.script.written.append(target.shown)
            for command in commands:
                command.outputs.append(target.shown)
            if target.literal is None:
                self.script.targets.append(target)
        return True

    # --- here-documents

    def here_document(self, commands: Iterable[SimpleCommand], *, tabs: bool) -> None:
        found = self.match(_HERE)
        if found is None:
            raise UnsupportedSyntax("the delimiter of a here-document must be one plain word", self.at)
        start = found.start() + len(found[0]) - len(found[0].lstrip(BLANK))
        delimiter = str(found["single"] or found["double"] or found["bare"])
        doc = HereDoc(start, found.end(), delimiter, literal=found.end() - start > len(delimiter), tabs=tabs)
        self.at = found.end()
        self.pending.append(doc)
        self.script.docs.append(doc)
        for command in commands:
            command.inputs.append(doc)

    def body(self, doc: HereDoc) -> None:
        """Past the document's lines and its last one, the delimiter."""
        doc.body = self.at
        doc.stop, after = self.delimiter_line(doc)
        mark = self.mark()
        if doc.literal:
            for start in range(doc.body, doc.stop):
                if hole := self.holes.get(start):
                    self.fill(ShellWord(start), hole, Quoting.OPEN)
        else:
            body = self.text[doc.body : doc.stop]
            if _JOINED.search(body) and _COMMAND.search(_ESCAPED.sub("", body)):
                # bash joins the lines of the command too, even in its quotes
                raise self.strange("a joined line and a command in one here-document")
            outer, self.end = self.end, doc.stop
            self.expandable(ShellWord(self.at), None)
            self.end = outer
        doc.holes, doc.reads = self.since(mark)
        self.at = after

    def delimiter_line(self, doc: HereDoc) -> tuple[int, int]:
        """Where the line with nothing but the delimiter starts, and where the text goes on after it."""
        at, joined, before = self.at, False, ""  # `before` is what a backslash joins to the line
        while at < self.end:
            stop = self.text.find("\n", at, self.end)
            stop = self.end if stop < 0 else stop
            line = self.text[at:stop].lstrip("\t") if doc.tabs else self.text[at:stop]
            if line == doc.delimiter and not joined:
                return at, min(stop + 1, self.end)
            if doc.delimiter in (line, before + line):
                raise UnsupportedSyntax("a line joined by a backslash may end the here-document", at)
            joined = not doc.literal and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            before = before + line[:-1] if joined else ""
            at = stop + 1
        raise UnsupportedSyntax(f"the here-document {doc.delimiter} has no end", doc.start)
