"""Parsed TOML + a pydantic model -> the model and every misfit, in plain words."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.positions import Path

M = TypeVar("M", bound=BaseModel)

PLAIN_ERROR = "plain"
"""The type of errors that validators raise in plain words, see ``validation_error``."""

_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "invalid-json-value": "text, a number, true, false, a list or a table",
}
_LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty",
    "recursion_depth_exceeded": "is nested too deeply",
    "recursion_loop": "is nested too deeply",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationProblem:
    """One way in which a document is not what its model wants; ``unknown`` = the key has no meaning there."""

    path: Path
    message: str
    hint: str = ""
    unknown: bool = False


def fit(
    model: type[M], data: Mapping[str, Any], *, key_hint: Callable[[Path], str]
) -> tuple[M, list[ValidationProblem]]:
    """The model of what fits, and everything that does not, which is left out of it.

    Every field of the model must have a default. ``key_hint(path)`` is the hint for an unknown key.
    """
    problems: list[ValidationProblem] = []
    # what does not fit is cut out and the rest tried again, so that a file gets all its problems at once
    while True:
        try:
            return model.model_validate(data), problems
        except ValidationError as error:
            found = _problems(error.errors(include_url=False), data, key_hint)
            problems += found
            data = _without((problem.path for problem in found), data)


def validation_error(message: str, hint: str = "") -> PydanticCustomError:
    """What a validator raises: ``message`` goes on from the key's name ("must be …")."""
    return PydanticCustomError(PLAIN_ERROR, "{message}", {"message": message, "hint": hint})


def describe_key(path: Path) -> str:
    """What to call the value at ``path`` in a sentence: its dotted keys below the last array of tables."""
    last = max((i for i, part in enumerate(path[:-1]) if isinstance(part, int)), default=-1)
    names = [str(part) for part in path[last + 1 :] if isinstance(part, str)]
    if isinstance(path[-1], int):
        owner = next((part for part in reversed(path) if isinstance(part, str)), "")
        return f"item {path[-1] + 1} of `{owner}`"
    return f"`{'.'.join(names)}`"


def _problems(
    errors: Sequence[ErrorDetails], data: Mapping[str, Any], key_hint: Callable[[Path], str]
) -> list[ValidationProblem]:
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        by_path.setdefault(_path(error["loc"], data), []).append(error)
    # Where one arm of a union got further into the value than the others, its complaint is the one meant.
    deepest = [p for p in by_path if not any(q[: len(p)] == p and q != p for q in by_path)]
    return [_problem(path, by_path[path], key_hint) for path in deepest]


def _problem(path: Path, errors: list[ErrorDetails], key_hint: Callable[[Path], str]) -> ValidationProblem:
    kinds = {error["type"]: error for error in errors}
    value = errors[0]["input"]
    if "extra_forbidden" in kinds:
        return ValidationProblem(
            path=path, message=f"unknown key `{path[-1]}`", hint=key_hint(path), unknown=True
        )
    for kind, text in _LIMITS.items():
        if kind in kinds:
            limit = text.format_map(kinds[kind].get("ctx", {}))
            return ValidationProblem(path=path, message=f"{describe_key(path)} {limit}")
    if PLAIN_ERROR in kinds:
        said = kinds[PLAIN_ERROR]["ctx"]
        return ValidationProblem(
            path=path, message=f"{describe_key(path)} {said['message']}", hint=said["hint"]
        )
    wanted = list(dict.fromkeys(word for error in errors for word in _wanted(error)))
    message = f"{describe_key(path)} must be {_join_with_or(wanted)}, not {_describe_value(value)}"
    return ValidationProblem(path=path, message=message, hint=_hint(path, value, wanted))


def _path(loc: tuple[Any, ...], data: Any) -> Path:
    """The part of pydantic's location that is in the document: the arms of unions are not."""
    path: list[Any] = []
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]
            path.append(part)
    return tuple(path)


def _wanted(error: ErrorDetails) -> list[str]:
    match error["type"]:
        case "literal_error":
            return [f'"{choice}"' for choice in re.findall(r"'([^']*)'", error["ctx"]["expected"])]
        case "bool_type":
            return ["true", "false"]
        case kind:
            return [_KINDS[kind]]


def _join_with_or(words: list[str]) -> str:
    last = words[-1]
    return f"{', '.join(words[:-1])} or {last}" if len(words) > 1 else last


def _describe_value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False) if len(value) <= 40 and "\n" not in value else "text"
        case int() | float():
            return f"the number {str(value)[:20]}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _hint(path: Path, value: Any, wanted: list[str]) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    match value:
        case str() if value.strip().lower() in wanted:
            return f"without quotes: {key} = {value.strip().lower()}"
        case str() if value.strip().isdigit() and any("number" in word for word in wanted):
            return f"without quotes: {key} = {value.strip()}"
        case str() if "a list" in wanted:
            return f"in brackets: {key} = [{_describe_value(value) if len(value) <= 40 else '…'}]"
        case str():
            return did_you_mean(value, [word.strip('"') for word in wanted if word.startswith('"')])
        case dict() if "a list" in wanted:
            return f"with two brackets it is a list of tables: [[{key}]]"
        case int() | float() if "text in quotes" in wanted and isinstance(path[-1], str):
            return f'in quotes: {key} = "{str(value).lower()}"'
        case _:
            return ""


def _without(paths: Iterable[Path], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """``data`` without the keys that ``paths`` lie at; a bad item takes its whole array along."""
    left = copy.deepcopy(dict(data))
    for path in paths:
        while isinstance(path[-1], int):
            path = path[:-1]
        owner: Any = left
        for part in path[:-1]:
            owner = owner[part]
        owner.pop(path[-1], None)
    return left
