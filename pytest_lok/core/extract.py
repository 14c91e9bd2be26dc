"""A step's output text -> what its ``output_format`` says it is."""

from __future__ import annotations

import json

from pytest_lok.core.findings import reported
from pytest_lok.core.jsontext import find_json, load, scan
from pytest_lok.core.model import Format
from pytest_lok.core.results import Json
from pytest_lok.errors import OutputError


def parse_output(text: str, form: Format) -> Json:
    """The output of a step as what its ``output_format`` says it is; OutputError where it is not that."""
    match form:
        case Format.TEXT:
            return text
        case Format.LINES:
            return [line.strip() for line in text.split("\n") if line.strip()]
        case Format.JSONL:
            return _json_lines(text)
        case Format.JSON:
            return _json(text)
        case Format.JSON_ARRAY:
            return _array(text)
        case Format.FINDINGS:
            return list[Json](reported(text))


def _json(text: str) -> Json:
    try:
        return load(text)
    except json.JSONDecodeError:
        return find_json(text)


def _array(text: str) -> list[Json]:
    value = find_json(text)
    if isinstance(value, list):
        return value
    fields = ", ".join(repr(key) for key, item in value.items() if isinstance(item, list))
    hint = f"its array is in the field {fields}" if fields else "ask for a JSON array"
    raise OutputError("the output is a JSON object, not an array", hint=hint)


def _json_lines(text: str) -> list[Json]:
    """One value per line; in prose or a fenced block, every object and array of the text."""
    try:
        return [load(line) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError:
        values: list[Json] = [found.value for found in scan(text)]
    if not values:
        raise OutputError("the output holds no lines of JSON", hint="ask for one JSON value per line")
    return values
