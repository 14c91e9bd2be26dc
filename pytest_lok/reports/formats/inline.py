"""A finding -> Markdown for a comment on its line; and the counts below the comment that tells of the run."""

from __future__ import annotations

import html
from collections.abc import Iterator

from pytest_lok.core.findings.threads import ThreadPlan, thread_marker
from pytest_lok.reports.facts import many
from pytest_lok.reports.formats.markdown import LONGEST, code, rendered
from pytest_lok.reports.formats.reported_run import ReportedFinding, ReportedRun, bounded

_ALL = 65_000  # characters of a comment with all that it holds
_TEXT = 4_000  # characters of a message


def inline_comment(run: ReportedRun, entry: ReportedFinding) -> str:
    """The comment, in which nobody is mentioned and nothing is a link. The first line is its marker."""
    finding = entry.finding
    reporters = [name for name in finding.reporters if name]
    state = {"blocks": "blocks", "undecided": "may block: something about it is not known"}
    facts = [
        state.get(finding.standing, ""),
        finding.doubt,
        finding.acceptance,
        f"reported by {', '.join(reporters)}" if reporters else "",
        f"fingerprint {finding.fingerprint}",
    ]
    message = html.escape(bounded(finding.message, _TEXT))
    lines = [
        thread_marker(run.name, finding.fingerprint),
        f"**{finding.severity}** {code(finding.rule_id)}: {code(finding.title)}\n",
        f"<pre>{message}</pre>\n" if message else "",
        *(f"{code(fact)}  " for fact in facts if fact),
    ]
    return "\n".join(filter(None, lines)) + "\n"


def run_comment(run: ReportedRun, plan: ThreadPlan, unplaced: str, *, lost: int = 0, state: str = "") -> str:
    """The one comment that tells of a run, with what became of the comments on lines. It is at most
    65,000 characters long; ``unplaced`` says why no line is commented on. ``state`` is one of a review, which
    nobody sees there.
    """
    counts = thread_counts(plan, lost)
    footer = [f"No line is commented on: {unplaced}.\n" if unplaced else "", f"{counts}\n" if counts else ""]
    hidden = f"<!-- {state} -->\n" if state else ""
    below = "\n".join(filter(None, [*footer, hidden]))
    return rendered([run], min(LONGEST, _ALL - len(below))) + below


def thread_counts(plan: ThreadPlan, lost: int = 0) -> str:
    """What became of the findings' comments on lines, in one line; ``lost``: the forge did not take them."""
    return "; ".join(_counts(plan, lost))


def _counts(plan: ThreadPlan, lost: int) -> Iterator[str]:
    there = len(plan.write) + len(plan.reopen) + plan.kept - lost
    if there:
        yield f"{many(there, 'finding')} commented on their lines"
    if plan.answered:
        yield f"{many(plan.answered, 'finding')} not repeated, for somebody has answered"
    if plan.resolve:
        yield f"{many(len(plan.resolve), 'comment')} resolved, for the finding is gone"
    if plan.unplaced + lost:
        yield f"{many(plan.unplaced + lost, 'finding')} not on a changed line"
    if plan.crowded:
        yield f"and {many(plan.crowded, 'finding')} more without a comment on their line"
