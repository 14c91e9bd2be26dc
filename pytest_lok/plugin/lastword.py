"""A session's reports -> steps whose last word does not hold, each with one that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
from _pytest.subtests import SubtestReport  # parts of a step, which are no last word on it

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin.verdict import Account

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import Desk

Kind: TypeAlias = Literal["green", "red", "blocked", "own", "kept"]
"""Passed or soft, failed or error, blocked by another step, skipped by its own ``when``, or skipped by
somebody else: a mark, a fixture, a hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The last that was said of an item. ``blocked_by`` is a step's name, ``why`` is told of a skip."""

    kind: Kind
    blocked_by: str = ""
    why: str = ""

    @classmethod
    def of(cls, report: pytest.TestReport) -> Word | None:
        """What a report says of the whole item, None if nothing."""
        if isinstance(report, SubtestReport) or report.outcome not in ("passed", "failed", "skipped"):
            return None  # an attempt that does not count has an outcome of its own
        if report.failed:
            return cls(kind="red")
        if report.skipped and not hasattr(report, "wasxfail"):
            facts = getattr(report, "lok", None)
            if facts is None:
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                return cls(kind="kept", why=reason.removeprefix("Skipped: "))
            blocked_by = facts.get("blocked_by", "")
            return cls(kind="blocked" if blocked_by else "own", blocked_by=blocked_by)
        return cls(kind="green") if report.when == "call" or report.skipped else None


@dataclass(slots=True)
class Words:
    """The last word on each item, by node id and worker (``--dist each`` has several)."""

    said: dict[str, dict[object, Word]] = field(default_factory=dict)

    def hear(self, report: pytest.TestReport) -> None:
        """A later word on an item replaces an earlier one."""
        word = Word.of(report)
        if word is not None:
            self.said.setdefault(report.nodeid, {})[getattr(report, "node", None)] = word

    def is_red(self, nodeid: str) -> bool:
        """Whether an item is red in the end, in any worker."""
        return any(word.kind == "red" for word in self.said.get(nodeid, {}).values())

    def untrue(self) -> Mapping[str, str]:
        """Items that were not run because of a step that is not red in the end: node id -> that step."""
        blocked = {
            nodeid: word.blocked_by
            for nodeid, words in self.said.items()
            for word in words.values()
            if word.kind == "blocked"
        }
        return {nodeid: step for nodeid, step in blocked.items() if not self.is_red(_sibling(nodeid, step))}


class LastWord:
    """The hooks that hear every report, and correct those that came too early."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._words = Words()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear it."""
        self._words.hear(report)

    @pytest.hookimpl(tryfirst=True)  # before reports are written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Where an item's report does not hold, say what does: what came of it since, or that it is red."""
        records = {record.result.path: record.result.steps for record in self._desk.records()}
        while untrue := self._words.untrue():
            known = {nodeid: result for nodeid in untrue if (result := self._came_to(nodeid, records))}
            for nodeid, result in (known or dict.fromkeys(untrue)).items():
                self._say(nodeid, result or _unknown(nodeid, untrue[nodeid]))
        if session.testsfailed and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _came_to(self, nodeid: str, records: Mapping[str, Mapping[str, StepResult]]) -> StepResult | None:
        """What came of a step after its report: it ran, or another step blocks it that is red."""
        found = self._desk.step_at(nodeid)
        result = records.get(found[0].path, {}).get(found[1].name) if found else None
        if result is None or (result.blocked and not self._words.is_red(_sibling(nodeid, result.blocked_by))):
            return None
        return result

    def _say(self, nodeid: str, result: StepResult) -> None:
        found = self._desk.step_at(nodeid)
        assert found is not None  # noqa: S101 - it was reported as a step of ours
        workflow, step = found
        account = Account(
            workflow=workflow,
            step=step,
            file=self._desk.request.root / step.path,
            result=result,
            run_id=self._desk.runs.run_id,
        )
        report = account.report(nodeid, selected={result.blocked_by})
        report.lok_instead = True  # type: ignore[attr-defined]  # reports take any attribute
        self._forget(nodeid)
        self._desk.config.hook.pytest_runtest_logreport(report=report)

    def _forget(self, nodeid: str) -> None:
        """Let pytest's summary count an item once, and no worker's word on it stand."""
        self._words.said.pop(nodeid, None)
        terminal = self._desk.config.pluginmanager.getplugin("terminalreporter")
        if isinstance(terminal, pytest.TerminalReporter):
            told = terminal.stats.get("skipped", [])
            told[:] = [report for report in told if report.nodeid != nodeid]


def _sibling(nodeid: str, step: str) -> str:
    """The node id of another step of the same workflow."""
    return f"{nodeid.partition('::')[0]}::{step}"


def _unknown(nodeid: str, blocker: str) -> StepResult:
    return StepResult(
        name=nodeid.partition("::")[2],
        outcome=Outcome.ERROR,
        reason=f"not run: step {blocker!r} was red when this one was due, and is not in the end",
        hint="run it again",
    )
