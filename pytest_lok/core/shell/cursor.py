"""A place in a shell text: what comes next, and what to say if that is not understood."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from pytest_lok.core.shell.ast import POSITIONAL, HereDoc, Hole, Script, UnsupportedSyntax
from pytest_lok.late_regex import late_regex

HOLE = "\0"
"""What a hole is filled with while the text is read: no shell text can hold it otherwise."""

MAX_DEPTH = 60
"""Constructs inside one another; deeper text would exhaust the stack of whoever reads it."""

WORD_END = r"(?=[ \t\n;&|()<>]|\Z)"
NAME = late_regex(r"[A-Za-z_][A-Za-z0-9_]*")
ASSIGNMENT = late_regex(r"([A-Za-z_][A-Za-z0-9_]*)=")
"""The start of a word that sets a variable."""
KEYWORD = late_regex(
    r"(if|then|elif|else|fi|do|done|case|esac|while|until|for|in|function|select|coproc|[{}!])" + WORD_END
)
BLANK = " \t"
_NOT_POSIX = "which sh does not have or shells read differently"


class Cursor:
    """A place ``at`` in ``text[:end]``; ``holes`` are those of the text, by where they start.

    ``pending`` are the here-documents whose bodies follow the line. Holes that are passed on the way are
    noted in ``script``.
    """

    def __init__(self, text: str, holes: Mapping[int, Hole], script: Script, *, depth: int = 0) -> None:
        self.text = text
        self.holes = holes
        self.script = script
        self.at = 0
        self.end = len(text)
        self.pending: list[HereDoc] = []
        self.depth = depth

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        """One construct inside another; UnsupportedSyntax before there are too many."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnsupportedSyntax(f"more than {MAX_DEPTH} constructs stand inside one another", self.at)
        yield
        self.depth -= 1

    # --- what comes next

    @property
    def char(self) -> str:
        """The next character, "" at the end."""
        return self.text[self.at] if self.at < self.end else ""

    @property
    def hole(self) -> Hole | None:
        """The hole that is next, None if there is none."""
        return self.holes.get(self.at)

    def peek(self, count: int) -> str:
        """Up to ``count`` characters that follow the next one."""
        return self.text[self.at + 1 : min(self.at + 1 + count, self.end)]

    def looking_at(self, text: str) -> bool:
        """Whether the text goes on like that."""
        return self.text.startswith(text, self.at, self.end)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of the pattern from here on."""
        return pattern.match(self.text, self.at, self.end)

    def find(self, char: str, start: int, default: int) -> int:
        """Where the character is next from ``start`` on, the default if it is not before that."""
        found = self.text.find(char, start, default)
        return default if found < 0 else found

    def keyword(self) -> str:
        """The keyword that is next, "" if there is none."""
        found = self.match(KEYWORD)
        return found[1] if found else ""

    def accept(self, keyword: str) -> bool:
        """Pass the keyword if it is next, and say whether it was."""
        if self.keyword() != keyword:
            return False
        self.at += len(keyword)
        return True

    def expect(self, keyword: str) -> None:
        """Pass the keyword; UnsupportedSyntax if it is not next."""
        if not self.accept(keyword):
            raise UnsupportedSyntax(f"`{keyword}` is missing", self.at)

    # --- what is not understood

    def unexpected(self) -> UnsupportedSyntax:
        """The error about the next character."""
        if self.char == HOLE:
            return UnsupportedSyntax("a value is not expected here", self.at)
        what = (self.char + self.peek(1)).split("\n")[0].replace(HOLE, "")
        return UnsupportedSyntax(
            f"`{what}` is not expected here" if what else "the text ends too early", self.at
        )

    def unsupported(self, what: str, at: int | None = None) -> UnsupportedSyntax:
        """The error about a construct that is not read alike by every sh."""
        return UnsupportedSyntax(f"it has {what}, {_NOT_POSIX}", self.at if at is None else at)

    def require_bodies(self) -> None:
        """UnsupportedSyntax if a here-document was begun and has no body yet."""
        if self.pending:
            raise UnsupportedSyntax(f"the here-document {self.pending[0].delimiter} has no body", self.at)

    # --- what is noted on the way

    def note_variable(self, name: str) -> None:
        """Note that a variable is expanded; UnsupportedSyntax if nobody knows what it holds."""
        # the last word of whatever ran before: nobody can say which values are in it
        if name == "_":
            raise UnsupportedSyntax("`$_` can be any value that stands before it", self.at)
        if NAME.fullmatch(name):
            self.script.reads.append(name)
        elif name not in "#?$!-":  # those are numbers and flags
            self.script.reads.append(POSITIONAL)

    def forbid_next(self, what: str) -> bool:
        """Whether a hole is next; no value may stand in it, directly after that."""
        hole = self.hole
        if hole is not None:
            hole.unsafe_place = f"directly after {what}"
        return hole is not None

    def forbid_between(self, start: int, end: int, place: str) -> None:
        """No hole of that span may hold a value: it stands in that place."""
        for hole in self._holes_between(start, end):
            hole.unsafe_place = place

    def _holes_between(self, start: int, end: int) -> Iterator[Hole]:
        for hole in self.holes.values():
            if start <= hole.start < end:
                self.script.holes.append(hole)
                yield hole

    # --- between words

    def skip_blanks(self) -> None:
        """Pass blanks, continued lines and a comment, up to the end of the line."""
        while self.char:
            if self.char in BLANK:
                self.at += 1
            elif self.looking_at("\\\n"):
                self.line_continuation()
            elif self.char == "#":
                start, self.at = self.at, self.find("\n", self.at, self.end)
                for hole in self._holes_between(start, self.at):
                    hole.in_comment = True
            else:
                return

    def line_continuation(self) -> None:
        """Pass a backslash at the end of a line; between words only, where no two shells disagree."""
        before, after = self.text[max(0, self.at - 1) : self.at], self.peek(2)[1:]
        # in the middle of a word, or before the body of a here-document, shells disagree
        if self.pending or not (before in " \t\n" or after in " \t\n"):
            raise self.unsupported("a line continued in the middle of a word")
        self.at += 2
