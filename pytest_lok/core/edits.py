"""An answer's edits and the files they name -> new files, or every reason why not.

Texts are bytes with a memory: a file keeps its byte-order mark, its line endings and whatever
bytes of it are no UTF-8, since only the part an edit replaces is ever rewritten.
"""

from __future__ import annotations

import codecs
import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError

MOST_FILES = 50
MOST_BYTES = 1_000_000

PROTECTED = (
    ".github",
    ".gitlab",
    ".gitlab-ci.yml",
    ".circleci",
    ".buildkite",
    ".travis.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "jenkinsfile",
    ".lok",
    "lok.toml",
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
    ".pre-commit-config.yaml",
    ".husky",
    ".gitmodules",
    ".gitattributes",
    ".envrc",
    ".claude",
    ".claude.json",
    ".mcp.json",
    ".gemini",
    ".codex",
    ".cursor",
)
"""Top-level names (lower case) whose change changes what is run or trusted, by us or by a model's tool."""

PROTECTED_ANYWHERE = ("conftest.py", "sitecustomize.py", "usercustomize.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace ``old``, which occurs once in ``file``, by ``new``; ``old`` "" creates the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
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
    return Edit(file=str(values["file"]), old=str(values["old"]), new=str(values["new"]))


def refused_path(path: str, allow: Collection[str] = ()) -> str | None:
    """Why an edit may not touch this path, by its name alone; None if it may.

    ``allow`` lists paths, directories or patterns (``docs/*``) that lift the protection of
    configuration. Nothing lifts the rest.
    """
    hidden = any(unicodedata.category(character) in ("Cc", "Cf") for character in path)
    if not path or hidden or "\\" in path or path != path.strip():
        return "is no plain relative path"
    parts = path.split("/")
    if path.startswith(("/", "~")) or ".." in parts or re.match(r"[A-Za-z]:", path):
        return "lies outside the workspace"
    if "" in parts or "." in parts:
        return "is no plain relative path"
    lowered = [part.lower().rstrip(". ") for part in parts]
    if ".git" in lowered or "git~1" in lowered:
        return "lies under .git"
    protected = lowered[0] in PROTECTED or lowered[-1] in PROTECTED_ANYWHERE
    if protected and not any(_covers(pattern, path) for pattern in allow):
        return "is configuration that decides what is run; list it in allow_paths to permit it"
    return None


def _covers(pattern: str, path: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatchcase(path, pattern) or PurePosixPath(path).is_relative_to(pattern)


def changes(
    edits: Sequence[Edit], read: Callable[[str], bytes | None], *, allow: Collection[str] = ()
) -> tuple[list[Change], list[str]]:
    """What the edits make of the files, and every reason why they do not apply (then nothing may be written).

    Edits of one file apply one after the other. ``read`` gives a file's bytes, None if there is
    none; it may raise ValueError with the reason why that path cannot be edited.
    """
    before: dict[str, bytes | None] = {}
    after: dict[str, bytes | None] = {}
    reasons: list[str] = []
    for number, edit in enumerate(edits, 1):
        try:
            if edit.file not in before:
                if refusal := refused_path(edit.file, allow):
                    raise ValueError(refusal)
                before[edit.file] = after[edit.file] = read(edit.file)
            after[edit.file] = _apply(edit, after[edit.file])
        except ValueError as reason:
            reasons.append(f"edit {number}: {edit.file!r} {reason}")
    made = [Change(file=f, before=before[f], after=a) for f, a in after.items() if a is not None]
    if len(made) > MOST_FILES:
        reasons.append(f"{len(made)} files are more than {MOST_FILES}")
    if sum(len(change.after) for change in made) > MOST_BYTES + sum(len(c.before or b"") for c in made):
        reasons.append(f"the edits add more than {MOST_BYTES:,} bytes")
    return made, reasons


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
    if not found:
        raise ValueError("does not hold the text of `old`")
    if len(found) > 1:
        raise ValueError(f"holds the text of `old` {len(found)} times; quote more, so that it occurs once")
    return found[0]


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
