"""A declared argument of a workflow: what its values are, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.value_types import ValueType
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.value_types import TypeName

BOOLEAN = ("true", "false")
"""The values of an argument that is a switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A declared argument of a workflow; ``position`` counts from 1, None = named only.

    ``type`` None = its values are texts. ``min`` and ``max`` bound a number; a whole text, or each item of a
    list, matches ``pattern``. ``is_path``: the value names a directory or file of the
    project, which has to be there.
    """

    name: str
    description: str = ""
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    position: int | None = None
    type: TypeName | None = None
    min: float | None = None
    max: float | None = None
    pattern: str | None = None

    @property
    def values(self) -> ValueType:
        """What its values are."""
        return ValueType(
            name=self.type, least=self.min, most=self.max, pattern=self.pattern, choices=self.choices
        )

    @property
    def is_boolean(self) -> bool:
        """Whether the values are ``true`` and ``false``, by the type, the choices or else by the default."""
        if self.type is not None:
            return self.type == "bool"
        if self.choices:
            return set(self.choices) == set(BOOLEAN)
        return self.default in BOOLEAN

    @property
    def must_be_given(self) -> bool:
        """Whether there is no run without a value from outside."""
        return self.required and self.default is None

    is_path: bool = False
