"""A provider of promptfoo → a backend of lok's settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pytest_lok.core.conversion.toml_text import key_line
from pytest_lok.core.conversion.translation import named
from pytest_lok.dataclass import dataclass

_TYPES = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gemini-api",
    "ollama": "ollama",
    "bedrock": "bedrock",
}
_MIDDLE = frozenset({"chat", "responses", "completion", "messages", "converse"})
"""Words between the company and the model, which say by which of its ways."""
_OPTIONS = {"temperature": "temperature", "top_p": "top_p", "seed": "seed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedProvider:
    """The name of a backend, its table of the settings in lines, and what of it could not be said."""

    name: str
    settings: tuple[str, ...]
    marks: tuple[str, ...] = ()


def provider_of(entry: object, taken: Collection[str]) -> TranslatedProvider:
    """The backend that a provider is."""
    identity, label, config = _parts(entry)
    company, _, rest = identity.partition(":")
    words = rest.split(":")
    if words[0] in _MIDDLE and len(words) > 1:
        words = words[1:]
    model = ":".join(words)
    name = named(label or re.sub(r".*/", "", model) or company, taken)
    kind = _TYPES.get(company) if model else None
    lines = [f"[backends.{name}]", key_line("type", kind or "…")]
    lines += [key_line("model", model)] if model else []
    marks = [] if kind else [f"the provider {identity}: say in lok.toml what answers"]
    if "max_tokens" in config:
        lines.append(key_line("max_tokens", config["max_tokens"]))
    options = {ours: config[theirs] for theirs, ours in _OPTIONS.items() if theirs in config}
    if options:
        lines.append(key_line("options", options))
    marks += [f"`{key}` of the provider {identity}" for key in config if key not in {*_OPTIONS, "max_tokens"}]
    return TranslatedProvider(name=name, settings=tuple(lines), marks=tuple(marks))


def _parts(entry: object) -> tuple[str, str, Mapping[str, Any]]:
    """A provider's id, its label, and its config."""
    if not isinstance(entry, Mapping):
        return str(entry), "", {}
    if "id" not in entry and len(entry) == 1:
        ((identity, said),) = entry.items()
        return str(identity), *_said(said)
    return str(entry.get("id", "")), *_said(entry)


def _said(said: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(said, Mapping):
        return "", {}
    config = said.get("config")
    more = {key: it for key, it in said.items() if key not in ("id", "label", "config")}
    return str(said.get("label") or ""), {**(config if isinstance(config, Mapping) else {}), **more}
