"""An answer's edits and the files they name -> new files, or every reason why not.

Texts are bytes with a memory: a file keeps its byte-order mark, its line endings and whatever
bytes of it are no UTF-8, since only the part an edit replaces is ever rewritten.
"""

from __future__ import annotations

import codecs
import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal

from pytest_lok.core.edits.protected_names import plain, protected
from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError

MOST_FILES = 50
MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace ``old``, which occurs once in ``file``, by ``new``; ``old`` "" creates the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """What becomes of one file; ``before`` None = it does not exist yet."""

    file: str
    before: bytes | None
    after: bytes

    def diff(self) -> str:
        """A unified diff for people; "" if nothing changes."""
        return "".join(
            difflib.unified_diff(
                _shown(self.before or b""),
                _shown(self.after),
                "/dev/null" if self.before is None else f"a/{self.file}",
                f"b/{self.file}",
            )
        )


def edits_of(data: Json) -> tuple[Edit, ...]:
    """The edits in a parsed answer; OutputError says what it lacks."""
    if not isinstance(data, dict) or not isinstance(data.get("edits"), list):
        raise OutputError(
            'the answer holds no {"edits": [...]}',
            hint='ask for JSON of the form {"edits": [{"file": "...", "old": "...", "new": "..."}]}',
        )
    found = data["edits"]
    assert isinstance(found, list)  # noqa: S101 - narrows for the type checker; checked above
    return tuple(_edit(number, entry) for number, entry in enumerate(found, 1))


def _edit(number: int, entry: Json) -> Edit:
    if not isinstance(entry, dict):
        raise OutputError(f"edit {number} is no object")
    values = {key: entry.get(key) for key in ("file", "old", "new")}
    for key, value in values.items():
        if not isinstance(value, str):
            raise OutputError(f"edit {number} has no text {key!r}")
    return Edit(
        file=re.sub(r"^(\./+)+", "", str(values["file"])), old=str(values["old"]), new=str(values["new"])
    )


def refused_path(path: str) -> str | None:
    """Why no edit may touch this path, by its name alone, whatever ``allow_paths`` says; None if one may."""
    hidden = any(unicodedata.category(character) in ("Cc", "Cf") for character in path)
    if not path or hidden or "\\" in path or path != path.strip():
        return "is no plain relative path"
    parts = path.split("/")
    if path.startswith(("/", "~")) or ".." in parts or re.match(r"[A-Za-z]:", path):
        return "lies outside the workspace"
    if "" in parts or "." in parts:
        return "is no plain relative path"
    if not {".git", "git~1"}.isdisjoint(plain(part).rstrip(". ") for part in parts):
        return "lies under .git"
    return None


def _covers(pattern: str, path: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatchcase(path, pattern) or PurePosixPath(path).is_relative_to(pattern)


def _nothing(path: str) -> str | None:  # noqa: ARG001 - where nothing verifies the edits
    return None


class EditDraft:
    """The files as the edits of one or several answers leave them, before anything is written.

    ``read`` gives a file's bytes, None if there is none; it may raise ValueError with the reason why
    that path cannot be edited. ``decides`` says what a path has to do with the verification of the
    edits, None = nothing. ``allow`` lists paths, directories or patterns (``docs/*``) that may be
    edited although they decide what is run or what the verification says; ``lifted`` are the files of
    that kind that are edited, each with what it decides.
    """

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        *,
        allow: Collection[str] = (),
        decides: Callable[[str], str | None] = _nothing,
    ) -> None:
        self.lifted: dict[str, str] = {}
        self._read = read
        self._allow = allow
        self._decides = decides
        self._before: dict[str, bytes | None] = {}
        self._after: dict[str, bytes | None] = {}
        self._spelled: dict[str, str] = {}  # paths as the least exact system sees them -> as they are

    @property
    def changes(self) -> list[FileChange]:
        """What becomes of the files that come out changed."""
        made = [(file, self._before[file], after) for file, after in self._after.items()]
        return [FileChange(file=f, before=b, after=a) for f, b, a in made if a is not None and a != b]

    def add(self, edits: Sequence[Edit]) -> tuple[list[FileChange], list[str]]:
        """What one answer makes of the files, and every reason why it does not apply: then none of it counts.

        The edits of a file apply one after the other, upon those of the answers before.
        """
        before: dict[str, bytes | None] = {}
        after: dict[str, bytes | None] = {}
        reasons: list[str] = []
        for number, edit in enumerate(edits, 1):
            try:
                if edit.file not in before:
                    before[edit.file] = after[edit.file] = self._open(edit.file)
                after[edit.file] = _apply(edit, after[edit.file])
            except ValueError as reason:
                reasons.append(f"edit {number}: {edit.file!r} {reason}")
        made = [FileChange(file=f, before=before[f], after=a) for f, a in after.items() if a is not None]
        if not reasons:
            reasons = [f"{file!r} {reason}" for file in after for reason in self._collisions(file, after)]
        if len(made) > MOST_FILES:
            reasons.append(f"{len(made)} files are more than {MOST_FILES}")
        if sum(len(change.after) for change in made) > MOST_BYTES + sum(len(c.before or b"") for c in made):
            reasons.append(f"the edits add more than {MOST_BYTES:,} bytes")
        if not reasons:
            self._after.update(after)
            self._spelled.update((plain(file), file) for file in after)
        return made, reasons

    def _open(self, file: str) -> bytes | None:
        """A file as the answers before leave it; ValueError where it may not be edited."""
        if refusal := refused_path(file):
            raise ValueError(refusal)
        if reason := self._decides(file) or protected(file):
            if not any(_covers(pattern, file) for pattern in self._allow):
                raise ValueError(f"may not be edited: {reason}; list it in allow_paths to permit it")
            self.lifted[file] = reason
        if file not in self._before:
            self._before[file] = self._read(file)
        return self._after.get(file, self._before[file])

    def _collisions(self, file: str, beside: Collection[str]) -> Iterator[str]:
        """What is wrong with a path beside all the others of the draft."""
        spelled = {**self._spelled, **{plain(other): other for other in beside if other != file}}
        parts = plain(file).split("/")
        for at in range(1, len(parts)):
            if other := spelled.get("/".join(parts[:at])):
                yield f"leads through {other!r}, which an edit makes a file"
        other = spelled.get("/".join(parts), file)
        if other != file and None in (self._before[file], self._before[other]):
            yield f"is {other!r} in another spelling"


def changes(
    edits: Sequence[Edit], read: Callable[[str], bytes | None], *, allow: Collection[str] = ()
) -> tuple[list[FileChange], list[str]]:
    """The files as an answer's edits leave them, and why they do not apply: see ``EditDraft``."""
    return EditDraft(read, allow=allow).add(edits)


def _apply(edit: Edit, content: bytes | None) -> bytes:
    if content is None:
        if edit.old:
            raise ValueError('does not exist (an edit whose old is "" creates it)')
        return edit.new.encode()
    if not edit.old:
        raise ValueError("exists already; `old` must be the part to replace")
    encoding = encoding_of(content)
    text = content.decode(encoding, "surrogateescape")
    start, end = _place(edit.old, text)
    new = edit.new.replace("\r\n", "\n")
    if 2 * text.count("\r\n") > text.count("\n"):
        new = new.replace("\n", "\r\n")
    if encoding == "utf-8" and not new.isascii() and not _is_utf8(content):
        raise ValueError("is not UTF-8, so only ASCII text can be put into it")
    return (text[:start] + new + text[end:]).encode(encoding, "surrogateescape")


def _place(old: str, text: str) -> tuple[int, int]:
    """Where ``old`` stands, whichever line endings either uses; overlapping places count too."""
    lines = old.replace("\r\n", "\n").split("\n")
    pattern = r"\r?\n".join(re.escape(line) for line in lines)
    found = [match.span(1) for match in re.finditer(f"(?=({pattern}))", text)]
    if not found and (form := _other_form(old, text)):
        raise ValueError(f"holds the text of `old` in another Unicode form ({form}): copy it from the file")
    if not found:
        raise ValueError("does not hold the text of `old`")
    if len(found) > 1:
        raise ValueError(f"holds the text of `old` {len(found)} times; quote more, so that it occurs once")
    return found[0]


def _other_form(old: str, text: str) -> str:
    """The Unicode form in which the text holds ``old``; "" = in none."""
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    return next((form for form in forms if unicodedata.normalize(form, old) in text), "")


def encoding_of(content: bytes) -> str:
    """How to read the bytes so that writing them back gives the same; marks stay in the text."""
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    return "utf-16-be" if content.startswith(codecs.BOM_UTF16_BE) else "utf-8"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(content: bytes) -> list[str]:
    """Lines for a diff, each with its end; a last line without one says so."""
    lines = content.decode(encoding_of(content), "replace").replace("\r\n", "\n").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n\\ No newline at end of file\n"
    return lines
