"""JSON Schemas that are none, or say less than they seem to."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.core.workflow.schema_keywords import schema_problem, validator_class

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"type": {"type": "string"}}},
        {"x-note": 1, "title": "t", "examples": [{"tpye": 1}]},
        {"$schema": DRAFT_7, "dependencies": {"a": ["b"]}},
        {"$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        {"if": {}, "then": {}},
    ],
)
def test_a_sound_schema_has_no_problem(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        ({"type": "objct"}, ("type",), "'objct' is not valid"),
        ({"tpye": "object"}, ("tpye",), "unknown keyword `tpye`"),
        ({"$schema": "nope"}, ("$schema",), "there is no draft 'nope'"),
        ({"$ref": "#/nope"}, ("$ref",), "does not lead to a place inside it"),
        ({"$ref": "http://x/y"}, ("$ref",), "does not lead to a place inside it"),
        ({"properties": {"a": {"minContains": 1}}}, ("properties", "a", "minContains"), "without `contains`"),
        ({"dependencies": {}}, ("dependencies",), "says nothing in this draft"),
        ({"pattern": "("}, ("pattern",), "is wrong"),
        ({"patternProperties": {"(": {}}}, ("patternProperties",), "is wrong"),
        ({"$schema": DRAFT_7, "$ref": "#", "type": "object"}, ("type",), "nothing beside `$ref` counts"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, (), "not checked together"),
    ],
)
def test_a_problem_is_told_at_its_place(schema: dict[str, Any], path: tuple[str, ...], said: str) -> None:
    problem = schema_problem(schema)
    assert problem is not None
    assert (problem.path, said in problem.message) == (path, True), problem


def test_the_draft_says_who_validates() -> None:
    schemas: list[dict[str, Any]] = [{}, {"$schema": DRAFT_7}, {"$schema": 7}]
    classes = [validator_class(schema) for schema in schemas]
    assert [cls and cls.__name__ for cls in classes] == ["Draft202012Validator", "Draft7Validator", None]
