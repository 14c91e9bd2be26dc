"""Unified diff -> the lines of each file that it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Span = tuple[int, int]
"""First and last line, from 1, both part of it."""

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_CONTROLS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedLines:
    """What a change touches: spans of lines by file, and files that are new as a whole."""

    spans: Mapping[str, tuple[Span, ...]]
    new_files: frozenset[str] = frozenset()

    def __contains__(self, path: str) -> bool:
        """Whether it touches the file at all."""
        return path in self.spans or path in self.new_files

    def touches(self, path: str, line: int, end_line: int) -> bool:
        """Whether it touches any line from ``line`` to ``end_line``."""
        if path in self.new_files:
            return True
        return any(first <= end_line and line <= last for first, last in self.spans.get(path, ()))


def changed_lines(diff: str, new_files: Iterable[str] = ()) -> ChangedLines:
    """What git's ``diff`` changes; ValueError where it is not whole.

    Lines count as in the new file. Lines that are only removed touch the ones above and below.
    """
    spans: dict[str, list[Span]] = {}
    lines = iter(diff.split("\n"))
    path = ""
    for line in lines:
        if line.startswith("+++ "):
            path = _path(line[4:])
        elif found := _HUNK.match(line):
            spans.setdefault(path, []).extend(_hunk(found, lines))
    return ChangedLines(
        spans={path: tuple(found) for path, found in spans.items() if path},
        new_files=frozenset(new_files),
    )


def _hunk(header: re.Match[str], lines: Iterable[str]) -> list[Span]:
    """The spans of one hunk, whose lines are taken; each run of + and - lines is one."""
    old, at, new = (1 if number is None else int(number) for number in header.groups())
    at += not new  # a hunk that adds nothing names the line before it
    spans: list[Span] = []
    first: int | None = None  # where the run began
    for line in lines if old or new else ():
        kind = line[:1]
        if kind == "\\":  # "No newline at end of file"
            continue
        if kind not in ("+", "-", " "):
            raise ValueError(f"unexpected line in a hunk: {line[:80]!r}")
        if kind in ("+", "-"):
            first = at if first is None else first
        elif first is not None:
            spans.append(_span(first, at))
            first = None
        old -= kind != "+"
        new -= kind != "-"
        at += kind != "-"
        if old <= 0 and new <= 0:
            break
    if old or new:
        raise ValueError("the diff ends in the middle of a hunk")
    return spans if first is None else [*spans, _span(first, at)]


def _span(first: int, after: int) -> Span:
    return (first, after - 1) if after > first else (max(first - 1, 1), first)


def _path(name: str) -> str:
    """The file behind what stands after ``+++``; "" for one that is removed."""
    if name.startswith('"'):
        quoted = name.strip().strip('"').encode()
        name = _ESCAPE.sub(_unescaped, quoted).decode("utf-8", "replace")
    else:
        name = name.removesuffix("\r").removesuffix("\t")  # git marks the end of names with blanks by a tab
    return "" if name == "/dev/null" else name.removeprefix("b/")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if code.isdigit():
        return bytes([int(code, 8) & 0xFF])
    return bytes([_CONTROLS.get(code[0], code[0])])
