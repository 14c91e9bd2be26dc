"""The types of values in TOML files, and the JSON Schema of a file, for editors."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pytest_lok.core.text.duration import MAX_SECONDS, parse_duration
from pytest_lok.core.toml.validation import validation_error

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of a TOML file: it has no key but those it names, and each value has its key's type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def time_limit(value: object, *, per_second: int, wanted: str, example: str, units: str) -> float:
    """A written time limit in seconds; 0 is infinity, which is no limit.

    ``per_second`` is 1 for numbers that are seconds, 1000 for whole numbers that are milliseconds. ``wanted``
    says in the error what the value must be; ``example`` and ``units`` are hints.
    """
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise validation_error(f"is wrong: {error}", example) from None
    elif isinstance(value, int | float if per_second == 1 else int) and not isinstance(value, bool):
        # an integer may be larger than any float
        seconds = value / per_second if not isinstance(value, int) or abs(value) < 1e15 else -1.0
    else:
        raise validation_error(f"must be {wanted} or a duration in quotes", example)
    if seconds != math.inf and not 0 <= seconds <= MAX_SECONDS:
        raise validation_error("must lie between 0 (no limit) and a year", f'{units}; or write "90s"')
    return seconds or math.inf


def keys(model: type[BaseModel]) -> frozenset[str]:
    """The keys of a table as they are written in TOML."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a TOML document with this model."""
    schema = model.model_json_schema(schema_generator=_EditorSchema)
    return {"$schema": _EditorSchema.schema_dialect, **schema}


class _EditorSchema(GenerateJsonSchema):
    """TOML has no null, so an optional key is one that may be left out; names need no titles."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 (the base class asks)
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)
