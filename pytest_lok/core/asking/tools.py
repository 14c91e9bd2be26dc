"""Tools that an answer may call instead of being one: how they are offered, and an answer's calls as JSON.

An API that has tools is offered them as such, any other backend is told the JSON. Either way the answer is
one JSON object: ``answer`` is its text, "" if it calls a tool, and under the name of each tool stands the
list of the texts that the tool is called with::

    {"answer": "", "ask_codex": ["Is this lock fair?"], "ask_gemini": []}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError

ANSWER = "answer"
MOST_CALLS = 4
"""Calls of one tool in one answer."""
_ARGUMENT = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What an answer may call, with one text. ``description`` tells the model what it is for."""

    name: str
    description: str


@runtime_checkable
class CallsTools(Protocol):
    """A backend that may hand ``tools`` on to an API that has tools."""

    @property
    def calls_tools(self) -> bool:
        """Whether it does. Its answer to a prompt with tools is then JSON by ``answer_schema``."""
        ...


PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {_ARGUMENT: {"type": "string", "description": "The whole question."}},
    "required": [_ARGUMENT],
    "additionalProperties": False,
}
"""The JSON Schema of a tool's arguments."""


def answer_schema(tools: Iterable[Tool]) -> dict[str, Any]:
    """The JSON Schema of an answer that may call these tools."""
    calls = {
        tool.name: {
            "type": "array",
            "maxItems": MOST_CALLS,
            "items": {"type": "string", "minLength": 1},
            "description": tool.description,
        }
        for tool in tools
    }
    return {
        "type": "object",
        "properties": {ANSWER: {"type": "string"}, **calls},
        "required": [ANSWER, *calls],
        "additionalProperties": False,
    }


def indecision(said: Mapping[str, Any]) -> str:
    """What is wrong with an answer that satisfies ``answer_schema`` and decides nothing; "" if it decides."""
    calls = [name for name, texts in said.items() if name != ANSWER and texts]
    if calls and said[ANSWER].strip():
        return f"the answer both answers and calls {', '.join(calls)}"
    return "" if calls or said[ANSWER].strip() else "the answer neither answers nor calls a tool"


@dataclass(slots=True)
class ToolCalls:
    """The calls of an answer that is coming in, by the place at which each stands in it."""

    _names: dict[object, str] = field(default_factory=dict)
    _arguments: dict[object, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._names)

    def take(self, place: object, name: object, arguments: object = None) -> None:
        """Take a call, or the next piece of one: its name, and its arguments as a table or as JSON text."""
        self._names[place] = self._names.get(place, "") + (name if isinstance(name, str) else "")
        known = self._arguments.get(place)
        if isinstance(arguments, str):
            self._arguments[place] = (known if isinstance(known, str) else "") + arguments
        elif arguments or known is None:
            self._arguments[place] = arguments

    def to_json(self, answer: str, tools: Iterable[Tool]) -> str:
        """The JSON of the whole answer, "" where there is none.

        A call of what is no tool, or with other arguments than one text, makes JSON that does not satisfy
        ``answer_schema``. What an answer says beside its calls is no answer yet, and left out.
        """
        if not self and not answer.strip():
            return ""
        said: dict[str, Any] = {ANSWER: "" if self else answer, **{tool.name: [] for tool in tools}}
        for place, name in self._names.items():
            before = said.get(name)
            said[name] = [*(before if isinstance(before, list) else []), _text(self._arguments.get(place))]
        return json.dumps(said, ensure_ascii=False)


def _text(arguments: Any) -> Any:
    """The text that a tool is called with; the arguments as they are if they are not one text."""
    if isinstance(arguments, str):
        try:
            arguments = load_stored(arguments)
        except (ValueError, OutputError):
            return {"arguments": arguments}
    is_one_text = isinstance(arguments, dict) and list(arguments) == [_ARGUMENT]
    return arguments[_ARGUMENT] if is_one_text else {"arguments": arguments}
