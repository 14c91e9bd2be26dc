"""What may be set: a table each, every key with its type and its default."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from pytest_lok.core.toml.fields import Amount, Count, Positive, Table, schema_of, time_limit
from pytest_lok.core.toml.validation import validation_error
from pytest_lok.core.trust.claims import Claims
from pytest_lok.core.workflow.model import AUTO

ALL = "all"
"""In the backends of a task: every one that is enabled (lok)."""

TYPES = (
    "claude", "codex", "gemini", "command",
    "anthropic", "openai", "gemini-api", "ollama", "bedrock", "scripted",
)  # fmt: skip
"""Of backends, those that are built in."""
CLIS = ("claude", "codex", "gemini", "command")


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
        from pytest_lok.core.shell.compiler import check_wrapper  # brings Jinja along; few have a wrapper

        if why := check_wrapper(value):
            raise validation_error(why, "for example \"nix-shell --run '{cmd}'\"")
    return value


def _pattern(value: str) -> str:
    """A regular expression; "" is none."""
    _groups(value)
    return value


def _answer(value: str) -> str:
    """A regular expression whose one group is the answer; "" is none."""
    if value and _groups(value) != 1:
        raise validation_error("needs one group, which is the answer", "for example '(?s)Answer: (.*)'")
    return value


def _groups(pattern: str) -> int:
    if not pattern:
        return 0
    import regex  # rarely used, and slow to import

    try:
        return int(regex.compile(pattern).groups)
    except regex.error as error:
        raise validation_error(f"is no regular expression: {error}", "write it in single quotes") from None


BackendType = Annotated[str, WithJsonSchema({"type": "string", "examples": list(TYPES)})]


class SettingsTable(BaseModel):
    """A table of lok.toml, as strict as a table of a workflow."""

    model_config = Table.model_config


class Defaults(SettingsTable):
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


class ReplySettings(SettingsTable):
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
            raise validation_error(
                f"has a wrong regex: {error}", f"at character {(error.pos or 0) + 1}"
            ) from None
        if not self.model_fields_set & {"reply", "file", "error"}:
            raise validation_error(
                "says nothing", 'give it a reply = "…", a file = "…" or an error = "rate_limit"'
            )
        if self.reply and self.file:
            raise validation_error("has both `reply` and `file`", "keep one")
        return self


class BackendSettings(SettingsTable):
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


class RoleSettings(SettingsTable):
    """``[roles.NAME]``: a name for several backends and how they agree."""

    backends: list[str] = Field([], min_length=1)
    consensus: Literal["first", "vote", "weighted_vote", "synthesis"] | None = None


class TaskPrompt(SettingsTable):
    """One prompt of a task."""

    name: str = ""
    prompt: str = ""

    @model_validator(mode="after")
    def _asks(self) -> TaskPrompt:
        if not self.prompt.strip():
            raise validation_error("has no prompt", 'prompts = [{ name = "…", prompt = "…" }]')
        return self


class TaskSettings(SettingsTable):
    """``[tasks.NAME]``: prompts that become the steps of a workflow. ``backends`` [] or "all" = all."""

    description: str = ""
    backends: list[str] = []
    prompts: list[TaskPrompt] = Field([], min_length=1)


class CacheSettings(SettingsTable):
    """``[cache]`` of replies: whether `lok ask` uses it unasked (workflows never do), and for how long."""

    enabled: bool = True
    ttl_hours: Amount = 24.0


class PriceSettings(SettingsTable):
    """``[prices."model-pattern"]``: USD per million tokens."""

    input: Amount = 0.0
    output: Amount = 0.0


class Settings(SettingsTable):
    """Everything that can be set, all of it resolved; backends in the order of preference."""

    defaults: Defaults = Defaults()
    backends: dict[str, BackendSettings] = {}
    roles: dict[str, RoleSettings] = {}
    tasks: dict[str, TaskSettings] = {}
    conductor: dict[str, Any] = {}  # lok files may hold the table; there is no `lok conduct` here
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
