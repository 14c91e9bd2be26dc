"""What a change may be compared with, as people and CI systems say it -> the only refs that can be meant.

git itself would take the first of many refs that end alike, tags before branches: then whoever can push
a tag or name a branch says what a change is compared with.
"""

from __future__ import annotations

import re

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_REVISION = late_regex(r"(?P<name>[^~^]*)(?P<way>(?:[~^][0-9]*)*)", re.DOTALL)
_ID = late_regex(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """``groups`` are full names (``HEAD`` and ids of commits too); the first group that has any counts.

    Names of one group that mean different commits are ambiguous. ``ancestry`` leads on from there (``~2``).
    ``tag`` is what the same name could mean beside, "" = nothing.
    """

    said: str
    groups: tuple[tuple[str, ...], ...]
    ancestry: str = ""
    tag: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every ref that is looked for."""
        return frozenset(name for group in (*self.groups, (self.tag,)) for name in group if name)


def base_of(said: str) -> Base:
    """A full name or id means itself; any other name the branch at ``origin``, else the one here."""
    parts = _REVISION.fullmatch(said)
    name, ancestry = (parts["name"], parts["way"]) if parts else (said, "")
    if name == "HEAD" or name.startswith("refs/") or is_id(name):
        return Base(said=said, groups=((name,),), ancestry=ancestry)
    # the branch here may be old, or moved by whoever works on the change
    remote = (f"refs/remotes/origin/{name}", *([f"refs/remotes/{name}"] if "/" in name else []))
    return Base(
        said=said, groups=(remote, (f"refs/heads/{name}",)), ancestry=ancestry, tag=f"refs/tags/{name}"
    )


def upstream_names(name: str) -> tuple[str, ...]:
    """What a branch of ``origin`` may be a fork of, whose author writes the change too.

    The first that exists is the same branch of ``upstream``.
    """
    branch = name.removeprefix("refs/remotes/origin/")
    usual = ("HEAD", "main", "master")
    branches = dict.fromkeys((branch, *usual)) if branch in usual else (branch,)
    return tuple(f"refs/remotes/upstream/{each}" for each in branches) if branch != name else ()


def is_id(name: str) -> bool:
    """Whether a name is the whole id of an object of git."""
    return _ID.fullmatch(name) is not None
