"""Merged settings -> the mistakes that no table shows alone, such as names of backends that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_lok.core.asking.providers import is_url
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.positions import Path as Keys
from pytest_lok.core.workflow.model import AUTO, EVERYBODY
from pytest_lok.errors import Problem
from pytest_lok.late_regex import late_regex
from pytest_lok.settings.layers import Layer
from pytest_lok.settings.tables import BACKEND_TYPES, CLI_TYPES, split_names

_VARIABLE = late_regex(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPES_OF_KEY = {  # keys that mean something for some types only
    "args": CLI_TYPES,
    "skip_lines": tuple(kind for kind in CLI_TYPES if kind != "acp"),
    "fail_on": ("command",),
    "answer": ("command",),
    "access": CLI_TYPES,
    "allow_refusals": ("acp",),
    "env": CLI_TYPES,
    "command": (*CLI_TYPES, "openai", "ollama"),
    "base_url": ("anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "max_tokens": ("anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "api": ("openai",),
    "idle_timeout": (*CLI_TYPES, "anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "replies": ("scripted",),
}

_FLEET = 'scheduler = "local", "tls://host:8786", or "tcp://127.0.0.1:8786" on this machine'
_FLEET_ADDRESS = late_regex(r"(?:tcp|tls)://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_EXAMPLE = 'for example {} = "http://localhost:8000"'
_FOR_THIRD_PARTY = ("base_url", "max_tokens", "options")  # of those, what the types of other packages take


class SettingsCheck:
    """Checks whether the merged settings make sense together."""

    def __init__(
        self, merged: Mapping[str, Any], layers: list[Layer], problems: list[Problem], types: tuple[str, ...]
    ) -> None:
        self._types = types
        self._merged = merged
        self._layers = layers
        self._problems = problems

    def run(self) -> None:
        """Add a problem for everything that does not fit together."""
        backends, roles = self._merged["backends"], self._merged.get("roles", {})
        for name, table in backends.items():
            self._backend(name, table)
        for name, role in roles.items():
            self._role(name, role, backends)
        for name, task in self._merged.get("tasks", {}).items():
            self._name(("tasks", name), "task")
            self._backends(
                ("tasks", name, "backends"), task.get("backends", []), [*backends, *roles, EVERYBODY]
            )
            if self._is_unset(("tasks", name, "prompts")):
                hint = 'prompts = [{ name = "…", prompt = "…" }]'
                self._add(("tasks", name), f"the task `{name}` needs `prompts`", hint)
        default = self._merged.get("defaults", {}).get("backend", AUTO)
        self._backends(("defaults", "backend"), default, [*backends, *roles, AUTO, EVERYBODY])
        if not split_names(default):
            self._add(("defaults", "backend"), "`defaults.backend` names nobody", 'name a backend, or "auto"')
        for pattern in self._merged.get("prices", {}):
            for key in ("input", "output"):
                if self._is_unset(("prices", pattern, key)):
                    hint = "USD per million tokens; 0 if they are free"
                    self._add(("prices", pattern), f"the price of `{pattern}` needs `{key}`", hint)
        if "fleet" in self._merged:
            self._fleet(self._merged["fleet"])

    def _fleet(self, table: Mapping[str, Any]) -> None:
        address = table.get("scheduler", "")
        kind, _, rest = address.partition("://")
        found = _FLEET_ADDRESS.fullmatch(address)
        path: Keys = ("fleet", "scheduler")
        if not address:
            for key in sorted(table.keys() - {"scheduler"}):
                self._add(
                    ("fleet", key), f"`fleet.{key}` is about a fleet, and no scheduler is named", _FLEET
                )
            return
        if address != "local" and not found:
            self._add(path, f"`fleet.scheduler` is no address of a fleet: {address!r}", _FLEET)
            return
        if kind == "tcp" and found and not _is_loopback(found["host"]):
            hint = f'scheduler = "tls://{rest}", with ca, cert and key; tcp:// is for this machine alone'
            self._add(path, "commands and files would go to another machine unencrypted", hint)
        files = [key for key in ("ca", "cert", "key") if table.get(key)]
        if kind == "tls" and len(files) < 3:
            missing = ", ".join(key for key in ("ca", "cert", "key") if key not in files)
            hint = "PEM files: who may speak for the fleet, and who this driver is"
            self._add(path, f"a scheduler at tls:// needs {missing} too", hint)
        for key in files if kind != "tls" else ():
            self._add(("fleet", key), f"`fleet.{key}` is about a scheduler at tls://", "take it out")
        if "workers" in table and kind != "local":
            hint = "a cluster has the workers that are started there"
            self._add(("fleet", "workers"), '`fleet.workers` is about scheduler = "local"', hint)

    def location(self, path: Keys) -> tuple[str, int]:
        """The file and line of the strongest source that holds ``path``."""
        layer = self._layer(path)
        return layer.path, layer.line(path)

    def _backend(self, name: str, table: Mapping[str, Any]) -> None:
        path = ("backends", name)
        self._name(path, "backend")
        kind = table.get("type", "")
        if not kind:
            # a wrong type is a problem already; only a missing one is told here
            if not self._is_unset((*path, "type")):
                return
            others = [*self._types, *(other for other in self._merged["backends"] if other != name)]
            own = (
                'type = "command" runs any CLI'
                if table.get("command")
                else f"one of: {', '.join(self._types)}"
            )
            self._add(path, f"the backend `{name}` needs a `type`", did_you_mean(name, others) or own)
            return
        if kind not in self._types:
            # third-party types are in the list too: they were looked up because of this very name
            *most, last = (f'"{other}"' for other in self._types)
            message = f'`backends.{name}.type` must be {", ".join(most)} or {last}, not "{kind}"'
            hint = did_you_mean(kind, self._types) or "is the package that adds it installed here?"
            self._add((*path, "type"), message, hint)
            return
        # who writes the key itself here must not find it in the log of the error
        if not _VARIABLE.fullmatch(table.get("api_key_env") or "_"):
            self._add(
                (*path, "api_key_env"), "`api_key_env` names a variable, it is not the key", secret=True
            )
        for key, types in _TYPES_OF_KEY.items():
            meant = kind in types if kind in BACKEND_TYPES else key in _FOR_THIRD_PARTY
            if table.get(key) and not meant:
                self._add((*path, key), f'`{key}` means nothing to a backend of type "{kind}"', "take it out")
        self._options(name, table)
        if kind == "command" and self._is_unset((*path, "command")):
            self._add(path, f"the backend `{name}` needs a `command` to run", 'for example command = "llm"')
        if kind == "acp" and not table.get("command"):
            from pytest_lok.core.asking.acp_agents import ACP_AGENTS  # few have such a backend

            hint = f'command = "…", and `args`; these names need neither: {", ".join(ACP_AGENTS)}'
            self._add(path, f"the backend `{name}` needs the `command` of an agent", hint)
        if kind == "acp" and any("{prompt}" in word for word in table.get("args", ())):
            hint = "take {prompt} out"
            self._add((*path, "args"), 'an agent of type "acp" gets its prompt as a message', hint)
        for key in ("base_url", *(["command"] if kind in ("openai", "ollama") else [])):
            # other packages may have addresses of another form
            if table.get(key) and kind in BACKEND_TYPES and not is_url(table[key]):
                address = _with_scheme(table[key])
                hint = f'write the whole address: {key} = "{address}"' if address else _EXAMPLE.format(key)
                self._add((*path, key), f"`{key}` must be a URL, with http:// or https://", hint)

    def _options(self, name: str, table: Mapping[str, Any]) -> None:
        path, options = ("backends", name, "options"), table.get("options") or {}
        # what those of other packages mean, only these know
        if not options or table["type"] not in BACKEND_TYPES:
            return
        from pytest_lok.core.asking.answer_options import MCP, RESPONSES, Answerer, fault_of

        kind = RESPONSES if (table["type"], table.get("api")) == ("openai", "responses") else table["type"]
        answerer = Answerer(kind=kind, access=table.get("access", "read"))
        for option, value in options.items():
            fault = fault_of(answerer, option, value)
            if option == MCP:
                fault = "`mcp` is an option of a step, whose file is read beside it", "write it there"
            elif option == "max_tokens" and table.get(option) is not None:
                fault = "`max_tokens` stands above too, and means the same", "keep one"
            if fault is not None:
                self._add((*path, option), *fault)

    def _role(self, name: str, role: Mapping[str, Any], backends: Mapping[str, Any]) -> None:
        path = ("roles", name)
        self._name(path, "role")
        if name in backends:
            self._add(path, f"`{name}` is a backend already", "call the role otherwise")
        if self._is_unset((*path, "backends")):
            self._add(path, f"the role `{name}` needs `backends`", 'backends = ["claude", "codex"]')
        self._backends((*path, "backends"), role.get("backends", []), backends)

    def _backends(self, path: Keys, names: str | list[str], known: Iterable[str]) -> None:
        known = list(known)
        for number, name in enumerate(split_names(names) if isinstance(names, str) else names):
            if name not in known:
                hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
                # in a list the item is at fault, in a text the whole of it
                place = (*path, number) if isinstance(names, list) else path
                self._add(place, f"no backend is called `{name}`", hint)

    def _name(self, path: Keys, what: str) -> None:
        name = str(path[-1])
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name in (AUTO, EVERYBODY):
            self._add(
                path,
                f"a {what} cannot be called `{name}`",
                "letters, digits, `_`, `-` and `.`; not auto or all",
            )

    def _add(self, path: Keys, message: str, hint: str = "", *, secret: bool = False) -> None:
        problem = self._layer(path).problem(path, message, hint)
        self._problems.append(replace(problem, excerpt="", length=0) if secret else problem)

    def _is_unset(self, path: Keys) -> bool:
        """Whether no source holds ``path``, with a right value or a wrong one."""
        return not any(layer.holds(path) for layer in self._layers)

    def _layer(self, path: Keys) -> Layer:
        """The strongest source that holds ``path``, or the nearest table above it."""
        path = tuple(key for key in path if isinstance(key, str))  # a list comes from one source
        while path:
            for layer in reversed(self._layers):
                if layer.holds(path):
                    return layer
            path = path[:-1]
        return Layer()


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very spelling: no name that somebody else resolves."""
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_scheme(url: str) -> str:
    """The address that was probably meant, "" where none can be made of the text."""
    whole = f"http://{url}"
    return whole if "://" not in url and is_url(whole) else ""
