"""A table of a TOML file -> its JSON Schema, for editors."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pytest_lok.core.results import Json
from pytest_lok.core.toml.fields import Bounds, EditorSchema, Table, declared_keys, editor_schema, key_types

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMES: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(table: type[Table]) -> dict[str, Any]:
    """JSON Schema of a TOML document that is this table."""
    tables: dict[str, Any] = {}
    whole = _table(table, tables)
    return {"$schema": _DIALECT, "$defs": dict(sorted(tables.items())), **whole}


def _table(table: Any, tables: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table; ``tables`` grows by the tables inside of it."""
    kinds, properties = key_types(table), {}
    for name, key in declared_keys(table).items():
        said = {**_value(kinds[name], tables), **key.schema}
        if key.description:
            said["description"] = key.description
        if key.min_length:
            said["minItems"] = key.min_length
        # TOML has no null, so an optional key is one that may be left out
        usual = key.default.to_dict().items() if isinstance(key.default, Table) else None
        if usual is not None:
            said["default"] = {name: value for name, value in usual if value is not None}
        elif key.default is not None:
            said["default"] = key.default
        properties[key.alias or name] = said
    return {
        "title": table.__name__,
        "description": inspect.cleandoc(table.__doc__ or ""),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **editor_schema(table),
    }


def _value(kind: Any, tables: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    if kind in (Any, Json):
        return {}
    if origin is Annotated:
        return _marked(_value(kind.__origin__, tables), kind.__metadata__)
    if origin is Literal:
        return {"type": "string", **({"enum": list(arguments)} if arguments[1:] else {"const": arguments[0]})}
    if origin in (Union, types.UnionType):
        arms = [_value(arm, tables) for arm in arguments if arm is not types.NoneType]
        return {"anyOf": arms} if len(arms) > 1 else arms[0]
    if origin is list:
        return {"type": "array", "items": _value(arguments[0], tables)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(arguments[1], tables) or True}
    if kind.__name__ not in tables:
        tables[kind.__name__] = {}  # its place, if it holds itself
        tables[kind.__name__] = _table(kind, tables)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _marked(schema: dict[str, Any], marks: tuple[object, ...]) -> dict[str, Any]:
    for mark in marks:
        match mark:
            case EditorSchema():
                schema = dict(mark.schema)
            case Bounds(ge=ge, gt=gt, le=le):
                limits = {"minimum": ge, "exclusiveMinimum": gt, "maximum": le}
                schema |= {name: limit for name, limit in limits.items() if limit is not None}
    return schema
