"""An event <-> its line of JSON. A field that has its default is left out; ``kind`` stands last."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import types
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pytest_lok.core import events
from pytest_lok.core.results import Json

T = TypeVar("T")

_Reader: TypeAlias = Callable[[Any], Any]


def to_json(event: events.Event) -> str:
    """One line of JSON; halves of surrogate pairs, which no UTF-8 can hold, become question marks."""
    line = _encode({**_written(event), "kind": event.kind})
    try:
        line.encode()
    except UnicodeEncodeError:
        # what is written is not what was said: no later run may keep it
        return encoded(events.not_to_be_kept(event), kind=event.kind)
    return line


def from_json(line: str) -> events.Event:
    """The event of one line; ValueError if it is none."""
    try:
        data = json.loads(line)
        return cast("events.Event", _events()[data["kind"]](data))
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no event: {error}") from None


def encoded(value: object, *, kind: str = "") -> str:
    """A dataclass as one line of JSON, by its fields, as ``decoded`` reads it; its ``kind`` stands last."""
    document = {**_written(value), "kind": kind} if kind else value
    return _encode(document).encode("utf-8", "replace").decode()


def decoded(kind: type[T], document: str | bytes) -> T:
    """The dataclass that ``encoded`` has written; ValueError if the document is none of that kind."""
    try:
        return cast("T", _reader(kind)(json.loads(document)))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no {kind.__name__}: {error}") from None


def _written(value: Any) -> Any:
    """What JSON cannot say by itself: a dataclass by its fields, any mapping as a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    return {
        name: held
        for name, usual in _defaults(cast(Hashable, type(value)))
        if (held := getattr(value, name)) is not usual
    }


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_written).encode


@functools.cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(kind))


@functools.cache
def _events() -> Mapping[str, _Reader]:
    return {dict(_defaults(kind))["kind"]: _reader(kind) for kind in get_args(events.Event)}


def _reader(kind: Any) -> _Reader:
    """How a value of a type is read; it raises ValueError, KeyError or TypeError for any other value."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    if origin in (Union, types.UnionType):
        arms = [_reader(arm) for arm in arguments if arm is not types.NoneType]
        return lambda value: None if value is None else arms[0](value)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value: tuple(map(item, value))
    if origin is Literal:
        return lambda value: arguments[arguments.index(value)]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    if kind in (Any, Json):
        return lambda value: value
    wanted = dict if origin is not None else (int, float) if kind is float else kind

    def plain(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise TypeError(f"{value!r} is no {kind}")
        return value

    return plain


def _object(kind: Any) -> _Reader:
    @functools.cache
    def readers() -> Mapping[str, _Reader]:
        hints = get_type_hints(kind)
        return {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(value: Any) -> Any:
        return kind(**{name: readers()[name](held) for name, held in value.items()})

    return read
