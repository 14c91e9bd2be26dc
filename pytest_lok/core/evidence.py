"""A finding's quote + the file it names -> where it really stands, and what identifies the finding."""

from __future__ import annotations

import bisect
import hashlib
import posixpath
import re
from dataclasses import replace

from pytest_lok.core.edits import encoding_of
from pytest_lok.core.results import Finding


def candidates(path: str, root: str) -> list[str]:
    """Where in the workspace a reported path may lie, the likeliest first; nothing if it leads out of it.

    Diffs put ``a/`` before a path, monorepos the directory the workspace is, containers all of it:
    so what is not there under its whole name may be there under the end of it.
    """
    plain = posixpath.normpath(path.strip().removeprefix(f"{root.rstrip('/')}/")).lstrip("/")
    parts = plain.split("/")
    if parts[0] in ("", ".", "..") or "\0" in plain:
        return []
    if any(len(part.encode("utf-8", "replace")) > 255 for part in parts):  # no system has such a name
        return []
    return ["/".join(parts[at:]) for at in range(len(parts))]


class Quoted:
    """A file that findings quote, read so that white space makes no difference."""

    def __init__(self, content: bytes) -> None:
        self._numbers: list[int] = []  # of the lines that are not blank
        self._starts: list[int] = []  # where they begin in ``_text``
        pieces: list[str] = []
        at = 0
        for number, line in enumerate(content.decode(encoding_of(content), "replace").split("\n"), 1):
            if words := " ".join(line.split()):
                self._numbers.append(number)
                self._starts.append(at)
                pieces.append(words)
                at += len(words) + 1
        self._text = " ".join(pieces)

    def place(self, quote: str, line: int) -> tuple[int, int, str] | None:
        """First line, last line and identity of a quote; of several the one nearest to ``line``."""
        words = " ".join(quote.split())
        before = self._text.rfind(words, 0, self._offset(line) + len(words))
        after = self._text.find(words, self._offset(line))
        places = [at for at in (before, after) if at >= 0]
        if not words or not places:
            return None
        at = min(places, key=lambda at: abs(self._numbers[self._index(at)] - line))
        first, last = self._index(at), self._index(at + len(words) - 1)
        end = self._starts[last + 1] - 1 if last + 1 < len(self._starts) else len(self._text)
        whole = self._text[self._starts[first] : end]
        earlier = self._text.count(whole, 0, self._starts[first])
        return self._numbers[first], self._numbers[last], f"{whole}\0{earlier}"

    def _index(self, offset: int) -> int:
        return bisect.bisect_right(self._starts, offset) - 1

    def _offset(self, line: int) -> int:
        """Where a line begins, or the next one that is not blank."""
        index = bisect.bisect_left(self._numbers, line)
        return self._starts[index] if index < len(self._starts) else len(self._text)


def anchored(finding: Finding, file: Quoted | None) -> Finding:
    """The finding at the place its quote has in the file, with its fingerprint; None = there is no file.

    The fingerprint is of the rule, the path and the lines that hold the quote (how often they stand
    in the file before counts, their number does not).
    """
    place = None
    for quote in (finding.evidence, re.sub(r"(?m)^\+", "", finding.evidence)):  # from a diff, with its marks
        place = place or (file and file.place(quote, finding.line))
    if not place:
        fingerprint = _fingerprint(finding, " ".join(finding.evidence.split()))
        return replace(finding, evidence_found=False, fingerprint=fingerprint)
    line, end_line, identity = place
    fingerprint = _fingerprint(finding, identity)
    return replace(finding, line=line, end_line=end_line, evidence_found=True, fingerprint=fingerprint)


def unreadable(finding: Finding) -> Finding:
    """A finding in a file that may not be looked into: nobody knows whether its quote is there."""
    return replace(anchored(finding, None), evidence_found=None)


def _fingerprint(finding: Finding, identity: str) -> str:
    parts = ("lokFinding/v1", finding.rule_id, finding.path, identity)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
