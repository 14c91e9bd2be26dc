"""A path as people, models and tools write it -> the paths of the workspace that it may mean.

A reading that leads nowhere costs nothing: what no reading finds is not known, never harmless.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from pytest_lok.core.text.invisible import caseless
from pytest_lok.late_regex import late_regex

MAX_READINGS = 64
"""Readings of one path, or of one quote."""

_DEEPEST = 100
"""Directories in one path."""
_LONGEST = 255
"""Bytes of a name; no system has longer ones."""
_BYTE = late_regex(rb"\\([0-3][0-7]{2}|[abtnvfr\"\\])|%([0-9A-Fa-f]{2})")
_CONTROLS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_PAIRS = dict(zip("`\"'*<([\u201c\u2018", "`\"'*>)]\u201d\u2019", strict=True))
_LINK = late_regex(r"\[[^\]]*\]\((.*)\)", re.DOTALL)
_HEADER = late_regex(r"(?:---|\+\+\+|diff --git|(?:rename|copy) (?:from|to)|Index:|File:?)\s+", re.IGNORECASE)
_LINE_NUMBER = late_regex(
    r"(?:[:#@(\[,]|\s)\s{0,3}(?:lines?\s{0,3})?L?\d{1,9}(?:\s{0,3}[-:,.C\u2013]\s{0,3}L?\d{1,9}){0,3}[)\]]?:?$",
    re.IGNORECASE,
)
_SCHEME = late_regex(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = late_regex(r"[A-Za-z]:(?=/)")
_PREFIX = late_regex(r"[abciow12]/(?=.)")


def possible_paths(cited: str, root: str) -> tuple[str, ...]:
    """The paths in the workspace at ``root`` that may be written like this, the plainest reading first.

    Nothing for what leads out of it. An absolute path of elsewhere keeps its ``/``: the workspace may be
    called so there, a container for example.
    """
    plain = (_normalized(text, root.rstrip("/")) for text in readings(cited, _PATH_STEPS))
    return tuple(dict.fromkeys(path for path in plain if path))


def without_prefix(path: str) -> str:
    """The path behind the ``a/`` or ``b/`` of a diff (or what else git puts there), "" if it has none."""
    return path[2:] if _PREFIX.match(path) else ""


class WorkspacePaths:
    """Every path of a workspace, to find those that are written in another way."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_last: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            parts = _parts(name)
            self._by_last.setdefault(parts[0], []).append((parts, name))

    def with_longest_common_end(self, readings: Sequence[str]) -> tuple[str, ...]:
        """The paths that have the most of their end in common with a reading."""
        longest, found = 0, dict[str, None]()
        for reading in readings:
            wanted = _parts(reading.lstrip("/"))
            for parts, name in self._by_last.get(wanted[0], ()):
                pairs = enumerate(zip(parts, wanted, strict=False))
                most = min(len(parts), len(wanted))
                common = next((n for n, (part, other) in pairs if part != other), most)
                # a longer common end makes the shorter ones no candidates any more
                if common > longest:
                    longest, found = common, {}
                if common == longest:
                    found[name] = None
        return tuple(found)


def names_exactly(name: str, readings: Iterable[str], root: str) -> bool:
    """Whether a reading names just this path, all of it, from the root or a directory around it."""
    return any(_names_exactly(name, reading, root) for reading in readings)


def _names_exactly(name: str, reading: str, root: str) -> bool:
    parts, wanted = _parts(name), _parts(reading.lstrip("/"))
    before = wanted[len(parts) :]
    if wanted[: len(parts)] != parts:
        return False
    above = (before, before[:-1]) if without_prefix(reading) else (before,)
    return reading.startswith("/") or any(_parts(root)[: len(it)] == it for it in above)


def base_name(path: str) -> str:
    """What all spellings of a path end in."""
    return _parts(path)[0]


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path without what looks alike, the last one first."""
    return tuple(caseless(part) for part in reversed(path.split("/")))


def _normalized(path: str, root: str) -> str:
    """The path from the root, in its plain form; "" where it leads out or cannot be one."""
    if "\0" in path or path.count("/") > _DEEPEST:
        return ""
    whole = posixpath.normpath(posixpath.join(root or "/", path))
    inside = whole.startswith(f"{root}/")
    # a relative path that leads out is none of the workspace's, in whichever reading
    if not inside and (not path.startswith("/") or path.startswith(f"{root}/")):
        return ""
    plain = whole[len(root) :].lstrip("/") if inside else f"/{whole.lstrip('/')}"
    if plain == "/" or any(len(part.encode("utf-8", "replace")) > _LONGEST for part in plain.split("/")):
        return ""
    return plain


def readings(text: str, steps: Sequence[Callable[[str], str]]) -> list[str]:
    """The text, and all that becomes of it when some of the steps are taken, in their order."""
    found = {text: None}
    for step in steps:
        for reading in list(found):
            # each step may double the readings
            if len(found) < MAX_READINGS and (new := step(reading)):
                found.setdefault(new)
    return list(found)


def _header(text: str) -> str:
    return _HEADER.sub("", text, count=1) if _HEADER.match(text) else text


def _without_line_number(text: str) -> str:
    return text[:-60] + _LINE_NUMBER.sub("", text[-60:])


def unquoted(text: str) -> str:
    """The text without what stands around all of it."""
    if link := _LINK.fullmatch(text):
        return link[1]
    while len(text) > 2 and _PAIRS.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def _unescaped(text: str) -> str:
    """The name behind git's octal numbers or a URL's percent signs."""
    if "\\" not in text and "%" not in text:
        return text
    return _BYTE.sub(_unescaped_byte, text.encode("utf-8", "surrogatepass")).decode(
        "utf-8", "surrogateescape"
    )


def _unescaped_byte(found: re.Match[bytes]) -> bytes:
    escaped, percent = found.groups()
    if percent:
        return bytes([int(percent, 16)])
    return bytes([int(escaped, 8)]) if escaped.isdigit() else bytes([_CONTROLS.get(escaped[0], escaped[0])])


def _path_of_url(text: str) -> str:
    """The path of a URL."""
    return _SCHEME.sub("/", re.split("[?#]", text, maxsplit=1)[0], count=1) if _SCHEME.match(text) else text


def _slashes(text: str) -> str:
    return _DRIVE.sub("", text.replace("\\", "/"), count=1)


_PATH_STEPS: tuple[Callable[[str], str], ...] = (
    str.strip,
    _header,
    unquoted,
    _without_line_number,
    unquoted,
    _unescaped,
    html.unescape,
    _path_of_url,
    _slashes,
    str.strip,
)
