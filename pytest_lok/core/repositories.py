"""The text of an --each file -> the repositories that it lists, or every line that lists none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = ("https", "ssh", "file", "http")
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
# a closed list: a host, a user or a path of other letters may mean something to git or to ssh
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]|)(?P<port>:[0-9]{1,5})?"
    r"(?P<path>/[A-Za-z0-9_.~%+,/-]+)\Z"
)
_SCP = re.compile(r"[^/\s]+@[^/\s:]+:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRepository:
    """One line of the file: a directory at ``path``, or the ``commit`` that ``url`` has; the others are "".

    ``line`` counts from 1. A relative path begins at the directory of the file.
    """

    line: int
    path: str = ""
    url: str = ""
    commit: str = ""

    @property
    def label(self) -> str:
        """How tables and reports call it: the path as it is written, or the URL and 12 digits."""
        return self.path or f"{self.url}@{self.commit[:12]}"

    @property
    def name(self) -> str:
        """The line as it is written: the path, or the URL and the whole commit."""
        return self.path or f"{self.url}@{self.commit}"

    @property
    def key(self) -> tuple[str, str]:
        """The same for two spellings of one commit of one repository; of a path, the path as it is written.

        Whether two paths lead to one directory is for who has the disk.
        """
        if not self.url:
            return self.path, ""
        found = _URL.match(self.url)
        assert found is not None  # noqa: S101 - the reader took it
        host, port, user = found["host"].lower(), found["port"] or "", found["user"] or ""
        path = re.sub("/+", "/", found["path"]).rstrip("/").removesuffix(".git")
        return f"{found['scheme']}://{user}@{host}{port}{path}", self.commit


def read_repositories(text: str, file: str) -> tuple[ListedRepository, ...]:
    """The repositories in the order of their lines; UsageError names every bad line as ``file:line``.

    Blank lines, and lines that begin with ``#``, say nothing. No message repeats a line that may hold a
    secret.
    """
    found: list[ListedRepository] = []
    problems: list[str] = []
    first: dict[tuple[str, str], int] = {}
    for number, line in _lines(text):
        taken = _read(number, line)
        if isinstance(taken, str):
            problems.append(f"{file}:{number}: {taken}")
        elif (earlier := first.setdefault(taken.key, number)) != number:
            problems.append(f"{file}:{number}: the same repository as in line {earlier}")
        else:
            found.append(taken)
    if problems:
        raise UsageError("\n    ".join(problems), hint="a line is a path, or URL@COMMIT with a whole id")
    if not found:
        raise UsageError(f"{file}: no repository is listed", hint="write one path or URL@COMMIT a line")
    return tuple(found)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # split at line feeds alone: other breaks inside of a line are refused there
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.removesuffix("\r").strip(" \t")
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _read(number: int, line: str) -> ListedRepository | str:
    """What the line lists, or what is wrong with it."""
    if not line.isprintable():
        return "there is an unprintable character in it"
    if "://" in line:
        return _read_url(number, line)
    if "::" in line:
        return "`::` names a helper program of git, which is never started from here"
    if _SCP.match(line):
        return "write it as ssh://USER@HOST/PATH@COMMIT"
    if line.startswith("~"):
        return "`~` is the shell's: write the whole path"
    return ListedRepository(line=number, path=line)


def _read_url(number: int, line: str) -> ListedRepository | str:
    url, at, commit = line.rpartition("@")
    if not at or not _COMMIT.match(commit):
        return "a URL needs @COMMIT behind it: all 40 (or 64) digits, in small letters"
    found = _URL.match(url)
    if found is None:
        return "it is no plain URL: SCHEME://HOST/PATH, with neither password nor query"
    if found["scheme"] not in _SCHEMES:
        return f"{found['scheme']}:// is not fetched: {', '.join(_SCHEMES)} are"
    if found["user"] and found["scheme"] != "ssh":
        return "a URL must not hold a user or a token: let git's credential helper have it"
    if bool(found["host"]) == (found["scheme"] == "file"):
        return "a file:// URL has no host, and every other has one"
    return ListedRepository(line=number, url=url, commit=commit)
