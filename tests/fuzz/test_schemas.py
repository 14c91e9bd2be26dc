"""JSON Schemas made of the keywords there are, sound ones and ones with a slip: only the sound are taken."""

from __future__ import annotations

import copy
import string
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, validators

from pytest_lok.core.workflow.json_schema import violations
from pytest_lok.core.workflow.schema_keywords import schema_problem
from tests.fuzz import examples

names = st.sampled_from(["a", "b", "requried", "type", "items", "x", "$ref?"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "ab", "tpye"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
counts = st.integers(0, 3)
leaves: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
    "enum": st.lists(values, min_size=1, max_size=3),
    "const": values,
    "required": st.lists(names, max_size=2, unique=True),
    "minimum": counts,
    "exclusiveMaximum": counts,
    "multipleOf": st.integers(1, 3),
    "minLength": counts,
    "maxItems": counts,
    "minProperties": counts,
    "uniqueItems": st.booleans(),
    "pattern": st.sampled_from(["^a", "b$", "^[a-z]+$", "."]),
    "dependentRequired": st.dictionaries(names, st.lists(names, max_size=2, unique=True), max_size=2),
    "title": st.just("t"),
    "description": st.just("tpye"),
    "default": values,
    "examples": st.lists(values, max_size=2),
    "format": st.just("email"),
    "x-note": values,
}


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(names, inner, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
        "additionalProperties": inner,
        "propertyNames": inner,
        "items": inner,
        "contains": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "allOf": st.lists(inner, min_size=1, max_size=2),
        "anyOf": st.lists(inner, min_size=1, max_size=2),
        "oneOf": st.lists(inner, min_size=1, max_size=2),
        "not": inner,
        "dependentSchemas": st.dictionaries(names, inner, max_size=2),
        "$defs": st.dictionaries(names, inner, max_size=2),
    }
    return st.fixed_dictionaries({}, optional=nested | leaves)


schemas = st.recursive(
    st.one_of(st.booleans(), st.fixed_dictionaries({}, optional=leaves)), _schemas, max_leaves=4
).filter(lambda schema: isinstance(schema, dict))

SUBSCHEMA = {"additionalProperties", "propertyNames", "items", "contains", "not"}
LISTS = {"prefixItems", "allOf", "anyOf", "oneOf"}
MAPS = {"properties", "patternProperties", "dependentSchemas", "$defs"}


def places(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema; written down apart from the code that is tried."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        if key in SUBSCHEMA:
            yield from places(value)
        elif key in LISTS:
            for item in value:
                yield from places(item)
        elif key in MAPS:
            for item in value.values():
                yield from places(item)


@settings(max_examples=examples(120), deadline=None)
@given(schemas, values)
def test_a_sound_schema_is_taken_and_means_what_it_means(schema: dict[str, Any], value: Any) -> None:
    before = copy.deepcopy(schema)
    assert schema_problem(schema) is None
    assert (violations(schema, value) == []) is Draft202012Validator(schema).is_valid(value)
    assert schema == before


EVERY = {
    keyword
    for draft in ("Draft3", "Draft4", "Draft6", "Draft7", "Draft201909", "Draft202012")
    for keyword in getattr(validators, f"{draft}Validator").VALIDATORS
}


@settings(max_examples=examples(120), deadline=None)
@given(schemas, st.data())
def test_one_keyword_that_is_none_is_found_wherever_it_stands(
    schema: dict[str, Any], data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(list(places(schema))))
    keyword = data.draw(st.sampled_from(sorted(EVERY)))
    at = data.draw(st.integers(0, len(keyword) - 1))
    letter = data.draw(st.sampled_from([*string.ascii_letters, ""]))
    slip = keyword[:at] + letter + keyword[at + 1 :]
    assume(slip not in EVERY and slip not in _ALSO and not slip.startswith("x-"))
    place[slip] = data.draw(st.one_of(st.booleans(), st.integers(), st.lists(names)))
    wrong = schema_problem(schema)
    assert wrong is not None
    assert slip in wrong.message


_ALSO = {"then", "else", "id", "$id", "$defs", "title", "default", "if"}


def test_the_meta_schemas_are_sound_and_satisfy_themselves() -> None:
    for draft in ("Draft3", "Draft4", "Draft6", "Draft7", "Draft201909", "Draft202012"):
        meta = getattr(validators, f"{draft}Validator").META_SCHEMA
        assert schema_problem(dict(meta)) is None
        assert violations(meta, dict(meta)) == []
        assert violations(meta, {"type": 3}) != []
