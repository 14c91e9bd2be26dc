from __future__ import annotations

from pytest_lok.core.results import Json
from pytest_lok.core.workflow.json_schema import instruction, violations

SCHEMA: dict[str, Json] = {
    "type": "object",
    "required": ["verdict"],
    "properties": {
        "verdict": {"enum": ["pass", "fail"]},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
}


def test_what_satisfies_the_schema_violates_nothing() -> None:
    assert violations(SCHEMA, {"verdict": "pass", "notes": ["x"]}) == []


def test_every_violation_is_named_with_its_place() -> None:
    found = violations(SCHEMA, {"verdict": "maybe", "notes": ["x", 1]})
    assert len(found) == 2
    assert found[0].startswith("$.notes[1]:")
    assert found[1].startswith("$.verdict:")


def test_violations_are_bounded() -> None:
    found = violations(SCHEMA, {"verdict": "pass", "notes": [1] * 50})
    assert len(found) == 11
    assert found[-1] == "and 40 more"
    assert len(violations({"maxLength": 1}, "x" * 10_000)[0]) < 400


def test_the_instruction_shows_the_schema() -> None:
    assert '"verdict"' in instruction(SCHEMA)
