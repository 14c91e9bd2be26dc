"""JSON + JSON Schema -> every violation, in words a person and a model can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_lok.core.results import Json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def violations(schema: Mapping[str, Json], value: Json, *, most: int = 10) -> list[str]:
    """``place: what is wrong`` for each violation, nothing when ``value`` satisfies the schema."""
    from jsonschema.validators import validator_for  # a tenth of a second that most runs do not need

    cls: type[Validator] = validator_for(schema)
    found = sorted(cls(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    lines = [f"{error.json_path}: {_bounded(error.message)}" for error in found[:most]]
    return [*lines, f"and {len(found) - most} more"] if len(found) > most else lines


def instruction(schema: Mapping[str, Json]) -> str:
    """What is added to a prompt whose answer must satisfy the schema."""
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return f"Answer with JSON only, no prose around it, satisfying this JSON Schema:\n\n```json\n{text}\n```"


def _bounded(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"
