"""JSON + JSON Schema -> every violation, in words a person and a model can act on."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pytest_lok.core.results import Json
from pytest_lok.core.text.truncation import truncate
from pytest_lok.core.workflow.schema_keywords import validator_class
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

TimeLeft: TypeAlias = Callable[[], float]
"""Seconds that are left; TimeoutError when there are none."""

_MAX_COUNTED = 1000
"""Violations that are counted."""


def violations(
    schema: Mapping[str, Json], value: Json, *, most: int = 10, time_left: TimeLeft = lambda: math.inf
) -> list[str]:
    """``place: what is wrong`` for each violation, nothing when ``value`` satisfies the schema.

    Patterns can take for ever, so ``time_left`` is asked again and again; its TimeoutError ends it.
    """
    cls = _bounded_class(cast("type[Validator]", validator_class(schema)))
    # the format checker is the one thing that validators hand on to those of their parts
    watch = cast("FormatChecker", _Deadline(time_left))
    # `$schema` would bring the usual class back, which has no limit
    rules = {key: rule for key, rule in schema.items() if key != "$schema"}
    try:
        errors = list(itertools.islice(cls(rules, format_checker=watch).iter_errors(value), _MAX_COUNTED))
    except RecursionError:
        return ["$: it is nested too deeply to be checked"]
    # by place, for jsonschema's order is that of the schema
    found = sorted(errors, key=lambda error: list(map(str, error.absolute_path)))
    lines = [f"{error.json_path}: {truncate(error.message, 300)}" for error in found[:most]]
    return [*lines, f"and {len(found) - most} more"] if len(found) > most else lines


class _Deadline:
    """The time: validators hand it on to those of their parts. A ``format`` stays a note, as is usual."""

    def __init__(self, time_left: TimeLeft) -> None:
        self.time_left = time_left

    def check(self, instance: object, format: str) -> None:
        """Nothing is asserted by a format."""


_PIECE = late_regex(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


def _as_ecma_pattern(pattern: str) -> str:
    """The pattern with ``$`` for the end alone, as JSON Schema has it, and not for a last newline too."""
    # flags of its own change what the marks mean
    if re.search(r"\(\?[a-zA-Z^]*[mx]", pattern):
        return pattern
    return _PIECE.sub(lambda piece: r"\Z" if piece[0] == "$" else piece[0], pattern)


def _search(validator: Any, pattern: str, text: str) -> bool:
    # unlike `re` it takes a time limit, and lets other threads work
    import regex

    limit = validator.format_checker.time_left()
    return (
        regex.search(_as_ecma_pattern(pattern), text, timeout=None if math.isinf(limit) else limit)
        is not None
    )


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _search(validator, pattern, instance):
        yield _error(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    for pattern, inner in patterns.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if _search(validator, pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    # as jsonschema has it, but with a limit of time for the patterns
    extra = [
        key
        for key in (instance if isinstance(instance, dict) else ())
        if key not in known and not any(_search(validator, pattern, key) for pattern in patterns)
    ]
    if wanted is False and extra:
        yield _error(f"more fields than are allowed: {', '.join(map(repr, extra))}")
    elif wanted is not False:
        for key in extra:
            yield from validator.descend(instance[key], wanted, path=key)


def _unique(_: Any, wanted: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    # brings Jinja along, whose filter `unique` asks the same
    from pytest_lok.core.templates.comparison import distinct

    if (
        wanted
        and isinstance(instance, list)
        and sum(1 for _ in distinct(instance, lambda item: item)) < len(instance)
    ):
        yield _error(f"{instance!r} has an item twice")


_OWN = {
    "additionalProperties": _additional,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique,
}


def _error(message: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


def _with_time_limit(function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        validator.format_checker.time_left()
        return function(validator, value, instance, schema)

    return timed


@functools.cache
def _bounded_class(cls: type[Validator]) -> type[Validator]:
    """The draft's validator, with a limit of time."""
    from jsonschema.validators import extend

    keywords = {name: _OWN.get(name, function) for name, function in cls.VALIDATORS.items()}
    made: type[Validator] = extend(cls, {name: _with_time_limit(it) for name, it in keywords.items() if it})  # type: ignore[no-untyped-call]  # jsonschema's
    return made


def instruction(schema: Mapping[str, Json]) -> str:
    """The text that is added to a prompt whose answer must satisfy the schema."""
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return f"Answer with JSON only, no prose around it, satisfying this JSON Schema:\n\n```json\n{text}\n```"
