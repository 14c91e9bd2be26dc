"""The layers of settings, one over the other -> Settings, or every mistake in all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.positions import Path as Keys
from pytest_lok.core.toml.validation import fit
from pytest_lok.core.trust.claims import Claims, Sources, claims_of
from pytest_lok.errors import Problem, SettingsError
from pytest_lok.settings.checks import SettingsCheck
from pytest_lok.settings.environment import config_dir
from pytest_lok.settings.layers import Layer, from_environ, from_options, read_project, read_user
from pytest_lok.settings.tables import (
    TYPES,
    BackendSettings,
    CacheSettings,
    Defaults,
    PriceSettings,
    ReplySettings,
    RoleSettings,
    Settings,
    SettingsTable,
    TaskPrompt,
    TaskSettings,
)

_WEIGHTS = {"claude": 2.0, "anthropic": 2.0, "bedrock": 2.0, "codex": 1.5, "gemini": 1.5, "gemini-api": 1.5}
_CLAUDE, _GEMINI = ["general", "architecture", "analysis"], ["security", "architecture"]
_STRENGTHS = {  # lok's, in its order
    "claude": _CLAUDE, "anthropic": _CLAUDE, "bedrock": _CLAUDE, "gemini": _GEMINI, "gemini-api": _GEMINI,
    "codex": ["analysis", "dead-code", "performance"],
}  # fmt: skip
_BUILT_IN: Mapping[str, Any] = {
    "backends": {"claude": {}, "codex": {}, "gemini": {"timeout": 600}, "ollama": {}},
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

    ``config`` replaces the project's own file. ``options`` are dotted, ``{"defaults.timeout": 60}``;
    text among them is read as the environment's is. ``more_types`` finds the types of backends that
    other packages add, and is asked only where one is written that is not built in.
    """
    problems: list[Problem] = []
    user = config_dir(environ)
    of_user = read_user(user, problems)
    files = [*of_user, *read_project(root, config, problems)]
    known = _merged([_BUILT_IN, *(layer.data for layer in files)])
    layers = [*files, from_environ(environ, known, problems), from_options(options or {})]
    fitted = [_fitted(layer, problems) for layer in layers]
    merged = _merged([_BUILT_IN, *fitted])
    types = _types(merged["backends"], more_types)
    merged["backends"] = _in_order(merged["backends"], fitted[: len(files)], types)
    check = SettingsCheck(merged, layers, problems, types)
    check.everything()
    if problems:
        order = {layer.path: number for number, layer in enumerate(files)}
        raise SettingsError(
            sorted(problems, key=lambda it: (order.get(it.path, len(order)), it.path, it.line, it.column))
        )
    settings = Settings.model_validate(merged)
    settings._files = tuple(layer.path for layer in files)
    settings._lines = {name: check.place(("tasks", name)) for name in settings.tasks}
    if len(files) > len(of_user):
        settings._claims = _claimed(fitted, len(of_user), merged, types, check.place, files[-1].path)
    return settings


def _claimed(
    layers: list[dict[str, Any]],
    at: int,
    merged: Mapping[str, Any],
    types: Collection[str],
    place: Callable[[Keys], tuple[str, int]],
    file: str,
) -> Claims:
    """What the project's layer, the one ``at`` its place among all, says that needs trust."""
    others = [_BUILT_IN, *layers[:at], *layers[at + 1 :]]
    own = _merged(others)
    own["backends"] = {name: _resolved(name, table, types) for name, table in own["backends"].items()}
    keys = {table.get("api_key_env") for layer in others for table in layer.get("backends", {}).values()}
    sources = Sources(
        project=layers[at],
        own=own,
        stronger=_merged(layers[at + 1 :]),
        merged=merged,
        keys=frozenset(filter(None, keys)),
    )
    return claims_of(sources, place, file)


def _fitted(layer: Layer, problems: list[Problem]) -> dict[str, Any]:
    """What is right about a source's data; what is not becomes problems."""
    settings, misfits = fit(Settings, layer.data, key_hint=_meant)
    problems += [layer.problem(it.path, it.message, it.hint, key=it.unknown) for it in misfits]
    data = settings.model_dump(exclude_unset=True)
    for backend in data.get("backends", {}).values():
        for reply in backend.get("replies", ()):
            if reply.get("file") and layer.folder:
                reply["file"] = str(layer.folder / reply["file"])
    return data


def _merged(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Tables key by key, the later one winning; anything else is replaced whole."""
    result: dict[str, Any] = {}
    for source in sources:
        for key, value in source.items():
            old = result.get(key)
            if isinstance(value, dict):
                result[key] = _merged([old if isinstance(old, dict) else {}, value])
            else:
                result[key] = value
    return result


def _types(backends: Mapping[str, Any], more: Callable[[], Collection[str]]) -> tuple[str, ...]:
    """What a backend's type may be; whether others add any is looked up only where it matters."""
    written = (table.get("type", name) for name, table in backends.items())
    return TYPES if all(kind in TYPES for kind in written) else (*TYPES, *more())


def _in_order(
    backends: Mapping[str, Any], files: list[dict[str, Any]], types: Collection[str]
) -> dict[str, Any]:
    """The strongest file's backends first, those only built in last: ``auto`` takes them in this order."""
    mentioned = [name for data in reversed(files) for name in data.get("backends", {})]
    ordered = dict.fromkeys([*mentioned, *backends])
    return {name: _resolved(name, backends[name], types) for name in ordered}


def _resolved(name: str, table: dict[str, Any], types: Collection[str]) -> dict[str, Any]:
    """A backend with its type, and what depends on the type."""
    if "type" not in table and name in types:
        by_key = name == "claude" and not table.get("command") and table.get("api_key_env")
        table = {**table, "type": "anthropic" if by_key else name}
    kind = table.get("type", "")
    usual = {"weight": _WEIGHTS.get(kind, 1.0), "strengths": _STRENGTHS.get(kind, [])}
    return {**usual, **({"max_concurrent": 0} if kind == "scripted" else {}), **table}


def _meant(path: Keys) -> str:
    """What an unknown key was probably meant to be."""
    key = str(path[-1])
    tables: dict[str | int, type[SettingsTable]] = {
        "defaults": Defaults,
        "cache": CacheSettings,
        "backends": BackendSettings,
        "roles": RoleSettings,
        "tasks": TaskSettings,
        "prices": PriceSettings,
        "replies": ReplySettings,
        "prompts": TaskPrompt,
    }
    model: type[SettingsTable] = Settings
    for part in path[:-1]:
        model = tables.get(part, model)
    if model is Settings and key in Defaults.model_fields:
        return f"`{key}` belongs below [defaults]"
    return did_you_mean(key, model.model_fields) or f"there are: {', '.join(sorted(model.model_fields))}"
