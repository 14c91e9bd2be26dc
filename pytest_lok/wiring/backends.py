"""Settings of backends -> the backends; in the place of one that cannot be used, one that says why."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.backends.on_demand import BackendsOnDemand
from pytest_lok.backends.unavailable import UnavailableBackend
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import BackendFault
from pytest_lok.settings import BACKEND_TYPES, CLI_TYPES, BackendSettings, Settings, cache_dir, state_dir
from pytest_lok.version import __version__
from pytest_lok.wiring.secrecy import redactor_of

if TYPE_CHECKING:
    from pytest_lok.backends.cache import AnswerCache
    from pytest_lok.backends.cli.dialect import CliDialect
    from pytest_lok.backends.http.backend import HttpDialect
    from pytest_lok.backends.http.client import HttpClient
    from pytest_lok.backends.http.ollama_server import OllamaServer
    from pytest_lok.core.asking.cassette import Mode
    from pytest_lok.core.resume.inputs import BackendIdentity
    from pytest_lok.engine.ports import Backend, Completed, ProcessRunner, ProcessSpec
    from pytest_lok.wiring.shared import MadeBackend
    from pytest_lok.workspace.processes.runner import LocalProcesses

_GetClient: TypeAlias = "Callable[[], HttpClient]"
_Wrap: TypeAlias = "Callable[[str, BackendSettings, Backend], Backend]"
# Settings of a backend that have no say in what it answers; and variables that have one.
_NOT_IN_IDENTITY = {
    "enabled", "timeout", "idle_timeout", "max_concurrent", "requests_per_minute", "weight", "strengths",
    "replies",
}  # fmt: skip
_REDIRECTS = ("_BASE_URL", "_HOST", "_MODEL")


def answer_cache(settings: Settings, environ: Mapping[str, str]) -> AnswerCache:
    """The answers that were kept for this user, for as long as these settings keep them."""
    from pytest_lok.backends.cache import AnswerCache

    ttl = settings.cache.ttl_hours * 3600
    return AnswerCache(cache_dir(environ) / "answers", ttl=ttl, redactor=redactor_of(settings, environ))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFactory:
    """Makes the backends of a project. ``trusted`` = the project's own settings may set them up.

    ``record`` says which answers are recorded ones (None: none are) and ``since`` when that began, ``cached``
    whether others may come out of the cache. ``made`` notes each backend. ``servers`` are those of Ollama by
    their URL, as far as they were looked at already. ``shut``: tools run in an empty directory, whatever
    their settings say. ``remedy`` replaces the hints of backends that lack a key, "" = it does not.
    """

    root: Path
    settings: Settings
    environ: Mapping[str, str]
    trusted: bool
    record: Mode | None = None
    cached: bool = False
    since: float = 0.0
    shut: bool = False
    remedy: str = ""
    servers: MutableMapping[str, OllamaServer] = field(default_factory=dict)
    made: MutableMapping[int, MadeBackend] = field(default_factory=dict)

    def make(self, processes: LocalProcesses | None) -> BackendsOnDemand:
        """The backends by name, in the settings' order. Connections are shared.

        ``processes`` runs tools; None = the backends are only looked at, and none is asked.
        """
        http = functools.cache(self._client)
        run = processes.launch if processes is not None else _never
        wrap = self._wrapper(processes) if processes is not None else _as_it_is
        made = BackendsOnDemand(
            {
                name: functools.partial(self._wrapped, name, settings, run, http, wrap)
                for name, settings in self.settings.backends.items()
            }
        )
        # what these find wrong with their settings is said before anything runs
        for name, settings in self.settings.backends.items():
            if settings.type == "scripted" or settings.type not in BACKEND_TYPES:
                made[name]
        return made

    def _client(self) -> HttpClient:
        from pytest_lok.backends.http.client import HttpClient

        return HttpClient(self.environ)

    def _wrapped(
        self, name: str, settings: BackendSettings, run: ProcessRunner, http: _GetClient, wrap: _Wrap
    ) -> Backend:
        made = self._backend(name, settings, run, http)
        if self.remedy:
            from pytest_lok.backends.keyless import KeylessBackend

            made = KeylessBackend(made, self.remedy)
        wrapped = wrap(name, settings, made)
        self.made[id(wrapped)] = wrapped, functools.partial(self.identity, name)
        return wrapped

    def _wrapper(self, processes: LocalProcesses) -> _Wrap:
        """What puts recordings, or the cache, in front of a backend."""
        # recorded answers never come out of the cache: they would be older than they seem
        if self.record is not None:
            return self._replaying(self.record)
        return self._caching(processes) if self.cached else _as_it_is

    def _replaying(self, record: Mode) -> _Wrap:
        from pytest_lok.backends.replay import CassetteStore, ReplayBackend

        lock = state_dir(self.environ) / "cassettes.lock"
        redactor = redactor_of(self.settings, self.environ)
        cassettes = CassetteStore(self.root, record, redactor=redactor, lock=lock, since=self.since)
        return lambda _name, _settings, backend: ReplayBackend(backend, cassettes)

    def _caching(self, processes: LocalProcesses) -> _Wrap:
        from pytest_lok.backends.cache import CachingBackend
        from pytest_lok.workspace.git_state import tree_state

        cache, tree = answer_cache(self.settings, self.environ), functools.partial(tree_state, processes)

        def wrap(name: str, settings: BackendSettings, backend: Backend) -> Backend:
            if settings.type == "scripted":  # those answer from a file of the user's
                return backend
            # what a tool says that reads the project depends on the project's state
            reads = settings.type in CLI_TYPES and settings.access == "read"
            return CachingBackend(
                backend,
                cache,
                identity=self._identity(name),
                # a command has no model but what its own words say
                is_model_fixed=bool(settings.model) or settings.type == "command",
                tree=tree if reads else None,
            )

        return wrap

    def _identity(self, name: str) -> str:
        """Everything that an answer of a backend depends on, apart from the question and the tree."""
        table = self.settings.backends[name].to_dict()
        own = {key: value for key, value in table.items() if key not in _NOT_IN_IDENTITY}
        redirected = {key: value for key, value in self.environ.items() if key.endswith(_REDIRECTS)}
        return json.dumps((__version__, str(self.root), name, own, redirected), sort_keys=True)

    def identity(self, name: str) -> BackendIdentity | None:
        """All that the answers of a backend depend on besides the question; None = nobody can tell."""
        from pytest_lok.core.resume.inputs import BackendIdentity

        settings = self.settings.backends.get(name)
        if settings is None:
            return None
        own = self._identity(name)
        if settings.type == "scripted":
            rules = [reply.to_dict() for reply in settings.replies]
            try:
                files = [Path(it.file).read_text("utf-8", "replace") for it in settings.replies if it.file]
            except OSError:
                return None
            return BackendIdentity(text=json.dumps([own, rules, files]))
        # of a backend of another package nobody knows what it reads
        reads = (
            settings.access == "read" if settings.type in CLI_TYPES else settings.type not in BACKEND_TYPES
        )
        return BackendIdentity(text=own, reads_files=reads)

    def _backend(self, name: str, settings: BackendSettings, run: ProcessRunner, http: _GetClient) -> Backend:
        # before anything else: making a backend of another package runs that package
        if problem := self._untrusted(name):
            return problem
        if not settings.enabled:
            hint = f"set `enabled = true` in [backends.{name}]"
            return UnavailableBackend(name, BackendFault.DISABLED, "is switched off", hint)
        if settings.type in CLI_TYPES:
            return self._tool(name, settings, run)
        if settings.type == "scripted":
            from pytest_lok.backends.scripted import Scripted, ScriptedReply

            rules = [ScriptedReply(**reply.to_dict()) for reply in settings.replies]
            return Scripted(name, rules, model=settings.model or "scripted")
        if settings.type not in BACKEND_TYPES:
            return self._third_party(name, settings)
        return self._api(name, settings, http())

    def _untrusted(self, name: str) -> Backend | None:
        """What stands in for a backend that this project must not set up; None where it may."""
        restricted, fault = self.settings.restricted, BackendFault.NOT_CONFIGURED
        if why := restricted.mixed_backends.get(name):
            half = f"is half yours and half the project's: {why}"
            return UnavailableBackend(name, fault, half, "say where it is and its key in one file")
        if not self.trusted and name in restricted.backends:
            hint = "`lok plan` shows what it would run or send; `lok trust` trusts it"
            return UnavailableBackend(name, fault, f"is set up by {restricted.file}, not trusted", hint)
        return None

    def _tool(self, name: str, settings: BackendSettings, run: ProcessRunner) -> Backend:
        from pytest_lok.backends.cli.backend import CliConfig, CommandBackend

        tool = CliConfig(
            command=settings.command,
            args=settings.args,
            dialect=_tool_dialect(name, settings),
            model=settings.model,
            access="none" if self.shut else settings.access,
            env=settings.env,
            key_env=settings.api_key_env,
            usual_keys=not self.settings.restricted.names_program(name),
            skip_lines=settings.skip_lines,
            fail_on=settings.fail_on,
            answer=settings.answer,
            idle=math.inf if settings.idle_timeout is None else settings.idle_timeout,
            allow_refusals=settings.allow_refusals,
            options=settings.options,
        )
        return CommandBackend(name, tool, run=run, workspace=self.root, environ=self.environ)

    def _api(self, name: str, settings: BackendSettings, http: HttpClient) -> Backend:
        from pytest_lok.backends.http.endpoint import HttpConfig

        api = HttpConfig(
            base_url=settings.url,
            model=settings.model,
            key_env=settings.api_key_env,
            max_tokens=settings.max_tokens,
            options=settings.options,
            **({} if settings.idle_timeout is None else {"idle": settings.idle_timeout}),
        )
        if settings.type == "bedrock":
            from pytest_lok.backends.http import bedrock

            return bedrock.BedrockBackend(name, api, http=http, environ=self.environ)
        if settings.type == "ollama":
            from pytest_lok.backends.http.ollama_server import OllamaBackend

            return OllamaBackend(name, api, http=http, environ=self.environ, servers=self.servers)
        from pytest_lok.backends.http.backend import HttpBackend

        return HttpBackend(name, api, _dialect(settings), http=http, environ=self.environ)

    def _third_party(self, name: str, settings: BackendSettings) -> Backend:
        from pytest_lok.backends.delegating import DelegatingBackend
        from pytest_lok.hookspecs import BackendSetup, backend_types

        setup = BackendSetup(
            name=name,
            model=settings.model,
            base_url=settings.base_url,
            key=self.environ.get(settings.api_key_env, ""),
            max_tokens=settings.max_tokens,
            options=settings.options,
            root=self.root,
            environ=self.environ,
        )
        return DelegatingBackend(backend_types(BACKEND_TYPES)[settings.type](setup), name)


def _as_it_is(_name: str, _settings: BackendSettings, backend: Backend) -> Backend:
    return backend


async def _never(spec: ProcessSpec) -> Completed:
    raise AssertionError(f"{spec.argv[0]} is started for a backend that is only looked at")


def _tool_dialect(name: str, settings: BackendSettings) -> CliDialect:
    """What a command line tool is like."""
    if settings.type == "acp":
        from pytest_lok.backends.acp.conversation import acp_dialect
        from pytest_lok.core.asking.acp_agents import acp_agent

        return acp_dialect(acp_agent(name, settings.command))
    if settings.type == "command":
        from pytest_lok.backends.cli.dialect import ANY

        return ANY
    from pytest_lok.backends.cli.tools import DIALECTS

    return DIALECTS[settings.type]


def _dialect(settings: BackendSettings) -> HttpDialect:
    """How the API of an HTTP backend is spoken; of each API its own module alone is imported."""
    if settings.type == "anthropic":
        from pytest_lok.backends.http.anthropic import MESSAGES

        return MESSAGES
    if settings.type == "gemini-api":
        from pytest_lok.backends.http.gemini import GENERATE

        return GENERATE
    from pytest_lok.backends.http.openai import CHAT, RESPONSES

    return RESPONSES if settings.api == "responses" else CHAT
