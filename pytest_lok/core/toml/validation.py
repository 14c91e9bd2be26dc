"""Parsed TOML + the table that it should be -> the table and every misfit, in plain words."""

from __future__ import annotations

import functools
import json
import math
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pytest_lok.core.results import Json
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import Bounds, Check, Convert, MisfitError, Table, declared_keys, key_types
from pytest_lok.core.toml.positions import Path
from pytest_lok.dataclass import dataclass

T = TypeVar("T", bound=Table)

_MAX_DEPTH = 200
_NOTHING = object()
"""What is read of a value that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationProblem:
    """One way in which a document is not what its table wants; ``unknown`` = the key has no meaning there."""

    path: Path
    message: str
    hint: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Misfit:
    """A value that is not of its type: what is ``said`` of it, or else which kinds are ``wanted``."""

    path: Path
    value: Any = None
    wanted: tuple[str, ...] = ()
    said: str = ""
    hint: str = ""
    unknown: bool = False


_Reader: TypeAlias = Callable[[Any, Path, list[_Misfit]], Any]
"""A value and its path -> what it means, or ``_NOTHING`` after adding why it does not fit."""


def fit(
    table: type[T], data: Mapping[str, Any], *, key_hint: Callable[[Path], str]
) -> tuple[T, list[ValidationProblem]]:
    """The table of what fits, and everything that does not, which is left out of it.

    A bad item takes its whole array along. ``key_hint(path)`` is the hint for an unknown key.
    """
    found: list[_Misfit] = []
    read = _table_reader(table)(data, (), found)
    return (table() if read is _NOTHING else read), [_problem(misfit, key_hint) for misfit in found]


def describe_key(path: Path) -> str:
    """What to call the value at ``path`` in a sentence: its dotted keys below the last array of tables."""
    last = max((i for i, part in enumerate(path[:-1]) if isinstance(part, int)), default=-1)
    names = [str(part) for part in path[last + 1 :] if isinstance(part, str)]
    if not path:
        return "the file"
    if isinstance(path[-1], int):
        owner = next((part for part in reversed(path) if isinstance(part, str)), "")
        return f"item {path[-1] + 1} of `{owner}`"
    return f"`{'.'.join(names)}`"


def _problem(misfit: _Misfit, key_hint: Callable[[Path], str]) -> ValidationProblem:
    path = misfit.path
    if misfit.unknown:
        message = f"unknown key `{path[-1]}`"
        return ValidationProblem(path=path, message=message, hint=key_hint(path), unknown=True)
    name, wanted = describe_key(path), list(misfit.wanted)
    if not wanted:
        return ValidationProblem(path=path, message=f"{name} {misfit.said}", hint=misfit.hint)
    message = f"{name} must be {_join_with_or(wanted)}, not {_describe_value(misfit.value)}"
    return ValidationProblem(path=path, message=message, hint=_hint(path, misfit.value, wanted))


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


def _table_reader(table: Any) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        if not isinstance(value, dict):
            found.append(_Misfit(path=path, value=value, wanted=("a table",)))
            return _NOTHING
        readers, values = _key_readers(table), {}
        for key, written in value.items():
            name, reader = readers.get(key, ("", None))
            if reader is None:
                found.append(_Misfit(path=(*path, key), unknown=True))
            elif (meant := reader(written, (*path, key), found)) is not _NOTHING:
                values[name] = meant
        return _checked(table(**values), table.check, path, found)

    return read


@functools.cache
def _key_readers(table: Any) -> Mapping[str, tuple[str, _Reader]]:
    """How the value of each key is read, and the name of its attribute, by the key as it is written."""
    kinds = key_types(table)
    return {
        said.alias or name: (name, _not_shorter(said.min_length, _reader(kinds[name])))
        for name, said in declared_keys(table).items()
    }


def _reader(kind: Any) -> _Reader:
    """How a value of a type is read; TypeError for a type that TOML files have not."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return functools.reduce(_marked, kind.__metadata__, _reader(kind.__origin__))
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        arms = [_reader(arm) for arm in arguments if arm is not types.NoneType]
        reader = _union(arms) if len(arms) > 1 else arms[0]
        return _optional(reader) if types.NoneType in arguments else reader
    if origin is list:
        return _list(_reader(arguments[0]))
    if origin is dict:
        return _dict(_reader(arguments[1]))
    if isinstance(kind, type) and issubclass(kind, Table):
        return _table_reader(kind)
    raise TypeError(f"no value of a TOML file is of the type {kind}")


def _scalar(kind: type | tuple[type, ...], wanted: str, *, but: type = types.NoneType) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        if isinstance(value, kind) and not isinstance(value, but):
            return value
        found.append(_Misfit(path=path, value=value, wanted=(wanted,)))
        return _NOTHING

    return read


def _bool(value: Any, path: Path, found: list[_Misfit]) -> Any:
    if isinstance(value, bool):
        return value
    found.append(_Misfit(path=path, value=value, wanted=("true", "false")))
    return _NOTHING


def _float(value: Any, path: Path, found: list[_Misfit]) -> Any:
    # an integer may be larger than any float
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return float(value)
        except OverflowError:
            pass
    found.append(_Misfit(path=path, value=value, wanted=("a number",)))
    return _NOTHING


def _json(value: Any, path: Path, found: list[_Misfit]) -> Any:
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    elif value is not None and not isinstance(value, (str, int, float)):
        wanted = ("text", "a number", "true", "false", "a list", "a table")
        found.append(_Misfit(path=path, value=value, wanted=wanted))
        return _NOTHING
    if len(path) > _MAX_DEPTH:
        found.append(_Misfit(path=path, said="is nested too deeply"))
        return _NOTHING
    fits = [_json(item, (*path, at), found) is not _NOTHING for at, item in inner]
    return value if all(fits) else _NOTHING


_SCALARS: Mapping[Any, _Reader] = {
    str: _scalar(str, "text in quotes"),
    int: _scalar(int, "a whole number", but=bool),
    float: _float,
    bool: _bool,
    Any: lambda value, _path, _found: value,
    Json: _json,
}


def _optional(reader: _Reader) -> _Reader:
    return lambda value, path, found: None if value is None else reader(value, path, found)


def _one_of(choices: tuple[Any, ...]) -> _Reader:
    words = tuple(f'"{choice}"' for choice in choices)

    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        found.append(_Misfit(path=path, value=value, wanted=words))
        return _NOTHING

    return read


def _union(arms: list[_Reader]) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        tried = []
        for arm in arms:
            misfits: list[_Misfit] = []
            meant = arm(value, path, misfits)
            if not misfits:
                return meant
            tried.append((meant, misfits))
        # where one arm got further into the value than the others, its complaint is the one meant
        for meant, misfits in tried:
            if all(len(misfit.path) > len(path) for misfit in misfits):
                found += misfits
                return meant
        every = [misfit for _, misfits in tried for misfit in misfits]
        wanted = tuple(dict.fromkeys(word for misfit in every for word in misfit.wanted))
        said = next((misfit for misfit in every if misfit.said), None)
        found.append(said or _Misfit(path=path, value=value, wanted=wanted))
        return _NOTHING

    return read


def _list(item: _Reader) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        if not isinstance(value, list):
            found.append(_Misfit(path=path, value=value, wanted=("a list",)))
            return _NOTHING
        items = [item(one, (*path, at), found) for at, one in enumerate(value)]
        return _NOTHING if any(one is _NOTHING for one in items) else items

    return read


def _dict(item: _Reader) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        if not isinstance(value, dict):
            found.append(_Misfit(path=path, value=value, wanted=("a table",)))
            return _NOTHING
        items = {name: item(one, (*path, name), found) for name, one in value.items()}
        return {name: one for name, one in items.items() if one is not _NOTHING}

    return read


def _not_shorter(least: int, reader: _Reader) -> _Reader:
    if not least:
        return reader

    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        meant = reader(value, path, found)
        if meant is _NOTHING or len(meant) >= least:
            return meant
        found.append(_Misfit(path=path, said="must not be empty"))
        return _NOTHING

    return read


def _marked(reader: _Reader, mark: object) -> _Reader:
    """How a value is read whose type has a mark."""
    match mark:
        case Convert(function):
            return lambda value, path, found: _checked(value, function, path, found, replaced=True)
        case Check(function):

            def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
                meant = reader(value, path, found)
                return meant if meant is _NOTHING else _checked(meant, function, path, found)

            return read
        case Bounds():
            return _bounded(reader, mark)
        case _:
            return reader


def _checked(
    value: Any, function: Callable[[Any], Any], path: Path, found: list[_Misfit], *, replaced: bool = False
) -> Any:
    try:
        meant = function(value)
    except MisfitError as error:
        found.append(_Misfit(path=path, said=error.message, hint=error.hint))
        return _NOTHING
    return meant if replaced else value


def _bounded(reader: _Reader, bounds: Bounds) -> _Reader:
    def read(value: Any, path: Path, found: list[_Misfit]) -> Any:
        meant = reader(value, path, found)
        if meant is _NOTHING:
            return _NOTHING
        if bounds.finite and not math.isfinite(meant):
            found.append(_Misfit(path=path, value=meant, wanted=("a finite number",)))
        elif bounds.ge is not None and not meant >= bounds.ge:
            found.append(_Misfit(path=path, said=f"must be at least {bounds.ge}"))
        elif bounds.gt is not None and not meant > bounds.gt:
            found.append(_Misfit(path=path, said=f"must be more than {bounds.gt}"))
        elif bounds.le is not None and not meant <= bounds.le:
            found.append(_Misfit(path=path, said=f"must be at most {bounds.le}"))
        else:
            return meant
        return _NOTHING

    return read
