"""An answer's edits and the files they name -> new files, or every reason why they do not apply.

Only the part of a file that an edit replaces is rewritten. So the file keeps its byte-order mark, its line
endings, and bytes that are not UTF-8.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal

from pytest_lok.core.edits.protected_names import BASELINE, fold_name, protection_reason
from pytest_lok.core.results import EditedFile, Json
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError

MAX_FILES = 50
MAX_ADDED_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace ``old``, which occurs once in ``file``, by ``new``; ``old`` "" creates the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """The content of one file before and after; ``before`` is None if the file does not exist yet."""

    file: str
    before: bytes | None
    after: bytes

    def diff(self) -> str:
        """A unified diff for people, "" if nothing changes."""
        import difflib

        return "".join(
            difflib.unified_diff(
                _diff_lines(self.before or b""),
                _diff_lines(self.after),
                "/dev/null" if self.before is None else f"a/{self.file}",
                f"b/{self.file}",
            )
        )

    def counted(self) -> EditedFile:
        """How many lines the change adds and removes."""
        # behind the two lines of the diff's head, each line begins with what becomes of it
        marks = [line[0] for line in self.diff().splitlines()[2:]]
        return EditedFile(
            file=self.file,
            added=marks.count("+"),
            removed=marks.count("-"),
            created=self.before is None,
        )


EDITS_HINT = 'ask for JSON of the form {"edits": [{"file": "...", "old": "...", "new": "..."}]}'


def parse_edits(data: Json) -> tuple[Edit, ...]:
    """The edits in a parsed answer; OutputError says what the answer lacks."""
    if not isinstance(data, dict) or not isinstance(data.get("edits"), list):
        raise OutputError(
            'the answer holds no {"edits": [...]}',
            hint=EDITS_HINT,
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
    """Why no edit may touch this path, by its name and whatever ``allow_paths`` says; None if one may."""
    # a name that looks like another one would be reviewed as that
    hidden = any(unicodedata.category(character) in ("Cc", "Cf") for character in path)
    if not path or hidden or "\\" in path or path != path.strip():
        return "is no plain relative path"
    parts = path.split("/")
    if path.startswith(("/", "~")) or ".." in parts or re.match(r"[A-Za-z]:", path):
        return "lies outside the workspace"
    if "" in parts or "." in parts:
        return "is no plain relative path"
    if not {".git", "git~1"}.isdisjoint(fold_name(part).rstrip(". ") for part in parts):
        return "lies under .git"
    if "/".join(fold_name(part).rstrip(". ") for part in parts) == BASELINE:
        return "says what people accept, which no model does (`lok dismiss`)"
    return None


def _matches(pattern: str, path: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatchcase(path, pattern) or PurePosixPath(path).is_relative_to(pattern)


def _decides_nothing(path: str) -> str | None:  # noqa: ARG001 - where nothing verifies the edits
    return None


class EditDraft:
    """The files as the edits of one or several answers leave them, before anything is written.

    ``read`` gives a file's bytes, None if there is none; it may raise ValueError with the reason why
    that path cannot be edited. ``decides`` says what a path has to do with the verification of the
    edits, None = nothing. ``allow`` lists paths, directories or patterns (``docs/*``) that may be
    edited although they decide what is run or what the verification says; ``protected_edits`` are
    the files of that kind that are edited, each with what it decides.
    """

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        *,
        allow: Collection[str] = (),
        decides: Callable[[str], str | None] = _decides_nothing,
    ) -> None:
        self.protected_edits: dict[str, str] = {}
        self._read = read
        self._allow = allow
        self._decides = decides
        self._before: dict[str, bytes | None] = {}
        self._after: dict[str, bytes | None] = {}
        self._folded_paths: dict[str, str] = {}  # paths as the least exact system sees them -> as they are

    @property
    def changes(self) -> list[FileChange]:
        """The files whose content is another after all edits."""
        made = [(file, self._before[file], after) for file, after in self._after.items()]
        return [FileChange(file=f, before=b, after=a) for f, b, a in made if a is not None and a != b]

    def add(self, edits: Sequence[Edit]) -> tuple[list[FileChange], list[str]]:
        """Apply the edits of one answer: the changes of files, and every reason why they do not apply.

        If there is a reason, none of the edits count. The edits of a file apply one after the other, and
        after those of the answers before.
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
        if len(made) > MAX_FILES:
            reasons.append(f"{len(made)} files are more than {MAX_FILES}")
        # what is added counts, not how large the files were
        if sum(len(change.after) for change in made) > MAX_ADDED_BYTES + sum(
            len(c.before or b"") for c in made
        ):
            reasons.append(f"the edits add more than {MAX_ADDED_BYTES:,} bytes")
        if not reasons:
            self._after.update(after)
            self._folded_paths.update((fold_name(file), file) for file in after)
        return made, reasons

    def _open(self, file: str) -> bytes | None:
        """The file as the answers before leave it; ValueError if it may not be edited."""
        if refusal := refused_path(file):
            raise ValueError(refusal)
        if reason := self._decides(file) or protection_reason(file):
            if not any(_matches(pattern, file) for pattern in self._allow):
                raise ValueError(f"may not be edited: {reason}; list it in allow_paths to permit it")
            self.protected_edits[file] = reason
        if file not in self._before:
            self._before[file] = self._read(file)
        return self._after.get(file, self._before[file])

    def _collisions(self, file: str, beside: Collection[str]) -> Iterator[str]:
        """Why the path cannot stand beside the other paths of the draft."""
        # two spellings of a path are one file on systems that ignore case
        spelled = {**self._folded_paths, **{fold_name(other): other for other in beside if other != file}}
        parts = fold_name(file).split("/")
        for at in range(1, len(parts)):
            if other := spelled.get("/".join(parts[:at])):
                yield f"leads through {other!r}, which an edit makes a file"
        other = spelled.get("/".join(parts), file)
        if other != file and None in (self._before[file], self._before[other]):
            yield f"is {other!r} in another spelling"


def _apply(edit: Edit, content: bytes | None) -> bytes:
    if content is None:
        if edit.old:
            raise ValueError('does not exist (an edit whose old is "" creates it)')
        return edit.new.encode()
    if not edit.old:
        raise ValueError("exists already; `old` must be the part to replace")
    encoding = _encoding_of(content)
    text = content.decode(encoding, "surrogateescape")
    start, end = _locate(edit.old, text)
    # models write LF; if most lines of the file end in CRLF, the new ones do, too
    new = edit.new.replace("\r\n", "\n")
    if 2 * text.count("\r\n") > text.count("\n"):
        new = new.replace("\n", "\r\n")
    # its other bytes are in an encoding that nobody knows
    if encoding == "utf-8" and not new.isascii() and not _is_utf8(content):
        raise ValueError("is not UTF-8, so only ASCII text can be put into it")
    return (text[:start] + new + text[end:]).encode(encoding, "surrogateescape")


def _locate(old: str, text: str) -> tuple[int, int]:
    """Where ``old`` stands in the text; line endings may differ. ValueError unless it stands there once."""
    lines = old.replace("\r\n", "\n").split("\n")
    # models write LF, whatever the file has
    pattern = r"\r?\n".join(re.escape(line) for line in lines)
    found = [match.span(1) for match in re.finditer(f"(?=({pattern}))", text)]
    if not found and (form := _other_unicode_form(old, text)):
        raise ValueError(f"holds the text of `old` in another Unicode form ({form}): copy it from the file")
    if not found:
        raise ValueError("does not hold the text of `old`")
    if len(found) > 1:
        raise ValueError(f"holds the text of `old` {len(found)} times; quote more, so that it occurs once")
    return found[0]


def _other_unicode_form(old: str, text: str) -> str:
    """The Unicode form in which the text holds ``old``, "" if in none."""
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    return next((form for form in forms if unicodedata.normalize(form, old) in text), "")


def _encoding_of(content: bytes) -> str:
    """The encoding that decodes and encodes the bytes without a loss; byte-order marks stay in the text."""
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    return "utf-16-be" if content.startswith(codecs.BOM_UTF16_BE) else "utf-8"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _diff_lines(content: bytes) -> list[str]:
    """The lines of a diff; as in git's, a last line without a line end says so."""
    lines = content.decode(_encoding_of(content), "replace").replace("\r\n", "\n").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n\\ No newline at end of file\n"
    return lines
