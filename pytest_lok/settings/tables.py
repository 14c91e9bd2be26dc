"""The tables of lok.toml: every key with its type and its default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pytest_lok.core.asking.answer_options import RESPONSES, Answerer, Options, editor_schema_of_options
from pytest_lok.core.toml.fields import (
    Amount,
    Bounds,
    Check,
    Convert,
    Count,
    EditorSchema,
    MisfitError,
    Positive,
    PositiveNumber,
    Table,
    key,
    time_limit,
)
from pytest_lok.core.trust.restricted import RestrictedSettings
from pytest_lok.core.workflow.model import AUTO

BACKEND_TYPES = (
    "claude", "codex", "gemini", "copilot", "qwen", "droid", "acp", "command",
    "anthropic", "openai", "gemini-api", "ollama", "bedrock", "scripted",
)  # fmt: skip
"""The types of backends that are built in."""
CLI_TYPES = ("claude", "codex", "gemini", "copilot", "qwen", "droid", "acp", "command")


def _seconds(value: object) -> float:
    """A written time limit in seconds; numbers are seconds, and no limit is infinity."""
    return time_limit(
        value,
        per_second=1,
        wanted="seconds",
        example='for example 60 (seconds), "90s" or "5m"; 0 = no limit',
        units="numbers are seconds here",
    )


Seconds = Annotated[
    float,
    Convert(_seconds),
    EditorSchema(
        {
            "description": 'Seconds, or "90s", "5m"; 0 = no limit.',
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
        }
    ),
]


def _wrapper(value: str) -> None:
    """Check that a wrapper has a place for the command; "" = no wrapper."""
    if value:
        from pytest_lok.core.shell.compiler import check_wrapper  # brings Jinja along; few have a wrapper

        if why := check_wrapper(value):
            raise MisfitError(why, "for example \"nix-shell --run '{cmd}'\"")


def _answer(value: str) -> None:
    """Check a regular expression with one group, which is the answer; "" = none."""
    if value and _groups(value) != 1:
        raise MisfitError("needs one group, which is the answer", "for example '(?s)Answer: (.*)'")


def _groups(pattern: str) -> int:
    """How many groups a regular expression has, which is checked so; "" = none."""
    if not pattern:
        return 0
    import regex  # rarely used, and slow to import

    try:
        return int(regex.compile(pattern).groups)
    except regex.error as error:
        raise MisfitError(f"is no regular expression: {error}", "write it in single quotes") from None


BackendType = Annotated[str, EditorSchema({"type": "string", "examples": list(BACKEND_TYPES)})]


class Defaults(Table):
    """``[defaults]`` of workflows. ``parallel`` false = one call and one step at a time."""

    backend: str | list[str] = AUTO
    parallel: bool = True
    timeout: Seconds = 300.0
    env_policy: Literal["inherit", "clean"] = "inherit"
    env: list[str] = key([])
    max_parallel: Positive = 16
    command_wrapper: Annotated[str, Check(_wrapper)] = ""

    @property
    def backends(self) -> tuple[str, ...]:
        """The names that ``backend`` lists."""
        return split_names(self.backend)


class ReplySettings(Table):
    """``[[backends.NAME.replies]]`` of a scripted backend; ``file`` is an absolute path here."""

    match: str = ""
    regex: str = ""
    reply: str = ""
    file: str = ""
    error: str = ""
    delay: Amount = 0.0
    retry_after: Amount | None = None
    times: Positive | None = None

    def check(self) -> None:
        """An answer, one alone, and a regular expression that is one."""
        try:
            re.compile(self.regex)
        except re.error as error:
            raise MisfitError(f"has a wrong regex: {error}", f"at character {(error.pos or 0) + 1}") from None
        if not self.written & {"reply", "file", "error"}:
            raise MisfitError(
                "says nothing", 'give it a reply = "…", a file = "…" or an error = "rate_limit"'
            )
        if self.reply and self.file:
            raise MisfitError("has both `reply` and `file`", "keep one")


class BackendSettings(Table):
    """``[backends.NAME]``, with the defaults of its ``type``. ``max_concurrent`` 0 = no limit.

    ``auto`` goes by ``strengths``; the first counts most.
    """

    type: BackendType = "command"
    enabled: bool = True
    command: str = ""
    args: list[str] = key([])
    base_url: str = ""
    api: Literal["chat", "responses"] = "chat"
    model: str = ""
    api_key_env: str = ""
    timeout: Seconds | None = None
    idle_timeout: Seconds | None = None
    skip_lines: Count = 0
    fail_on: Annotated[str, Check(_groups)] = ""
    answer: Annotated[str, Check(_answer)] = ""
    max_concurrent: Count = 4
    requests_per_minute: Count = 0
    max_tokens: Positive | None = None
    access: Literal["read", "none"] = "read"
    allow_refusals: bool = False
    env: list[str] = key([])
    weight: PositiveNumber = 1.0
    strengths: list[str] = key([])
    replies: list[ReplySettings] = key([])
    options: dict[str, Any] = key({}, schema=editor_schema_of_options(of_step=False))

    @property
    def answerer(self) -> Answerer:
        """What says which options it may be given."""
        kind = RESPONSES if (self.type, self.api) == ("openai", "responses") else self.type
        return Answerer(kind=kind, access=self.access)

    @property
    def answer_options(self) -> Options:
        """The options of its answers, where its type is one of lok's own; ``max_tokens`` is one of them."""
        if self.type not in BACKEND_TYPES:
            return {}
        return {**({} if self.max_tokens is None else {"max_tokens": self.max_tokens}), **self.options}

    @property
    def url(self) -> str:
        """The URL of an API, also from ``command`` (as in lok); "" = the default of the type."""
        return self.base_url or (self.command if "://" in self.command else "")


class RoleSettings(Table):
    """``[roles.NAME]``: a name for several backends, and how their answers become one."""

    backends: list[str] = key([], min_length=1)
    consensus: Literal["first", "fallback", "vote", "weighted_vote", "synthesis", "all"] | None = None


class TaskPrompt(Table):
    """One prompt of ``[tasks.NAME]``, which becomes a step."""

    name: str = ""
    prompt: str = ""

    def check(self) -> None:
        """A prompt that asks something."""
        if not self.prompt.strip():
            raise MisfitError("has no prompt", 'prompts = [{ name = "…", prompt = "…" }]')


class TaskSettings(Table):
    """``[tasks.NAME]``: prompts that become the steps of a workflow. ``backends`` [] or "all" = every one."""

    description: str = ""
    backends: list[str] = key([])
    prompts: list[TaskPrompt] = key([], min_length=1)


class ConductorSettings(Table):
    """``[conductor]`` of `lok conduct`. lok files may hold ``max_tokens``, which nothing reads here."""

    max_rounds: Annotated[int, Bounds(ge=1, le=20)] = 5
    max_tokens: int | None = None


class CacheSettings(Table):
    """``[cache]`` of answers: whether `lok ask` uses it by default (workflows never do), and for how long."""

    enabled: bool = True
    ttl_hours: Amount = 24.0


class RunsSettings(Table):
    """``[runs]`` that are recorded: how many are kept, and for how many days; 0 days = however old."""

    keep: Positive = 20
    keep_days: Amount = 14.0


class OtelSettings(Table):
    """``[otel]``: spans of runs for OpenTelemetry, and whether prompts and answers are in them."""

    enabled: bool = False
    content: bool = False


class FleetSettings(Table):
    """``[fleet]``: where commands run whose steps say ``on`` or ``needs``; with ``default`` all others too.

    ``scheduler`` is an address, or "local": processes of this machine, ``workers`` of them. ``ca``, ``cert``
    and ``key`` are absolute paths here.
    """

    scheduler: str = ""
    workers: Annotated[int, Bounds(ge=1, le=64)] = 2
    ca: str = ""
    cert: str = ""
    key: str = ""
    default: bool = False


class PriceSettings(Table):
    """``[prices."model-pattern"]``: USD per million tokens."""

    input: Amount = 0.0
    output: Amount = 0.0


FLAT_TABLES: Mapping[str | int, type[Table]] = {
    "defaults": Defaults,
    "cache": CacheSettings,
    "runs": RunsSettings,
    "otel": OtelSettings,
    "conductor": ConductorSettings,
    "fleet": FleetSettings,
}
"""The tables whose keys are settings themselves, and so have a variable each: ``LOK_CACHE_ENABLED``."""


class Settings(Table):
    """All settings, with their defaults; backends in the order of preference."""

    defaults: Defaults = Defaults()
    backends: dict[str, BackendSettings] = key({})
    roles: dict[str, RoleSettings] = key({})
    tasks: dict[str, TaskSettings] = key({})
    conductor: ConductorSettings = ConductorSettings()
    cache: CacheSettings = CacheSettings()
    otel: OtelSettings = OtelSettings()
    runs: RunsSettings = RunsSettings()
    fleet: FleetSettings = FleetSettings()
    prices: dict[str, PriceSettings] = key({})

    _files: tuple[str, ...] = ()
    _mentioned: frozenset[str] = frozenset()
    _lines: Mapping[str, tuple[str, int]] = {}
    _restricted: RestrictedSettings = RestrictedSettings()

    @property
    def files(self) -> tuple[str, ...]:
        """The settings files that were read, the stronger one last."""
        return self._files

    @property
    def mentioned(self) -> frozenset[str]:
        """The backends that a settings file speaks of; the others are only built in."""
        return self._mentioned

    @property
    def restricted(self) -> RestrictedSettings:
        """What of the project's file counts only if the user trusts the project."""
        return self._restricted

    def members(self, names: Iterable[str]) -> tuple[str, ...]:
        """The backends behind names, which may be roles; each backend once."""
        roles = self.roles
        return tuple(
            dict.fromkeys(
                backend for name in names for backend in (roles[name].backends if name in roles else [name])
            )
        )

    def task_place(self, name: str) -> tuple[str, int]:
        """The file and line where a task is written; ("", 1) for a task that is in no file."""
        return self._lines.get(name, ("", 1))


def schema() -> dict[str, Any]:
    """JSON Schema of lok.toml, for editors and ``lok schema settings``."""
    from pytest_lok.core.toml.editor_schema import schema_of

    return schema_of(Settings)


def split_names(value: str | Iterable[str]) -> tuple[str, ...]:
    """The names of backends in ``"a, b"`` or in a list."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in parts if name.strip())
