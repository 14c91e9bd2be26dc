"""Words of a shell text: their quoting, their expansions, and the holes in them.

This is the part of POSIX sh that dash and bash read in the same way; everything else is UnsupportedSyntax:
where two shells may disagree, nobody can say what stands where.
"""

from __future__ import annotations

import re
from typing import Protocol

from pytest_lok.core.shell.ast import Hole, Quoting, ShellWord, UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE, NAME, Cursor
from pytest_lok.late_regex import late_regex

_PARAMETER = r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]"
_VARIABLE = late_regex(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_BRACED = late_regex(rf"\$\{{#?({_PARAMETER})\}}")
_BRACED_START = late_regex(rf"\$\{{({_PARAMETER})(:?[-=?+]|%%?|##?)")
_BARE_TEXT = late_regex(r"[^\0'\"\\$` \t\n;&|()<>]+")
_QUOTED_TEXT = late_regex(r"[^\0\"\\$`]+")
_TEXT_IN_BRACES = late_regex(r"[^\0'\"\\$`{}<>]+")
_CALCULATION = late_regex(r"[\w \t\n+\-*/%<>=!&|^~?:,.#]+", re.ASCII)
_NAME_IN_BRACES = late_regex(r"\{\w*\}")
_NAME_PART = late_regex(r"[A-Za-z0-9_]")


class SubstitutionReader(Protocol):
    """Reads the commands inside of a word; the words of those are read by the same lexer."""

    def substitution(self) -> None:
        """Pass the commands of a ``$(…)``, up to and with the bracket that closes it."""

    def backtick_code(self, code: str) -> None:
        """Read the commands between two backticks, which are spelled otherwise than the text."""


class Lexer:
    """Reads one word at a time at the cursor, and notes in the cursor's script what is in it."""

    def __init__(self, cursor: Cursor, commands: SubstitutionReader) -> None:
        self.cursor = cursor
        self.script = cursor.script
        self.commands = commands

    def word(self) -> ShellWord:
        """Read the next word and pass it; UnsupportedSyntax if there is none."""
        word = ShellWord(self.cursor.at)
        bookmark = self.script.bookmark()
        bare = ""  # the unquoted text: bash could take it for {a,b}
        while self.cursor.char and self.cursor.char not in " \t\n;&|()<>":
            if (hole := self.cursor.hole) is not None:
                # `{name}` alone is text to every shell; with a comma or dots bash makes several words of it
                if "{" in _NAME_IN_BRACES.sub("", bare):
                    hole.unsafe_place = "inside braces, which bash expands and other shells do not"
                self.fill(word, hole, Quoting.BARE)
            elif text := self.cursor.match(_BARE_TEXT):
                bare += text[0]
                word.add(text[0])
                self.cursor.at = text.end()
            else:
                self._quoted(word)
        if self.cursor.at == word.start:
            raise self.cursor.unexpected()
        # the body would begin inside of the word
        if self.cursor.pending and "\n" in self.cursor.text[word.start : self.cursor.at]:
            raise UnsupportedSyntax("a word goes over the line where a here-document starts", word.start)
        if "{" in bare and self.cursor.char and self.cursor.char in "<>":
            raise self.cursor.unsupported("`{…}" + self.cursor.char + "`")
        word.end = self.cursor.at
        word.holes, word.reads = self.script.since(bookmark)
        return word

    def _quoted(self, word: ShellWord) -> None:
        """Read a part of the word that starts with a quote, a backslash, ``$`` or a backtick."""
        match self.cursor.char:
            case "'":
                word.unquoted = False
                self._single(word)
            case '"':
                word.unquoted = False
                self.cursor.at += 1
                self.expandable(word, '"')
            case "\\":
                self._escape(word)
            case "$":
                self._dollar(word, quoted=False)
            case _:
                self._backtick(word, quoted=False)

    def fill(self, word: ShellWord, hole: Hole, quoting: Quoting) -> None:
        """Pass a hole, which is part of the word."""
        hole.quoting = quoting
        self.script.holes.append(hole)
        word.pieces.append(hole)
        self.cursor.at = hole.end

    def _single(self, word: ShellWord) -> None:
        """Read ``'…'``, in which everything is literal."""
        stop = self.cursor.text.find("'", self.cursor.at + 1, self.cursor.end)
        if stop < 0:
            raise UnsupportedSyntax("the single quote is never closed", self.cursor.at)
        self.cursor.at += 1
        while self.cursor.at < stop:
            if (hole := self.cursor.hole) is not None:
                self.fill(word, hole, Quoting.SINGLE)
                continue
            following = self.cursor.find(HOLE, self.cursor.at, stop)
            word.add(self.cursor.text[self.cursor.at : following])
            self.cursor.at = following
        self.cursor.at = stop + 1

    def _escape(self, word: ShellWord) -> None:
        """Read a backslash outside quotes, and what it quotes."""
        if self.cursor.looking_at("\\\n"):
            self.cursor.line_continuation()
            return
        following = self.cursor.peek(1)
        if not following:
            raise UnsupportedSyntax("the text ends in a backslash", self.cursor.at)
        word.unquoted = False
        self.cursor.at += 1
        if not self.cursor.forbid_next("a backslash, which would quote it"):
            word.add(following)
            self.cursor.at += 1

    def expandable(self, word: ShellWord, stop: str | None) -> None:
        """Read text in which ``$``, backtick and backslash mean something, up to ``stop`` (None: the end)."""
        start = self.cursor.at
        while self.cursor.char != (stop or ""):
            if (hole := self.cursor.hole) is not None:
                self.fill(word, hole, Quoting.OPEN)
            elif text := self.cursor.match(_QUOTED_TEXT):
                word.add(text[0])
                self.cursor.at = text.end()
            elif self.cursor.char == "$":
                self._dollar(word, quoted=True)
            elif self.cursor.char == "`":
                self._backtick(word, quoted=True)
            elif self.cursor.char == "\\":
                self._escape_in_quotes(word, stop)
            elif self.cursor.char == '"':
                word.add('"')
                self.cursor.at += 1
            else:
                raise UnsupportedSyntax("the double quote is never closed", start - 1)
        self.cursor.at += len(stop or "")

    def _escape_in_quotes(self, word: ShellWord, stop: str | None) -> None:
        """Read a backslash inside ``"…"`` or a here-document."""
        following = self.cursor.peek(1)
        if following == "\n":
            # `$a` and a joined line: is the next line a part of the name?
            if word.pieces[-1:] == [None] and _NAME_PART.fullmatch(self.cursor.text[self.cursor.at - 1]):
                raise self.cursor.unsupported("a name continued on the next line")
            self.cursor.at += 2
            return
        self.cursor.at += 1
        if following and following in "$`\\" + (stop or ""):
            word.add(following)
            self.cursor.at += 1
            return
        word.add("\\")
        self.cursor.forbid_next("a backslash, which would quote it")

    # --- expansions

    def _dollar(self, word: ShellWord, *, quoted: bool) -> None:
        with self.cursor.deeper():
            self._expansion(word, quoted=quoted)

    def _expansion(self, word: ShellWord, *, quoted: bool) -> None:
        """Read whatever starts with a ``$``; ``_dollar`` has counted how deep it stands."""
        following = self.cursor.peek(2)
        if following == "((":
            self._arithmetic()
        elif following[:1] == "(":
            self.cursor.at += 2
            self.commands.substitution()
        elif following[:1] == "{":
            self._parameter(word, quoted=quoted)
        elif variable := self.cursor.match(_VARIABLE):
            self.cursor.note_variable(variable[1])
            word.variables.append(variable[1])
            # even in quotes `$@` becomes as many words as there are arguments
            word.may_split = word.may_split or variable[1] == "@"
            self.cursor.at = variable.end()
        # in quotes a `$` before a quote is just a `$`
        elif following[:1] in ("'", '"') and not quoted:
            self._bash_string(word)
        elif following == "\\\n" or following[:1] == "[":
            what = "`$[`" if following[:1] == "[" else "a name that starts on the next line"
            raise self.cursor.unsupported(what)
        else:
            self.cursor.at += 1
            word.add("$")
            self.cursor.forbid_next("`$` (a dollar sign is written \\$)")
            return
        word.add_expansion(quoted=quoted)

    def _bash_string(self, word: ShellWord) -> None:
        """``$'…'`` and ``$"…"``: strings of bash that end, without backslashes, where those of sh end."""
        bookmark, start = self.script.bookmark(), self.cursor.at
        self.cursor.at += 1
        self._quoted(word)
        # without a backslash $'…' and '…' end at the same place in every shell
        if "\\" in self.cursor.text[start : self.cursor.at]:
            raise self.cursor.unsupported(f"`{self.cursor.text[start : start + 2]}`", start)
        self.script.forbid(bookmark, "inside a string that starts with `$`")

    def _backtick(self, word: ShellWord, *, quoted: bool) -> None:
        """Read a pair of backticks; the commands between them have lost a level of backslashes."""
        start = stop = self.cursor.at
        while (stop := stop + 1) < self.cursor.end and self.cursor.text[stop] != "`":
            stop += self.cursor.text[stop] == "\\"
        if stop >= self.cursor.end:
            raise UnsupportedSyntax("the backtick is never closed", start)
        self.cursor.forbid_between(start, stop, "inside backticks (inside $(…) it can be)")
        escaped = r"\\([$`\\\"])" if quoted else r"\\([$`\\])"
        # sh drops one level of backslashes before it reads the code;
        # a hole has no spelling there, so any text may stand for it
        code = re.sub(escaped, r"\1", self.cursor.text[start + 1 : stop]).replace(HOLE, "x")
        try:
            self.commands.backtick_code(code)
        except UnsupportedSyntax as error:
            raise UnsupportedSyntax(error.message, start) from None
        self.cursor.at = stop + 1
        word.add_expansion(quoted=quoted)

    def _arithmetic(self) -> None:
        """Read ``$((…))``, in which bash runs what the text of a variable says."""
        bookmark, start = self.script.bookmark(), self.cursor.at
        self.cursor.at += 3
        brackets = 0
        while brackets or not self.cursor.looking_at("))"):
            if self.cursor.char == "$":
                self._dollar(ShellWord(self.cursor.at), quoted=True)
            elif (hole := self.cursor.hole) is not None:
                self.fill(ShellWord(self.cursor.at), hole, Quoting.BARE)
            elif calculation := self.cursor.match(_CALCULATION):
                for name in NAME.findall(calculation[0]):
                    self.cursor.note_variable(name)
                self.cursor.at = calculation.end()
            elif self.cursor.char in ("(", ")") and (self.cursor.char == "(" or brackets):
                brackets += 1 if self.cursor.char == "(" else -1
                self.cursor.at += 1
            else:
                raise UnsupportedSyntax("the calculation in $((…)) is not understood", start)
        self.cursor.at += 2
        # bash runs `a[$(…)]` in the text of a variable that is calculated with
        self.script.arithmetic |= self.script.since(bookmark)[1]
        self.script.forbid(bookmark, "inside $((…)), which calculates with its text")

    def _parameter(self, word: ShellWord, *, quoted: bool) -> None:
        """Read ``${name}``, ``${name:-word}`` and their like."""
        bookmark, start = self.script.bookmark(), self.cursor.at
        word.may_split = word.may_split or "@" in self.cursor.text[start : start + 4]
        if whole := self.cursor.match(_BRACED):
            self.cursor.note_variable(whole[1])
            if whole[0][2] != "#":  # a length is a number
                word.variables.append(whole[1])
            self.cursor.at = whole.end()
            return
        opening = self.cursor.match(_BRACED_START)
        if opening is None:
            raise self.cursor.unsupported("this kind of `${…}`")
        self.cursor.note_variable(opening[1])
        self.cursor.at = opening.end()
        inner = ShellWord(self.cursor.at)
        while self.cursor.char != "}":
            if self.cursor.char == "$":
                self._dollar(inner, quoted=quoted)
            elif text := self.cursor.match(_TEXT_IN_BRACES):
                self.cursor.at = text.end()
            elif (hole := self.cursor.hole) is not None:
                self.fill(inner, hole, Quoting.BARE)
            elif self.cursor.char == '"' and not quoted:
                self.cursor.at += 1
                self.expandable(inner, '"')
            else:
                what = "quotes inside `${…}`" if self.cursor.char else "an open `${`"
                raise self.cursor.unsupported(what, start)
        self.cursor.at += 1
        self.script.forbid(bookmark, "inside ${…}")
        # it sets the variable, as an assignment does
        if opening[2] in ("=", ":="):
            self.script.defaults.append((opening[1], self.script.since(bookmark)[1]))
