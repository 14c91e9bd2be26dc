"""Recorded runs -> a list for people, and each in short for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from pytest_lok.core.results import Json, Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import many
from pytest_lok.reports.formats.reported_run import ReportedRun

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One recorded run: what came of it, and of what call. ``state`` is that of its process.

    ``began`` is UTC, in seconds since the epoch. ``request`` is the number of the pull request, "" = none.
    ``begun`` are the steps that have begun and have no result.
    """

    run_id: str
    began: float
    state: Literal["ended", "running", "killed"]
    run: ReportedRun
    command: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    request: str = ""
    begun: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict in one word; that of a process without an end is what became of the process."""
        return self.run.verdict if self.state == "ended" else self.state

    def document(self) -> dict[str, Json]:
        """The run in short, as programs read it; ``null`` is not known."""
        result = self.run.result
        usage = result.usage
        return {
            "run_id": self.run_id,
            "workflow": result.workflow,
            "repository": self.run.repository,
            "path": result.path,
            "state": self.state,
            "verdict": self.verdict,
            "outcome": result.outcome,
            "exit_code": self.run.exit_code if self.state == "ended" else None,
            "interrupted": result.interrupted,
            "began": self.began,
            "seconds": result.seconds if self.state == "ended" else None,
            "cost_usd": usage.cost_usd,
            "tokens": usage.tokens,
            "findings": len(self.run.findings),
            "blocking": sum(entry.blocks for entry in self.run.findings),
            "base": result.base,
            "head": result.head,
            "pull_request": self.request,
            "command": list(self.command),
            "arguments": dict(self.arguments),
        }


def rows(entries: Sequence[RunEntry], now: float) -> list[tuple[str, ...]]:
    """The list: a heading, then a row for each run; ``now`` is UTC, in seconds since the epoch."""
    heading = ("RUN", "OUTCOME", "WHEN", "TIME", "COST", "WORKFLOW")
    return [heading, *(_row(entry, now) for entry in entries)]


def _row(entry: RunEntry, now: float) -> tuple[str, ...]:
    result = entry.run.result
    seconds = max(now - entry.began, 0.0) if entry.state == "running" else result.seconds
    time = duration(seconds) if entry.state != "killed" else ""
    where = " in ".join(filter(None, [result.workflow, entry.run.repository]))
    return entry.run_id, entry.verdict, ago(now - entry.began), time, price(result.usage), where


def price(usage: Usage) -> str:
    """``$0.0123``; "" where nobody knows what it cost."""
    return cost(Usage(calls=1, cost_usd=usage.cost_usd)) if usage.cost_usd is not None else ""


def ago(seconds: float) -> str:
    """How long ago, in the greatest unit: ``5 min ago``; a clock that was set back makes it ``just now``."""
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    return f"{many(int(seconds // _DAY), 'day')} ago"
