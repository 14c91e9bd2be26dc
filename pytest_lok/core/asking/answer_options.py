"""The options of an answer, such as its temperature: which type of backend knows which, and how far.

Each type has a closed set. An option that a type does not know is a mistake of whoever wrote it, and is never
left out of a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from pytest_lok.core.json_values import Json
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.dataclass import dataclass

Options: TypeAlias = Mapping[str, Json]
"""Options by name, each with its value."""

MCP = "mcp"
"""The option that names a file with MCP servers; its value is what stands in the file."""

_HUGE = 2**63 - 1  # no API takes a larger number, and none of the bounds means one


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOption:
    """What an option may be: a number within bounds, one of some words, a list of them, or a file.

    ``over``: the number is more than ``least``.
    """

    kind: Literal["number", "whole number", "word", "list", "file"]
    least: float = -math.inf
    most: float = math.inf
    over: bool = False
    words: tuple[str, ...] = ()

    def misfit(self, value: object) -> str:
        """What the value must be instead ("a number from 0 to 2"); "" if it is right."""
        return "" if self._fits(value) else self.wanted

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        named = ", ".join(f'"{word}"' for word in self.words)
        match self.kind:
            case "word":
                return f"one of {named}"
            case "list":
                return f"a list of tools that only read, which are {named}"
            case "file":
                return "the path of a JSON file"
        if self.least <= -_HUGE:
            return f"a {self.kind} of at most 64 bits"
        if self.most >= _HUGE:
            return f"a {self.kind}, {'more than' if self.over else 'at least'} {self.least:g}"
        return f"a {self.kind} from {self.least:g} to {self.most:g}"

    @property
    def schema(self) -> Mapping[str, Json]:
        """What editors are told of it, as JSON Schema."""
        match self.kind:
            case "word":
                return {"enum": list(self.words)}
            case "list":
                return {"type": "array", "minItems": 1, "items": {"enum": list(self.words)}}
            case "file":
                return {"type": "string"}
        least = {"exclusiveMinimum" if self.over else "minimum": self.least} if self.least > -_HUGE else {}
        most = {"maximum": self.most} if self.most < _HUGE else {}
        return {"type": "number" if self.kind == "number" else "integer", **least, **most}

    def _fits(self, value: object) -> bool:
        match self.kind:
            case "word":
                return value in self.words
            case "list":
                return isinstance(value, list) and bool(value) and all(it in self.words for it in value)
            case "file":
                return isinstance(value, str) and bool(value.strip())
            case "number" if isinstance(value, float):
                return self._is_within(value)
        return isinstance(value, int) and not isinstance(value, bool) and self._is_within(value)

    def _is_within(self, value: float) -> bool:
        # not a number is neither more nor less
        is_enough = self.least < value if self.over else self.least <= value
        return is_enough and value <= self.most and value != math.inf


def _number(least: float, most: float = math.inf, *, over: bool = False) -> AnswerOption:
    return AnswerOption(kind="number", least=least, most=most, over=over)


def _whole(least: float, most: float = _HUGE) -> AnswerOption:
    return AnswerOption(kind="whole number", least=least, most=most)


def _word(words: str) -> AnswerOption:
    return AnswerOption(kind="word", words=tuple(words.split()))


def _list(words: str) -> AnswerOption:
    return AnswerOption(kind="list", words=tuple(words.split()))


_TOKENS, _PENALTY, _TURNS = _whole(1), _number(-2, 2), _whole(1, 1000)
_SEED, _PART = _whole(-_HUGE), _number(0, 1)
_VERBOSITY = _word("low medium high")

RESPONSES = "openai (responses)"
"""What knows which options where a backend of type "openai" has ``api = "responses"``."""

OPTIONS_OF: Mapping[str, Mapping[str, AnswerOption]] = {
    "anthropic": {
        "temperature": _PART,
        "top_p": _PART,
        "top_k": _whole(1),
        "max_tokens": _TOKENS,
        "reasoning_effort": _word("low medium high xhigh max"),
    },
    "openai": {
        "temperature": _number(0, 2),
        "top_p": _PART,
        "seed": _SEED,
        "max_tokens": _TOKENS,
        "frequency_penalty": _PENALTY,
        "presence_penalty": _PENALTY,
        "reasoning_effort": _word("none minimal low medium high xhigh"),
        "verbosity": _VERBOSITY,
    },
    RESPONSES: {
        "temperature": _number(0, 2),
        "top_p": _PART,
        "max_tokens": _TOKENS,
        "reasoning_effort": _word("none minimal low medium high xhigh"),
        "verbosity": _VERBOSITY,
    },
    "gemini-api": {
        "temperature": _number(0, 2),
        "top_p": _PART,
        "top_k": _whole(1),
        "seed": _SEED,
        "max_tokens": _TOKENS,
        "frequency_penalty": _PENALTY,
        "presence_penalty": _PENALTY,
        "reasoning_effort": _word("minimal low medium high"),
    },
    "ollama": {
        "temperature": _number(0),
        "top_p": _PART,
        "top_k": _whole(1),
        "seed": _SEED,
        "max_tokens": _TOKENS,
        "reasoning_effort": _word("low medium high"),
    },
    "bedrock": {"temperature": _PART, "top_p": _PART, "max_tokens": _TOKENS},
    "claude": {
        "reasoning_effort": _word("low medium high xhigh max"),
        "max_turns": _TURNS,
        "max_usd": _number(0, over=True),
        "tools": _list("Read Grep Glob"),
        MCP: AnswerOption(kind="file"),
    },
    "codex": {
        "reasoning_effort": _word("none minimal low medium high xhigh"),
        "verbosity": _VERBOSITY,
    },
    "gemini": {
        "max_turns": _TURNS,
        "tools": _list("list_directory glob grep_search read_file read_many_files"),
    },
    "copilot": {
        "reasoning_effort": _word("none minimal low medium high xhigh max"),
        "tools": _list("view grep glob"),
    },
    "qwen": {"max_turns": _TURNS},
    "droid": {"reasoning_effort": _word("low medium high"), "tools": _list("Read LS Grep Glob")},
    "acp": {},
    "command": {},
}
"""By the type of a backend, the options that it knows. ``tools`` lists tools that only read."""

STAND_IN = "scripted"
"""The type of backends that stand in for others: they take what any type knows, and need none of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """What says which options a backend may be given: its type, and what its tools may do."""

    kind: str
    access: Literal["read", "none"] = "read"

    @property
    def options(self) -> Mapping[str, AnswerOption] | None:
        """The options that it knows; None = those of every type. A type of another package knows none."""
        return None if self.kind == STAND_IN else OPTIONS_OF.get(self.kind, {})


ANYBODY = Answerer(kind=STAND_IN)
"""A backend of which nobody knows the type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerers:
    """The backends ``by_name``, {} = nobody knows them; ``default`` is whom a step asks that names nobody.

    ``default`` () = that is open until it is asked.
    """

    by_name: Mapping[str, Answerer] = field(default_factory=dict)
    default: tuple[str, ...] = ()


NOBODY_KNOWN = Answerers()
"""Of no backend the type is known."""


def who_knows(name: str) -> tuple[str, ...]:
    """The types that know an option, in their order."""
    return tuple(kind for kind, options in OPTIONS_OF.items() if name in options)


def all_names() -> frozenset[str]:
    """The names of all options that there are."""
    return frozenset(name for options in OPTIONS_OF.values() for name in options)


def fault_of(answerer: Answerer, name: str, value: object) -> tuple[str, str] | None:
    """What is wrong with an option of a backend, and a hint; None if it is right."""
    known = answerer.options
    if known is None:
        kinds = who_knows(name)
        wanted = [OPTIONS_OF[kind][name].misfit(value) for kind in kinds]
        if not kinds:
            return f"`{name}` is no option of any backend", f"there are: {', '.join(sorted(all_names()))}"
        return None if "" in wanted else (f"`{name}` must be {' or '.join(dict.fromkeys(wanted))}", "")
    if name not in known:
        kinds = who_knows(name)
        there = f"it knows: {', '.join(known)}" if known else "it knows none"
        knows = f"known to: {', '.join(kinds)}" if kinds else ""
        hint = "; ".join(filter(None, [did_you_mean(name, known), knows, there]))
        return f'a backend of type "{answerer.kind}" knows no option `{name}`', hint
    if wrong := known[name].misfit(value):
        return f'`{name}` of a backend of type "{answerer.kind}" must be {wrong}', ""
    if name in ("tools", MCP) and answerer.access == "none":
        why = f'`{name}` goes beyond access = "none", which offers no tool'
        return why, 'set access = "read", or leave it out'
    return None


def in_words(options: Options) -> str:
    """Options on one line: ``temperature = 0, seed = 1``; of MCP servers their names."""
    return ", ".join(f"{name} = {_value(name, value)}" for name, value in options.items())


def _value(name: str, value: Json) -> str:
    import json

    if name == MCP and isinstance(value, dict):
        return f"servers {', '.join(server_names(value))}"
    return json.dumps(value, ensure_ascii=False)


def server_names(servers: Mapping[str, Json]) -> tuple[str, ...]:
    """The names of the MCP servers in such a file."""
    named = servers.get("mcpServers")
    return tuple(named) if isinstance(named, dict) else ()


def editor_schema_of_options(*, of_step: bool) -> Mapping[str, Json]:
    """JSON Schema of a table of options; one of a step may hold a table for each backend too."""
    found: dict[str, list[Json]] = {}
    for options in OPTIONS_OF.values():
        for name, option in options.items():
            if of_step or name != MCP:
                arms = found.setdefault(name, [])
                arms += [dict(option.schema)] if dict(option.schema) not in arms else []
    properties: dict[str, Json] = {
        name: {"description": f"Known to {', '.join(who_knows(name))}.", "anyOf": arms}
        for name, arms in sorted(found.items())
    }
    own: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"type": "object", "properties": properties, "additionalProperties": own if of_step else True}
