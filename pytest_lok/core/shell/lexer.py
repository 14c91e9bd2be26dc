"""Words of a shell text: their quoting, their expansions, and the holes in them.

This is the part of POSIX sh that dash and bash read in the same way; everything else is Unreadable:
where two shells may disagree, nobody can say what stands where.
"""

from __future__ import annotations

import abc
import contextlib
import re
from collections.abc import Collection, Iterator, Mapping

from pytest_lok.core.shell.ast import POSITIONAL, HereDoc, Hole, Quoting, Script, ShellWord, UnsupportedSyntax

HOLE = "\0"
"""What a hole is filled with while the text is read: no shell text can hold it otherwise."""

MAX_DEPTH = 60
"""Constructs inside one another; deeper text would exhaust the stack of whoever reads it."""

STOP = r"(?=[ \t\n;&|()<>]|\Z)"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]"
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_BRACED = re.compile(rf"\$\{{#?({_PARAMETER})\}}")
_BRACED_START = re.compile(rf"\$\{{({_PARAMETER})(:?[-=?+]|%%?|##?)")
KEYWORD = re.compile(
    r"(if|then|elif|else|fi|do|done|case|esac|while|until|for|in|function|select|coproc|[{}!])" + STOP
)
_PLAIN = re.compile(r"[^\0'\"\\$` \t\n;&|()<>]+")
_QUOTED = re.compile(r"[^\0\"\\$`]+")
_IN_BRACES = re.compile(r"[^\0'\"\\$`{}<>]+")
_CALCULATION = re.compile(r"[\w \t\n+\-*/%<>=!&|^~?:,.#]+", re.ASCII)
_NAME_IN_BRACES = re.compile(r"\{\w*\}")
_NOTHING: frozenset[str] = frozenset()
_NAME_PART = re.compile(r"[A-Za-z0-9_]")
BLANK = " \t"
_NOT_POSIX = "which sh does not have or shells read differently"


class WordReader(abc.ABC):
    """A place in a text, and how to read one word from there; what is met on the way goes into ``script``."""

    def __init__(self, text: str, holes: Mapping[int, Hole], script: Script) -> None:
        self.text = text
        self.holes = holes
        self.script = script
        self.at = 0
        self.end = len(text)
        self.pending: list[HereDoc] = []  # begun on this line; their bodies follow it
        self.depth = 0

    @abc.abstractmethod
    def sequence(self, closers: Collection[str]) -> str:
        """Past commands and the one of the closers that ends them ("" is the end of the text)."""

    @abc.abstractmethod
    def inner(self, code: str) -> None:
        """Read commands that stand in the text in another spelling."""

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        """One construct inside another; Unreadable before there are too many."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnsupportedSyntax(f"more than {MAX_DEPTH} constructs stand inside one another", self.at)
        yield
        self.depth -= 1

    # --- where it stands

    @property
    def char(self) -> str:
        """The next character, "" at the end."""
        return self.text[self.at] if self.at < self.end else ""

    def ahead(self, count: int) -> str:
        """What follows the next character, so many characters of it."""
        return self.text[self.at + 1 : min(self.at + 1 + count, self.end)]

    def sees(self, text: str) -> bool:
        """Whether the text goes on like that."""
        return self.text.startswith(text, self.at, self.end)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The pattern's match from here on."""
        return pattern.match(self.text, self.at, self.end)

    def keyword(self) -> str:
        """The keyword that is next, "" if it is none."""
        found = self.match(KEYWORD)
        return found[1] if found else ""

    def takes(self, keyword: str) -> bool:
        """Whether the keyword is there; if so it is passed."""
        if self.keyword() != keyword:
            return False
        self.at += len(keyword)
        return True

    def expect(self, keyword: str) -> None:
        """Past the keyword; Unreadable if it is not there."""
        if not self.takes(keyword):
            raise UnsupportedSyntax(f"`{keyword}` is missing", self.at)

    def unexpected(self) -> UnsupportedSyntax:
        """What to say about the next character."""
        if self.char == HOLE:
            return UnsupportedSyntax("a value is not expected here", self.at)
        what = (self.char + self.ahead(1)).split("\n")[0].replace(HOLE, "")
        return UnsupportedSyntax(
            f"`{what}` is not expected here" if what else "the text ends too early", self.at
        )

    def strange(self, what: str, at: int | None = None) -> UnsupportedSyntax:
        """What to say about a construct that is not every sh's."""
        return UnsupportedSyntax(f"it has {what}, {_NOT_POSIX}", self.at if at is None else at)

    def none_pending(self) -> None:
        """Unreadable if a here-document was begun and has no body."""
        if self.pending:
            raise UnsupportedSyntax(f"the here-document {self.pending[0].delimiter} has no body", self.at)

    def mark(self) -> tuple[int, int, int]:
        """How much has been met so far."""
        return len(self.script.holes), len(self.script.reads), len(self.script.docs)

    def since(self, mark: tuple[int, int, int]) -> tuple[tuple[Hole, ...], frozenset[str]]:
        """The holes and the variables met since then."""
        holes, reads = self.script.holes[mark[0] :], self.script.reads[mark[1] :]
        kept = tuple([hole for hole in holes if not hole.dropped]) if holes else ()
        return kept, frozenset(reads) if reads else _NOTHING

    def ban(self, mark: tuple[int, int, int], what: str) -> None:
        """No hole met since then may hold a value."""
        for hole in self.since(mark)[0]:
            hole.ban = hole.ban or what

    def ban_between(self, start: int, end: int, what: str) -> None:
        """No hole of that span may hold a value."""
        for hole in self.holes.values():
            if start <= hole.start < end:
                hole.ban = what
                self.script.holes.append(hole)

    def drop_between(self, start: int, end: int) -> None:
        """The holes of that span stand in a comment."""
        for hole in self.holes.values():
            if start <= hole.start < end:
                hole.dropped = True
                self.script.holes.append(hole)

    # --- between words

    def blanks(self) -> None:
        """Past blanks, joined lines and a comment, up to the end of the line."""
        while self.char:
            if self.char in BLANK:
                self.at += 1
            elif self.sees("\\\n"):
                self.joint()
            elif self.char == "#":
                stop = self.text.find("\n", self.at, self.end)
                stop = self.end if stop < 0 else stop
                self.drop_between(self.at, stop)
                self.at = stop
            else:
                return

    def joint(self) -> None:
        """Past a backslash at the end of a line; between words only, where no two shells disagree."""
        before, after = self.text[max(0, self.at - 1) : self.at], self.ahead(2)[1:]
        if self.pending or not (before in " \t\n" or after in " \t\n"):
            raise self.strange("a line continued in the middle of a word")
        self.at += 2

    # --- words

    def word(self) -> ShellWord:
        """The next word, past it; Unreadable if there is none."""
        word = ShellWord(self.at)
        mark = self.mark()
        bare = ""  # what bash could take for {a,b}
        while self.char and self.char not in " \t\n;&|()<>":
            if (hole := self.holes.get(self.at)) is not None:
                if "{" in _NAME_IN_BRACES.sub("", bare):
                    hole.ban = "inside braces, which bash expands and other shells do not"
                self.fill(word, hole, Quoting.BARE)
            elif plain := self.match(_PLAIN):
                bare += plain[0]
                word.add(plain[0])
                self.at = plain.end()
            else:
                self.quoted(word)
        if self.at == word.start:
            raise self.unexpected()
        if self.pending and "\n" in self.text[word.start : self.at]:
            raise UnsupportedSyntax("a word goes over the line where a here-document starts", word.start)
        if "{" in bare and self.char and self.char in "<>":
            raise self.strange("`{…}" + self.char + "`")
        word.end = self.at
        word.holes, word.reads = self.since(mark)
        return word

    def quoted(self, word: ShellWord) -> None:
        """A part of a word that is not plain text."""
        match self.char:
            case "'":
                word.plain = False
                self.single(word)
            case '"':
                word.plain = False
                self.at += 1
                self.expandable(word, '"')
            case "\\":
                self.escape(word)
            case "$":
                self.dollar(word, quoted=False)
            case _:
                self.backtick(word, quoted=False)

    def fill(self, word: ShellWord, hole: Hole, quoting: Quoting) -> None:
        """Past a hole, which is part of the word."""
        hole.quoting = quoting
        self.script.holes.append(hole)
        word.pieces.append(hole)
        self.at = hole.end

    def single(self, word: ShellWord) -> None:
        """Past ``'…'``."""
        stop = self.text.find("'", self.at + 1, self.end)
        if stop < 0:
            raise UnsupportedSyntax("the single quote is never closed", self.at)
        self.at += 1
        while self.at < stop:
            if (hole := self.holes.get(self.at)) is not None:
                self.fill(word, hole, Quoting.SINGLE)
                continue
            following = self.text.find(HOLE, self.at, stop)
            following = stop if following < 0 else following
            word.add(self.text[self.at : following])
            self.at = following
        self.at = stop + 1

    def escape(self, word: ShellWord) -> None:
        """A backslash outside quotes."""
        if self.sees("\\\n"):
            self.joint()
            return
        following = self.ahead(1)
        if not following:
            raise UnsupportedSyntax("the text ends in a backslash", self.at)
        word.plain = False
        self.at += 1
        if not self.after("a backslash, which would quote it"):
            word.add(following)
            self.at += 1

    def after(self, what: str) -> bool:
        """Whether a hole is next; if so, it cannot be filled."""
        hole = self.holes.get(self.at)
        if hole is not None:
            hole.ban = f"directly after {what}"
        return hole is not None

    def expandable(self, word: ShellWord, stop: str | None) -> None:
        """Past text in which ``$``, backtick and backslash mean something, up to ``stop`` (None: its end)."""
        start = self.at
        while self.char != (stop or ""):
            if (hole := self.holes.get(self.at)) is not None:
                self.fill(word, hole, Quoting.OPEN)
            elif plain := self.match(_QUOTED):
                word.add(plain[0])
                self.at = plain.end()
            elif self.char == "$":
                self.dollar(word, quoted=True)
            elif self.char == "`":
                self.backtick(word, quoted=True)
            elif self.char == "\\":
                self.escape_in_quotes(word, stop)
            elif self.char == '"':
                word.add('"')
                self.at += 1
            else:
                raise UnsupportedSyntax("the double quote is never closed", start - 1)
        self.at += len(stop or "")

    def escape_in_quotes(self, word: ShellWord, stop: str | None) -> None:
        """A backslash inside ``"…"`` or a here-document."""
        following = self.ahead(1)
        if following == "\n":
            if word.pieces[-1:] == [None] and _NAME_PART.fullmatch(self.text[self.at - 1]):
                raise self.strange("a name continued on the next line")
            self.at += 2
            return
        self.at += 1
        if following and following in "$`\\" + (stop or ""):
            word.add(following)
            self.at += 1
            return
        word.add("\\")
        self.after("a backslash, which would quote it")

    # --- expansions

    def dollar(self, word: ShellWord, *, quoted: bool) -> None:
        """Past whatever starts with a ``$``."""
        with self.deeper():
            self.expansion(word, quoted=quoted)

    def expansion(self, word: ShellWord, *, quoted: bool) -> None:
        """What ``dollar`` does, at some depth."""
        following = self.ahead(2)
        if following == "((":
            self.arithmetic()
        elif following[:1] == "(":
            self.substitution()
        elif following[:1] == "{":
            self.parameter(word, quoted=quoted)
        elif variable := self.match(_VARIABLE):
            self.read(variable[1])
            word.variables.append(variable[1])
            word.loose = word.loose or variable[1] == "@"
            self.at = variable.end()
        elif following[:1] in ("'", '"') and not quoted:
            self.bash_string(word)
        elif following == "\\\n" or following[:1] == "[":
            raise self.strange("`$[`" if following[:1] == "[" else "a name that starts on the next line")
        else:
            self.at += 1
            word.add("$")
            self.after("`$` (a dollar sign is written \\$)")
            return
        word.plain = False
        word.pieces.append(None)
        word.loose = word.loose or not quoted

    def read(self, name: str) -> None:
        """Note that a variable is expanded."""
        if name == "_":
            raise UnsupportedSyntax("`$_` can be any value that stands before it", self.at)
        if NAME.fullmatch(name):
            self.script.reads.append(name)
        elif name not in "#?$!-":  # those are numbers and flags
            self.script.reads.append(POSITIONAL)

    def bash_string(self, word: ShellWord) -> None:
        """``$'…'`` and ``$"…"``: strings of bash that end, without backslashes, where those of sh end."""
        mark, start = self.mark(), self.at
        self.at += 1
        self.quoted(word)
        if "\\" in self.text[start : self.at]:
            raise self.strange(f"`{self.text[start : start + 2]}`", start)
        self.ban(mark, "inside a string that starts with `$`")

    def substitution(self) -> None:
        """Past ``$(…)``, in which quoting starts anew."""
        self.at += 2
        outer, self.pending = self.pending, []
        self.sequence({")"})
        self.none_pending()
        self.pending = outer

    def backtick(self, word: ShellWord, *, quoted: bool) -> None:
        """Past a pair of backticks."""
        start = stop = self.at
        while (stop := stop + 1) < self.end and self.text[stop] != "`":
            stop += self.text[stop] == "\\"
        if stop >= self.end:
            raise UnsupportedSyntax("the backtick is never closed", start)
        self.ban_between(start, stop, "inside backticks (inside $(…) it can be)")
        escaped = r"\\([$`\\\"])" if quoted else r"\\([$`\\])"
        code = re.sub(escaped, r"\1", self.text[start + 1 : stop]).replace(HOLE, "x")
        try:
            self.inner(code)
        except UnsupportedSyntax as error:
            raise UnsupportedSyntax(error.message, start) from None
        self.at = stop + 1
        word.plain = False
        word.pieces.append(None)
        word.loose = word.loose or not quoted

    def arithmetic(self) -> None:
        """Past ``$((…))``."""
        mark, start = self.mark(), self.at
        self.at += 3
        brackets = 0
        while brackets or not self.sees("))"):
            if self.char == "$":
                self.dollar(ShellWord(self.at), quoted=True)
            elif (hole := self.holes.get(self.at)) is not None:
                self.fill(ShellWord(self.at), hole, Quoting.BARE)
            elif calculation := self.match(_CALCULATION):
                for name in NAME.findall(calculation[0]):
                    self.read(name)
                self.at = calculation.end()
            elif self.char in ("(", ")") and (self.char == "(" or brackets):
                brackets += 1 if self.char == "(" else -1
                self.at += 1
            else:
                raise UnsupportedSyntax("the calculation in $((…)) is not understood", start)
        self.at += 2
        self.script.arithmetic |= self.since(mark)[1]
        self.ban(mark, "inside $((…)), which calculates with its text")

    def parameter(self, word: ShellWord, *, quoted: bool) -> None:
        """``${name}`` and ``${name:-word}`` with their like."""
        mark, start = self.mark(), self.at
        word.loose = word.loose or "@" in self.text[start : start + 4]
        if whole := self.match(_BRACED):
            self.read(whole[1])
            if whole[0][2] != "#":  # a length is a number
                word.variables.append(whole[1])
            self.at = whole.end()
            return
        opening = self.match(_BRACED_START)
        if opening is None:
            raise self.strange("this kind of `${…}`")
        self.read(opening[1])
        self.at = opening.end()
        inner = ShellWord(self.at)
        while self.char != "}":
            if self.char == "$":
                self.dollar(inner, quoted=quoted)
            elif plain := self.match(_IN_BRACES):
                self.at = plain.end()
            elif (hole := self.holes.get(self.at)) is not None:
                self.fill(inner, hole, Quoting.BARE)
            elif self.char == '"' and not quoted:
                self.at += 1
                self.expandable(inner, '"')
            else:
                raise self.strange("quotes inside `${…}`" if self.char else "an open `${`", start)
        self.at += 1
        self.ban(mark, "inside ${…}")
        if opening[2] in ("=", ":="):
            self.script.defaults.append((opening[1], self.since(mark)[1]))
