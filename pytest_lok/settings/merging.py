"""Layers of settings, one over the other -> Settings, or every mistake in all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import Table, keys
from pytest_lok.core.toml.positions import Path as Keys
from pytest_lok.core.toml.validation import fit
from pytest_lok.core.trust.restricted import RestrictedSettings, Sources, restricted_settings
from pytest_lok.errors import Problem, SettingsError
from pytest_lok.settings.checks import SettingsCheck
from pytest_lok.settings.environment import config_dir
from pytest_lok.settings.layers import Layer, from_environ, from_options, read_project, read_user
from pytest_lok.settings.tables import (
    BACKEND_TYPES,
    FLAT_TABLES,
    BackendSettings,
    Defaults,
    PriceSettings,
    ReplySettings,
    RoleSettings,
    Settings,
    TaskPrompt,
    TaskSettings,
)

_DEFAULT_WEIGHTS = {
    "claude": 2.0,
    "anthropic": 2.0,
    "bedrock": 2.0,
    "codex": 1.5,
    "gemini": 1.5,
    "gemini-api": 1.5,
}
_CLAUDE, _GEMINI = ["general", "architecture", "analysis"], ["security", "architecture"]
_DEFAULT_STRENGTHS = {  # lok's, in its order
    "claude": _CLAUDE, "anthropic": _CLAUDE, "bedrock": _CLAUDE, "gemini": _GEMINI, "gemini-api": _GEMINI,
    "codex": ["analysis", "dead-code", "performance"],
}  # fmt: skip
# Vendors serve many at once. What runs on this machine shares its processors: tools, and Ollama's models. A
# scripted backend answers from a file, so nothing is gained by a limit.
_DEFAULT_CONCURRENCY = {"anthropic": 16, "openai": 16, "gemini-api": 16, "bedrock": 16, "scripted": 0}
_BUILT_IN: Mapping[str, Any] = {
    "backends": {
        "claude": {},
        "codex": {},
        "gemini": {"timeout": 600},
        **{name: {} for name in PROVIDERS},
        "ollama": {},
    }
}


def load_settings(
    root: Path,
    *,
    environ: Mapping[str, str],
    config: Path | None = None,
    options: Mapping[str, Any] | None = None,
    more_types: Callable[[], Collection[str]] = tuple,
) -> Settings:
    """The settings of the project at ``root``; SettingsError holds every mistake of every source.

    ``config`` is read instead of the project's own file. ``options`` have dotted names,
    ``{"defaults.timeout": 60}``; text is read as in the environment. ``more_types`` finds the types of
    backends that other packages add; it is called only if a type is used that is not built in.
    """
    problems: list[Problem] = []
    user = config_dir(environ)
    of_user = read_user(user, problems)
    files = [*of_user, *read_project(root, config, problems)]
    # `LOK_BACKENDS_NAME_…` can only mean a backend that has a name by now
    known = _merged([_BUILT_IN, *(layer.data for layer in files)])
    layers = [*files, from_environ(environ, known, problems), from_options(options or {})]
    fitted = [_validated(layer, problems) for layer in layers]
    merged = _by_strength([_BUILT_IN, _merged(fitted[: len(files)]), *fitted[len(files) :]])
    types = _types(merged["backends"], more_types)
    # the environment and options set up backends, and say nothing of which one is preferred
    merged["backends"] = _by_preference(merged["backends"], fitted[: len(files)], types)
    check = SettingsCheck(merged, layers, problems, types)
    check.run()
    if problems:
        # as a person goes through them: file by file, from top to bottom
        order = {layer.path: number for number, layer in enumerate(files)}
        raise SettingsError(
            sorted(problems, key=lambda it: (order.get(it.path, len(order)), it.path, it.line, it.column))
        )
    settings, wrong = fit(Settings, merged, key_hint=_suggest_key)
    assert not wrong, wrong  # noqa: S101 - each layer has been checked
    # private attributes: they are facts about this load, and no keys that could be set
    settings._files = tuple(layer.path for layer in files)
    settings._mentioned = frozenset(_mentioned(fitted[: len(files)]))
    settings._lines = {name: check.location(("tasks", name)) for name in settings.tasks}
    if len(files) > len(of_user):
        settings._restricted = _restricted_settings_of(
            fitted, len(of_user), merged, types, check.location, files[-1].path
        )
    return settings


def _restricted_settings_of(
    layers: list[dict[str, Any]],
    at: int,
    merged: Mapping[str, Any],
    types: Collection[str],
    place: Callable[[Keys], tuple[str, int]],
    file: str,
) -> RestrictedSettings:
    """What the project's layer, which is number ``at``, says that needs trust."""
    others = [_BUILT_IN, *layers[:at], *layers[at + 1 :]]
    own = _merged(others)
    own["backends"] = {
        name: _with_type_defaults(name, table, types) for name, table in own["backends"].items()
    }
    # a key is the user's as soon as any of the user's layers names it, replaced by another or not
    keys = {table.get("api_key_env") for layer in others for table in layer.get("backends", {}).values()}
    sources = Sources(
        project=layers[at],
        user=own,
        user_overrides=_merged(layers[at + 1 :]),
        merged=merged,
        key_variables=frozenset(filter(None, keys)),
    )
    return restricted_settings(sources, place, file)


def _validated(layer: Layer, problems: list[Problem]) -> dict[str, Any]:
    """The valid part of a layer's data; the rest becomes problems."""
    settings, faults = fit(Settings, layer.data, key_hint=_suggest_key)
    problems += [layer.problem(it.path, it.message, it.hint, key=it.unknown) for it in faults]
    data = settings.to_dict(defaults=False)
    for backend in data.get("backends", {}).values():
        for reply in backend.get("replies", ()):
            if reply.get("file") and layer.folder:
                # a path in a file is relative to that file, wherever lok is called
                reply["file"] = str(layer.folder / reply["file"])
    fleet = data.get("fleet", {})
    for key in ("ca", "cert", "key"):
        if fleet.get(key) and layer.folder:
            fleet[key] = str(layer.folder / fleet[key])
    return data


def _merged(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge tables key by key; the later source wins, and anything else than a table is replaced whole."""
    result: dict[str, Any] = {}
    for source in sources:
        for key, value in source.items():
            old = result.get(key)
            if isinstance(value, dict):
                result[key] = _merged([old if isinstance(old, dict) else {}, value])
            else:
                result[key] = value
    return result


def _by_strength(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge what is built in, the files, the environment and options.

    A time limit for everybody replaces those of single backends in weaker sources: who types
    ``--timeout 3`` means every backend. Within one source the limit of a backend is the closer one.
    """
    result: dict[str, Any] = {}
    for source in sources:
        if "timeout" in source.get("defaults", {}):
            for table in result.get("backends", {}).values():
                table.pop("timeout", None)
        result = _merged([result, source])
    return result


def _types(backends: Mapping[str, Any], more: Callable[[], Collection[str]]) -> tuple[str, ...]:
    """The types that a backend may have; other packages are asked only if a type is not built in."""
    # asking the entry points takes time in every session, so only where it matters
    written = (table.get("type", name) for name, table in backends.items())
    return BACKEND_TYPES if all(kind in BACKEND_TYPES for kind in written) else (*BACKEND_TYPES, *more())


def _by_preference(
    backends: Mapping[str, Any], files: list[dict[str, Any]], types: Collection[str]
) -> dict[str, Any]:
    """Backends of the strongest file first, built-in ones last: ``auto`` takes them in this order."""
    ordered = dict.fromkeys([*_mentioned(files), *backends])
    return {name: _with_type_defaults(name, backends[name], types) for name in ordered}


def _mentioned(files: list[dict[str, Any]]) -> list[str]:
    """The backends that the files speak of, those of the strongest file first."""
    return [name for data in reversed(files) for name in data.get("backends", {})]


def _with_type_defaults(name: str, table: dict[str, Any], types: Collection[str]) -> dict[str, Any]:
    """The table of a backend with its type, and the defaults of the type."""
    if "type" not in table and name in types:
        # `claude` with a key and without a command is the API
        by_key = name == "claude" and not table.get("command") and table.get("api_key_env")
        table = {**table, "type": "anthropic" if by_key else name}
    kind = table.get("type", "")
    usual: dict[str, Any] = {
        "weight": _DEFAULT_WEIGHTS.get(kind, 1.0),
        "strengths": _DEFAULT_STRENGTHS.get(kind, []),
        **({"max_concurrent": _DEFAULT_CONCURRENCY[kind]} if kind in _DEFAULT_CONCURRENCY else {}),
    }
    # another server may have other models
    if kind in PROVIDERS and not table.get("base_url") and not table.get("command"):
        usual["model"] = PROVIDERS[kind].model
    if kind == "acp":
        from pytest_lok.core.asking.acp_agents import acp_agent  # few have such a backend

        if agent := acp_agent(name, table.get("command", "")):
            usual |= {"command": agent.program, "args": list(agent.args)}
    return {**usual, **table}


def _suggest_key(path: Keys) -> str:
    """The hint for an unknown key: what was probably meant, or which keys there are."""
    key = str(path[-1])
    tables: dict[str | int, type[Table]] = {
        **FLAT_TABLES,
        "backends": BackendSettings,
        "roles": RoleSettings,
        "tasks": TaskSettings,
        "prices": PriceSettings,
        "replies": ReplySettings,
        "prompts": TaskPrompt,
    }
    model: type[Table] = Settings
    for part in path[:-1]:
        model = tables.get(part, model)
    if model is Settings and key in keys(Defaults):
        return f"`{key}` belongs below [defaults]"
    return did_you_mean(key, keys(model)) or f"there are: {', '.join(sorted(keys(model)))}"
