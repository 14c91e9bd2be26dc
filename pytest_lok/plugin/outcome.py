"""StepResult -> what pytest is told, in which phase of the item, and what its report carries."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Step, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.plugin._pytest_internals import make_longrepr
from pytest_lok.reports.failure_text import excerpt, explain, reason_line
from pytest_lok.reports.parts import Subtest, sections_of, step_facts, subtests_of
from pytest_lok.reports.untrusted import escape_untrusted

Phase: TypeAlias = Literal["setup", "call"]
ReportOutcome: TypeAlias = Literal["passed", "failed", "skipped", "xfail"]

NOT_RUN = "not run: "
"""How the engine begins the reason of a step that a stop kept from running."""
CANCELLED = "cancelled: "
"""How the engine begins the reason of a step that a stop ended while it ran."""
_SECTION = 64_000  # characters of one section of a report


class NotPassedError(Exception):
    """A step that is red and was not judged. Its item shows the step's own words, not this exception's."""


def phase_and_outcome(result: StepResult, selected: Collection[str]) -> tuple[Phase, ReportOutcome]:
    """The phase in which an item ends, and its outcome there.

    A step that could not be judged ends its item in the setup, a judgement ends it in the call.

    A step blocked by one that is no item of the session fails: were it skipped, nothing would be red.
    """
    match result.outcome:
        case Outcome.PASSED:
            return "call", "passed"
        case Outcome.FAILED:
            return "call", "failed"
        case Outcome.ERROR:
            return "setup", "failed"
        case Outcome.SOFT:
            # continue_on_error: neither red nor green, which pytest calls an expected failure
            return ("setup" if result.underlying is Outcome.ERROR else "call"), "xfail"
        case Outcome.SKIPPED:
            cause_is_seen = not result.blocked or result.blocked_by in selected
            return ("setup", "skipped") if cause_is_seen else ("call", "failed")


def exception_for(result: StepResult, phase: Phase, selected: Collection[str]) -> BaseException | None:
    """The exception that ends an item in this phase, None if the item goes on.

    The call raises for every step that has not passed, also if the setup has done so: plugins that try again
    run the call alone, or do not look at how the setup ended. A judgement is an AssertionError, since other
    tools tell failed from broken by that.
    """
    when, outcome = phase_and_outcome(result, selected)
    if outcome == "passed" or (phase == "setup" and when == "call"):
        return None
    if outcome == "xfail":
        # pytest.xfail() would count as passed under --runxfail; its exception does not
        return pytest.xfail.Exception(result.reason)
    if outcome == "skipped" and phase == "setup":
        return pytest.skip.Exception(result.reason)
    return (
        AssertionError(result.reason) if result.outcome is Outcome.FAILED else NotPassedError(result.reason)
    )


def _nothing_asked(_step: str) -> tuple[BackendAsked, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What pytest's report of one step says.

    ``file`` is where the step is written. ``root`` is the result of the step that blocked this one. ``asked``
    gives the prompts that a step which did not pass has sent, by the step's name. ``parts_apart``: the red
    parts of a failed step have reports of their own.
    """

    workflow: Workflow
    step: Step
    file: Path
    result: StepResult
    run_id: str = ""
    asked: Callable[[str], tuple[BackendAsked, ...]] = _nothing_asked
    root: StepResult | None = None
    parts_apart: bool = False

    @property
    def longrepr(self) -> Any:
        """The step's own words with a short reason and its place; nothing of our code is in it."""
        asked = self.asked(self.step.name)
        text = explain(self.result, self.step, asked=asked, root=self.root, parts_apart=self.parts_apart)
        return self._longrepr_at(text, reason_line(self.result))

    def subtests(self) -> list[Subtest]:
        """The step's parts, as ``subtests_of`` has them."""
        return subtests_of(self.result, self.asked(self.step.name) if self.result.outcome.red else ())

    def subtest_longrepr(self, subtest: Subtest) -> Any:
        """The text and the short reason of a subtest, at the place of its finding or else of the step."""
        return self._longrepr_at(str(subtest), subtest.reason, subtest.path, subtest.line)

    def _longrepr_at(self, text: str, reason: str, path: str = "", line: int = 0) -> Any:
        return make_longrepr(text, path or str(self.file), line or self.step.line, escape_untrusted(reason))

    @property
    def skipped(self) -> tuple[str, int, str]:
        """The longrepr of a skip, as pytest has it: path, line, reason."""
        return str(self.file), self.step.line, f"Skipped: {reason_line(self.result)}"

    def test_report(self, nodeid: str, selected: Collection[str]) -> pytest.TestReport:
        """A report of the item in which it ends, made without running the item."""
        when, outcome = phase_and_outcome(self.result, selected)
        longrepr: Any = None
        if outcome in ("failed", "xfail"):
            longrepr = self.longrepr
        elif outcome == "skipped":
            longrepr = self.skipped
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(nodeid.partition("::")[0], self.step.line - 1, self.step.name),
            keywords={},
            outcome="skipped" if outcome == "xfail" else outcome,
            longrepr=longrepr,
            when=when,
        )
        if outcome == "xfail":
            report.wasxfail = self.result.reason
        self.fill_in(report)
        return report

    def fill_in(self, report: pytest.TestReport) -> None:
        """Add the step's own duration, its sections and its facts to the report in which the item ends."""
        # the item only waited; what took long is the step, and --durations is to say so
        report.duration = self.result.seconds
        # a failure shows all of this in its own text
        if report.passed or report.skipped:
            report.sections += [
                (title, escape_untrusted(excerpt(text, lines=2_000, chars=_SECTION)))
                for title, text in sections_of(self.result)
            ]
        report.lok = self.facts  # type: ignore[attr-defined]  # reports take any attribute

    @property
    def facts(self) -> dict[str, str | int | float]:
        """Plain facts for other plugins, as ``report.lok``; a fact that is not known is left out.

        The values have JSON's own types: one value of another type would end an xdist session.
        """
        result, workflow = self.result, self.workflow
        facts = step_facts(
            result, workflow=workflow.stem, workflow_sha256=workflow.sha256, run_id=self.run_id
        )
        if not result.attempts and result.reason.startswith(NOT_RUN):
            facts["not_run"] = "yes"
        return facts
