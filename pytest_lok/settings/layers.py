"""A file, the environment or options -> a layer of settings that knows where each of its keys stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any, get_type_hints

import tomli

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import Table, keys
from pytest_lok.core.toml.positions import KeyPositions, SourceSpan
from pytest_lok.core.toml.positions import Path as Keys
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Problem, UsageError, WorkflowError
from pytest_lok.settings.tables import (
    FLAT_TABLES,
    BackendSettings,
)

_NO_SETTINGS = (
    *("LOK_BASE", "LOK_CONFIG_DIR", "LOK_DEBUG", "LOK_PROCESS", "LOK_REVIEWED", "LOK_STATE_KEY"),
    "LOK_TRUST",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source of settings. ``file`` locates a key below ``prefix``; ``names`` do without a file."""

    data: Mapping[str, Any] = field(default_factory=dict)
    file: SourceText | None = None
    prefix: Keys = ()
    folder: Path | None = None
    names: Mapping[Keys, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path of the file, as it is shown to people."""
        return self.file.path if self.file else ""

    def problem(self, path: Keys, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A problem at the value of ``path``, or at its ``key``."""
        if self.file is None:
            while path and path not in self.names:
                path = path[:-1]
            name = self.names.get(path, "built-in settings")
            return Problem(path=name, line=0, column=0, message=message, hint=hint)
        return self.file.problem(self._span(path, key=key), message, hint)

    def line(self, path: Keys) -> int:
        """The line in which ``path`` begins, from 1."""
        return self._span(path, key=True).line if self.file else 1

    def holds(self, path: Keys) -> bool:
        """Whether the source holds ``path``, with a right value or a wrong one."""
        data: Any = self.data
        for key in path:
            if not isinstance(data, dict) or key not in data:
                return False
            data = data[key]
        return True

    def _span(self, path: Keys, *, key: bool) -> SourceSpan:
        assert self.file is not None  # noqa: S101 - both callers have looked
        # positions count from the first character after a byte order mark
        positions = KeyPositions(self.file.text.removeprefix("\ufeff"))
        return (positions.key if key else positions.value)((*self.prefix, *path))


def read_user(folder: Path | None, problems: list[Problem]) -> list[Layer]:
    """The user's file as a list of one layer; empty if there is no file."""
    return _read(folder / "lok.toml", str(folder / "lok.toml"), problems) if folder else []


def read_project(root: Path, config: Path | None, problems: list[Problem]) -> list[Layer]:
    """The project's file, or ``config`` instead, as a list of one layer; two files are a problem."""
    if config is not None:
        return _read(config, str(config), problems, required=True)
    own = _read(root / "lok.toml", "lok.toml", problems)
    if (root / ".lok" / "lok.toml").is_file():
        message, hint = "settings are not read from here", "move it to lok.toml, beside .lok"
        problems.append(Problem(path=".lok/lok.toml", line=1, column=1, message=message, hint=hint))
    shared = _read(root / "pyproject.toml", "pyproject.toml", problems)
    if own and shared:
        hint = "move [tool.lok] to lok.toml, or the other way round"
        problems.append(shared[0].problem((), "settings stand here and in lok.toml too", hint, key=True))
    return own or shared


def _read(file: Path, path: str, problems: list[Problem], *, required: bool = False) -> list[Layer]:
    """The settings in a file as a list of one layer; empty if there is no file, or no [tool.lok]."""
    try:
        source = SourceText.decode(file.read_bytes(), path=path, stem="", origin=Origin.SETTINGS)
        data: Any = source.toml()
    except FileNotFoundError:
        if required:
            raise UsageError(f"there is no settings file {path}") from None
        return []
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        problems.append(Problem(path=path, line=0, column=0, message=message))
        return []
    except WorkflowError as error:
        problems += error.problems
        return []
    prefix: Keys = ()
    if file.name == "pyproject.toml":
        prefix = ("tool", "lok")
        tool = data.get("tool")
        data = tool.get("lok") if isinstance(tool, dict) else None
        if data is None:
            return []
    layer = Layer(data=data, file=source, prefix=prefix, folder=file.parent.absolute())
    if not isinstance(data, dict):
        problems.append(layer.problem((), "`tool.lok` must be a table"))
        return []
    return [layer]


def from_environ(environ: Mapping[str, str], known: Mapping[str, Any], problems: list[Problem]) -> Layer:
    """``LOK_*`` as a layer. Backends are those of the files, in capitals, with ``_`` for the rest."""
    variables: dict[str, Keys] = {}
    for section, model in FLAT_TABLES.items():
        title = "" if section == "defaults" else f"{section}_".upper()
        variables |= {f"LOK_{title}{key.upper()}": (section, key) for key in keys(model)}
    backends = known.get("backends")
    for name in backends if isinstance(backends, dict) else ():
        title = re.sub(r"[^A-Z0-9]", "_", name.upper())
        for key in keys(BackendSettings) - {"replies"}:
            variables[f"LOK_BACKENDS_{title}_{key.upper()}"] = ("backends", name, key)
    data: dict[str, Any] = {}
    names: dict[Keys, str] = {}
    for variable in sorted(environ):
        if not variable.startswith("LOK_") or variable in _NO_SETTINGS or not environ[variable]:
            continue
        if variable in variables:
            path = variables[variable]
            _set(data, path, _parse_text(path, environ[variable]))
            names[path] = f"${variable}"
        else:
            # a misspelt variable would otherwise do nothing, and nobody would know
            hint = did_you_mean(variable, variables) or "LOK_TIMEOUT sets [defaults] timeout, and so on"
            message = "no setting is named so"
            problems.append(Problem(path=f"${variable}", line=0, column=0, message=message, hint=hint))
    return Layer(data=data, names=names)


def from_options(options: Mapping[str, Any]) -> Layer:
    """Options by their dotted names, as a layer."""
    data: dict[str, Any] = {}
    names: dict[Keys, str] = {}
    for dotted, value in options.items():
        path = tuple(dotted.split("."))
        value = list(value) if isinstance(value, tuple) else value
        _set(data, path, _parse_text(path, value) if isinstance(value, str) else value)
        names[path] = f"option {path[-1]}"
    return Layer(data=data, names=names)


def _set(data: dict[str, Any], path: Keys, value: Any) -> None:
    for key in path[:-1]:
        data = data.setdefault(str(key), {})
    data[str(path[-1])] = value


def _parse_text(path: Keys, text: str) -> Any:
    """The text if the key takes text, else the TOML value that it spells, or its words as in a shell."""
    models: dict[str | int, type[Table]] = {**FLAT_TABLES, "backends": BackendSettings}
    model = models.get(path[0])
    wanted = get_type_hints(model).get(str(path[-1]), str) if model else str
    if wanted is str:
        return text
    with suppress(ValueError, RecursionError):
        parsed = tomli.loads(f"value = {text}")
        # more keys than one: the text has a line break, and is no value
        if parsed.keys() == {"value"}:
            return parsed["value"]
    with suppress(ValueError):  # a quote that is not closed
        return shlex.split(text) if wanted == list[str] else text
    return text
