from __future__ import annotations

from xml.etree import ElementTree

import junitparser
import pytest

from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.runs import FINDINGS, GREEN, HOSTILE_RUN, RED, reported
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT


def suite(run: ReportedRun) -> junitparser.TestSuite:
    (found,) = junitparser.JUnitXml.fromstring(report_text("junit", [run]).encode())
    return found


def told(run: ReportedRun) -> dict[str, str]:
    return {case.name: (case.result[0]._elem.tag if case.result else "passed") for case in suite(run)}


def test_each_step_is_a_case() -> None:
    run = reported(PASSED, FAILED, ERROR, SKIPPED, SOFT)
    assert told(run) == {
        "review": "passed",
        "tests": "failure",
        "vote": "error",
        "join": "skipped",
        "lint": "skipped",
    }
    found = suite(run)
    assert (found.tests, found.failures, found.errors, found.skipped) == (5, 1, 1, 2)
    assert {case.classname for case in found} == {"lok.gate"}


def test_each_blocking_finding_is_a_case_at_its_place() -> None:
    cases = {case.name: case for case in suite(FINDINGS)}
    finding = cases["review[sql-injection db.py:3]"]
    assert (finding._elem.get("file"), finding._elem.get("line")) == ("db.py", "3")
    assert finding.result[0].message.startswith("[high] sql-injection db.py:3")


def test_a_green_run_has_no_failure() -> None:
    found = suite(GREEN)
    assert (found.failures, found.errors) == (0, 0)


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    found = suite(RED[name])
    assert found.failures + found.errors > 0


def test_hostile_text_is_bounded_and_commands_nobody() -> None:
    text = report_text("junit", [HOSTILE_RUN])
    assert len(text) < 200_000
    for command in ("[[ATTACHMENT|", "##[", "##vso[", "\x1b", "\u202e", "ghp_", "\n::", "\n  ::"):
        assert command not in text
    ElementTree.fromstring(text)
