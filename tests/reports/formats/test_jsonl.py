from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.jsonl import LONGEST
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.runs import BLOCKS, FINDINGS, GREEN, HOSTILE_RUN, LONG, RED, reported, review
from tests.reports.results import ERROR, PASSED

DIAGNOSTIC = json.loads((Path(__file__).parents[2] / "data/reviewdog/diagnostic.schema.json").read_text())


def lines(*runs: ReportedRun) -> list[Any]:
    text = report_text("jsonl", runs)
    assert text.isascii()
    assert max(map(len, text.split("\n"))) <= LONGEST  # reviewdog stops in silence at 64 KiB
    found = [json.loads(line) for line in text.splitlines()]
    for diagnostic in found:
        jsonschema.validate(diagnostic, DIAGNOSTIC)
    return found


def more(line: Any) -> Any:
    return json.loads(line["original_output"])


def test_each_finding_is_a_line_with_everything_that_is_known() -> None:
    found = {more(it)["finding"]["fingerprint"]: it for it in lines(FINDINGS)}
    severities = {name: it["severity"] for name, it in found.items()}
    assert severities == {"f1": "ERROR", "f2": "INFO", "f3": "INFO", "f4": "ERROR"}
    assert found["f1"]["location"]["range"] == {"start": {"line": 3}, "end": {"line": 3}}
    about = more(found["f1"])
    assert (about["blocks"], about["verdict"], about["exit_code"]) == (True, "failed", 1)
    assert about["finding"]["votes"] == {"a": "high", "b": "absent"}
    assert more(found["f2"])["set_aside"] == "it is in the baseline"


def test_what_could_not_be_done_is_a_line() -> None:
    (line,) = lines(reported(PASSED, ERROR))
    assert (line["severity"], line["code"]["value"]) == ("ERROR", "lok/error")
    assert line["location"]["path"] == ".lok/workflows/gate.toml"


def test_a_green_run_has_no_error() -> None:
    assert [it["severity"] for it in lines(GREEN)] == ["WARNING"]


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    found = lines(RED[name])
    assert "ERROR" in {it["severity"] for it in found}
    assert all(more(it)["verdict"] != "passed" for it in found)


def test_hostile_text_is_bounded() -> None:
    text = report_text("jsonl", [HOSTILE_RUN])
    assert len(text) < 200_000
    assert "##" not in text
    assert "ghp_" not in text
    lines(HOSTILE_RUN)


def test_a_line_that_would_be_too_long_leaves_out_the_finding() -> None:
    edits = tuple({"file": "a", "old": LONG[:9_000], "new": "\n" * 9_000} for _ in range(50))
    (line,) = lines(reported(review(replace(BLOCKS, edits=edits, message="\u20ac" * 9_000))))
    assert more(line)["left_out"] == ["finding"]
    assert more(line)["blocks"]
