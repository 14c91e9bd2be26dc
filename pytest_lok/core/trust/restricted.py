"""The settings of a project and the user's own -> which of the project's count only if the user trusts it.

A checkout is other people's text. Its settings may say how lok asks (models, limits, roles, tasks, scripted
replies), because that neither runs nor sends anything of the user's. Every other setting is *restricted*:
it counts only in a project that the user trusts. The list of harmless keys is closed, so a new key needs
trust until somebody puts it there. A setting that changes nothing is not restricted.

A backend is never half the project's and half the user's: whoever names an API key also says where the key
is sent.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from pytest_lok.core.text.words import words
from pytest_lok.dataclass import dataclass

Table: TypeAlias = Mapping[str, Any]
KeyPlace: TypeAlias = "Callable[[tuple[str, ...]], tuple[str, int]]"
"""A key's path in the settings -> the file and the line in which the key stands."""

HARMLESS: Mapping[str, frozenset[str]] = {
    "defaults": frozenset({"backend", "parallel", "timeout", "max_parallel"}),
    "backends": frozenset(
        {
            "model", "api", "timeout", "idle_timeout", "skip_lines", "max_concurrent", "requests_per_minute",
            "max_tokens", "weight", "strengths",
        }
    ),
}  # fmt: skip
"""Keys that neither run anything, nor send anything elsewhere, nor loosen what the user has said."""
HARMLESS_TABLES = frozenset({"roles", "tasks", "conductor", "cache", "runs", "prices"})
KNOWN_TYPES = words(
    "claude codex gemini copilot qwen droid anthropic openai gemini-api ollama bedrock scripted"
)
"""Types of backends that run or ask what is known: a tool on PATH, the vendor's address, or nobody."""
DEFAULT_VALUES: Mapping[tuple[str, str], str] = {
    ("claude", "command"): "claude",
    ("codex", "command"): "codex",
    ("gemini", "command"): "gemini",
    ("copilot", "command"): "copilot",
    ("qwen", "command"): "qwen",
    ("droid", "command"): "droid",
    ("ollama", "command"): "http://localhost:11434",
    ("ollama", "base_url"): "http://localhost:11434",
    ("openai", "base_url"): "https://api.openai.com/v1",
    ("anthropic", "base_url"): "https://api.anthropic.com",
    ("claude", "api_key_env"): "ANTHROPIC_API_KEY",
    ("anthropic", "api_key_env"): "ANTHROPIC_API_KEY",
    ("codex", "api_key_env"): "CODEX_API_KEY",
    ("openai", "api_key_env"): "OPENAI_API_KEY",
    ("gemini", "api_key_env"): "GEMINI_API_KEY",
    ("gemini-api", "api_key_env"): "GEMINI_API_KEY",
}
"""The values that a type of backend has by default."""

_ADDRESS_KEYS = ("command", "args", "base_url", "options")
_SECRET_KEYS = ("api_key_env", "env")
_TOOL_TYPES = ("claude", "codex", "gemini", "copilot", "qwen", "droid", "acp", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedSettings:
    """The settings of a project that need trust.

    ``values`` are by dotted key. ``descriptions`` tell in words what each of them does, with its
    file and line. ``backends`` are the names of those that need trust; those in ``mixed_backends`` never
    count, each with why.
    """

    file: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    descriptions: tuple[str, ...] = ()
    backends: frozenset[str] = frozenset()
    mixed_backends: Mapping[str, str] = field(default_factory=dict)

    def names_program(self, backend: str) -> bool:
        """Whether the project names the program of a backend, which then gets no other API key."""
        return f"backends.{backend}.command" in self.values

    def __bool__(self) -> bool:
        return bool(self.values)

    def difference(self, before: Mapping[str, Any]) -> list[str]:
        """How they differ from those ``before``: ``+`` and ``-`` lines of ``key = value``."""
        changed = [key for key in sorted({*before, *self.values}) if not self._same(before, key)]
        return [
            f"{sign} {key} = {as_json(values[key])}"
            for key in changed
            for sign, values in (("-", before), ("+", self.values))
            if key in values
        ]

    def _same(self, before: Mapping[str, Any], key: str) -> bool:
        return key in before and key in self.values and before[key] == self.values[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Settings by who says them: ``user`` are the user's (built in, file, environment, options).

    ``user_overrides`` is the part of them that wins over the ``project``, and ``merged`` is the result.
    ``key_variables`` are the environment variables that any of the user's settings names as an API key,
    even one that another setting replaces.
    """

    project: Table
    user: Table
    user_overrides: Table
    merged: Table
    key_variables: frozenset[str] = frozenset()


def restricted_settings(sources: Sources, place: KeyPlace, file: str) -> RestrictedSettings:
    """The project's settings that need trust; ``place`` tells where each stands in ``file``."""
    values: dict[str, Any] = {}
    descriptions: list[str] = []
    for table, entries in sources.project.items():
        for key in _restricted_keys(table, entries, sources) if table != "backends" else ():
            values[f"{table}.{key}"] = entries[key]
            descriptions.append(_located(place((table, key)), table, _meaning(table, key, entries[key])))
    backends = sources.project.get("backends", {})
    restricted = {name: keys for name in backends if (keys := _restricted_keys_of_backend(name, sources))}
    mixed = {name: why for name, keys in restricted.items() if (why := _mixed_reason(name, keys, sources))}
    for name, keys in restricted.items():
        table = sources.merged["backends"][name]
        values |= {f"backends.{name}.{key}": table.get(key) for key in ("type", *keys)}
        meanings = [*_meanings(table, keys), *([f"never counts: {mixed[name]}"] if name in mixed else [])]
        descriptions += [
            _located(place(("backends", name)), f"backends.{name}", meaning) for meaning in meanings
        ]
    return RestrictedSettings(
        file=file,
        values=values,
        descriptions=tuple(descriptions),
        backends=frozenset(restricted),
        mixed_backends=mixed,
    )


def as_json(value: object) -> str:
    """A value of the settings on one line, control characters escaped."""
    return json.dumps(value, ensure_ascii=False)


# --- what is restricted


def _restricted_keys(table: str, entries: Table, sources: Sources) -> Iterator[str]:
    if table in HARMLESS_TABLES:
        return
    for key, value in entries.items():
        # what the user's own word replaces has no effect
        if key in HARMLESS.get(table, ()) or _lookup(sources.user_overrides, table, key) is not None:
            continue
        own = _lookup(sources.user, table, key)
        # a project may hide more of the environment than its user asks for
        stricter = key == "env_policy" and (value == "clean" or own != "clean")
        if not stricter and value != (own or ""):
            yield key


def _restricted_keys_of_backend(name: str, sources: Sources) -> list[str]:
    """The keys of a project's backend that need trust."""
    table, own = sources.project["backends"][name], _lookup(sources.user, "backends", name) or {}
    said = _lookup(sources.user_overrides, "backends", name) or {}
    kind = sources.merged["backends"][name].get("type", "")
    keys = [key for key, value in table.items() if key not in said and _needs_trust(key, value, kind, own)]
    # of another type the same keys mean something else
    if own.get("type") != kind and (kind not in KNOWN_TYPES or _configures_access(own)):
        keys.append("type")
    if any(
        key in ("type", *_address_keys(kind)) for key in keys
    ):  # a key that is usual elsewhere is not there
        keys += [key for key in _SECRET_KEYS if table.get(key) and key not in (*keys, *said)]
    return keys


def _needs_trust(key: str, value: Any, kind: str, own: Table) -> bool:
    if key == "type" or key in HARMLESS["backends"] or value == own.get(key):
        return False
    match key:
        case "enabled":
            return value is True and own.get(key) is False
        case "access":
            return value == "read" and own.get(key) == "none"
        case "options" if kind in KNOWN_TYPES:
            # they send nothing elsewhere; what the user has limited is not loosened unasked
            said = own.get(key) or {}
            return any(name in said and said[name] != wanted for name, wanted in value.items())
        case "replies":
            return any(reply.get("file") for reply in value)
    if own.get(key) or (key == "api_key_env" and _configures_access(own)):
        return True
    return bool(value) and value != DEFAULT_VALUES.get((kind, key))


def _configures_access(own: Table) -> bool:
    """Whether the user's settings say where a backend is or which secrets it gets."""
    return any(own.get(key) for key in (*_address_keys(own.get("type", "")), *_SECRET_KEYS))


def _address_keys(kind: str) -> tuple[str, ...]:
    """The keys that say what is run or where questions go; of lok's own types the options do not."""
    return tuple(key for key in _ADDRESS_KEYS if key != "options" or kind not in KNOWN_TYPES)


def _lookup(table: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(table, Mapping) or key not in table:
            return None
        table = table[key]
    return table


# --- what never counts


def _mixed_reason(name: str, keys: list[str], sources: Sources) -> str:
    """Why a backend is half the project's and half the user's, "" if it is not."""
    project, own = sources.project["backends"][name], _lookup(sources.user, "backends", name) or {}
    merged = sources.merged["backends"][name]
    addresses = ("type", *_address_keys(merged.get("type", "")))
    moved = next((key for key in keys if key in addresses), "")
    said = _lookup(sources.user_overrides, "backends", name) or {}
    ours = [key for key in _SECRET_KEYS if merged.get(key) and (key in said or key not in project)]
    lent = [variable for key in ours for variable in _variable_names(merged[key])]
    if moved and lent:
        return (
            f"your own settings give it {_dollars(lent)}, and this project says where that goes; "
            f"`{' and '.join(ours)}` must stand beside `{moved}`, with another variable"
        )
    if "api_key_env" in keys and not moved and _configures_access(own):
        return (
            "your own settings say where it is, and this project which key goes there; one file must say both"
        )
    named = [
        variable for key in _SECRET_KEYS if key in keys for variable in _variable_names(project.get(key))
    ]
    own_backends = (_lookup(sources.user, "backends") or {}).values()
    users = sources.key_variables | {table.get("api_key_env") for table in own_backends}
    if taken := [variable for variable in named if variable in users]:
        return (
            f"{_dollars(taken)} is the key of a backend of your own settings; this one needs another variable"
        )
    return ""


def _variable_names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value) if isinstance(value, list) else []


# --- what it comes to


def _located(place: tuple[str, int], table: str, meaning: str) -> str:
    file, line = place
    return f"{file}:{line}: [{table}] {meaning}"


def _meaning(table: str, key: str, value: Any) -> str:
    if (table, key) == ("defaults", "command_wrapper"):
        return f"runs every command inside {as_json(value)}" if value else "takes away your command_wrapper"
    if (table, key) == ("fleet", "scheduler"):
        where = "processes of this machine" if value == "local" else as_json(value)[1:-1]
        return f"sends commands and files to {where}"
    if (table, key) == ("fleet", "default"):
        return "sends commands there whose steps do not say so" if value else "keeps commands here"
    if (table, key) == ("defaults", "env_policy"):
        return "shows commands the environment, where your own settings say `clean`"
    return f"sets {key} = {as_json(value)}"


def _meanings(table: Table, keys: list[str]) -> Iterator[str]:
    """What a backend would do, in words; then the keys that these words do not hold."""
    kind, url = table.get("type", ""), table.get("base_url") or table.get("command") or ""
    sees = [variable for key in _SECRET_KEYS for variable in _variable_names(table.get(key))]
    rest = [key for key in keys if key not in ("type", "command", "args", "base_url", *_SECRET_KEYS)]
    if kind in _TOOL_TYPES and len(rest) < len(keys):
        program = table.get("command") or kind
        command = shlex.join([program, *table.get("args", ())])
        owner = program if kind == "acp" else kind
        known = "" if kind == "command" or "command" in keys else f"the keys of {owner}"
        seen = " and ".join(filter(None, [_dollars(sees), known]))
        yield f"runs {as_json(command)[1:-1]}" + (f", which sees {seen}" if seen else "")
    elif len(rest) < len(keys):
        where = f"to {as_json(url)[1:-1]}" if url else f"where the type {as_json(kind)} does"
        yield f"sends questions {where}" + (f", with the key in {_dollars(sees)}" if sees else "")
    for key in rest:
        if key == "replies":
            files = [reply["file"] for reply in table[key] if reply.get("file")]
            yield f"answers with files: {', '.join(map(as_json, files))}"
        elif key == "enabled":
            yield "is switched on, where your own settings switch it off"
        elif key == "access":
            yield "reads the project, which your own settings do not let it"
        else:
            yield f"sets {key} = {as_json(table.get(key))}"


def _dollars(variables: Sequence[str]) -> str:
    return ", ".join(f"${variable}" for variable in variables)
