"""What JSON can say: its type, and how values of dataclasses are said in it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = "dict[str, Json] | list[Json] | str | bool | int | float | None"
else:

    class Json:
        """What JSON can say: dicts with text as keys, lists, text, bool, int, float and None."""


JsonType: TypeAlias = Literal["text", "number", "boolean", "null", "array", "object", ""]
"""What JSON calls a value's type; "" for what is no value of it."""


def jsonable(value: Any) -> Any:
    """A value of dataclasses, mappings and sequences as JSON has it; enums as their values."""
    if (fields := getattr(value, "__dataclass_fields__", None)) is not None:
        return {name: jsonable(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {str(name): jsonable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, frozenset, set)):
        return [jsonable(item) for item in value]
    return value.value if isinstance(value, enum.Enum) else value
