"""A workflow's declared arguments <-> the JSON of a tool: its schema, and the values of a call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.text.truncation import truncate
from pytest_lok.core.value_types import NUMBERS
from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Ask, Shell, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.reports.escaping import escape_control_chars

WAIT = "wait"
"""The argument of a tool that is no argument of its workflow, unless the workflow declares one like it."""
VALUES = "values"
"""The argument with the values by position that the workflow gives no names."""

_LONGEST = 1_000


def arguments_schema(workflow: Workflow, wait: str) -> dict[str, Any]:
    """The JSON schema of the workflow's tool; ``wait`` describes the argument of that name."""
    properties: dict[str, Any] = {}
    if workflow.positional_count > len(_positions(workflow)):
        properties[VALUES] = {
            "type": "array",
            "items": {"type": "string"},
            "maxItems": workflow.positional_count,
            "description": "Values by position: the first is what the workflow calls {{ arg.1 }}.",
        }
    properties[WAIT] = {"type": "boolean", "default": False, "description": wait}
    # a declared argument wins over ours
    properties |= {name: _property(argument) for name, argument in workflow.args.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [argument.name for argument in workflow.args.values() if argument.must_be_given],
        "additionalProperties": False,
    }


def plan_of(workflow: Workflow, given: Mapping[str, Any]) -> Plan:
    """The plan of a call with these arguments; UsageError says what is wrong with them."""
    known = [*workflow.args, *([VALUES] if workflow.positional_count else [])]
    named: dict[str, str] = {}
    positional: list[str] = []
    for name, value in given.items():
        if name == VALUES and name not in workflow.args:
            positional = _texts(value)
        elif name not in workflow.args:
            close = did_you_mean(name, known, spelled="{!r}")
            raise UsageError(
                f"workflow {workflow.stem!r} has no argument {truncate(name)!r}",
                hint=close or _listed(workflow),
            )
        elif value is not None:
            listed = workflow.args[name].type == "list" and isinstance(value, list)
            named[name] = json.dumps(_texts(value)) if listed else _text(value, f"argument {name!r}")
    if len(positional) > workflow.positional_count:
        raise UsageError(
            f"workflow {workflow.stem!r} takes {workflow.positional_count} values by position, "
            f"and {len(positional)} were given",
            hint=_listed(workflow),
        )
    for argument in workflow.args.values():
        placed = argument.position is not None and argument.position <= len(positional)
        if argument.must_be_given and argument.name not in named and not placed:
            about = f" ({argument.description})" if argument.description else ""
            raise UsageError(
                f"workflow {workflow.stem!r} needs the argument {argument.name!r}{about}",
                hint=_listed(workflow),
            )
    return Plan.of(workflow, named=named, positional=positional)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The arguments of a call of one of lok's own tools, by type; UsageError where one is wrong."""

    tool: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def check(self, known: Mapping[str, Any]) -> None:
        """Refuse an argument that the schema does not have."""
        for name in self.given:
            if name not in known:
                close = did_you_mean(name, known, spelled="{!r}")
                raise UsageError(
                    f"the tool {self.tool!r} has no argument {truncate(name)!r}",
                    hint=close or f"it has: {', '.join(known)}",
                )

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default it is required, and not blank."""
        value = self.given.get(name)
        said = default if value is None else _text(value, f"argument {name!r}")
        if said is None or (default is None and not said.strip()):
            raise UsageError(f"the tool {self.tool!r} needs the argument {name!r}, which is a text")
        return said

    def texts(self, name: str) -> list[str]:
        """A list of texts; a single text is a list of one, nothing is an empty one."""
        value = self.given.get(name)
        return [] if value is None else _texts([value] if isinstance(value, str) else value)

    def number(self, name: str, default: float, *, most: float) -> float:
        """A number from 0 to ``most``."""
        value = self.given.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise UsageError(f"{name!r} is a number from 0 to {most:g}, and not {truncate(repr(value))}")
        return value

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of values; nothing is an empty one."""
        value = self.given.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise UsageError(f"{name!r} is an object of names and values, and not {truncate(repr(value))}")
        return value


def take_flag(given: Mapping[str, Any], name: str) -> tuple[bool, dict[str, Any]]:
    """The flag of that name, False where it is not given, and the other arguments."""
    rest = dict(given)
    flag = rest.pop(name, None)
    if flag is not None and not isinstance(flag, bool):
        raise UsageError(f"{name!r} is true or false, and not {truncate(repr(flag))}")
    return bool(flag), rest


def is_listable(name: str) -> bool:
    """Whether every client takes the name for a tool, and whether it is a name and no path."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,48}", name) is not None


def changes_files(workflow: Workflow) -> bool:
    """Whether a step of the workflow applies edits."""
    return any(isinstance(step.action, Ask) and step.action.apply_edits for step in workflow.in_all())


def runs_commands(workflow: Workflow) -> bool:
    """Whether a step of the workflow runs a command, also as its check."""
    actions = [step.action for step in workflow.in_all()]
    return any(isinstance(it, Shell) for it in actions) or any(
        isinstance(it, Ask) and (it.verify is not None or bool(it.verify_preset)) for it in actions
    )


def _property(argument: Argument) -> dict[str, Any]:
    about = escape_control_chars(truncate(argument.description, _LONGEST))
    if argument.is_boolean:
        made: dict[str, Any] = {"type": "boolean"}
        if argument.default is not None:
            made["default"] = argument.default == "true"
    else:
        made = _typed_property(argument)
        if argument.default is not None:
            made["default"] = argument.values.read(argument.default)
    return {**made, "description": about} if about else made


def _typed_property(argument: Argument) -> dict[str, Any]:
    """The type of the value in JSON, with all that it must be."""
    texts: dict[str, Any] = {"type": "string"}
    if argument.pattern is not None:
        texts["pattern"] = f"^(?:{argument.pattern})$"
    if argument.type in NUMBERS:
        made: dict[str, Any] = {"type": "integer" if argument.type == "int" else "number"}
        limits = {"minimum": argument.min, "maximum": argument.max}
        made |= {name: limit for name, limit in limits.items() if limit is not None}
        if argument.choices:
            made["enum"] = [argument.values.read(choice) for choice in argument.choices]
        return made
    if argument.choices:
        texts["enum"] = list(argument.choices)
    return {"type": "array", "items": texts} if argument.type == "list" else texts


def _positions(workflow: Workflow) -> list[int]:
    return [argument.position for argument in workflow.args.values() if argument.position is not None]


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise UsageError(f"a list of texts is needed, and not {truncate(repr(value))}")
    return [_text(one, f"value {at}") for at, one in enumerate(value, 1)]


def _text(value: object, what: str) -> str:
    """The text of a value of JSON: of a number its digits, of a boolean ``true`` or ``false``."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise UsageError(f"{what} is a text, and not {truncate(repr(value))}")


def _listed(workflow: Workflow) -> str:
    said = [f"{one.name}{' (required)' if one.must_be_given else ''}" for one in workflow.args.values()]
    return f"its arguments: {', '.join(said)}" if said else "it takes no arguments"
