"""Every report of one rich run, compared with files, and read back by readers that are not ours.

``WRITE_GOLDEN=1`` writes the files anew, ``WRITE_GOLDEN=recording`` the recorded run too; look at the
difference before it is committed.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import junitparser
import pytest
from lxml import etree

from pytest_lok.core.results import Finding, Outcome, RunResult, StepResult
from pytest_lok.reports.formats import KINDS, report_text
from tests.reports.formats import rich_run
from tests.reports.formats.test_gitlab import entries
from tests.reports.formats.test_jsonl import lines, more
from tests.reports.formats.test_sarif import sarif

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module", autouse=True)
def recording(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.environ.get("WRITE_GOLDEN") == "recording":
        rich_run.write_recording(tmp_path_factory.mktemp("rich") / "project")


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_is_the_reviewed_one(kind: str) -> None:
    text = _steady(_text(kind))
    file = GOLDEN / f"release.{kind}"
    if os.environ.get("WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_the_recorded_run_is_what_the_engine_does(tmp_path: Path) -> None:
    anew = rich_run.reported(rich_run.record(tmp_path / "project"))
    assert _facts(anew.result) == _facts(rich_run.recorded().result)


def test_the_run_has_everything_that_a_report_can_tell() -> None:
    steps = rich_run.recorded().result.steps
    assert {step.outcome for step in steps.values()} == set(Outcome)
    assert steps["post"].blocked
    assert not steps["never"].blocked
    assert "cancelled" in steps["slow"].reason
    assert steps["flaky"].attempts == 3
    assert [section.title for section in steps["fix"].sections if "before fix" in section.title] == [
        "before fix 1",
        "before fix 2",
    ]
    assert steps["fix"].edits
    assert len(steps["each"].items) == 3
    verdict = steps["safe"].verdict
    assert verdict is not None
    assert (dict(verdict.tally), len(verdict.dissent)) == ({"yes": 2.0, "no": 1.0}, 1)
    standings = Counter(it.standing for it in steps["review"].findings or ())
    assert standings.keys() == {"blocks", "outside", "known", "outvoted", "unsure", "minor"}


def test_junitparser_reads_the_outcomes() -> None:
    suites = junitparser.JUnitXml.fromstring(_text("junit").encode())
    told: dict[str, list[str]] = {}
    for suite in suites:
        for case in suite:
            told[case.name] = [type(it).__name__ for it in case.result]
    result = rich_run.recorded().result
    words = {
        Outcome.PASSED: [],
        Outcome.FAILED: ["Failure"],
        Outcome.ERROR: ["Error"],
        Outcome.SKIPPED: ["Skipped"],
        Outcome.SOFT: ["Skipped"],
    }
    assert {name: told[name] for name in result.steps} == {
        name: words[step.outcome] for name, step in result.steps.items()
    }
    # what a step was cut short by, and the run itself
    assert told["the run"] == ["Error"]
    assert suites.errors == sum("Error" in it for it in told.values())
    etree.fromstring(_text("junit").encode(), etree.XMLParser(huge_tree=False))


def test_the_sarif_schema_takes_it_and_every_finding_is_there() -> None:
    (run,) = sarif(rich_run.recorded())
    told = {it["partialFingerprints"].get("lokFinding/v1"): it for it in run["results"]}
    assert told.keys() - {None} == {
        it.fingerprint for it in _findings(rich_run.recorded().result.steps.values())
    }
    assert {bool(it["suppressions"]) for it in told.values() if it["properties"]["blocking"]} == {False}
    assert not run["invocations"][0]["executionSuccessful"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert all(it["ruleId"] in rules for it in run["results"])
    assert all(rule["help"]["text"] for rule in rules.values())


def test_gitlabs_schema_takes_it_and_the_fingerprints_differ() -> None:
    found = entries(rich_run.recorded())
    assert len({it["fingerprint"] for it in found}) == len(found)
    assert "blocker" in {it["severity"] for it in found}


def test_reviewdogs_schema_takes_each_line() -> None:
    found = lines(rich_run.recorded())
    assert {more(it)["kind"] for it in found} >= {"finding", "interrupted", "error", "blocked", "soft"}
    (blocking,) = [it for it in found if more(it).get("blocks")]
    assert more(blocking)["finding"]["edits"]


def test_the_runner_of_github_takes_each_annotation() -> None:
    commands = [line for line in _text("github").splitlines() if line.startswith("::")]
    assert commands
    for line in commands:
        command = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert command is not None
        given = dict(it.split("=", 1) for it in command[2].split(","))
        assert given.keys() <= {"file", "line", "endLine", "title"}
        assert len(command[3]) <= 4_096
    assert max(Counter(line.split(" ")[0] for line in commands).values()) <= 10


def _steady(text: str) -> str:
    """The report without the version of the package, and of a page without its look, an element a line."""
    text = re.sub(r'"version": "[^"]*",(?=\s+"rules")', '"version": "0",', text)
    if text.startswith("<!doctype html>"):
        text = re.sub(r"(?s)<(style|script)>.*?</\1>|sha256-[\w+/=]+|pytest-lok [\w.]+", "", text)
        text = re.sub("><(?!/)", ">\n<", text)
    return text


def _text(kind: str) -> str:
    return report_text(kind, [rich_run.recorded()])


def _findings(steps: Iterable[StepResult]) -> Iterable[Finding]:
    return [it for step in steps for it in step.findings or ()]


def _facts(result: RunResult) -> dict[str, Any]:
    """What of a run does not depend on chance."""
    return {
        step.name: (
            step.outcome,
            step.reason,
            step.attempts,
            step.edits,
            sorted(it.backend for it in step.replies),
            sorted((it.backend, it.kind) for it in step.refusals),
            step.verdict and dict(step.verdict.tally),
            [(it.index, it.outcome, it.reason) for it in step.items],
            [json.dumps(it.document(), sort_keys=True) for it in step.findings or ()],
        )
        for step in result.steps.values()
    }
