"""Redirections of commands: files they read and write, and here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_lok.core.shell.ast import HereDoc, PipeInput, Quoting, ShellWord, SimpleCommand, UnsupportedSyntax
from pytest_lok.core.shell.cursor import BLANK, WORD_END, Cursor
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.shell.lexer import Lexer

_JOINED = late_regex(r"(?<!\\)(\\\\)*\\\n")
_ESCAPED = late_regex(r"\\.", re.DOTALL)
_COMMAND = late_regex(r"\$\(|`")
_DESCRIPTOR = late_regex(r"[0-9]+|-")
_REDIRECT = late_regex(r"([0-9]*)(<<-?(?!<)|<&|>&|<>|>>|>\||<(?![<(])|>(?![(]))")
_DELIMITER = r"[\w!%+,.:@][\w!%+,.:@-]*"
_QUOTED_DELIMITER = late_regex(
    rf"[ \t]*(?:'(?P<single>{_DELIMITER})'|\"(?P<double>{_DELIMITER})\"|\\?(?P<bare>{_DELIMITER})){WORD_END}",
    re.ASCII,
)


class RedirectionReader:
    """Reads redirections and, where the line ends, the bodies of here-documents that began on it."""

    def __init__(self, cursor: Cursor, lexer: Lexer) -> None:
        self.cursor = cursor
        self.script = cursor.script
        self.lexer = lexer

    def accept(self, commands: Iterable[SimpleCommand]) -> bool:
        """Pass a redirection of the commands if one is next, and say whether it was."""
        found = self.cursor.match(_REDIRECT)
        if found is None:
            if self.cursor.char and self.cursor.char in "<>":
                raise self.cursor.unsupported(
                    f"`{self.cursor.text[self.cursor.at : self.cursor.at + 3].rstrip()}`"
                )
            return False
        self.cursor.at = found.end()
        if found[2].startswith("<<"):
            if found[1] not in ("", "0"):
                raise UnsupportedSyntax(
                    "it has a here-document that is not the standard input", found.start()
                )
            self._here_document(commands, strip_tabs=found[2].endswith("-"))
            return True
        bookmark = self.script.bookmark()
        self.cursor.skip_blanks()
        target = self.lexer.word()
        # a value could be a number there, and so another descriptor instead of a file
        if target.holes and (found[2] in (">&", "<&") or target.holes != tuple(target.own_holes)):
            self.script.forbid(bookmark, "the target of a redirect of this kind (write `> file`)")
        elif found[2] == "<":
            # a value that names the file also chooses what is read from it
            for command in commands:
                command.inputs.append(PipeInput(target.holes, target.reads))
        elif found[2] != "<&" and not (found[2] == ">&" and _DESCRIPTOR.fullmatch(target.shown)):
            self.script.output_files.append(target.shown)
            for command in commands:
                command.outputs.append(target.shown)
            if target.literal is None:
                self.script.dynamic_outputs.append(target)
        return True

    def bodies(self) -> None:
        """Read the bodies that start here: of all documents that were begun on the line above."""
        pending, self.cursor.pending = self.cursor.pending, []
        for doc in pending:
            self._body(doc)

    def _here_document(self, commands: Iterable[SimpleCommand], *, strip_tabs: bool) -> None:
        """Read the delimiter behind a ``<<`` of the commands; the body follows the line."""
        found = self.cursor.match(_QUOTED_DELIMITER)
        if found is None:
            raise UnsupportedSyntax("the delimiter of a here-document must be one plain word", self.cursor.at)
        start = found.start() + len(found[0]) - len(found[0].lstrip(BLANK))
        delimiter = str(found["single"] or found["double"] or found["bare"])
        doc = HereDoc(
            start, found.end(), delimiter, literal=found.end() - start > len(delimiter), strip_tabs=strip_tabs
        )
        self.cursor.at = found.end()
        self.cursor.pending.append(doc)
        self.script.here_documents.append(doc)
        for command in commands:
            command.inputs.append(doc)

    def _body(self, doc: HereDoc) -> None:
        """Read the lines of the document, and pass the delimiter that ends them."""
        doc.body_start = self.cursor.at
        doc.body_end, after = self._delimiter_line(doc)
        bookmark = self.script.bookmark()
        if doc.literal:
            for start in range(doc.body_start, doc.body_end):
                if hole := self.cursor.holes.get(start):
                    self.lexer.fill(ShellWord(start), hole, Quoting.OPEN)
        else:
            body = self.cursor.text[doc.body_start : doc.body_end]
            if _JOINED.search(body) and _COMMAND.search(_ESCAPED.sub("", body)):
                # bash joins the lines of the command too, even in its quotes
                raise self.cursor.unsupported("a joined line and a command in one here-document")
            # the lexer reads the body as if the text ended with it
            outer, self.cursor.end = self.cursor.end, doc.body_end
            self.lexer.expandable(ShellWord(self.cursor.at), None)
            self.cursor.end = outer
        doc.holes, doc.reads = self.script.since(bookmark)
        self.cursor.at = after

    def _delimiter_line(self, doc: HereDoc) -> tuple[int, int]:
        """Where the line with nothing but the delimiter starts, and where the text goes on after it."""
        at, joined, before = self.cursor.at, False, ""  # `before` is what a backslash joins to the line
        while at < self.cursor.end:
            stop = self.cursor.find("\n", at, self.cursor.end)
            line = self.cursor.text[at:stop].lstrip("\t") if doc.strip_tabs else self.cursor.text[at:stop]
            if line == doc.delimiter and not joined:
                return at, min(stop + 1, self.cursor.end)
            # some shells join the lines before they look for the delimiter
            if doc.delimiter in (line, before + line):
                raise UnsupportedSyntax("a line joined by a backslash may end the here-document", at)
            joined = not doc.literal and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            before = before + line[:-1] if joined else ""
            at = stop + 1
        raise UnsupportedSyntax(f"the here-document {doc.delimiter} has no end", doc.start)
