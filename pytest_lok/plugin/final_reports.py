"""A session's reports -> the steps whose final report is wrong or missing, each with a report that is right.

A report says what is known when it is made. By the end of the session more may be known: a step that was
blocked may have run since, because what blocked it was tried again; a plugin may have reported a red step as
passed; a required step may have no report at all. What stands in the summary, in JUnit and in the exit code
must be what the records say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.dataclass import dataclass
from pytest_lok.plugin.request import UNFILED_PREFIX
from pytest_lok.plugin.required_steps import RequiredSteps
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.typed import option_that_runs_nothing, typed_options
from pytest_lok.reports.console import nothing_judged
from pytest_lok.settings import in_ci

Kind: TypeAlias = Literal["green", "red", "blocked", "by_when", "by_pytest"]
"""Passed or soft, failed or error, blocked by another step, skipped by its own ``when``, or skipped by
somebody else: a mark, a fixture, a hook."""

_HOW_TO_DESELECT = (
    "leave it out by --deselect, -k or -m on the command line, or by `collect = false` in its file"
)
_ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)

_Records: TypeAlias = Mapping[str, Mapping[str, StepResult]]
"""The results of the session's steps, by the path of the workflow and the name of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalReport:
    """What the last report of an item says.

    ``outcome`` is pytest's word. ``blocked_by`` is a step's name. ``reason`` is that of a skip.
    """

    kind: Kind
    outcome: str = "passed"
    blocked_by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, report: pytest.TestReport) -> FinalReport | None:
        """What a report says of the whole item, None if it says nothing."""
        # subtests have the node id of their step
        if isinstance(report, pytest.SubtestReport) or report.outcome not in ("passed", "failed", "skipped"):
            return None  # an attempt that does not count has an outcome of its own
        if report.passed:
            return _PASSED if report.when == "call" else None
        if report.failed:
            return cls(kind="red", outcome="failed")
        outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
        of_step = getattr(report, "lok", {}).get("outcome")
        if of_step is None or (outcome == "skipped" and of_step != Outcome.SKIPPED):
            text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            reason = getattr(report, "wasxfail", None)  # then the text is a traceback, in some versions
            reason = text.removeprefix("Skipped: ") if reason is None else reason or "xfail"
            return cls(kind="by_pytest", outcome=outcome, reason=reason)
        if outcome == "skipped":
            return cls._of_skipped_step(report.lok)
        return cls(kind="green", outcome=outcome)

    @classmethod
    def _of_skipped_step(cls, facts: Mapping[str, str]) -> FinalReport:
        if "not_run" in facts:
            return cls(kind="by_pytest", outcome="skipped", reason=facts["reason"])
        blocked_by = facts.get("blocked_by", "")
        return cls(kind="blocked" if blocked_by else "by_when", outcome="skipped", blocked_by=blocked_by)


_PASSED = FinalReport(kind="green")
"""What most reports say, made once: a session may have very many."""


@dataclass(slots=True)
class ReportBook:
    """The last report of each item, by node id and worker (``--dist each`` has several workers)."""

    last: dict[str, dict[object, FinalReport]] = field(default_factory=dict)

    def add(self, report: pytest.TestReport) -> None:
        """Note a report; a later one of an item replaces an earlier one."""
        final = FinalReport.of(report)
        if final is not None:
            self.last.setdefault(report.nodeid, {})[getattr(report, "node", None)] = final

    def is_red(self, nodeid: str) -> bool:
        """Whether an item is red in the end, in any worker."""
        return any(final.kind == "red" for final in self.last.get(nodeid, {}).values())

    @property
    def any_red(self) -> bool:
        """Whether any item is red in the end."""
        return any(map(self.is_red, self.last))

    def wrongly_blocked(self) -> Mapping[str, str]:
        """Items that were not run because of a step that is not red in the end: node id -> that step."""
        blocked = {
            nodeid: final.blocked_by
            for nodeid, finals in self.last.items()
            for final in finals.values()
            if final.kind == "blocked"
        }
        return {nodeid: step for nodeid, step in blocked.items() if not self.is_red(_sibling(nodeid, step))}


class FinalReports:
    """The hooks that see every report, correct those that came too early, and add those that are missing.

    ``not_run`` are required steps that were not run, by node id, and why, where the summary says so and no
    more: in CI such a step is red.
    """

    def __init__(self, selection: WorkflowSelection, runner: WorkflowRunner, required: RequiredSteps) -> None:
        self._selection = selection
        self._session = selection.session
        self._runner = runner
        self._required = required
        self._reports = ReportBook()
        self._sent_red = False
        self._runs_nothing = option_that_runs_nothing(typed_options(self._session.config, os.environ))
        self.not_run: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the report of a step."""
        if ".toml::" in report.nodeid or report.nodeid.startswith(UNFILED_PREFIX):
            self._reports.add(report)

    @pytest.hookimpl(tryfirst=True)  # before reports are written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Report the steps again whose report is wrong by now, and those that are missing."""
        records: _Records = {record.result.path: record.result.steps for record in self._runner.records()}
        # a corrected report may turn a step green that others are blocked by: look until none is wrong
        while wrong := self._reports.wrongly_blocked():
            # steps whose result is known go first: reporting one may show that others are right after all
            known = {nodeid: result for nodeid in wrong if (result := self._result_since(nodeid, records))}
            for nodeid, result in (known or dict.fromkeys(wrong)).items():
                self._send(nodeid, result or _unknown(nodeid, wrong[nodeid]))
        self._report_unjudged(session, exitstatus, records)
        self._session.is_green = not (self._sent_red or self._reports.any_red)
        if exitstatus == pytest.ExitCode.OK and (session.testsfailed or not self._session.is_green):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _report_unjudged(self, session: pytest.Session, exitstatus: int, records: _Records) -> None:
        """Report required steps that nobody judged, and steps that were reported as what they are not.

        A required step that nobody judged is red in CI; elsewhere it is red only if no step was judged.
        A step whose report contradicts its result is red everywhere.
        """
        # a session that stopped early is red already; one that ends as green must hold what it promises
        stopped = session.shouldstop or session.shouldfail or self._runner.early_exit.happened
        if exitstatus not in _ENDED or self._runs_nothing or (stopped and exitstatus != pytest.ExitCode.OK):
            return
        contradicted = self._contradicted(records)
        missing = {nodeid: r for nodeid, r in self._unjudged().items() if nodeid not in contradicted}
        idle = self._idle()
        judged = self._required.ids.keys() - missing.keys() - self._required.deselected
        for nodeid, result in missing.items() if in_ci(os.environ) or not judged else ():
            self._send(nodeid, result)
        for nodeid, result in (contradicted | idle if in_ci(os.environ) else contradicted).items():
            self._send(nodeid, result)
        reasons = {nodeid: result.reason for nodeid, result in missing.items()}
        self.not_run = {nodeid: why for nodeid, why in reasons.items() if not self._reports.is_red(nodeid)}

    def _contradicted(self, records: _Records) -> dict[str, StepResult]:
        """Steps that were reported as passed and have not, or required and reported as anything but red.

        A mark that excuses a step which nobody requires is the project's own choice.
        """
        contradicted: dict[str, StepResult] = {}
        for nodeid, finals in self._reports.last.items():
            final, found = next(iter(finals.values())), self._selection.step_at(nodeid)
            if found is None or self._reports.is_red(nodeid):
                continue
            result = records.get(found[0].path, {}).get(found[1].name)
            if final.outcome == "passed":
                wrong = result is None or result.outcome not in (Outcome.PASSED, Outcome.SOFT)
            else:
                wrong = result is not None and result.outcome.red and nodeid in self._required.ids
            if wrong:
                truth = f"{result.outcome}: {result.reason}" if result else "nothing is known of it"
                reason = f"reported as {final.outcome}, but the step: {truth}"
                hint = "a mark, a fixture, a hook or a plugin says so: take it out"
                contradicted[nodeid] = _error(nodeid, reason, hint)
        return contradicted

    def _idle(self) -> dict[str, StepResult]:
        """The last of the steps that judge, of each workflow in which all of these skipped themselves."""
        kinds: dict[str, dict[str, set[Kind]]] = {}
        for nodeid, finals in self._reports.last.items():
            steps = kinds.setdefault(nodeid.partition("::")[0], {})
            steps[nodeid] = {final.kind for final in finals.values()}
        results = {record.result.path: record.result for record in self._runner.records()}
        # asked once of each run: the answer takes a look at all of its steps
        whys = {path: nothing_judged(result) for path, result in results.items() if result.idle}
        idle: dict[str, StepResult] = {}
        for steps in kinds.values():
            judging: dict[str, set[Kind]] = {}
            for nodeid, of in steps.items():
                found = self._selection.step_at(nodeid)
                if found is None or found[0].allow_skip or found[0].path not in whys:
                    continue
                reviews = results[found[0].path].reviews
                if not reviews or found[1].name in reviews:
                    judging[nodeid] = of
                    why = whys[found[0].path]
            if judging and all(of == {"by_when"} for of in judging.values()):
                last = list(judging)[-1]
                idle[last] = _error(last, why, "`allow_skip = true` in its file, if it may be so")
        return idle

    def _unjudged(self) -> dict[str, StepResult]:
        """Required steps that the session has no answer of, and why."""
        required = self._required
        reasons = dict(required.unselected)
        for nodeid in required.ids.keys() - reasons.keys() - required.deselected:
            finals = self._reports.last.get(nodeid, {}).values()
            if not finals:
                option = option_that_runs_nothing(self._session.config.option)
                unreported = "nothing was reported of it"
                reasons[nodeid] = f"{option} of pytest's configuration runs nothing" if option else unreported
            elif all(final.kind == "by_pytest" for final in finals):
                reasons[nodeid] = f"skipped: {next(iter(finals)).reason}"
        return {
            nodeid: _error(nodeid, f"not run: {reason}", _HOW_TO_DESELECT)
            for nodeid, reason in reasons.items()
        }

    def _result_since(self, nodeid: str, records: _Records) -> StepResult | None:
        """The result of a step that ran after its report, or that another step blocks which is red."""
        found = self._selection.step_at(nodeid)
        result = records.get(found[0].path, {}).get(found[1].name) if found else None
        if result is None:
            return None
        if result.blocked and not self._reports.is_red(_sibling(nodeid, result.blocked_by)):
            return None
        return result

    def _send(self, nodeid: str, result: StepResult) -> None:
        """Report a step once more: this report counts instead of those before."""
        run_id = self._session.runs.run_id if self._session.is_recorded else ""
        report = self._runner.report_without_item(nodeid, result, {result.blocked_by}, run_id=run_id)
        report.lok_replaces_earlier = True  # type: ignore[attr-defined]  # reports take any attribute
        self._forget(nodeid)
        self._sent_red = self._sent_red or result.outcome.red
        self._session.config.hook.pytest_runtest_logreport(report=report)

    def _forget(self, nodeid: str) -> None:
        """Drop the earlier reports of an item, so that pytest's summary counts the item once."""
        self._reports.last.pop(nodeid, None)
        terminal = self._session.config.pluginmanager.getplugin("terminalreporter")
        if isinstance(terminal, pytest.TerminalReporter):
            # no failure is among them: a red report is never replaced
            for kind in ("skipped", "passed", "xfailed", "xpassed"):
                reports = terminal.stats.get(kind, [])
                reports[:] = [report for report in reports if report.nodeid != nodeid]


def _sibling(nodeid: str, step: str) -> str:
    """The node id of another step of the same workflow."""
    return f"{nodeid.partition('::')[0]}::{step}"


def _unknown(nodeid: str, blocker: str) -> StepResult:
    reason = f"not run: step {blocker!r} was red when this one was due, and is not in the end"
    return _error(nodeid, reason, "run it again")


def _error(nodeid: str, reason: str, hint: str) -> StepResult:
    return StepResult(name=nodeid.partition("::")[2], outcome=Outcome.ERROR, reason=reason, hint=hint)
