"""A step's findings, items and backends -> subtests of its item, each with its own outcome and reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytest_lok.core.results import Finding, ItemResult, Outcome, StepResult
from pytest_lok.plugin._pytest_internals import subtest_report
from pytest_lok.plugin.failure_text import bounded, escape_untrusted

_SHOWN = 50  # subtests of one step; a for_each may have thousands of items


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtest:
    """One blocking finding, one item of a ``for_each``, or one of several backends.

    ``path`` and ``line`` are where a finding points at.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    text: str = ""
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.outcome}", *bounded(self.text).splitlines(), f"E   {self.reason}"]
        return escape_untrusted("\n".join(lines))


def parts(result: StepResult) -> list[Subtest]:
    """The step's parts, the red ones first: what blocks, or several items, or several backends."""
    blocking = [_finding(finding) for finding in result.findings or () if finding.blocking]
    if blocking:
        return blocking[:_SHOWN]
    if len(result.items) < 2 and len(result.replies) + len(result.refusals) < 2:
        return []
    found = [_item(item) for item in result.items] or list(_backends(result))
    found.sort(key=lambda part: not part.outcome.red)
    return found[:_SHOWN] if len(found) > 1 else []


def subreport(
    part: Subtest, whole: pytest.TestReport, longrepr: Callable[[Subtest], object]
) -> pytest.SubtestReport:
    """What pytest is told of a part, beside the report of the step it is a part of."""
    report = subtest_report(
        part.name,
        nodeid=whole.nodeid,
        location=whole.location,
        keywords=whole.keywords,
        outcome="failed" if part.outcome.red else "passed",
        longrepr=longrepr(part) if part.outcome.red else None,
        when="call",
        start=whole.start,
        stop=whole.start,
    )
    if part.outcome.red:
        report.lok_part = {"name": part.name, "file": part.path, "line": part.line}  # type: ignore[attr-defined]  # reports take any attribute
    return report


def _finding(finding: Finding) -> Subtest:
    text = [finding.message, f"evidence: {finding.evidence}"]
    if any(finding.reporters):
        text.append(f"reported by: {', '.join(finding.reporters)}")
    return Subtest(
        name=escape_untrusted(f"{finding.rule_id} {finding.path}:{finding.line}"),
        outcome=Outcome.FAILED,
        reason=finding.headline,
        text="\n".join(text),
        path=finding.path,
        line=finding.line,
    )


def _item(item: ItemResult) -> Subtest:
    name = f"item {item.index}: {bounded(str(item.item), lines=1, chars=60)}"
    return Subtest(name=escape_untrusted(name), outcome=item.outcome, reason=item.reason, text=item.output)


def _backends(result: StepResult) -> Iterator[Subtest]:
    for reply in result.replies:
        yield Subtest(name=reply.backend, outcome=Outcome.PASSED, text=reply.text)
    for refusal in result.refusals:
        reason = f"{refusal.kind}: {refusal.reason}"
        yield Subtest(name=refusal.backend, outcome=Outcome.ERROR, reason=reason, text=refusal.hint)
