"""A diff as git prints it -> its files, by the diff's own counts; text that is no such diff is an error.

Only a header begins a file: a line of a hunk is never taken for one, whatever it says, because a hunk says
how many lines it has. A diff that is cut, or that holds anything else, is not taken for the whole change.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_HUNK = late_regex(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@(?: .*)?")
_NAMES = late_regex(r'"?a/(?:.*?)"? "?b/(.+?)"?')
_HEADERS = (
    *("old mode ", "new mode ", "deleted file mode ", "new file mode ", "copy from ", "copy to "),
    *("rename from ", "rename to ", "similarity index ", "dissimilarity index ", "index ", "--- ", "+++ "),
)
_GITLINK = "160000"


class DiffError(ValueError):
    """The text is not a whole diff as git prints it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDiff:
    """The change of one file: ``header`` with its line breaks, and its ``hunks``.

    ``is_binary``: git shows no lines of the file, or its lines hold NUL. ``is_repository``: a submodule.
    """

    name: str
    header: str
    hunks: tuple[str, ...]
    is_binary: bool
    is_repository: bool

    @property
    def text(self) -> str:
        """The whole change of the file, as the diff has it."""
        return self.header + "".join(self.hunks)


def read_diff(diff: str) -> list[FileDiff]:
    """The files of a diff, in order; DiffError says in which line the text is something else."""
    # only a line feed ends a line of a diff: a carriage return is a part of what a file says
    lines = diff.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return list(_files(lines))


def _files(lines: list[str]) -> Iterator[FileDiff]:
    at = 0
    while at < len(lines):
        if not lines[at].startswith("diff --git "):
            raise DiffError(f"line {at + 1} is no header of a file: {lines[at][:80]!r}")
        began, at = at, at + 1
        while at < len(lines) and lines[at].startswith(_HEADERS):
            at += 1
        binary = at < len(lines) and lines[at].startswith(("Binary files ", "GIT binary patch"))
        while binary and at < len(lines) and not lines[at].startswith("diff --git "):
            at += 1
        header = lines[began:at]
        hunks = []
        while at < len(lines) and lines[at].startswith("@@ "):
            end = _end_of_hunk(lines, at)
            hunks.append("".join(f"{line}\n" for line in lines[at:end]))
            at = end
        if not hunks and any(line.startswith(("--- ", "+++ ")) for line in header):
            raise DiffError(f"line {began + 1} begins a file without its lines: the diff is cut")
        yield FileDiff(
            name=_name(header, began),
            header="".join(f"{line}\n" for line in header),
            hunks=tuple(hunks),
            is_binary=binary or any("\0" in hunk for hunk in hunks),
            is_repository=any(
                line.startswith(("index ", "new file mode ", "deleted file mode ", "old mode ", "new mode "))
                and line.endswith(_GITLINK)
                for line in header
            ),
        )


def _end_of_hunk(lines: list[str], at: int) -> int:
    """The number of the line behind a hunk that begins in line ``at``, by the counts in its head."""
    found = _HUNK.fullmatch(lines[at])
    if not found:
        raise DiffError(f"line {at + 1} is no head of a hunk: {lines[at][:80]!r}")
    old, new = (1 if count is None else int(count) for count in found.groups())
    began, at = at, at + 1
    while (old or new) and at < len(lines):
        mark = lines[at][:1]
        if mark not in ("", " ", "-", "+", "\\"):
            break
        old -= mark in ("", " ", "-")
        new -= mark in ("", " ", "+")
        at += 1
    if old or new:
        raise DiffError(
            f"the hunk in line {began + 1} does not hold as many lines as it says: the diff is cut"
        )
    while at < len(lines) and lines[at].startswith("\\ "):
        at += 1
    return at


def _name(header: list[str], at: int) -> str:
    """The name of the file after the change; that before it where the file is removed."""
    for mark in ("+++ ", "--- "):
        for line in header:
            path = line.removeprefix(mark).rstrip("\t")
            if line.startswith(mark) and path != "/dev/null":
                return path.strip('"').partition("/")[2] or path
    for line in header:
        if line.startswith(("rename to ", "copy to ")):
            return line.partition(" to ")[2].strip('"')
    found = _NAMES.fullmatch(header[0].removeprefix("diff --git "))
    if not found:
        raise DiffError(f"line {at + 1} does not name its file: {header[0][:80]!r}")
    return str(found[1])
