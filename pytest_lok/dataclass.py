"""``dataclass`` as in the standard library, for classes with ``slots``, at a tenth of its price.

The standard library compiles six methods for every class, which takes up to a millisecond, and a start needs
few of the package's classes. Here one method is compiled, and not before a class makes its first instance.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, slots: bool = False, frozen: bool = False, kw_only: bool = False, eq: bool = True
    ) -> Callable[[type], type]:
        """The decorator. A class with bases, or without slots, is the standard library's to make."""

        def decorate(cls: type) -> type:
            if slots and cls.__bases__ == (object,):
                return _slotted(cls, frozen=frozen, kw_only=kw_only, eq=eq)
            import dataclasses

            return dataclasses.dataclass(slots=slots, frozen=frozen, kw_only=kw_only, eq=eq)(cls)

        return decorate


_MISSING = object()


def _slotted(plain: type, *, frozen: bool, kw_only: bool, eq: bool) -> type:
    """The class with a slot for each annotated name; ``plain`` has the names' defaults, and no slots."""
    names = tuple(plain.__annotations__)
    defaults = {name: plain.__dict__[name] for name in names if name in plain.__dict__}
    made: type

    def first_init(self: object, *args: Any, **kwargs: Any) -> None:
        # another thread may do the same at this moment, with the same result
        made.__init__ = _compiled_init(made, names, defaults, kw_only=kw_only)  # type: ignore[misc]
        made.__init__(self, *args, **kwargs)  # type: ignore[misc]

    body = {
        name: held
        for name, held in plain.__dict__.items()
        if name not in names and name not in ("__dict__", "__weakref__")
    }
    body |= {
        "__slots__": names,
        "__qualname__": plain.__qualname__,
        "__init__": first_init,
        **{name: _Facts(name, plain, frozen=frozen, kw_only=kw_only) for name in _FACTS},
        "__match_args__": () if kw_only else names,
        "__reduce__": _reduce,
    }
    if frozen:
        body |= {"__setattr__": _refuse_setting, "__delattr__": _refuse_deleting}
    shown = tuple(name for name in names if getattr(defaults.get(name), "repr", True) is not False)
    body.setdefault("__repr__", lambda self: _shown(self, shown))
    if eq:
        compared = [name for name in names if getattr(defaults.get(name), "compare", True) is not False]
        body |= _comparison(compared, hashed=frozen, own=body)
    made = type(plain.__name__, (), body)
    return made


def _compiled_init(
    made: type, names: tuple[str, ...], defaults: Mapping[str, Any], *, kw_only: bool
) -> Callable[..., None]:
    held: dict[str, Any] = {"MISSING": _MISSING}
    parameters: list[str] = []
    lines: list[str] = []
    for name in names:
        held[f"set_{name}"] = made.__dict__[name].__set__
        usual, factory, given = _read_default(defaults.get(name, _MISSING))
        value = name
        if factory is not _MISSING:
            held[f"new_{name}"] = factory
            value = f"new_{name}() if {name} is MISSING else {name}"
        held[f"default_{name}"] = usual
        needed = usual is _MISSING and factory is _MISSING
        if given:
            parameters.append(name if needed else f"{name}=default_{name}")
        elif needed:
            continue
        else:
            value = f"default_{name}" if factory is _MISSING else f"new_{name}()"
        lines.append(f" set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    star = ["*"] if kw_only and parameters else []
    head = f"def __init__({', '.join(['self', *star, *parameters])}):"
    exec("\n".join([head, *(lines or [" pass"])]), held)  # noqa: S102 - made of the names of a class of ours
    init: Callable[..., None] = held["__init__"]
    return init


def _read_default(said: Any) -> tuple[Any, Any, bool]:
    """What a class says of a name: its default, what makes one, and whether it is an argument."""
    library = sys.modules.get("dataclasses")  # a class that uses `field` has imported it
    if library is None or not isinstance(said, library.Field):
        return said, _MISSING, True
    found = (_MISSING if it is library.MISSING else it for it in (said.default, said.default_factory))
    return (*found, said.init)


def _comparison(names: list[str], *, hashed: bool, own: Mapping[str, Any]) -> dict[str, Any]:
    """``__eq__``, and ``__hash__`` of what never changes, by the values of these names."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def eq(self: object, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    found: dict[str, Any] = {"__eq__": own.get("__eq__", eq)}
    found["__hash__"] = own.get("__hash__", (lambda self: hash(values(self))) if hashed else None)
    return found


_FACTS = ("__dataclass_fields__", "__dataclass_params__")
_ONE_THREAD = threading.Lock()
"""Held while the standard library looks at a class: it refuses a class at which it has begun to look."""


class _Facts:
    """What the standard library knows of its classes, asked of it when somebody wants to know."""

    def __init__(self, name: str, plain: type, **options: bool) -> None:
        self._name = name
        self._plain = plain
        self._options = options

    def __get__(self, instance: object, owner: type) -> Any:
        with _ONE_THREAD:
            if self._name not in self._plain.__dict__:
                import dataclasses

                dataclasses.dataclass(init=False, repr=False, eq=False, **self._options)(self._plain)
        return self._plain.__dict__[self._name]


def _shown(self: object, names: tuple[str, ...]) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
    return f"{type(self).__qualname__}({values})"


def _reduce(self: Any) -> tuple[Any, ...]:
    cls = type(self)
    return _restored, (cls, {name: getattr(self, name) for name in cls.__slots__ if hasattr(self, name)})


def _restored(cls: type, values: Mapping[str, Any]) -> object:
    self: object = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(self, name, value)
    return self


def _refuse_setting(_: object, name: str, value: object) -> None:  # noqa: ARG001 - Python's signature
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(_: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")
