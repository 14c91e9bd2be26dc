"""The settings of a project and the user's own -> what of a project's counts only where the user trusts it.

A checkout is other people's text. Its settings may say how lok asks (models, limits, roles, tasks, scripted
replies), for that neither runs nor sends anything of the user's. Everything else they say is a claim, by a
closed list of what is harmless: a key that is on no list is one. What changes nothing is none.

A backend is never half the project's and half the user's: a key goes where those said who named it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Table: TypeAlias = Mapping[str, Any]
Place: TypeAlias = "Callable[[tuple[str, ...]], tuple[str, int]]"
"""The file and line in which a key stands."""

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
HARMLESS_TABLES = frozenset({"roles", "tasks", "conductor", "cache", "prices"})
ORDINARY_TYPES = frozenset(
    {"claude", "codex", "gemini", "anthropic", "openai", "gemini-api", "ollama", "bedrock", "scripted"}
)
"""What they run or ask is known: the tool of that name on PATH, the vendor's address, nobody."""
USUAL: Mapping[tuple[str, str], str] = {
    ("claude", "command"): "claude",
    ("codex", "command"): "codex",
    ("gemini", "command"): "gemini",
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
"""What holds for a type where nobody says anything."""

_ADDRESS = ("command", "args", "base_url", "options")
_SECRETS = ("api_key_env", "env")
_TOOLS = ("claude", "codex", "gemini", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a project's settings say that needs trust.

    ``given`` holds the values by dotted key, ``says`` what each comes to, with its place. ``backends`` are
    those it is about; those in ``mixed`` never count, for the reason told.
    """

    file: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    backends: frozenset[str] = frozenset()
    mixed: Mapping[str, str] = field(default_factory=dict)

    def names_program(self, backend: str) -> bool:
        """Whether the project says which program a backend is: it gets no key that it does not name."""
        return f"backends.{backend}.command" in self.given

    def __bool__(self) -> bool:
        return bool(self.given)

    def difference(self, before: Mapping[str, Any]) -> list[str]:
        """What is otherwise than it was ``before``, a line for each value."""
        changed = [key for key in sorted({*before, *self.given}) if not self._same(before, key)]
        return [
            f"{sign} {key} = {shown(values[key])}"
            for key in changed
            for sign, values in (("-", before), ("+", self.given))
            if key in values
        ]

    def _same(self, before: Mapping[str, Any], key: str) -> bool:
        return key in before and key in self.given and before[key] == self.given[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Settings by who says them: ``own`` are the user's (built in, file, environment, options).

    ``stronger`` is the part of them that wins over the ``project``; ``merged`` is what holds. ``keys`` are
    variables that any of the user's settings names as a key, also one that another of them replaces.
    """

    project: Table
    own: Table
    stronger: Table
    merged: Table
    keys: frozenset[str] = frozenset()


def claims_of(sources: Sources, place: Place, file: str) -> Claims:
    """What of the project's settings needs trust."""
    given: dict[str, Any] = {}
    says: list[str] = []
    for table, entries in sources.project.items():
        for key in _other_claims(table, entries, sources) if table != "backends" else ():
            given[f"{table}.{key}"] = entries[key]
            says.append(_say(place((table, key)), table, _meaning(table, key, entries[key])))
    backends = sources.project.get("backends", {})
    claiming = {name: keys for name in backends if (keys := _claimed(name, sources))}
    mixed = {name: why for name, keys in claiming.items() if (why := _mixture(name, keys, sources))}
    for name, keys in claiming.items():
        table = sources.merged["backends"][name]
        given |= {f"backends.{name}.{key}": table.get(key) for key in ("type", *keys)}
        meanings = [*_meanings(table, keys), *([f"never counts: {mixed[name]}"] if name in mixed else [])]
        says += [_say(place(("backends", name)), f"backends.{name}", meaning) for meaning in meanings]
    return Claims(file=file, given=given, says=tuple(says), backends=frozenset(claiming), mixed=mixed)


def shown(value: object) -> str:
    """A value on one line, whatever it holds."""
    return json.dumps(value, ensure_ascii=False)


# --- what is a claim


def _other_claims(table: str, entries: Table, sources: Sources) -> Iterator[str]:
    if table in HARMLESS_TABLES:
        return
    for key, value in entries.items():
        if key in HARMLESS.get(table, ()) or _at(sources.stronger, table, key) is not None:
            continue
        own = _at(sources.own, table, key)
        stricter = key == "env_policy" and (value == "clean" or own != "clean")
        if not stricter and value != (own or ""):
            yield key


def _claimed(name: str, sources: Sources) -> list[str]:
    """The keys of a project's backend that need trust."""
    table, own = sources.project["backends"][name], _at(sources.own, "backends", name) or {}
    said = _at(sources.stronger, "backends", name) or {}
    kind = sources.merged["backends"][name].get("type", "")
    keys = [key for key, value in table.items() if key not in said and _needs(key, value, kind, own)]
    if own.get("type") != kind and (kind not in ORDINARY_TYPES or _speaks(own)):
        keys.append("type")
    if any(key in ("type", *_ADDRESS) for key in keys):  # a key that is usual elsewhere is not there
        keys += [key for key in _SECRETS if table.get(key) and key not in (*keys, *said)]
    return keys


def _needs(key: str, value: Any, kind: str, own: Table) -> bool:
    if key == "type" or key in HARMLESS["backends"] or value == own.get(key):
        return False
    match key:
        case "enabled":
            return value is True and own.get(key) is False
        case "access":
            return value == "read" and own.get(key) == "none"
        case "replies":
            return any(reply.get("file") for reply in value)
    if own.get(key) or (key == "api_key_env" and _speaks(own)):
        return True
    return bool(value) and value != USUAL.get((kind, key))


def _speaks(own: Table) -> bool:
    """Whether the user says where a backend is or what it gets."""
    return any(own.get(key) for key in (*_ADDRESS, *_SECRETS))


def _at(table: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(table, Mapping) or key not in table:
            return None
        table = table[key]
    return table


# --- what never counts


def _mixture(name: str, keys: list[str], sources: Sources) -> str:
    """Why a backend is half the project's and half the user's; "" if it is not."""
    project, own = sources.project["backends"][name], _at(sources.own, "backends", name) or {}
    merged = sources.merged["backends"][name]
    moved = next((key for key in keys if key in ("type", *_ADDRESS)), "")
    said = _at(sources.stronger, "backends", name) or {}
    ours = [key for key in _SECRETS if merged.get(key) and (key in said or key not in project)]
    lent = [variable for key in ours for variable in _variables(merged[key])]
    if moved and lent:
        return (
            f"your own settings give it {_dollars(lent)}, and this project says where that goes; "
            f"`{' and '.join(ours)}` must stand beside `{moved}`, with another variable"
        )
    if "api_key_env" in keys and not moved and _speaks(own):
        return (
            "your own settings say where it is, and this project which key goes there; one file must say both"
        )
    named = [variable for key in _SECRETS if key in keys for variable in _variables(project.get(key))]
    own_backends = (_at(sources.own, "backends") or {}).values()
    users = sources.keys | {table.get("api_key_env") for table in own_backends}
    if taken := [variable for variable in named if variable in users]:
        return (
            f"{_dollars(taken)} is the key of a backend of your own settings; this one needs another variable"
        )
    return ""


def _variables(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value) if isinstance(value, list) else []


# --- what it comes to


def _say(place: tuple[str, int], table: str, meaning: str) -> str:
    file, line = place
    return f"{file}:{line}: [{table}] {meaning}"


def _meaning(table: str, key: str, value: Any) -> str:
    if (table, key) == ("defaults", "command_wrapper"):
        return f"runs every command inside {shown(value)}" if value else "takes away your command_wrapper"
    if (table, key) == ("defaults", "env_policy"):
        return "shows commands the environment, where your own settings say `clean`"
    return f"sets {key} = {shown(value)}"


def _meanings(table: Table, keys: list[str]) -> Iterator[str]:
    """What a backend would do, in words; then the keys that these words do not hold."""
    kind, url = table.get("type", ""), table.get("base_url") or table.get("command") or ""
    sees = [variable for key in _SECRETS for variable in _variables(table.get(key))]
    rest = [key for key in keys if key not in ("type", "command", "args", "base_url", *_SECRETS)]
    if kind in _TOOLS and len(rest) < len(keys):
        command = shlex.join([table.get("command") or kind, *table.get("args", ())])
        known = "" if kind == "command" or "command" in keys else f"the keys of {kind}"
        seen = " and ".join(filter(None, [_dollars(sees), known]))
        yield f"runs {shown(command)[1:-1]}" + (f", which sees {seen}" if seen else "")
    elif len(rest) < len(keys):
        where = f"to {shown(url)[1:-1]}" if url else f"where the type {shown(kind)} does"
        yield f"sends questions {where}" + (f", with the key in {_dollars(sees)}" if sees else "")
    for key in rest:
        if key == "replies":
            files = [reply["file"] for reply in table[key] if reply.get("file")]
            yield f"answers with files: {', '.join(map(shown, files))}"
        elif key == "enabled":
            yield "is switched on, where your own settings switch it off"
        elif key == "access":
            yield "reads the project, which your own settings do not let it"
        else:
            yield f"sets {key} = {shown(table.get(key))}"


def _dollars(variables: Sequence[str]) -> str:
    return ", ".join(f"${variable}" for variable in variables)
