"""``[args.NAME]`` → an ``Argument``, and what is wrong with its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_lok.core.value_types import NUMBERS, pattern_fault, spelled
from pytest_lok.core.workflow.argument import BOOLEAN, Argument

if TYPE_CHECKING:
    from pytest_lok.core.json_values import JsonType
    from pytest_lok.core.value_types import TypeName
    from pytest_lok.core.workflow.document import ArgumentDocument
    from pytest_lok.core.workflow.reading.source import WorkflowFile

JSON_TYPES: Mapping[TypeName | None, JsonType] = {
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "list": "array",
}
"""What JSON calls the values of the types that are no texts."""


def read_argument(name: str, document: ArgumentDocument) -> Argument:
    """The argument of that name which the table declares."""
    choices = tuple(map(str, document.choices))
    # without a type, true or false makes it a switch, whose values are words
    if isinstance(document.default, bool) and document.type is None:
        choices = choices or BOOLEAN
    return Argument(
        name=name,
        description=document.description,
        default=None if document.default is None else argument_text(document.default),
        required=document.required,
        choices=choices,
        position=document.position,
        type=document.type,
        min=document.min,
        max=document.max,
        pattern=document.pattern,
        is_path=document.type == "path",
    )


def argument_text(value: str | bool | int | float | list[str]) -> str:
    """The text that stands for a value of an argument in a file."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_types(declared: Mapping[str, ArgumentDocument | None]) -> dict[str, JsonType]:
    """The type of each argument that is no text, by name and by position."""
    return {
        key: JSON_TYPES[it.type]
        for name, it in declared.items()
        if it and it.type in JSON_TYPES
        for key in (name, str(it.position))
    }


def is_switch(document: ArgumentDocument) -> bool:
    """Whether the argument's values are the words true and false."""
    words = set(BOOLEAN)
    return document.type is None and (
        set(document.choices) == words or str(document.default).lower() in words
    )


def check_argument(file: WorkflowFile, name: str, document: ArgumentDocument) -> None:
    """Report what no value could be, and a default that is none of the values."""
    faults = len(file.problems)
    for key in ("min", "max"):
        if getattr(document, key) is not None and document.type not in NUMBERS:
            hint = 'type = "int" or "float"'
            file.report(("args", name, key), f"`{key}` bounds a number, and `{name}` is none", hint, key=True)
    if document.min is not None and document.max is not None and document.min > document.max:
        message = f"no number is at least {spelled(document.min)} and at most {spelled(document.max)}"
        file.report(("args", name, "max"), message)
    if document.pattern is not None and document.type not in (None, "path", "list"):
        message = f"`pattern` is about texts, and `{name}` is none"
        file.report(("args", name, "pattern"), message, "min and max bound a number", key=True)
    elif document.pattern is not None and (fault := pattern_fault(document.pattern)):
        file.report(("args", name, "pattern"), f"the regular expression is wrong: {fault}")
    if document.choices and document.type == "bool":
        message = f"`{name}` is true or false: there is nothing to choose"
        file.report(("args", name, "choices"), message, "remove `choices`", key=True)
    if isinstance(document.default, list) and document.type != "list":
        file.report(("args", name, "default"), f"the default of `{name}` is a list", 'type = "list"')
    # a default is judged by rules that are right themselves
    if len(file.problems) == faults:
        _check_values(file, name, read_argument(name, document))


def _check_values(file: WorkflowFile, name: str, argument: Argument) -> None:
    choices = f"one of: {', '.join(argument.choices)}"
    for at, choice in enumerate(argument.choices if argument.type != "list" else ()):
        try:
            argument.values.read(choice)
        except ValueError as error:
            file.report(("args", name, "choices", at), f"a choice of `{name}` {error}")
            return
    if argument.default is None:
        return
    try:
        argument.values.read(argument.default)
    except ValueError as error:
        if argument.type in (None, "path") and argument.choices and argument.default not in argument.choices:
            message = f"the default {argument.default!r} is not among the choices of `{name}`"
            file.report(("args", name, "default"), message, choices)
        else:
            hint = choices if argument.choices else ""
            file.report(("args", name, "default"), f"the default of `{name}` {error}", hint)
