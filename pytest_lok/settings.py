"""lok.toml, ``[tool.lok]``, the environment and options -> Settings, or every mistake in all of them at once.

Merged key by key, the later one wins: what is built in < the user's lok.toml < the project's (its
lok.toml, or ``[tool.lok]`` of its pyproject.toml: both is a mistake) < ``LOK_*`` < options. Lists
are replaced whole. Variables of the environment are named after what they set::

    LOK_TIMEOUT=60                     [defaults] timeout
    LOK_CACHE_ENABLED=false            [cache] enabled
    LOK_BACKENDS_CLAUDE_MODEL=opus     [backends.claude] model
    LOK_CONFIG_DIR=/etc/lok            the directory of the user's settings and workflows
    LOK_TRUST=1                        what the project's file says counts, all of it
    LOK_BASE=develop                   what changes are compared with; no key of a file, for a file is
                                       part of the change
"""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from pytest_lok.core.bases import is_id
from pytest_lok.core.claims import Claims, Sources, claims_of
from pytest_lok.core.document import schema_of
from pytest_lok.core.duration import LONGEST, parse_duration
from pytest_lok.core.model import AUTO, Origin
from pytest_lok.core.positions import Path as Keys
from pytest_lok.core.positions import Positions, Spot
from pytest_lok.core.source import Source
from pytest_lok.core.structure import closest, complaint, fit
from pytest_lok.errors import Problem, SettingsError, UsageError, WorkflowError

ALL = "all"
"""In the backends of a task: every one that is enabled (lok)."""

TYPES = (
    "claude", "codex", "gemini", "command",
    "anthropic", "openai", "gemini-api", "ollama", "bedrock", "scripted",
)  # fmt: skip
"""Of backends, those that are built in."""
CLIS = ("claude", "codex", "gemini", "command")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOREIGN = (
    "LOK_BASE",
    "LOK_CONFIG_DIR",
    "LOK_DEBUG",
    "LOK_PROCESS",
    "LOK_TRUST",
)  # variables that are no settings
_TARGETS = (  # where CI systems say which branch a change goes to
    "GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH",
    "CHANGE_TARGET", "BUILDKITE_PULL_REQUEST_BASE_BRANCH", "SYSTEM_PULLREQUEST_TARGETBRANCH",
)  # fmt: skip
_GITLAB = ("COMMIT_BEFORE_SHA", "COMMIT_BRANCH", "DEFAULT_BRANCH")
_USUAL = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master",
)  # fmt: skip
_WEIGHTS = {"claude": 2.0, "anthropic": 2.0, "bedrock": 2.0, "codex": 1.5, "gemini": 1.5, "gemini-api": 1.5}
_CLAUDE, _GEMINI = ["general", "architecture", "analysis"], ["security", "architecture"]
_STRENGTHS = {  # lok's, in its order
    "claude": _CLAUDE, "anthropic": _CLAUDE, "bedrock": _CLAUDE, "gemini": _GEMINI, "gemini-api": _GEMINI,
    "codex": ["analysis", "dead-code", "performance"],
}  # fmt: skip
_BUILT_IN: Mapping[str, Any] = {
    "backends": {"claude": {}, "codex": {}, "gemini": {"timeout": 600}, "ollama": {}},
}
_ONLY_FOR = {  # keys that mean something for some types only
    "args": CLIS,
    "skip_lines": CLIS,
    "fail_on": ("command",),
    "answer": ("command",),
    "access": CLIS,
    "env": CLIS,
    "command": (*CLIS, "openai", "ollama"),
    "base_url": ("anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "max_tokens": ("anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "api": ("openai",),
    "idle_timeout": (*CLIS, "anthropic", "openai", "gemini-api", "ollama", "bedrock"),
    "options": (),
    "replies": ("scripted",),
}

_FOR_OTHERS = ("base_url", "max_tokens", "options")  # of those, what the types of other packages take


def _seconds(value: object) -> float:
    """A written timeout in seconds; no limit is infinity."""
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise complaint(
                f"is wrong: {error}", 'for example 60 (seconds), "90s" or "5m"; 0 = no limit'
            ) from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise complaint(
            "must be seconds or a duration in quotes", 'for example 60, "90s" or "5m"; 0 = no limit'
        )
    if seconds != math.inf and not 0 <= seconds <= LONGEST:
        raise complaint(
            "must lie between 0 (no limit) and a year", 'numbers are seconds here; or write "90s"'
        )
    return seconds or math.inf


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "description": 'Seconds, or "90s", "5m"; 0 = no limit.',
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
        }
    ),
]


def _wrapper(value: str) -> str:
    """A wrapper in which the command has a place; "" is none."""
    if value:
        from pytest_lok.core.shell import check_wrapper  # brings Jinja along; few have a wrapper

        if why := check_wrapper(value):
            raise complaint(why, "for example \"nix-shell --run '{cmd}'\"")
    return value


def _pattern(value: str) -> str:
    """A regular expression; "" is none."""
    _groups(value)
    return value


def _answer(value: str) -> str:
    """A regular expression whose one group is the answer; "" is none."""
    if value and _groups(value) != 1:
        raise complaint("needs one group, which is the answer", "for example '(?s)Answer: (.*)'")
    return value


def _groups(pattern: str) -> int:
    if not pattern:
        return 0
    import regex  # rarely used, and slow to import

    try:
        return int(regex.compile(pattern).groups)
    except regex.error as error:
        raise complaint(f"is no regular expression: {error}", "write it in single quotes") from None


BackendType = Annotated[str, WithJsonSchema({"type": "string", "examples": list(TYPES)})]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Defaults(_Table):
    """``[defaults]``: what workflows do not say. ``parallel`` false = one call and one step at a time."""

    backend: str | list[str] = AUTO
    parallel: bool = True
    timeout: Seconds = 300.0
    env_policy: Literal["inherit", "clean"] = "inherit"
    env: list[str] = []
    max_parallel: Positive = 8
    command_wrapper: Annotated[str, AfterValidator(_wrapper)] = ""

    @property
    def backends(self) -> tuple[str, ...]:
        """The names in ``backend``."""
        return names_in(self.backend)


class ReplySettings(_Table):
    """``[[backends.NAME.replies]]`` of a scripted backend; ``file`` is absolute here."""

    match: str = ""
    regex: str = ""
    reply: str = ""
    file: str = ""
    error: str = ""
    delay: Amount = 0.0
    retry_after: Amount | None = None
    times: Positive | None = None

    @model_validator(mode="after")
    def _answers(self) -> ReplySettings:
        try:
            re.compile(self.regex)
        except re.error as error:
            raise complaint(f"has a wrong regex: {error}", f"at character {(error.pos or 0) + 1}") from None
        if not self.model_fields_set & {"reply", "file", "error"}:
            raise complaint("says nothing", 'give it a reply = "…", a file = "…" or an error = "rate_limit"')
        if self.reply and self.file:
            raise complaint("has both `reply` and `file`", "keep one")
        return self


class BackendSettings(_Table):
    """``[backends.NAME]``, what depends on ``type`` resolved; ``max_concurrent`` 0 = no limit.

    ``strengths`` count for ``auto``, the first the most.
    """

    type: BackendType = "command"
    enabled: bool = True
    command: str = ""
    args: list[str] = []
    base_url: str = ""
    api: Literal["chat", "responses"] = "chat"
    model: str = ""
    api_key_env: str = ""
    timeout: Seconds | None = None
    idle_timeout: Seconds | None = None
    skip_lines: Count = 0
    fail_on: Annotated[str, AfterValidator(_pattern)] = ""
    answer: Annotated[str, AfterValidator(_answer)] = ""
    max_concurrent: Count = 4
    requests_per_minute: Count = 0
    max_tokens: Positive | None = None
    access: Literal["read", "none"] = "read"
    env: list[str] = []
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    strengths: list[str] = []
    replies: list[ReplySettings] = []
    options: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Where an API is; a URL in ``command`` counts, as in lok. "" = the type's own."""
        return self.base_url or (self.command if "://" in self.command else "")


class RoleSettings(_Table):
    """``[roles.NAME]``: a name for several backends and how they agree."""

    backends: list[str] = Field([], min_length=1)
    consensus: Literal["first", "vote", "weighted_vote", "synthesis"] | None = None


class TaskPrompt(_Table):
    """One prompt of a task."""

    name: str = ""
    prompt: str = ""

    @model_validator(mode="after")
    def _asks(self) -> TaskPrompt:
        if not self.prompt.strip():
            raise complaint("has no prompt", 'prompts = [{ name = "…", prompt = "…" }]')
        return self


class TaskSettings(_Table):
    """``[tasks.NAME]``: prompts that become the steps of a workflow. ``backends`` [] or "all" = all."""

    description: str = ""
    backends: list[str] = []
    prompts: list[TaskPrompt] = Field([], min_length=1)


class ConductorSettings(_Table):
    """``[conductor]``: bounds of ``lok conduct``."""

    max_rounds: Positive = 5
    max_tokens: Positive = 4096


class CacheSettings(_Table):
    """``[cache]`` of replies: whether `lok ask` uses it unasked (workflows never do), and for how long."""

    enabled: bool = True
    ttl_hours: Amount = 24.0


class PriceSettings(_Table):
    """``[prices."model-pattern"]``: USD per million tokens."""

    input: Amount = 0.0
    output: Amount = 0.0


class Settings(_Table):
    """Everything that can be set, all of it resolved; backends in the order of preference."""

    defaults: Defaults = Defaults()
    backends: dict[str, BackendSettings] = {}
    roles: dict[str, RoleSettings] = {}
    tasks: dict[str, TaskSettings] = {}
    conductor: ConductorSettings = ConductorSettings()
    cache: CacheSettings = CacheSettings()
    prices: dict[str, PriceSettings] = {}

    _files: tuple[str, ...] = PrivateAttr(())
    _lines: dict[str, tuple[str, int]] = PrivateAttr({})
    _claims: Claims = PrivateAttr(Claims())

    @property
    def files(self) -> tuple[str, ...]:
        """The settings files that were read, the stronger one last."""
        return self._files

    @property
    def claims(self) -> Claims:
        """What the project's file says that counts only where the user trusts it."""
        return self._claims

    def members(self, names: Iterable[str]) -> tuple[str, ...]:
        """The backends behind names that may be roles, each once."""
        roles = self.roles
        return tuple(
            dict.fromkeys(
                backend for name in names for backend in (roles[name].backends if name in roles else [name])
            )
        )

    def task_place(self, name: str) -> tuple[str, int]:
        """The file and line where a task is written; ("", 1) where it was given otherwise."""
        return self._lines.get(name, ("", 1))


def schema() -> dict[str, Any]:
    """JSON Schema of lok.toml, for editors and ``lok schema settings``."""
    return schema_of(Settings)


def names_in(value: str | Iterable[str]) -> tuple[str, ...]:
    """Backend names as they may be written: ``"a, b"`` or a list."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in parts if name.strip())


def _absolute(environ: Mapping[str, str], name: str) -> str:
    """A directory of the XDG specification; a relative one does not count: it would lie in the checkout."""
    value = environ.get(name, "")
    return value if value.startswith("/") else ""


def config_dir(environ: Mapping[str, str]) -> Path | None:
    """Where the platform keeps a user's settings and workflows; None for a user without a home."""
    if environ.get("LOK_CONFIG_DIR"):
        return Path(environ["LOK_CONFIG_DIR"])
    if xdg := _absolute(environ, "XDG_CONFIG_HOME"):
        return Path(xdg) / "lok"
    if not environ.get("HOME"):
        return None
    shelf = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return Path(environ["HOME"]) / shelf / "lok"


def trusts(environ: Mapping[str, str]) -> bool:
    """Whether whoever made the environment answers for the project's settings."""
    return environ.get("LOK_TRUST", "").strip().lower() in ("1", "true", "yes")


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether nobody sits before it: every CI service sets ``CI``."""
    return bool(environ.get("CI"))


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps what a program remembers between its runs."""
    if xdg := _absolute(environ, "XDG_STATE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".local/state") / "lok"


def base_refs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What a change may be compared with: full names of refs, ids of commits; the first that exists.

    ``LOK_BASE``, else the branch that CI says the change goes to, else what was there before what was
    pushed, else the default branch. What ``LOK_BASE`` names may be short: ``core.bases`` reads it.
    """
    if base := environ.get("LOK_BASE"):
        return (base,)
    if target := next((environ[name] for name in _TARGETS if environ.get(name)), ""):
        return _branch(target)
    try:
        return _before(environ)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # no file, no JSON, another form
        said = environ.get("GITHUB_EVENT_PATH") or "CI_COMMIT_BEFORE_SHA"
        return (f"the commit before the push, which {said} does not tell",)


def _before(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What was there before the commits that CI was started for.

    A branch that is not the default one is compared with that one: else whoever pushes to it twice would
    choose what the first commits are compared with.
    """
    event, path = environ.get("GITHUB_EVENT_NAME"), environ.get("GITHUB_EVENT_PATH")
    if event not in ("push", "merge_group") or not path:
        before, branch, default = (environ.get(f"CI_{name}", "") for name in _GITLAB)
    else:
        said = json.loads(Path(path).read_bytes())
        if event == "merge_group":
            return (_commit(said["merge_group"].get("base_sha")),)
        before, branch = said["before"], (said.get("ref") or "").removeprefix("refs/heads/")
        default = (said.get("repository") or {}).get("default_branch") or ""
    usual = _branch(default) if default else _USUAL
    if not before.strip("0") or (default and branch and branch != default):
        return usual
    return (_commit(before),)


def _commit(said: str) -> str:
    if not is_id(said):
        raise ValueError(f"{said!r} is no commit")
    return said


def _branch(name: str) -> tuple[str, ...]:
    name = name.removeprefix("refs/heads/")
    return (f"refs/remotes/origin/{name}", f"refs/heads/{name}")


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps what a program can do without."""
    if xdg := _absolute(environ, "XDG_CACHE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "lok"


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
    of_user = _read_user(user, problems)
    files = [*of_user, *_read_project(root, config, problems)]
    known = _merged([_BUILT_IN, *(layer.data for layer in files)])
    layers = [*files, _from_environ(environ, known, problems), _from_options(options or {})]
    fitted = [_fitted(layer, problems) for layer in layers]
    merged = _merged([_BUILT_IN, *fitted])
    types = _types(merged["backends"], more_types)
    merged["backends"] = _in_order(merged["backends"], fitted[: len(files)], types)
    check = _Check(merged, layers, problems, types)
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
    own = _merged([_BUILT_IN, *layers[:at], *layers[at + 1 :]])
    own["backends"] = {name: _resolved(name, table, types) for name, table in own["backends"].items()}
    sources = Sources(project=layers[at], own=own, stronger=_merged(layers[at + 1 :]), merged=merged)
    return claims_of(sources, place, file)


# --- the sources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One source of settings. Its ``file`` locates a key below ``prefix``; without one ``names`` do."""

    data: Mapping[str, Any] = field(default_factory=dict)
    file: Source | None = None
    prefix: Keys = ()
    folder: Path | None = None
    names: Mapping[Keys, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Of the file, as shown."""
        return self.file.path if self.file else ""

    def problem(self, path: Keys, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A problem of the value at ``path``, or of its ``key``."""
        if self.file is None:
            while path and path not in self.names:
                path = path[:-1]
            name = self.names.get(path, "built-in settings")
            return Problem(path=name, line=1, column=1, message=message, hint=hint)
        return self.file.problem(self._spot(path, key=key), message, hint)

    def line(self, path: Keys) -> int:
        """Where ``path`` begins, from 1."""
        return self._spot(path, key=True).line if self.file else 1

    def _spot(self, path: Keys, *, key: bool) -> Spot:
        assert self.file is not None  # noqa: S101 - both callers have looked
        positions = Positions(self.file.text.removeprefix("\ufeff"))
        return (positions.key if key else positions.value)((*self.prefix, *path))


def _read_user(folder: Path | None, problems: list[Problem]) -> list[_Layer]:
    return _read(folder / "lok.toml", str(folder / "lok.toml"), problems) if folder else []


def _read_project(root: Path, config: Path | None, problems: list[Problem]) -> list[_Layer]:
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


def _read(file: Path, path: str, problems: list[Problem], *, required: bool = False) -> list[_Layer]:
    """The settings in a file as a list of one; none if there is no file, or no [tool.lok] in it."""
    try:
        source = Source.decode(file.read_bytes(), path=path, stem="", origin=Origin.SETTINGS)
        data: Any = source.toml()
    except FileNotFoundError:
        if required:
            raise UsageError(f"there is no settings file {path}") from None
        return []
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        problems.append(Problem(path=path, line=1, column=1, message=message))
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
    layer = _Layer(data=data, file=source, prefix=prefix, folder=file.parent.absolute())
    if not isinstance(data, dict):
        problems.append(layer.problem((), "`tool.lok` must be a table"))
        return []
    return [layer]


def _from_environ(environ: Mapping[str, str], known: Mapping[str, Any], problems: list[Problem]) -> _Layer:
    """``LOK_*`` as settings; backends are those of the files, in capitals and with ``_`` for the rest."""
    variables: dict[str, Keys] = {}
    for section, model in (
        ("defaults", Defaults),
        ("cache", CacheSettings),
        ("conductor", ConductorSettings),
    ):
        title = "" if section == "defaults" else f"{section.upper()}_"
        variables |= {f"LOK_{title}{key.upper()}": (section, key) for key in model.model_fields}
    backends = known.get("backends")
    for name in backends if isinstance(backends, dict) else ():
        title = re.sub(r"[^A-Z0-9]", "_", name.upper())
        for key in BackendSettings.model_fields.keys() - {"replies"}:
            variables[f"LOK_BACKENDS_{title}_{key.upper()}"] = ("backends", name, key)
    data: dict[str, Any] = {}
    names: dict[Keys, str] = {}
    for variable in sorted(environ):
        if not variable.startswith("LOK_") or variable in _FOREIGN or not environ[variable]:
            continue
        if variable in variables:
            path = variables[variable]
            _put(data, path, _from_text(path, environ[variable]))
            names[path] = f"${variable}"
        else:
            hint = closest(variable, variables) or "LOK_TIMEOUT sets [defaults] timeout, and so on"
            message = "no setting is named so"
            problems.append(Problem(path=f"${variable}", line=1, column=1, message=message, hint=hint))
    return _Layer(data=data, names=names)


def _from_options(options: Mapping[str, Any]) -> _Layer:
    data: dict[str, Any] = {}
    names: dict[Keys, str] = {}
    for dotted, value in options.items():
        path = tuple(dotted.split("."))
        value = list(value) if isinstance(value, tuple) else value
        _put(data, path, _from_text(path, value) if isinstance(value, str) else value)
        names[path] = f"option {dotted}"
    return _Layer(data=data, names=names)


def _put(data: dict[str, Any], path: Keys, value: Any) -> None:
    for key in path[:-1]:
        data = data.setdefault(str(key), {})
    data[str(path[-1])] = value


def _from_text(path: Keys, text: str) -> Any:
    """Text where text is wanted, else the TOML value it spells, or the list of its words as in a shell."""
    models: dict[str | int, type[_Table]] = {
        "defaults": Defaults,
        "cache": CacheSettings,
        "conductor": ConductorSettings,
        "backends": BackendSettings,
    }
    model = models.get(path[0])
    wanted = model.model_fields.get(str(path[-1])) if model else None
    if wanted is None or wanted.annotation is str:
        return text
    with suppress(ValueError, RecursionError):
        parsed = tomli.loads(f"value = {text}")
        if parsed.keys() == {"value"}:
            return parsed["value"]
    with suppress(ValueError):  # a quote that is not closed
        return shlex.split(text) if wanted.annotation == list[str] else text
    return text


# --- from the sources to one


def _fitted(layer: _Layer, problems: list[Problem]) -> dict[str, Any]:
    """What is right about a source's data; what is not becomes problems."""
    settings, misfits = fit(Settings, layer.data, meant=_meant)
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
    tables: dict[str | int, type[_Table]] = {
        "defaults": Defaults,
        "conductor": ConductorSettings,
        "cache": CacheSettings,
        "backends": BackendSettings,
        "roles": RoleSettings,
        "tasks": TaskSettings,
        "prices": PriceSettings,
        "replies": ReplySettings,
        "prompts": TaskPrompt,
    }
    model: type[_Table] = Settings
    for part in path[:-1]:
        model = tables.get(part, model)
    if model is Settings and key in Defaults.model_fields:
        return f"`{key}` belongs below [defaults]"
    return closest(key, model.model_fields) or f"there are: {', '.join(sorted(model.model_fields))}"


class _Check:
    """What no table can know alone: whether the merged settings make sense together."""

    def __init__(
        self, merged: Mapping[str, Any], layers: list[_Layer], problems: list[Problem], types: tuple[str, ...]
    ) -> None:
        self._types = types
        self._merged = merged
        self._layers = layers
        self._problems = problems

    def everything(self) -> None:
        """Add a problem for whatever does not fit together."""
        backends, roles = self._merged["backends"], self._merged.get("roles", {})
        for name, table in backends.items():
            self._backend(name, table)
        for name, role in roles.items():
            self._role(name, role, backends)
        for name, task in self._merged.get("tasks", {}).items():
            self._name(("tasks", name), "task")
            self._backends(("tasks", name, "backends"), task.get("backends", []), [*backends, *roles, ALL])
            if self._lacks(("tasks", name, "prompts")):
                hint = 'prompts = [{ name = "…", prompt = "…" }]'
                self._add(("tasks", name), f"the task `{name}` needs `prompts`", hint)
        default = self._merged.get("defaults", {}).get("backend", AUTO)
        self._backends(("defaults", "backend"), default, [*backends, *roles, AUTO])
        if not names_in(default):
            self._add(("defaults", "backend"), "`defaults.backend` names nobody", 'name a backend, or "auto"')
        for pattern in self._merged.get("prices", {}):
            for key in ("input", "output"):
                if self._lacks(("prices", pattern, key)):
                    hint = "USD per million tokens; 0 if they are free"
                    self._add(("prices", pattern), f"the price of `{pattern}` needs `{key}`", hint)

    def place(self, path: Keys) -> tuple[str, int]:
        """The file and line that have the last word about ``path``."""
        layer = self._layer(path)
        return layer.path, layer.line(path)

    def _backend(self, name: str, table: Mapping[str, Any]) -> None:
        path = ("backends", name)
        self._name(path, "backend")
        kind = table.get("type", "")
        if not kind:
            if not self._lacks((*path, "type")):
                return
            others = [*self._types, *(other for other in self._merged["backends"] if other != name)]
            own = (
                'type = "command" runs any CLI'
                if table.get("command")
                else f"one of: {', '.join(self._types)}"
            )
            self._add(path, f"the backend `{name}` needs a `type`", closest(name, others) or own)
            return
        if kind not in self._types:
            *most, last = (f'"{other}"' for other in self._types)
            message = f'`backends.{name}.type` must be {", ".join(most)} or {last}, not "{kind}"'
            hint = closest(kind, self._types) or "is the package that adds it installed here?"
            self._add((*path, "type"), message, hint)
            return
        if not _VARIABLE.fullmatch(table.get("api_key_env") or "_"):
            self._add(
                (*path, "api_key_env"), "`api_key_env` names a variable, it is not the key", secret=True
            )
        for key, types in _ONLY_FOR.items():
            meant = kind in types if kind in TYPES else key in _FOR_OTHERS
            if table.get(key) and not meant:
                self._add((*path, key), f'`{key}` means nothing to a backend of type "{kind}"', "take it out")
        if kind == "command" and self._lacks((*path, "command")):
            self._add(path, f"the backend `{name}` needs a `command` to run", 'for example command = "llm"')
        if table.get("command") and kind in ("openai", "ollama") and "://" not in table["command"]:
            self._add(
                (*path, "command"),
                f'`command` must be a URL for type "{kind}"',
                "it is the same as `base_url`",
            )

    def _role(self, name: str, role: Mapping[str, Any], backends: Mapping[str, Any]) -> None:
        path = ("roles", name)
        self._name(path, "role")
        if name in backends:
            self._add(path, f"`{name}` is a backend already", "call the role otherwise")
        if self._lacks((*path, "backends")):
            self._add(path, f"the role `{name}` needs `backends`", 'backends = ["claude", "codex"]')
        self._backends((*path, "backends"), role.get("backends", []), backends)

    def _backends(self, path: Keys, names: str | list[str], known: Iterable[str]) -> None:
        known = list(known)
        for number, name in enumerate(names_in(names) if isinstance(names, str) else names):
            if name not in known:
                hint = closest(name, known) or f"there are: {', '.join(known)}"
                place = (*path, number) if isinstance(names, list) else path
                self._add(place, f"no backend is called `{name}`", hint)

    def _name(self, path: Keys, what: str) -> None:
        name = str(path[-1])
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name in (AUTO, ALL):
            self._add(
                path,
                f"a {what} cannot be called `{name}`",
                "letters, digits, `_`, `-` and `.`; not auto or all",
            )

    def _add(self, path: Keys, message: str, hint: str = "", *, secret: bool = False) -> None:
        problem = self._layer(path).problem(path, message, hint)
        self._problems.append(replace(problem, excerpt="", length=0) if secret else problem)

    def _lacks(self, path: Keys) -> bool:
        """Whether no source says anything there, right or wrong."""
        return not any(_holds(layer, path) for layer in self._layers)

    def _layer(self, path: Keys) -> _Layer:
        """The strongest source that holds ``path``, or the nearest table above it."""
        path = tuple(key for key in path if isinstance(key, str))  # a list is of one source
        while path:
            for layer in reversed(self._layers):
                if _holds(layer, path):
                    return layer
            path = path[:-1]
        return _Layer()


def _holds(layer: _Layer, path: Keys) -> bool:
    data: Any = layer.data
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True
