import json
import math
from dataclasses import replace

import pytest

from pytest_lok.core.results import RunResult
from pytest_lok.reports.json_report import dumps, json_report
from tests.reports.results import FAILED, PASSED, SKIPPED, run_of


def loaded(result: RunResult, exit_code: int = 0) -> dict[str, object]:
    document = json.loads(json_report(result, exit_code))
    assert isinstance(document, dict)
    return document


def test_a_run_under_the_names_of_its_fields() -> None:
    document = loaded(run_of(PASSED, FAILED, SKIPPED, leaves=("join",)), 1)
    steps = document.pop("steps")
    assert document == {
        "run_id": "abc123",
        "workflow": "gate",
        "path": ".lok/workflows/gate.toml",
        "sha256": "00ff",
        "started": 1_700_000_000.0,
        "seconds": 64.2,
        "selected": ["review", "tests", "join"],
        "leaves": ["join"],
        "reviews": [],
        "base": "",
        "head": "",
        "interrupted": "",
        "history": {},
        "cases": {},
        "outcome": "failed",
        "exit_code": 1,
        "output": "",
        "usage": {"calls": 1, "cached": 0, "input_tokens": 1000, "output_tokens": 204, "cost_usd": 0.0123},
    }
    assert isinstance(steps, dict)
    assert list(steps) == ["review", "tests", "join"]
    assert steps["review"]["backend"] == "claude"
    assert steps["review"]["replies"][0]["model"] == "sonnet"
    assert steps["tests"]["exit_code"] == 1
    assert steps["tests"]["sections"] == [{"title": "stderr", "text": "Traceback\nboom\n"}]
    assert steps["join"]["blocked_by"] == "tests"


def test_the_exit_code_is_the_process_s() -> None:
    assert loaded(run_of(PASSED, interrupted="interrupted by Ctrl-C"), 130)["exit_code"] == 130


@pytest.mark.parametrize("text", ["\x1b[31m", "\x9b", "é日本", "\udc80", "##[error]x ###[y]", "::error::"])
def test_hostile_text_comes_back_as_it_was_and_commands_nobody(text: str) -> None:
    document = json_report(run_of(replace(PASSED, output=text)), 0)
    assert json.loads(document)["steps"]["review"]["output"] == text
    assert document.isascii()
    assert not any(ord(character) < 32 for character in document if character != "\n")
    assert "##[" not in document


def test_numbers_json_does_not_have_are_null() -> None:
    assert json.loads(dumps({"a": [math.nan, math.inf, 1.5]})) == {"a": [None, None, 1.5]}
