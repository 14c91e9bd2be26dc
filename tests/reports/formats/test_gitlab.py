from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.runs import BLOCKS, FINDINGS, GREEN, HOSTILE_RUN, RED, reported, review
from tests.reports.results import ERROR, PASSED

SCHEMA = json.loads((Path(__file__).parents[2] / "data/gitlab/code-quality.schema.json").read_text())


def entries(*runs: ReportedRun) -> list[Any]:
    text = report_text("gitlab", runs)
    assert text.isascii()
    found: list[Any] = json.loads(text)
    jsonschema.validate(found, SCHEMA)
    return found


def test_findings_that_count_are_entries() -> None:
    found = {it["fingerprint"]: it["severity"] for it in entries(FINDINGS)}
    assert found == {"f1": "blocker", "f4": "blocker", "f3": "minor"}  # f2 is in the baseline


def test_what_could_not_be_done_is_an_entry_at_the_workflow() -> None:
    (entry,) = entries(reported(PASSED, ERROR))
    assert (entry["check_name"], entry["severity"]) == ("lok/error", "blocker")
    assert entry["location"]["path"] == ".lok/workflows/gate.toml"
    again, other = entries(reported(PASSED, ERROR)), entries(reported(replace(ERROR, name="other")))
    assert again[0]["fingerprint"] == entry["fingerprint"] != other[0]["fingerprint"]


def test_a_green_run_has_nothing_severe() -> None:
    assert {it["severity"] for it in entries(GREEN)} == {"info"}  # what was let go as soft


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    assert "blocker" in {it["severity"] for it in entries(RED[name])}


def test_hostile_text_is_bounded() -> None:
    text = report_text("gitlab", [HOSTILE_RUN])
    assert len(text) < 100_000
    assert "##" not in text
    assert "ghp_" not in text
    entries(HOSTILE_RUN)


def test_what_does_not_fit_is_counted() -> None:
    many = (replace(BLOCKS, line=at, fingerprint=f"f{at}") for at in range(1, 5_004))
    found = entries(reported(review(*many)))
    assert len(found) == 5_001
    assert found[-1]["description"].startswith("and 3 more entries")
