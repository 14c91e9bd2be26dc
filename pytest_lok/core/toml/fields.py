"""The types of values in TOML files: a table declares its keys, and each key the type of its value.

A type is one of ``str``, ``int``, ``float``, ``bool``, ``Any``, ``Json``, ``Literal``, a list, a dict of
named values, a table, several of these (``|``), or one of them with marks: ``Annotated[int, Bounds(ge=1)]``.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, Self, get_type_hints

from pytest_lok.core.toml.duration import MAX_SECONDS, parse_duration


class Bounds(NamedTuple):
    """A mark of a number: the least and the most that it may be, and whether it must be finite."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    finite: bool = False


class Convert(NamedTuple):
    """A mark: the function makes the value out of whatever is written, or raises ``MisfitError``."""

    function: Callable[[Any], Any]


class Check(NamedTuple):
    """A mark: the function is called with a value of the type, and raises ``MisfitError``."""

    function: Callable[[Any], Any]


class EditorSchema:
    """A mark: what editors are told of the value, as JSON Schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema


Count = Annotated[int, Bounds(ge=0)]
Positive = Annotated[int, Bounds(ge=1)]
Times = Annotated[int, Bounds(ge=0, le=1000)]
Repetitions = Annotated[int, Bounds(ge=1, le=1000)]
Fraction = Annotated[float, Bounds(ge=0, le=1)]
Amount = Annotated[float, Bounds(ge=0, finite=True)]
FiniteNumber = Annotated[float, Bounds(finite=True)]
PositiveNumber = Annotated[float, Bounds(gt=0, finite=True)]


class MisfitError(ValueError):
    """A value is not what its key takes; ``message`` goes on from the key's name ("must be …")."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Key(NamedTuple):
    """What is known of a key beside its type; ``schema`` is for editors alone."""

    default: Any
    description: str = ""
    alias: str = ""
    min_length: int = 0
    schema: Mapping[str, Any] = {}


def key(default: Any, **more: Any) -> Any:
    """The default of a key of a table, with more about the key; the names are those of ``Key``."""
    return Key(default, **more)


class Table:
    """A table of a TOML file. A subclass annotates its keys, and each has a default.

    An instance holds the keys that were written; it gives the defaults for the others. Nothing can be set on
    it but names that begin with ``_``, which are no keys. What a class statement says beside the bases is for
    editors: ``class Budget(Table, title="Budget")``.
    """

    _keys: Mapping[str, Key] = {}
    _schema: Mapping[str, Any] = {}

    def __init_subclass__(cls, **schema: Any) -> None:
        cls._schema = schema
        own = {}
        for name in cls.__annotations__:
            if not name.startswith("_"):
                said = cls.__dict__[name]
                own[name] = said if isinstance(said, Key) else Key(said)
                setattr(cls, name, own[name].default)
        inherited = [base._keys for base in reversed(cls.__bases__) if issubclass(base, Table)]
        cls._keys = {name: said for keys in (*inherited, own) for name, said in keys.items()}

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"{name} of {type(self).__name__} cannot be set")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_dict() == self.to_dict()

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._keys if name in self.__dict__)
        return f"{type(self).__name__}({said})"

    @property
    def written(self) -> frozenset[str]:
        """The names of the keys that were written."""
        return frozenset(name for name in self.__dict__ if not name.startswith("_"))

    def replace(self, **values: Any) -> Self:
        """A copy of the table in which these keys have other values."""
        if unknown := values.keys() - self._keys.keys():
            raise AttributeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        replaced = copy.copy(self)
        replaced.__dict__.update(values)
        return replaced

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """The values by name, tables as dicts; without ``defaults`` only what was written."""
        return {
            name: _plain(getattr(self, name), defaults)
            for name in self._keys
            if defaults or name in self.__dict__
        }

    def check(self) -> None:
        """Raise ``MisfitError`` if the values do not fit together."""


def _plain(value: Any, defaults: bool) -> Any:
    if isinstance(value, Table):
        return value.to_dict(defaults=defaults)
    if isinstance(value, dict):
        return {name: _plain(item, defaults) for name, item in value.items()}
    return [_plain(item, defaults) for item in value] if isinstance(value, list) else value


def declared_keys(table: type[Table]) -> Mapping[str, Key]:
    """The keys of a table by the names of their attributes."""
    return table._keys


def keys(table: type[Table]) -> frozenset[str]:
    """The keys of a table as they are written in TOML."""
    return frozenset(said.alias or name for name, said in declared_keys(table).items())


def editor_schema(table: type[Table]) -> Mapping[str, Any]:
    """What the class statement of a table says for editors."""
    return table._schema


@functools.cache
def key_types(table: Any) -> Mapping[str, Any]:
    """The type of each key of a table, with its marks, by the name of its attribute."""
    hints = get_type_hints(table, include_extras=True)
    return {name: hints[name] for name in declared_keys(table)}


def time_limit(value: object, *, per_second: int, wanted: str, example: str, units: str) -> float:
    """A written time limit in seconds; 0 is infinity, which is no limit.

    ``per_second`` is 1 for numbers that are seconds, 1000 for whole numbers that are milliseconds. ``wanted``
    says in the error what the value must be; ``example`` and ``units`` are hints.
    """
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise MisfitError(f"is wrong: {error}", example) from None
    elif isinstance(value, int | float if per_second == 1 else int) and not isinstance(value, bool):
        # an integer may be larger than any float
        seconds = value / per_second if not isinstance(value, int) or abs(value) < 1e15 else -1.0
    else:
        raise MisfitError(f"must be {wanted} or a duration in quotes", example)
    if seconds != math.inf and not 0 <= seconds <= MAX_SECONDS:
        raise MisfitError("must lie between 0 (no limit) and a year", f'{units}; or write "90s"')
    return seconds or math.inf
