from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_lok.core.results import Outcome
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats import rich_run
from tests.reports.formats.runs import (
    BLOCKS,
    FINDINGS,
    GREEN,
    HOSTILE_RUN,
    LONG,
    RED,
    reported,
    review,
)
from tests.reports.results import ERROR, FAILED, PASSED, SOFT

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((Path(__file__).parents[2] / "data/sarif/sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)


def sarif(*runs: ReportedRun) -> list[Any]:
    document = json.loads(report_text("sarif", runs))
    VALIDATOR.validate(document)
    found: list[Any] = document["runs"]
    return found


def test_findings_are_results_with_rules_and_places() -> None:
    (run,) = sarif(FINDINGS)
    assert run["automationDetails"]["id"] == "pytest-lok/gate/"
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert list(rules) == ["sql-injection", "style"]
    assert rules["sql-injection"]["help"]["text"] == "user input in a query\n\nSeverity: high."
    assert rules["sql-injection"]["defaultConfiguration"]["level"] == "error"
    assert rules["sql-injection"]["properties"]["security-severity"] == "8.0"
    by_print = {result["partialFingerprints"]["lokFinding/v1"]: result for result in run["results"]}
    assert [*by_print] == ["f1", "f4", "f3", "f2"]  # what blocks, what counts, what is set aside
    place = by_print["f1"]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "db.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"]["startLine"] == 3
    assert by_print["f1"]["message"]["text"] == "user input in a query\n\nbind the value"
    assert by_print["f1"]["properties"]["votes"] == {"a": "high", "b": "absent"}
    assert by_print["f3"]["properties"]["tags"] == ["external/cwe/cwe-089"]


def test_levels_are_those_of_severities_and_what_blocks_is_an_error() -> None:
    (run,) = sarif(FINDINGS)
    levels = {it["partialFingerprints"]["lokFinding/v1"]: it["level"] for it in run["results"]}
    assert levels == {"f1": "error", "f2": "error", "f3": "note", "f4": "error"}
    (soft,) = sarif(reported(PASSED, review(BLOCKS, outcome=Outcome.SOFT, underlying=Outcome.FAILED)))
    assert not soft["results"][0]["properties"]["blocking"]


def test_what_the_gate_set_aside_is_suppressed() -> None:
    (run,) = sarif(FINDINGS)
    told = {it["partialFingerprints"]["lokFinding/v1"]: it["suppressions"] for it in run["results"]}
    aside = {"kind": "external", "status": "accepted", "justification": "it is in the baseline"}
    assert told == {"f1": [], "f2": [aside], "f3": [], "f4": []}


def test_a_finding_that_several_steps_hand_on_is_told_once_and_blocks_if_it_does_anywhere() -> None:
    known = replace(BLOCKS, standing="minor")
    (run,) = sarif(reported(review(known, outcome=Outcome.PASSED), replace(review(BLOCKS), name="join")))
    assert [(it["properties"]["step"], it["level"]) for it in run["results"]] == [("join", "error")]


def test_what_could_not_be_done_is_a_notification() -> None:
    (run,) = sarif(reported(PASSED, ERROR, SOFT))
    told = run["invocations"][0]
    assert (told["executionSuccessful"], told["exitCode"]) == (False, 3)
    assert told["exitCodeDescription"].startswith("inconclusive: ")
    assert [(it["descriptor"]["id"], it["level"]) for it in told["toolExecutionNotifications"]] == [
        ("lok/error", "error"),
        ("lok/soft", "warning"),
    ]
    assert "1 of 2 backends gave a valid answer" in told["toolExecutionNotifications"][0]["message"]["text"]


def test_a_step_that_failed_without_findings_is_a_result() -> None:
    (run,) = sarif(reported(PASSED, FAILED))
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("lok/not-green", "error")
    assert result["message"]["text"] == "step tests: failed: exit code 1\nhint: read the output"
    assert run["invocations"][0]["executionSuccessful"]  # the judgement was made, and is no


def test_a_green_run_has_no_errors() -> None:
    (run,) = sarif(GREEN)
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"]
    assert run["invocations"][0]["exitCodeDescription"].startswith("passed: ")


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    (run,) = sarif(RED[name])
    told = run["invocations"][0]
    # whoever reads results alone sees an error, whoever reads the invocation alone sees that it broke
    assert not told["executionSuccessful"] or any(it["level"] == "error" for it in run["results"])
    assert not told["exitCodeDescription"].startswith("passed")
    assert run["properties"]["verdict"] != "passed"


def test_hostile_text_is_bounded_and_commands_nobody() -> None:
    text = report_text("sarif", [HOSTILE_RUN])
    assert len(text) < 100_000
    assert text.isascii()
    assert "##" not in text
    assert "\n::" not in json.dumps(json.loads(text)).replace("\\n", "\n")
    assert "ghp_" not in text
    assert "\\u001b" not in text
    (run,) = sarif(HOSTILE_RUN)
    assert all("](" not in it["message"]["text"].replace("\\](", "") for it in run["results"])
    assert all(
        ".." not in it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for it in run["results"]
    )


def test_more_findings_than_readers_take_are_counted() -> None:
    many = (replace(BLOCKS, line=at, fingerprint=f"f{at}", message=LONG[:50]) for at in range(1, 5_004))
    (run,) = sarif(reported(review(*many)))
    assert len(run["results"]) == 5_000
    told = run["invocations"][0]
    assert told["toolExecutionNotifications"][-1]["message"]["text"].startswith("and 3 more results")
    assert not told["executionSuccessful"]


def test_each_run_of_a_session_is_a_run_of_its_own() -> None:
    runs = sarif(GREEN, FINDINGS)
    assert [run["properties"]["verdict"] for run in runs] == ["passed", "failed"]


@pytest.mark.real_cli
@pytest.mark.parametrize("run", [rich_run.recorded(), HOSTILE_RUN, GREEN], ids=["rich", "hostile", "green"])
def test_microsofts_validator_finds_no_error(tmp_path: Path, run: ReportedRun) -> None:
    """Its own rules, and those of GitHub's code scanning."""
    tool = ROOT / ".clis/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
    if not tool.exists():
        pytest.skip("needs sarif-multitool: make clis")
    tool.chmod(0o755)
    file = tmp_path / "out.sarif"
    file.write_text(report_text("sarif", [run]))
    done = subprocess.run(
        [tool, "validate", file, "--rule-kind", "Sarif;Gh", "--output", tmp_path / "found.sarif"],
        env={"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Analysis completed successfully." in done.stdout
    assert [line for line in done.stdout.splitlines() if ": error " in line] == []
