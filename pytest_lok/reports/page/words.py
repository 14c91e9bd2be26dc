"""What a page says in words: outcomes, and why a finding blocks or does not."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from pytest_lok.core.results import StepResult
from pytest_lok.core.workflow.model import Gate
from pytest_lok.reports.drawing.markup import element
from pytest_lok.reports.formats.reported_run import ReportedFinding, ReportedRun, bounded_line

MARKS: Mapping[str, str] = {
    "passed": "✓",
    "failed": "✕",
    "error": "!",
    "inconclusive": "!",
    "nothing judged": "!",
    "missing": "!",
    "soft": "~",
    "skipped": "–",  # noqa: RUF001 - a dash is meant
}
"""A mark beside the colour, for whoever does not see it."""

_KINDS = {"inconclusive": "error", "nothing judged": "error"}


def kind_of(verdict: str) -> str:
    """The class of a verdict or an outcome, which sets its colour."""
    return _KINDS.get(verdict, verdict)


def mark(outcome: str) -> Markup:
    """The mark of an outcome; the word stands beside it for readers of screens."""
    return element("span", MARKS[outcome], class_="mark", aria_hidden="true")


def badge(outcome: str, text: str = "") -> Markup:
    """A label in the colour of an outcome or a severity."""
    return element("span", text or outcome, class_=f"badge {kind_of(outcome)}")


def outcome_words(step: StepResult) -> str:
    """``blocked`` for a step that was skipped because of another one, else the outcome."""
    return "blocked" if step.blocked else str(step.outcome)


def why(run: ReportedRun, entry: ReportedFinding) -> str:
    """Why a finding blocks, or why it does not."""
    finding, gate = entry.finding, run.gate or Gate()
    least = f"the gate's fail_on ({gate.fail_on})"
    match finding.standing:
        case "":
            return "No gate judges it."
        case "blocks" if entry.blocks:
            return f"It blocks: {finding.severity} is at least {least}, and nothing sets it aside."
        case "blocks":
            step = run.result.steps.get(entry.step)
            return f"It would block, but its step is {step.outcome if step else 'not known'}."
        case "undecided":
            unknown = bounded_line(finding.doubt, 300) or "something about it is not known"
            return f"It might block, and nobody knows: {unknown}."
        case "minor":
            because = f"{finding.severity} is below {least}"
        case "unsure":
            because = f"its confidence, {finding.confidence:g}, is below the gate's ({gate.min_confidence:g})"
        case "outvoted":
            said, asked = len(finding.reporters), len(finding.votes)
            because = f"{said} of {asked} backends report it, and the gate wants {gate.quorum}"
        case _:
            because = entry.aside
    return f"It does not block: {because}."
