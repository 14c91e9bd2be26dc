"""A session's reports -> steps whose last word does not hold, each with one that does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin.hooks import GREEN
from pytest_lok.plugin.outcome import StepReport
from pytest_lok.plugin.request import PREFIX
from pytest_lok.plugin.typed import looks, options_of
from pytest_lok.reports.console import NOTHING_JUDGED
from pytest_lok.settings import in_ci

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import LokSession

Kind: TypeAlias = Literal["green", "red", "blocked", "own", "kept"]
"""Passed or soft, failed or error, blocked by another step, skipped by its own ``when``, or skipped by
somebody else: a mark, a fixture, a hook."""

_CHOOSE = "leave it out by --deselect, -k or -m on the command line, or by `collect = false` in its file"
_ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


_Records: TypeAlias = Mapping[str, Mapping[str, StepResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalReport:
    """The last that was said of an item: ``said`` in pytest's words, and what kind of ending that is.

    ``blocked_by`` is a step's name, ``why`` is told of a skip.
    """

    kind: Kind
    said: str = "passed"
    blocked_by: str = ""
    why: str = ""

    @classmethod
    def of(cls, report: pytest.TestReport) -> FinalReport | None:
        """What a report says of the whole item, None if nothing."""
        if isinstance(report, pytest.SubtestReport) or report.outcome not in ("passed", "failed", "skipped"):
            return None  # an attempt that does not count has an outcome of its own
        if report.failed:
            return cls(kind="red", said="failed")
        said = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
        outcome = getattr(report, "lok", {}).get("outcome")
        if report.skipped and (outcome is None or (said == "skipped" and outcome != Outcome.SKIPPED)):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            why = getattr(report, "wasxfail", None)  # then the text is a traceback, in some versions
            why = reason.removeprefix("Skipped: ") if why is None else why or "xfail"
            return cls(kind="kept", said=said, why=why)
        if report.skipped and said == "skipped":
            return cls._of_skipped(report.lok)
        return cls(kind="green", said=said) if report.when == "call" or report.skipped else None

    @classmethod
    def _of_skipped(cls, facts: Mapping[str, str]) -> FinalReport:
        if "not_run" in facts:
            return cls(kind="kept", said="skipped", why=facts["reason"])
        blocked_by = facts.get("blocked_by", "")
        return cls(kind="blocked" if blocked_by else "own", said="skipped", blocked_by=blocked_by)


@dataclass(slots=True)
class ReportBook:
    """The last word on each item, by node id and worker (``--dist each`` has several)."""

    said: dict[str, dict[object, FinalReport]] = field(default_factory=dict)

    def hear(self, report: pytest.TestReport) -> None:
        """A later word on an item replaces an earlier one."""
        word = FinalReport.of(report)
        if word is not None:
            self.said.setdefault(report.nodeid, {})[getattr(report, "node", None)] = word

    def is_red(self, nodeid: str) -> bool:
        """Whether an item is red in the end, in any worker."""
        return any(word.kind == "red" for word in self.said.get(nodeid, {}).values())

    @property
    def any_red(self) -> bool:
        """Whether any item is."""
        return any(map(self.is_red, self.said))

    def untrue(self) -> Mapping[str, str]:
        """Items that were not run because of a step that is not red in the end: node id -> that step."""
        blocked = {
            nodeid: word.blocked_by
            for nodeid, words in self.said.items()
            for word in words.values()
            if word.kind == "blocked"
        }
        return {nodeid: step for nodeid, step in blocked.items() if not self.is_red(_sibling(nodeid, step))}


class FinalReports:
    """The hooks that hear every report, correct those that came too early, and add those that are missing.

    ``left`` are promised steps that were not run, and why, where that is said and no more.
    """

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._words = ReportBook()
        self._said_red = False
        self._looks = looks(options_of(desk.config, os.environ))
        self.left: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear it, if it is one of a step."""
        if ".toml::" in report.nodeid or report.nodeid.startswith(PREFIX):
            self._words.hear(report)

    @pytest.hookimpl(tryfirst=True)  # before reports are written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Where an item's report does not hold, say what does: what came of it since, or that it is red."""
        config = self._desk.config
        records: _Records = {record.result.path: record.result.steps for record in self._desk.records()}
        while untrue := self._words.untrue():
            known = {nodeid: result for nodeid in untrue if (result := self._came_to(nodeid, records))}
            for nodeid, result in (known or dict.fromkeys(untrue)).items():
                self._say(nodeid, result or _unknown(nodeid, untrue[nodeid]))
        self._judge(session, exitstatus, records)
        config.stash[GREEN] = not (self._said_red or self._words.any_red)
        if exitstatus == pytest.ExitCode.OK and (session.testsfailed or not config.stash[GREEN]):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge(self, session: pytest.Session, exitstatus: int, records: _Records) -> None:
        """A promised step that nobody judged is red in CI, and so are all where none was judged.

        A step that was reported as what it did not come to is red everywhere.
        """
        stopped = session.shouldstop or session.shouldfail or self._desk.stop.happened
        if exitstatus not in _ENDED or self._looks or (stopped and exitstatus != pytest.ExitCode.OK):
            return
        false = self._false(records)
        left = {nodeid: result for nodeid, result in self._unjudged().items() if nodeid not in false}
        idle = self._idle()
        judged = self._desk.promise.steps.keys() - left.keys() - self._desk.promise.chosen
        for nodeid, result in left.items() if in_ci(os.environ) or not judged else ():
            self._say(nodeid, result)
        for nodeid, result in (false | idle if in_ci(os.environ) else false).items():
            self._say(nodeid, result)
        said = {nodeid: result.reason for nodeid, result in left.items()}
        self.left = {nodeid: why for nodeid, why in said.items() if not self._words.is_red(nodeid)}

    def _false(self, records: _Records) -> dict[str, StepResult]:
        """Steps that were reported as passed and have not, or promised and as something else than red.

        A mark that excuses a step which nobody has promised is the project's own choice.
        """
        false: dict[str, StepResult] = {}
        for nodeid, words in self._words.said.items():
            word, found = next(iter(words.values())), self._desk.step_at(nodeid)
            if found is None or self._words.is_red(nodeid):
                continue
            result = records.get(found[0].path, {}).get(found[1].name)
            if word.said == "passed":
                untrue = result is None or result.outcome not in (Outcome.PASSED, Outcome.SOFT)
            else:
                untrue = result is not None and result.outcome.red and nodeid in self._desk.promise.steps
            if untrue:
                came = f"{result.outcome}: {result.reason}" if result else "nothing is known of it"
                why = f"reported as {word.said}, but the step: {came}"
                false[nodeid] = _not_run(
                    nodeid, why, "a mark, a fixture, a hook or a plugin says so: take it out"
                )
        return false

    def _idle(self) -> dict[str, StepResult]:
        """The last step of each workflow whose every step was skipped by its own ``when``."""
        kinds: dict[str, dict[str, set[Kind]]] = {}
        for nodeid, words in self._words.said.items():
            steps = kinds.setdefault(nodeid.partition("::")[0], {})
            steps[nodeid] = {word.kind for word in words.values()}
        skipped = {record.result.path for record in self._desk.records() if record.result.idle}
        idle: dict[str, StepResult] = {}
        for last, steps in ((list(steps)[-1], steps) for steps in kinds.values()):
            found = self._desk.step_at(last)
            if found is None or found[0].path not in skipped or found[0].allow_skip:
                continue
            if all(of == {"own"} for of in steps.values()):
                idle[last] = _not_run(
                    last, NOTHING_JUDGED, "`allow_skip = true` in its file, if it may be so"
                )
        return idle

    def _unjudged(self) -> dict[str, StepResult]:
        """Promised steps that the session has no answer of, and why."""
        promise = self._desk.promise
        left = dict(promise.left)
        for nodeid in promise.steps.keys() - left.keys() - promise.chosen:
            words = self._words.said.get(nodeid, {}).values()
            if not words:
                looking = looks(self._desk.config.option)
                nothing = "nothing was reported of it"
                left[nodeid] = f"{looking} of pytest's configuration runs nothing" if looking else nothing
            elif all(word.kind == "kept" for word in words):
                left[nodeid] = f"skipped: {next(iter(words)).why}"
        return {nodeid: _not_run(nodeid, f"not run: {why}", _CHOOSE) for nodeid, why in left.items()}

    def _came_to(self, nodeid: str, records: _Records) -> StepResult | None:
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
        account = StepReport(
            workflow=workflow,
            step=step,
            file=self._desk.request.root / step.path,
            result=result,
            run_id=self._desk.runs.run_id if self._desk.is_recorded else "",
        )
        report = account.report(nodeid, selected={result.blocked_by})
        report.lok_instead = True  # type: ignore[attr-defined]  # reports take any attribute
        self._forget(nodeid)
        self._said_red = self._said_red or result.outcome.red
        self._desk.config.hook.pytest_runtest_logreport(report=report)

    def _forget(self, nodeid: str) -> None:
        """Let pytest's summary count an item once, and no worker's word on it stand."""
        self._words.said.pop(nodeid, None)
        terminal = self._desk.config.pluginmanager.getplugin("terminalreporter")
        if isinstance(terminal, pytest.TerminalReporter):
            for kind in ("skipped", "passed", "xfailed", "xpassed"):
                told = terminal.stats.get(kind, [])
                told[:] = [report for report in told if report.nodeid != nodeid]


def _sibling(nodeid: str, step: str) -> str:
    """The node id of another step of the same workflow."""
    return f"{nodeid.partition('::')[0]}::{step}"


def _unknown(nodeid: str, blocker: str) -> StepResult:
    why = f"not run: step {blocker!r} was red when this one was due, and is not in the end"
    return _not_run(nodeid, why, "run it again")


def _not_run(nodeid: str, why: str, hint: str) -> StepResult:
    return StepResult(name=nodeid.partition("::")[2], outcome=Outcome.ERROR, reason=why, hint=hint)
