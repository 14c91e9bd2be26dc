"""Where an HTTP backend's questions go, by its settings, and how its failures are worded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pytest_lok.backends import error_mapping as faults
from pytest_lok.core.trust.redaction import mask_secret
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """The settings of an HTTP backend.

    ``base_url`` and ``key_env`` "" = the API's usual ones. A server at another ``base_url`` gets a key only
    if ``key_env`` names its variable. ``max_tokens`` limits the answer; None = the server's limit. ``idle``
    is the longest silence in seconds; after that the connection counts as dead. ``options`` are those of
    every answer, unless its step says otherwise; ``max_tokens`` may be one of them.
    """

    base_url: str = ""
    key_env: str = ""
    model: str = ""
    max_tokens: int | None = None
    idle: float = 180.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def options_of(self, prompt: Prompt) -> tuple[int | None, Mapping[str, Any]]:
        """The most tokens of the answer to this question, and its other options."""
        options = {"max_tokens": self.max_tokens, **self.options, **prompt.options}
        return options.pop("max_tokens"), options


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of one question. ``secret`` is kept out of every message; ``hints`` are remedies.

    ``idle`` is the longest silence in seconds; after that the connection counts as dead.
    """

    backend: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    hints: Mapping[BackendFault, str] = field(default_factory=dict)
    idle: float = 180.0

    def error(
        self,
        kind: BackendFault,
        message: str,
        *,
        hint: str = "",
        output: str = "",
        retry_after: float | None = None,
    ) -> BackendError:
        """A BackendError in plain words, with a remedy, and without the key in any of its texts.

        ``hint`` "" = the usual one for its kind.
        """
        text = " ".join(message.split())
        text, output = mask_secret(text, self.secret), mask_secret(output, self.secret)
        return BackendError(
            f"{self.backend}: {text}",
            kind=kind,
            backend=self.backend,
            hint=hint or self.hints.get(kind) or faults.remedy(kind, self.backend),
            output=output,
            retry_after=retry_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredApi:
    """One backend's API, as its settings say: ``base_url`` is in force, with no "/" at its end.

    ``url_variable`` is the variable of the environment that says so, "" = none does.
    """

    backend: str
    base_url: str
    config: HttpConfig
    url_variable: str = ""

    @property
    def table(self) -> str:
        """What hints call the backend's table in lok.toml."""
        return f"[backends.{self.backend}]"

    def model_for(self, prompt: Prompt) -> str:
        """The step's model, else the settings'; NOT_CONFIGURED where neither names one."""
        model = prompt.model or self.config.model
        if not model:
            hint = f"set `model` in {self.table}"
            raise self.error(BackendFault.NOT_CONFIGURED, "no model is named", hint)
        return model

    def endpoint(
        self, url: str, *, secret: str, headers: Mapping[str, str], hints: Mapping[BackendFault, str]
    ) -> Endpoint:
        """The address of one question; ``hints`` are better remedies than the usual ones."""
        place = self.url_variable or f"`base_url` in {self.table}"
        address = f"check {place}: {self.base_url}"
        usual = {
            BackendFault.NOT_CONFIGURED: address,
            BackendFault.BAD_OUTPUT: address,
            BackendFault.NETWORK: f"is a server at {self.base_url}, as {place} says?",
            BackendFault.TRUNCATED: f"ask for less at once, or raise `max_tokens` (here or in {self.table})",
        }
        return Endpoint(
            backend=self.backend,
            url=url,
            headers=headers,
            secret=secret,
            hints={**usual, **hints},
            idle=self.config.idle,
        )

    def error(self, kind: BackendFault, message: str, hint: str) -> BackendError:
        """A failure that shows before anything is sent."""
        return BackendError(f"{self.backend}: {message}", kind=kind, backend=self.backend, hint=hint)
