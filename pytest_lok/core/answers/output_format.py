"""A step's output text -> what its ``output_format`` says it is."""

from __future__ import annotations

import json

from pytest_lok.core.findings.reading import read_findings
from pytest_lok.core.results import Json
from pytest_lok.core.text.json_in_prose import JSON_ALONE_HINT, find_json, find_json_values
from pytest_lok.core.text.strict_json import describe_type, load, load_alone, unfenced
from pytest_lok.core.workflow.model import Format
from pytest_lok.errors import OutputError


def parse_output(text: str, form: Format, *, alone: bool = False, material: str = "") -> Json:
    """The output of a step as what its ``output_format`` says it is; OutputError where it is not that.

    ``alone`` takes no prose around JSON. ``material`` is what the output is an answer to: JSON that is
    in both, and in prose here, is no answer.
    """
    match form:
        case Format.TEXT:
            return text
        case Format.LINES:
            return [line.strip() for line in text.split("\n") if line.strip()]
        case Format.JSONL:
            return _json_lines(text, alone, material)
        case Format.JSON:
            return _json(text, alone, material)
        case Format.JSON_ARRAY:
            return _array(_json(text, alone, material) if alone else find_json(text, material))
        case Format.FINDINGS:
            return list[Json](read_findings(text, material))


def _json(text: str, alone: bool, material: str) -> Json:
    try:
        return load_alone(text)
    except json.JSONDecodeError:
        # raises what is wrong with it, if more is than that the JSON is not alone
        value = find_json(text, material)
    if alone:
        raise _not_alone()
    return value


def _array(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise OutputError(f"the output is {describe_type(value)}, not an array", hint="ask for a JSON array")
    fields = ", ".join(repr(key) for key, item in value.items() if isinstance(item, list))
    hint = f"its array is in the field {fields}" if fields else "ask for a JSON array"
    raise OutputError("the output is a JSON object, not an array", hint=hint)


def _json_lines(text: str, alone: bool, material: str) -> list[Json]:
    """One value per line; in prose or a fenced block, the objects and arrays that stand together."""
    try:
        # lines first: one object per line is no single value
        return [load(line) for line in unfenced(text).split("\n") if line.strip()]
    except json.JSONDecodeError:
        values = find_json_values(text, material)
    if not values:
        raise OutputError("the output holds no lines of JSON", hint="ask for one JSON value per line")
    if alone:
        raise _not_alone()
    return values


def _not_alone() -> OutputError:
    return OutputError("the output holds other text beside its JSON", hint=JSON_ALONE_HINT)
