"""How several answers become one: the ways, the roles that have one, and how many answers are enough."""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

from pytest_lok.dataclass import dataclass


class Strategy(enum.StrEnum):
    """``consensus``: how several backends' replies become one verdict."""

    FIRST = "first"
    FALLBACK = "fallback"
    VOTE = "vote"
    WEIGHTED_VOTE = "weighted_vote"
    SYNTHESIS = "synthesis"
    ALL = "all"

    @property
    def takes_one(self) -> bool:
        """Whether the answer is that of one backend, whatever the others would have said."""
        return self in (Strategy.FIRST, Strategy.FALLBACK)

    @property
    def is_vote(self) -> bool:
        """Whether the answers are counted as ballots."""
        return self in (Strategy.VOTE, Strategy.WEIGHTED_VOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A name that stands for several backends, and for how they agree where a step does not say."""

    backends: tuple[str, ...]
    consensus: Strategy | None = None


Quorum: TypeAlias = int | Literal["majority", "all"]


def needed_replies(quorum: Quorum | None, strategy: Strategy, configured: int) -> int:
    """How many of the ``configured`` backends must answer validly (and, for votes, agree).

    Without a quorum votes need a majority, and other strategies one reply.
    """
    # votes that need no majority would let two of five decide
    if quorum is None:
        quorum = "majority" if strategy in (Strategy.VOTE, Strategy.WEIGHTED_VOTE) else 1
    if quorum == "majority":
        return configured // 2 + 1
    return configured if quorum == "all" else quorum
