"""The question about findings whose quotes are nowhere, and its answer."""

from __future__ import annotations

import pytest

from pytest_lok.core.answers.corrections import correction_prompt, read_corrections
from pytest_lok.core.results import Finding
from pytest_lok.errors import OutputError

FINDING = Finding(
    rule_id="r", title="t", message="m", severity="high", confidence=1.0, path="a", line=1, end_line=1,
    evidence="x\ny", doubt="its quote is not in a",
)  # fmt: skip


def test_the_question_has_the_prompt_the_answer_and_each_finding() -> None:
    asked = correction_prompt("P", "A", [FINDING])
    assert asked.startswith("P\n\nYour answer was:\n\nA\n\n")
    assert f"1. {FINDING.headline} (its quote is not in a)\n   > x\n   > y" in asked


def test_an_answer_moves_a_finding_or_withdraws_it() -> None:
    moved, gone, kept = read_corrections(
        '[{"number": 1, "path": "b", "line": 9, "end_line": 7, "evidence": "z\\n"},'
        ' {"number": 2, "withdrawn": true}]',
        3,
    )
    found = moved(FINDING)
    assert (found.path, found.line, found.end_line, found.evidence) == ("b", 7, 9, "z")
    assert (gone(FINDING).withdrawn, kept(FINDING)) == (True, FINDING)


@pytest.mark.parametrize(
    "answer",
    [
        "nothing",
        'So: [{"number": 1, "withdrawn": true}]',
        '[{"number": 2, "withdrawn": true}]',
        '[{"number": 1, "withdrawn": true}, {"number": 1, "withdrawn": true}]',
        '[{"number": 1, "withdrawn": false}]',
        '[{"number": 1, "withdrawn": true, "severity": "low"}]',
        '[{"number": 1, "path": "b", "line": -1, "evidence": "z"}]',
        '[{"number": 1, "path": "b", "line": 1, "evidence": " "}]',
    ],
)
def test_any_other_answer_is_an_error(answer: str) -> None:
    with pytest.raises(OutputError):
        read_corrections(answer, 1)
