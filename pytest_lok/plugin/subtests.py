"""A part of a step -> the report of a subtest of the step's item."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_lok.core.results import Outcome
from pytest_lok.plugin._pytest_internals import subtest_report
from pytest_lok.reports.parts import Subtest


def report_of_subtest(
    subtest: Subtest,
    whole: pytest.TestReport,
    longrepr: Callable[[Subtest], object],
    *,
    workflow: str,
    number: int,
) -> pytest.SubtestReport:
    """The report of a subtest, beside ``whole``, the report of the step of that workflow.

    ``number`` is the subtest's among those of the step.
    """
    report = subtest_report(
        subtest.name,
        nodeid=whole.nodeid,
        location=whole.location,
        keywords=whole.keywords,
        outcome="failed" if subtest.outcome.red else "passed",
        longrepr=longrepr(subtest) if subtest.outcome.red else None,
        # as of steps: what could not do its work ends in the set-up, which pytest and JUnit count as an error
        when="setup" if subtest.outcome is Outcome.ERROR else "call",
        start=whole.start,
        # no time of its own, or --durations and JUnit would count the step twice
        stop=whole.start,
    )
    place = {"file": subtest.path, "line": subtest.line}
    part = {
        "number": number,
        "name": subtest.name,
        "reason": subtest.reason,
        "workflow": workflow,
        **place,
    }
    report.lok_part = part  # type: ignore[attr-defined]  # reports take any attribute
    return report
