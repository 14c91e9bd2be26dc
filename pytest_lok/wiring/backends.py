"""What the settings say of a backend -> the backend, or one that says why there is none."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_lok.backends.cache import AnswerCache, CachingBackend, TreeState
from pytest_lok.backends.cli.backend import CliConfig, CommandBackend
from pytest_lok.backends.cli.dialect import ANY
from pytest_lok.backends.cli.tools import DIALECTS
from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.backends.http import anthropic, bedrock, ollama, openai
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http.backend import HttpBackend, HttpDialect
from pytest_lok.backends.http.client import HttpClient, HttpConfig
from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.backends.unavailable import UnavailableBackend
from pytest_lok.engine.ports import Backend, ProcessRunner
from pytest_lok.errors import BackendFault
from pytest_lok.hookspecs import BackendSetup, backend_types
from pytest_lok.settings import CLIS, TYPES, BackendSettings, Settings
from pytest_lok.version import __version__

_SERVERS: Mapping[str, HttpDialect] = {
    "anthropic": anthropic.MESSAGES,
    "gemini-api": gemini_api.GENERATE,
    "ollama": ollama.CHAT,
    "openai": openai.CHAT,
}
# What of a backend's settings has no say in what it answers; and variables that have one.
_NEUTRAL = {
    "enabled", "timeout", "idle_timeout", "max_concurrent", "requests_per_minute", "weight", "strengths",
    "replies",
}  # fmt: skip
_REDIRECTS = ("_BASE_URL", "_HOST", "_MODEL")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFactory:
    """The backends of a project. ``trusted`` = the project's own settings may set them up."""

    root: Path
    settings: Settings
    environ: Mapping[str, str]
    trusted: bool
    run: ProcessRunner
    http: HttpClient

    def all(self) -> dict[str, Backend]:
        """Each by its name, in the settings' order. They share their connections."""
        return {name: self._backend(name, settings) for name, settings in self.settings.backends.items()}

    def cached(self, cache: AnswerCache, tree: TreeState) -> dict[str, Backend]:
        """The same, with kept answers; those that answer from a file of the user's need none.

        ``tree`` tells the state of the project for those that read it.
        """
        found = self.all()
        for name, settings in self.settings.backends.items():
            if settings.type != "scripted":
                reads = settings.type in CLIS and settings.access == "read"
                identity = self._identity(name)
                found[name] = CachingBackend(
                    found[name], cache, identity=identity, tree=tree if reads else None
                )
        return found

    def _identity(self, name: str) -> str:
        """All that an answer of a backend depends on, but for the question and the tree."""
        own = self.settings.backends[name].model_dump(exclude=_NEUTRAL)
        redirected = {key: value for key, value in self.environ.items() if key.endswith(_REDIRECTS)}
        return json.dumps((__version__, str(self.root), name, own, redirected), sort_keys=True)

    def _backend(self, name: str, settings: BackendSettings) -> Backend:
        if problem := self._untrusted(name):
            return problem
        if not settings.enabled:
            hint = f"set `enabled = true` in [backends.{name}]"
            return UnavailableBackend(name, BackendFault.DISABLED, "is switched off", hint)
        if settings.type in CLIS:
            return self._tool(name, settings)
        if settings.type == "scripted":
            rules = [ScriptedReply(**reply.model_dump()) for reply in settings.replies]
            return Scripted(name, rules, model=settings.model or "scripted")
        if settings.type not in TYPES:
            return DelegatingBackend(backend_types(TYPES)[settings.type](self._setup(name, settings)), name)
        return self._api(name, settings)

    def _untrusted(self, name: str) -> Backend | None:
        """What stands for a backend that this project must not set up so."""
        claims, fault = self.settings.claims, BackendFault.NOT_CONFIGURED
        if why := claims.mixed.get(name):
            half = f"is half yours and half the project's: {why}"
            return UnavailableBackend(name, fault, half, "say where it is and its key in one file")
        if not self.trusted and name in claims.backends:
            hint = "`lok plan` shows what it would run or send; `lok trust` trusts it"
            return UnavailableBackend(name, fault, f"is set up by {claims.file}, not trusted", hint)
        return None

    def _tool(self, name: str, settings: BackendSettings) -> Backend:
        tool = CliConfig(
            command=settings.command,
            args=settings.args,
            dialect=DIALECTS.get(settings.type, ANY),
            model=settings.model,
            access=settings.access,
            env=settings.env,
            key_env=settings.api_key_env,
            usual_keys=not self.settings.claims.names_program(name),
            skip_lines=settings.skip_lines,
            fail_on=settings.fail_on,
            answer=settings.answer,
            idle=math.inf if settings.idle_timeout is None else settings.idle_timeout,
        )
        return CommandBackend(name, tool, run=self.run, workspace=self.root, environ=self.environ)

    def _api(self, name: str, settings: BackendSettings) -> Backend:
        if settings.type == "ollama" and self._is_absent(name):
            return UnavailableBackend(
                name,
                BackendFault.NOT_INSTALLED,
                "is not installed on this machine",
                f"install Ollama, or say where it runs: `base_url` in [backends.{name}]",
            )
        api = HttpConfig(
            base_url=settings.url,
            model=settings.model,
            key_env=settings.api_key_env,
            max_tokens=settings.max_tokens,
            **({} if settings.idle_timeout is None else {"idle": settings.idle_timeout}),
        )
        if settings.type == "bedrock":
            return bedrock.BedrockBackend(name, api, http=self.http, environ=self.environ)
        dialect = openai.RESPONSES if settings.api == "responses" else _SERVERS[settings.type]
        return HttpBackend(name, api, dialect, http=self.http, environ=self.environ)

    def _setup(self, name: str, settings: BackendSettings) -> BackendSetup:
        return BackendSetup(
            name=name,
            model=settings.model,
            base_url=settings.base_url,
            key=self.environ.get(settings.api_key_env, ""),
            max_tokens=settings.max_tokens,
            options=settings.options,
            root=self.root,
            environ=self.environ,
        )

    def _is_absent(self, name: str) -> bool:
        """Whether nobody has said a word about this built-in server, and it is not installed here."""
        mentioned = self.settings.backends[name].model_fields_set - {"type", "weight", "strengths"}
        return not mentioned and shutil.which("ollama", path=self.environ.get("PATH", "")) is None
