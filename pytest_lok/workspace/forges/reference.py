"""What a person types for a pull request or an issue -> the forge, the repository and the number."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.late_regex import late_regex

ForgeName = Literal["github", "gitlab"]

_NUMBER = late_regex(r"[#!]?(\d{1,10})")
_QUALIFIED = late_regex(r"([\w.-]+(?:/[\w.-]+)+)([#!])(\d{1,10})")
_REPOSITORY = late_regex(r"[\w.][\w.-]*(?:/[\w.-]+)+")
_GITHUB_PATH = late_regex(r"/([\w.-]+/[\w.-]+)/(?:pull|issues)/(\d{1,10})(?:/.*)?")
_GITLAB_PATH = late_regex(r"/([\w.-]+(?:/[\w.-]+)+)/-/(?:merge_requests|issues)/(\d{1,10})(?:/.*)?")
_BRANCH = late_regex(r"[\w][\w./+-]*")
_REMOTE_HOST = late_regex(r"(?:\w+://)?(?:[^@/]+@)?([\w.-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One pull request (merge request) or issue.

    ``host`` and ``repo`` are "" for the repository that is checked out here. ``name`` is a number, or the
    branch of a pull request.
    """

    forge: ForgeName
    host: str = ""
    repo: str = ""
    name: str


def parse_reference(text: str, *, origin: str, repo: str = "", forge: ForgeName | None = None) -> Reference:
    """The reference that ``text`` means; UsageError if it is none.

    It is a number (``12``, ``#12``, ``!12``), ``OWNER/REPO#12``, ``GROUP/REPO!12``, a URL, or a branch.
    ``origin`` is the URL of the git remote.
    """
    if repo and not _REPOSITORY.fullmatch(repo):
        raise UsageError(f"{repo!r} is no repository", hint="such as OWNER/REPO")
    usual = forge or forge_of(origin)
    found = _meant(text, usual, repo)
    if found is not None and (not found.name.isdecimal() or int(found.name)):
        return found
    raise UsageError(
        f"{text!r} is no pull request and no issue",
        hint="give a number, OWNER/REPO#12, GROUP/REPO!12 or its URL",
    )


def _meant(text: str, usual: ForgeName, repo: str) -> Reference | None:
    if "://" in text:
        return _from_url(text)
    if found := _NUMBER.fullmatch(text):
        return Reference(forge=usual, repo=repo, name=found[1])
    if found := _QUALIFIED.fullmatch(text):
        return Reference(forge="gitlab" if found[2] == "!" else usual, repo=found[1], name=found[3])
    if _BRANCH.fullmatch(text):
        return Reference(forge=usual, repo=repo, name=text)
    return None


def forge_of(origin: str) -> ForgeName:
    """The forge of a git remote: GitLab if a label of its host is ``gitlab``, else GitHub."""
    found = _REMOTE_HOST.match(origin)
    labels = found[1].casefold().split(".") if found else []
    return "gitlab" if "gitlab" in labels else "github"


def _from_url(text: str) -> Reference:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme == "https" and host:
        if found := _GITHUB_PATH.fullmatch(parts.path):
            return Reference(forge="github", host=host, repo=found[1], name=found[2])
        if found := _GITLAB_PATH.fullmatch(parts.path):
            return Reference(forge="gitlab", host=host, repo=found[1], name=found[2])
    raise UsageError(
        f"{text} is no address of a pull request or an issue",
        hint="such as https://github.com/OWNER/REPO/pull/12 or https://gitlab.com/GROUP/REPO/-/merge_requests/12",
    )
