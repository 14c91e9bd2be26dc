"""StepResult -> what pytest is told, in which phase of the item, and what its report carries."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Step, Workflow
from pytest_lok.plugin._pytest_internals import failure_text
from pytest_lok.plugin.failure_text import bounded, escape_untrusted, explain, short
from pytest_lok.plugin.subtests import Subtest, parts

Phase: TypeAlias = Literal["setup", "call"]
Word: TypeAlias = Literal["passed", "failed", "skipped", "xfail"]

NOT_RUN = "not run: "
"""How the engine begins the reason of a step that a stop kept from running."""
_SECTION = 64_000  # characters of one section of a report


class NotPassedError(Exception):
    """A step that is red and was not judged; how it is shown is said elsewhere."""


def verdict(result: StepResult, selected: Collection[str]) -> tuple[Phase, Word]:
    """When and how an item ends: what could not be judged ends in its setup, a judgement in its call.

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
            return ("setup" if result.underlying is Outcome.ERROR else "call"), "xfail"
        case Outcome.SKIPPED:
            seen = not result.blocked or result.blocked_by in selected
            return ("setup", "skipped") if seen else ("call", "failed")


def ending(result: StepResult, phase: Phase, selected: Collection[str]) -> BaseException | None:
    """What ends an item in this phase, None if it goes on.

    An item's call ends it whenever it has not passed, for plugins that try again run the call alone, or
    after a set-up whose end they do not look at. A judgement is an AssertionError: other tools go by that.
    """
    when, word = verdict(result, selected)
    if word == "passed" or (phase == "setup" and when == "call"):
        return None
    if word == "xfail":
        # pytest.xfail() would count as passed under --runxfail; its exception does not
        return pytest.xfail.Exception(result.reason)
    if word == "skipped" and phase == "setup":
        return pytest.skip.Exception(result.reason)
    return (
        AssertionError(result.reason) if result.outcome is Outcome.FAILED else NotPassedError(result.reason)
    )


def _nobody(_step: str) -> tuple[BackendAsked, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What is told of one step. ``file`` is where it is written, ``root`` the result of what blocked it.

    ``asked`` gives the prompts of a step that did not pass.
    """

    workflow: Workflow
    step: Step
    file: Path
    result: StepResult
    run_id: str = ""
    asked: Callable[[str], tuple[BackendAsked, ...]] = _nobody
    root: StepResult | None = None

    @property
    def longrepr(self) -> Any:
        """The step's own words with a short reason and its place; nothing of our code is in it."""
        text = explain(self.result, self.step, asked=self.asked(self.step.name), root=self.root)
        return self._shown(text, short(self.result))

    def longrepr_of(self, part: Subtest) -> Any:
        """The same of one part of the step."""
        return self._shown(str(part), part.reason, part.path, part.line)

    def _shown(self, text: str, reason: str, path: str = "", line: int = 0) -> Any:
        return failure_text(text, path or str(self.file), line or self.step.line, escape_untrusted(reason))

    @property
    def skipped(self) -> tuple[str, int, str]:
        """Where and why it was skipped."""
        return str(self.file), self.step.line, f"Skipped: {short(self.result)}"

    def report(self, nodeid: str, selected: Collection[str]) -> pytest.TestReport:
        """A report that goes the way of all others, of what was done unseen."""
        when, word = verdict(self.result, selected)
        longrepr: Any = None
        if word in ("failed", "xfail"):
            longrepr = self.longrepr
        elif word == "skipped":
            longrepr = self.skipped
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(nodeid.partition("::")[0], self.step.line - 1, self.step.name),
            keywords={},
            outcome="skipped" if word == "xfail" else word,
            longrepr=longrepr,
            when=when,
        )
        if word == "xfail":
            report.wasxfail = self.result.reason
        self.complete(report)
        return report

    def complete(self, report: pytest.TestReport) -> None:
        """Give the report in which the item ends the step's own time, its output and plain facts."""
        report.duration = self.result.seconds
        if report.passed or report.skipped:
            report.sections += [
                (title, escape_untrusted(bounded(text, lines=2_000, chars=_SECTION)))
                for title, text in self._told()
            ]
        report.lok = self.facts  # type: ignore[attr-defined]  # reports take any attribute

    @property
    def facts(self) -> dict[str, str | int | float]:
        """What other plugins may know; what is not known is not there.

        JSON's own types and nothing else: one value of another kind would end an xdist session.
        """
        result = self.result
        facts = {
            "workflow": self.workflow.stem,
            "outcome": result.outcome.value,
            "reason": short(result) if result.reason else "",
            "set_aside": "; ".join(result.set_aside),
            "blocked_by": result.blocked_by,
            "not_run": "yes" if not result.attempts and result.reason.startswith(NOT_RUN) else "",
            "seconds": result.seconds,
            "attempts": result.attempts,
            "backend": str(result.backend),
            "model": str(_model(result)),
            "tokens": result.usage.tokens,
            "cached": result.usage.cached or None,
            "cost_usd": result.usage.cost_usd,
            "run_id": self.run_id,
            "workflow_sha256": self.workflow.sha256,
        }
        return {name: value for name, value in facts.items() if value not in ("", None)}

    def _told(self) -> list[tuple[str, str]]:
        output = [("output", self.result.output)] if self.result.output and self.result.ran else []
        told = output + [(section.title, section.text) for section in self.result.sections]
        return told + [(part.name, part.reason) for part in parts(self.result) if part.outcome.red]


def _model(result: StepResult) -> str:
    return next((reply.model for reply in result.replies if reply.backend == result.backend), "")
