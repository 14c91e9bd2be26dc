"""A JSON Schema -> why it is none, or says less than it seems to: before anything is checked against it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from pytest_lok.core.results import Json
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.text.truncation import truncate
from pytest_lok.core.text.words import words
from pytest_lok.core.toml.positions import Path
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from referencing._core import Resolver


_ONE_SCHEMA = words(
    "additionalItems additionalProperties contains contentSchema else extends if items not propertyNames",
    "then unevaluatedItems unevaluatedProperties",
)
_SCHEMA_LISTS = words("allOf anyOf disallow extends items oneOf prefixItems type")
_SCHEMA_TABLES = words("$defs definitions dependencies dependentSchemas patternProperties properties")
_ANNOTATIONS = words(
    "$schema $id $anchor $comment $defs contentEncoding contentMediaType contentSchema default definitions",
    "deprecated description examples format id readOnly title writeOnly",
)
_COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "then": ("if",),
    "else": ("if",),
    "if": ("then", "else"),
    "minContains": ("contains",),
    "maxContains": ("contains",),
}
"""Keywords that say nothing unless one of these stands beside them."""

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DRAFT_HINT = 'name the draft it is of, at the top: "$schema" = "http://json-schema.org/draft-07/schema#"'
_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaProblem:
    """What is wrong with a schema, and at which path; ``key``: the key itself is wrong, not its value."""

    path: Path
    message: str
    hint: str = ""
    key: bool = False


def schema_problem(schema: dict[str, Json]) -> SchemaProblem | None:
    """The first reason why a schema is none, None where it is sound.

    A keyword that is not known, or not in this draft, would say nothing at all; references that lead out
    of it (to the network) are wrong too.
    """
    # Imported late: most workflows have no schema, and these take longer to import than to parse a file.
    from jsonschema import SchemaError
    from jsonschema.exceptions import best_match

    cls = validator_class(schema)
    if cls is None:
        return SchemaProblem(
            path=("$schema",), message=f"there is no draft {str(schema['$schema'])[:_MAX_SHOWN]!r}"
        )
    try:
        wrong = best_match(cls(cls.META_SCHEMA).iter_errors(schema))
        if wrong is not None:
            return SchemaProblem(path=tuple(wrong.absolute_path), message=truncate(wrong.message, _MAX_SHOWN))
        return next(_SchemaWalk(cls).whole(schema), None)
    except SchemaError as error:
        return SchemaProblem(path=tuple(error.absolute_path), message=truncate(error.message, _MAX_SHOWN))
    except RecursionError:
        return SchemaProblem(path=(), message="it is nested too deeply")


def validator_class(schema: Mapping[str, Json]) -> type[Validator] | None:
    """What validates by the schema's draft (the latest where it names none), None where there is no such."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    named = schema.get("$schema", "")
    latest: type[Validator] = Draft202012Validator
    if not isinstance(named, str):
        return None
    return cast("type[Validator] | None", validator_for(schema, cast(Any, None))) if named else latest


class _SchemaWalk:
    """One walk through a schema, its subschemas, and what it refers to."""

    def __init__(self, cls: type[Validator]) -> None:
        from referencing.jsonschema import specification_with

        self._cls = cls
        self._specification = specification_with(cast(Any, cls).ID_OF(cls.META_SCHEMA))
        self._known = _keywords(cls)
        self._seen: set[int] = set()
        self._used: set[str] = set()

    def whole(self, schema: dict[str, Json]) -> Iterator[SchemaProblem]:
        """Everything in it that says less than it seems to."""
        from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # it has no types

        resource = self._specification.create_resource(schema)
        name = resource.id() or ""
        yield from self._schema(schema, (), REGISTRY.with_resource(name, resource).resolver(name), ())
        if {"patternProperties", "unevaluatedProperties"} <= self._used:
            message = (
                "`unevaluatedProperties` and `patternProperties` are not checked together in bounded time"
            )
            yield SchemaProblem(path=(), message=message, hint="write `additionalProperties`")

    def _schema(self, node: Any, path: Path, resolver: Resolver[Any], shown: Path) -> Iterator[SchemaProblem]:
        """``shown`` is the place to point at where the node stands elsewhere, behind a reference."""
        if not isinstance(node, dict) or id(node) in self._seen:
            return
        # a schema may refer to itself
        self._seen.add(id(node))
        place = shown or path
        # references inside of it start from its own name
        if path and isinstance(node.get("$id"), str):
            resolver = resolver.in_subresource(self._specification.create_resource(node))
        for key, value in node.items():
            at = shown or (*path, key)
            if wrong := self._keyword(node, key, value):
                yield SchemaProblem(path=at, message=wrong[0], hint=wrong[1], key=not shown)
        for keyword in _REFERENCES:
            if isinstance(reference := node.get(keyword), str):
                yield from self._reference(reference, (*place, *([] if shown else [keyword])), resolver)
        for keys, inner in _subschemas(node):
            yield from self._schema(inner, (*path, *keys), resolver, shown)

    def _reference(self, reference: str, at: Path, resolver: Resolver[Any]) -> Iterator[SchemaProblem]:
        from referencing.exceptions import Unresolvable

        try:
            found = resolver.lookup(reference)
        except Unresolvable:
            yield SchemaProblem(
                path=at, message=f"the reference {reference!r} does not lead to a place inside it"
            )
        else:
            yield from self._schema(found.contents, at, found.resolver, at)

    def _keyword(self, node: Mapping[str, Any], key: str, value: Any) -> tuple[str, str] | None:
        """What is wrong with a keyword and what to do about it, None = it is sound."""
        self._used.add(key)
        # how authors mark keywords of their own
        if key.startswith("x-"):
            return None
        if key not in self._known:
            if key in _every_keyword():
                return f"`{key}` says nothing in this draft of JSON Schema", _REPLACEMENTS.get(
                    key, _DRAFT_HINT
                )
            hint = did_you_mean(key, self._known)
            return f"unknown keyword `{key}`", hint or "one of your own begins with `x-`"
        # drafts up to 7 ignore whatever stands beside a reference
        alone = "$ref" in node and "unevaluatedItems" not in self._known
        if alone and key != "$ref" and key not in _ANNOTATIONS:
            return f"in this draft nothing beside `$ref` counts, and here is `{key}`", "put both into `allOf`"
        if key in _COMPANIONS and not any(other in node for other in _COMPANIONS[key]):
            needed = " or ".join(f"`{other}`" for other in _COMPANIONS[key])
            return f"`{key}` says nothing without {needed} beside it", ""
        patterns = [value] if key == "pattern" else value if key == "patternProperties" else ()
        return next(filter(None, map(_pattern, patterns)), None)


def _pattern(pattern: str) -> tuple[str, str] | None:
    # late: rarely used, and slow to import
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        return f"the regular expression {pattern!r} is wrong: {error}", ""
    return None


def _subschemas(node: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas inside of a schema, each with the keys that lead to it; names and data are no schemas."""
    for key, value in node.items():
        if key in _ONE_SCHEMA:
            yield (key,), value
        if key in _SCHEMA_LISTS and isinstance(value, list):
            yield from (((key, at), item) for at, item in enumerate(value))
        if key in _SCHEMA_TABLES and isinstance(value, dict):
            yield from (((key, name), item) for name, item in value.items())


def _keywords(cls: type[Validator]) -> frozenset[str]:
    """What means something in a draft."""
    known = {*cls.VALIDATORS, *_ANNOTATIONS}
    if "exclusiveMinimum" not in known:
        # draft 3 and 4 read them as flags beside `minimum`
        known |= {"exclusiveMaximum", "exclusiveMinimum"}
    if "allOf" not in known:
        # draft 3 reads it as a flag of the property it stands in
        known.add("required")
    if "if" in known:
        known |= {"then", "else"}
    if "dependentRequired" in known:
        known |= {"maxContains", "minContains", "$vocabulary"}
        known |= {"$dynamicAnchor"} if "$dynamicRef" in known else {"$recursiveAnchor"}
    return frozenset(known)


@functools.cache
def _every_keyword() -> frozenset[str]:
    from jsonschema import validators

    names = ("Draft3", "Draft4", "Draft6", "Draft7", "Draft201909", "Draft202012")
    return frozenset().union(*(_keywords(getattr(validators, f"{name}Validator")) for name in names))


_REPLACEMENTS = {
    "additionalItems": "write the places as `prefixItems` and what follows as `items`",
    "dependencies": "write `dependentRequired` or `dependentSchemas`",
    "divisibleBy": "write `multipleOf`",
    "$recursiveRef": "write `$dynamicRef`",
}
