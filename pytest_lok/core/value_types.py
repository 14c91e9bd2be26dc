"""The text of an argument → the value of its declared type; ValueError for a text that is none of it."""

from __future__ import annotations

import json
import math
import posixpath
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.json_values import Json

TypeName: TypeAlias = Literal["int", "float", "bool", "path", "list"]
"""What ``type`` of an argument may say. Without it the value is a text."""

NUMBERS = frozenset({"int", "float"})
"""The types that ``min`` and ``max`` are about."""

_INT = late_regex(r"-?(?:0|[1-9][0-9]{0,17})")
_LONG = late_regex(r"-?[1-9][0-9]{18,}")
_FLOAT = late_regex(r"-?(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_PATTERN_SECONDS = 1.0
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueType:
    """What the values of an argument are; ``name`` None = any text.

    ``least`` and ``most`` bound a number, both inclusive. ``pattern`` is a regular expression that a whole
    text must match, and ``choices`` are the only ones allowed; of a list they are about each item.
    """

    name: TypeName | None = None
    least: float | None = None
    most: float | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()

    def read(self, text: str) -> Json:
        """The value that the text means; ValueError says what it must be, as "must be …"."""
        match self.name:
            case "int" | "float":
                return self._number(text)
            case "bool":
                if text not in ("true", "false"):
                    raise ValueError(f"must be true or false, and not {shown(text)}")
                return text == "true"
            case "list":
                return [self._checked(item) for item in _items(text)]
            case "path":
                return self._checked(_path(text))
            case _:
                return self._checked(text)

    def text(self, value: Json) -> str:
        """The one text by which a value is known: of a list its JSON, of a truth ``true`` or ``false``."""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    @property
    def about(self) -> list[str]:
        """What is asked of a value beside its type, in words for people."""
        said = [f"at least {spelled(self.least)}"] if self.least is not None else []
        said += [f"at most {spelled(self.most)}"] if self.most is not None else []
        said += [f"matches {self.pattern}"] if self.pattern is not None else []
        return [*said, *([f"one of: {', '.join(self.choices)}"] if self.choices else [])]

    def _number(self, text: str) -> int | float:
        grammar, what = (_INT, "a whole number") if self.name == "int" else (_FLOAT, "a number")
        if _LONG.fullmatch(text):
            what += f" of at most {18 if self.name == 'int' else 30} digits"
        value = json.loads(text) if grammar.fullmatch(text) else math.nan
        if not math.isfinite(value):
            raise ValueError(f"must be {what}, and not {shown(text)}")
        if self.least is not None and value < self.least:
            raise ValueError(f"must be at least {spelled(self.least)}, and not {shown(text)}")
        if self.most is not None and value > self.most:
            raise ValueError(f"must be at most {spelled(self.most)}, and not {shown(text)}")
        if self.choices and not any(grammar.fullmatch(it) and json.loads(it) == value for it in self.choices):
            raise ValueError(f"cannot be {shown(text)}")
        return value

    def _checked(self, text: str) -> str:
        if self.choices and text not in self.choices:
            raise ValueError(f"cannot be {shown(text)}")
        if self.pattern is not None and not _matches(self.pattern, text):
            raise ValueError(f"must match {self.pattern}, and {shown(text)} does not")
        return text


def shown(text: str) -> str:
    """The text in quotes, shortened where it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def spelled(number: float) -> str:
    """Every digit of a number, and a whole one without a point."""
    return str(int(number) if number == int(number) and abs(number) < 10**16 else number)


def pattern_fault(pattern: str) -> str:
    """What is wrong with a regular expression, "" = nothing."""
    # late: rarely used, and slow to import
    import regex

    try:
        regex.compile(pattern)
    except regex.error as error:
        return str(error)
    return ""


def _matches(pattern: str, text: str) -> bool:
    import regex

    try:
        return regex.fullmatch(pattern, text, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        raise ValueError(f"cannot be checked: the pattern {pattern} takes too long") from None


def _items(text: str) -> list[str]:
    """``a,b`` or a JSON array of texts; the empty text has no items."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise ValueError(f'must be a list such as a,b or ["a", "b"], and not {shown(text)}')
        return found
    items = text.split(",") if text else []
    if any(not item or item != item.strip() for item in items):
        raise ValueError(
            f"must be a list such as a,b, and {shown(text)} has an empty item or a space beside a comma"
        )
    return items


def _path(text: str) -> str:
    """The path in its shortest spelling, which starts at the project's root and stays inside."""
    made = posixpath.normpath(text)
    if not text or "\0" in text:
        raise ValueError(f"must be a path, and not {shown(text)}")
    if posixpath.isabs(made) or made == ".." or made.startswith("../"):
        raise ValueError(f"must be a path inside of the project, and not {shown(text)}")
    return made
