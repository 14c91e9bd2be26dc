"""TOML text -> where each key and value stands, so that a problem can point at it."""

from __future__ import annotations

import re
from typing import TypeAlias

import tomli

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

Path: TypeAlias = tuple[str | int, ...]

_BLANK = late_regex(r"(?:[ \t\n]++|#[^\n]*+)*+")
_KEY = late_regex(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_SCALAR = late_regex(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\d{4}-\d\d-\d\d[ Tt]\d[^\s,\]}#]*"
    r"|[^\s,\]}#]+",
    re.DOTALL,
)
_PLAIN_STEP = late_regex(r"""\[\[steps\]\][ \t]*(?:#[^\n]*)?\s*name[ \t]*=[ \t]*["']([\w-]+)["']""")
_ESCAPE = late_regex(r"\\(?:u.{4}|U.{8}|x..|(?P<joined>[ \t]*\n[ \t\n]*)|.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpan:
    """A place in a file, from 1; ``excerpt`` is its line and ``length`` the columns it takes there."""

    line: int
    column: int
    length: int
    excerpt: str


class KeyPositions:
    """Where the keys and values of a TOML text stand.

    The text must have parsed as TOML: the scan trusts it. Paths are those of the parsed value
    (``("steps", 0, "depends_on", 1)``); one that is not in the text stands for its nearest
    ancestor that is.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        scan = _PositionScanner(self._text)
        scan.document()
        self._keys = scan.keys
        self._values = scan.values

    def key(self, path: Path) -> SourceSpan:
        """Where the last key of ``path`` is written; an item of an array has none but its value."""
        while path and path not in self._keys:
            if path in self._values:
                return self._span_at(*self._values[path])
            path = path[:-1]
        return self._span_at(*self._keys[path]) if path else self._span_at(0, 0)

    def value(self, path: Path) -> SourceSpan:
        """Where the value at ``path`` is written."""
        return self._span_at(*self._values[path]) if path in self._values else self.key(path)

    def inside(self, path: Path, start: int, end: int) -> SourceSpan:
        """Where characters ``start`` to ``end`` (exclusive) of the string value at ``path`` are written."""
        if path not in self._values:
            return self.key(path)
        begin, close = self._values[path]
        at = _offsets(self._text[begin:close], sorted((start, end)))
        return self._span_at(begin + at[0], begin + max(at[1], at[0] + 1))

    def _span_at(self, start: int, end: int) -> SourceSpan:
        return span_of(self._text, start, end)


def span_of(text: str, start: int, end: int) -> SourceSpan:
    """Where characters ``start`` to ``end`` (exclusive) of a text stand in it."""
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    stop = len(text) if stop < 0 else stop
    return SourceSpan(
        line=text.count("\n", 0, start) + 1,
        column=start - begin + 1,
        length=max(0, min(end, stop) - start),
        excerpt=text[begin:stop],
    )


def header_lines(text: str, names: list[str]) -> list[int]:
    """The line of each step's header, given the steps' names; quick where the file is written plainly."""
    # every file that is collected is asked this, and scanning its whole text takes longer
    headers = list(_PLAIN_STEP.finditer(text))
    if [header[1] for header in headers] != names:
        positions = KeyPositions(text)
        return [positions.key(("steps", index)).line for index in range(len(names))]
    lines: list[int] = []
    line, at = 1, 0
    for header in headers:
        line += text.count("\n", at, header.start())
        at = header.start()
        lines.append(line)
    return lines


def _offsets(raw: str, wanted: list[int]) -> list[int]:
    """Where the ``wanted`` (ascending) characters of a string value stand in its TOML spelling."""
    quotes = 3 if raw[:3] in ('"""', "'''") else 1
    at = quotes + (quotes == 3 and raw[3:4] == "\n")
    if raw[:1] not in ('"', "'"):
        return [0, len(raw)]
    found: list[int] = []
    seen = 0
    escapes = _ESCAPE.finditer(raw, at, len(raw) - quotes) if raw[0] == '"' else iter(())
    for escape in escapes:
        plain = escape.start() - at
        while len(found) < len(wanted) and wanted[len(found)] < seen + plain + (not escape["joined"]):
            found.append(at + wanted[len(found)] - seen)
        seen += plain + (not escape["joined"])
        at = escape.end()
    return found + [min(at + offset - seen, len(raw) - quotes) for offset in wanted[len(found) :]]


class _PositionScanner:
    """One pass over the text; ``keys`` and ``values`` hold the offsets (start, end) of each path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        # how many elements the arrays of tables have so far
        self._lengths: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._blank() < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._value(self._pair(table))

    def _blank(self) -> int:
        self.at = _end(_BLANK.match(self.text, self.at))
        return self.at

    def _header(self) -> Path:
        start = self.at
        many = self.text.startswith("[[", start)
        self.at += 1 + many
        path = self._name((), latest=True)
        self.at += 1 + many
        if many:
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            self.keys[path] = (start, self.at)
        return path

    def _pair(self, table: Path) -> Path:
        """Past ``key =``; the path that the value standing next belongs to."""
        path = self._name(table)
        self.at += 1
        self._blank()
        return path

    def _name(self, path: Path, *, latest: bool = False) -> Path:
        """Past a dotted key below ``path``; ``latest`` enters the last element of arrays of tables."""
        while True:
            if latest and path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            start = self._blank()
            self.at = _end(_KEY.match(self.text, start))
            path = (*path, _bare(self.text[start : self.at]))
            self.keys.setdefault(path, (start, self.at))
            if self.text[self._blank()] != ".":
                return path
            self.at += 1

    def _value(self, path: Path) -> None:
        # a work list instead of recursion, so that nested values take no stack;
        # path, start, and [how many items so far], or [] for an inline table
        unfinished: list[tuple[Path, int, list[int]]] = []
        while True:
            start = self.at
            if self.text[start] in "[{":
                unfinished.append((path, start, [0] if self.text[start] == "[" else []))
                self.at += 1
            else:
                self.at = _end(_SCALAR.match(self.text, start))
                self.values[path] = (start, self.at)
            while unfinished:
                outer, opened, count = unfinished[-1]
                if self.text[self._blank()] == ",":
                    self.at += 1
                    self._blank()
                if self.text[self.at] not in "]}":
                    break
                self.at += 1
                self.values[outer] = (opened, self.at)
                unfinished.pop()
            else:
                return
            if count:
                path = (*outer, count[0])
                count[0] += 1
            else:
                path = self._pair(outer)


def _end(match: re.Match[str] | None) -> int:
    if match is None:
        raise AssertionError("the text is not TOML")
    return match.end()


def _bare(key: str) -> str:
    """A key as it is meant, without quotes and escapes."""
    if "\\" in key and key[0] == '"':
        return str(tomli.loads(f"key = {key}")["key"])
    return key[1:-1] if key[0] in "\"'" else key
