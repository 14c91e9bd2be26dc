"""What came of the repositories of a list -> the exit code, and the verdict on all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from pytest_lok.core.repositories import ListedRepository
from pytest_lok.core.results import NO_USAGE, Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.formats.reported_run import ReportedRun

State = Literal["ran", "error", "not run"]
"""``error``: it could not be had, or no run could begin in it. ``not run``: all was stopped before."""

_BUG, _NO, _UNABLE = 70, 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRun:
    """A repository of the list, and what came of the run in it; of one without a run the result says why."""

    repository: ListedRepository
    run: ReportedRun
    state: State = "ran"

    @property
    def verdict(self) -> str:
        """The verdict in one word: that of a run, ``error`` or ``not run``; "passed" alone is a yes."""
        return self.run.verdict if self.state == "ran" else self.state

    @property
    def exit_code(self) -> int:
        """The exit code of ``lok run`` for this repository alone; never 0 where no run was."""
        return self.run.exit_code if self.state == "ran" else self.run.exit_code or _UNABLE


def worst(rows: Iterable[RepositoryRun]) -> int:
    """The exit code of all: a bug of lok's own before a no, a no before what could not be done."""
    codes = {row.exit_code for row in rows}
    for code in (_BUG, _NO, _UNABLE):
        if code in codes:
            return code
    # another code is none of a run, and no yes
    return _UNABLE if codes != {0} else 0


def outcome(rows: Sequence[RepositoryRun]) -> str:
    """The verdict on all in one word; "passed" = each exit code is 0, and a run has passed.

    "nothing judged" comes of a dry run alone, in which steps that edit are not done.
    """
    code, said = worst(rows), {row.verdict for row in rows}
    if code:
        return "failed" if code == _NO else "inconclusive"
    return next(word for word in ("passed", "soft", "skipped", "nothing judged") if word in said)


def counts(rows: Iterable[RepositoryRun]) -> str:
    """``2 passed, 1 failed``: how many came to what."""
    found = Counter(row.verdict for row in rows)
    return ", ".join(
        f"{count:,} {'errors' if verdict == 'error' and count > 1 else verdict}"
        for verdict, count in found.items()
    )


def usage(rows: Sequence[RepositoryRun]) -> Usage:
    """What all of them used together."""
    return sum((row.run.result.usage for row in rows), NO_USAGE)
