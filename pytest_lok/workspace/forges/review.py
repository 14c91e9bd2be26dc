"""A pull request that lok comments on, the same for each forge; and how to comment once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pytest_lok.core.findings.threads import ReviewThread
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestHead:
    """What a pull request is now: its address, and the newest commit of its branch."""

    url: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineComment:
    """A comment on one line of a pull request's file; ``removed``: of the file as the base has it."""

    fingerprint: str
    path: str
    line: int
    text: str
    removed: bool = False


class ReviewForge(Protocol):
    """A pull request of GitHub or a merge request of GitLab. LokError from a method: its tool failed."""

    def head(self) -> PullRequestHead:
        """What is judged there now."""
        ...

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit; none of one that the forge does not know."""
        ...

    def diff(self) -> str:
        """The change of the pull request, as a diff."""
        ...

    def threads(self, workflow: str) -> list[ReviewThread]:
        """The threads that the workflow's findings have there, and that are our own by their author."""
        ...

    def own_comment(self, marker: str) -> str | None:
        """The text of our own comment that begins with the marker; None if there is none."""
        ...

    def comment(self, marker: str, text: str) -> str:
        """Write one comment, in the place of our own that begins with the marker; its address."""
        ...

    def write(self, comments: Sequence[LineComment]) -> list[LineComment]:
        """Write comments on lines; those of which the forge does not take the line are given back."""
        ...

    def settle(self, thread: ReviewThread, *, resolved: bool) -> None:
        """Resolve a thread, or open it again."""
        ...


def comment_once(forge: ReviewForge, marker: str, text: str) -> str:
    """Write the comment; where the answer was lost and the comment is there, that is no failure."""
    try:
        return forge.comment(marker, text)
    except LokError:
        there = forge.own_comment(marker)
        if there is None or _plain(there) != _plain(text):
            raise
        return forge.head().url


def write_once(forge: ReviewForge, workflow: str, comments: Sequence[LineComment]) -> list[LineComment]:
    """Write comments on lines, none of them twice where an answer was lost; those that found no place."""
    if not comments:
        return []
    try:
        return forge.write(comments)
    except LokError:
        written = {thread.fingerprint for thread in forge.threads(workflow)}
        if not all(comment.fingerprint in written for comment in comments):
            raise
        return []


def _plain(text: str) -> str:
    """The text as forges may hand it out again, with other line ends."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
