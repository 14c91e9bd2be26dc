"""Settings -> World: the only module that names concrete backends, shells and workspaces.

``Project`` is what the command line and the plugin hold on to: a root directory with its settings
and its workflows.
"""

from __future__ import annotations

import functools
import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from pytest_lok import __version__
from pytest_lok.backends import anthropic, bedrock, gemini_api, ollama, openai
from pytest_lok.backends.cache import Cache, Cached
from pytest_lok.backends.clis import DIALECTS
from pytest_lok.backends.command import CommandBackend, Tool
from pytest_lok.backends.dialect import ANY
from pytest_lok.backends.environment import narrowed, search_path
from pytest_lok.backends.guarded import Guarded
from pytest_lok.backends.http import Api, Http
from pytest_lok.backends.replay import Cassettes, Replayed
from pytest_lok.backends.scripted import Rule, Scripted
from pytest_lok.backends.server import Server, ServerDialect
from pytest_lok.backends.unusable import Unusable
from pytest_lok.core.cassette import Mode
from pytest_lok.core.credentials import SHORTEST, parts_of, secrets_of, withheld
from pytest_lok.core.model import Origin, Role, Strategy, Workflow
from pytest_lok.core.parse import Source, parse_workflow
from pytest_lok.core.pricing import Price
from pytest_lok.core.redact import Redactor
from pytest_lok.discovery import Shelves, find_root, unknown
from pytest_lok.engine.ports import Backend, Limits, World
from pytest_lok.engine.slots import Slots
from pytest_lok.errors import BackendFault, UsageError
from pytest_lok.hookspecs import Setup, backend_types
from pytest_lok.settings import (
    ALL,
    CLIS,
    TYPES,
    BackendSettings,
    Settings,
    base_refs,
    cache_dir,
    config_dir,
    in_ci,
    load_settings,
    state_dir,
    trusts,
)
from pytest_lok.verbs.tasks import task_workflow
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git, Judged
from pytest_lok.workspace.orphans import MARK
from pytest_lok.workspace.processes import Processes
from pytest_lok.workspace.project import Checkout
from pytest_lok.workspace.tree import tree_state
from pytest_lok.workspace.watchdog import Watchdog

if TYPE_CHECKING:
    from pytest_lok.store.trust import Trust

# What a child must not get from us: files whose lines become commands of a later CI step, and what
# belongs to the pytest that runs us.
_WITHHELD = frozenset(
    {
        "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "BASH_ENV",
        "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT",
        "PYTEST_XDIST_TESTRUNUID",
    }
)  # fmt: skip
_SERVERS: Mapping[str, ServerDialect] = {
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
class Found:
    """A workflow that can be named; ``load`` says more about it, or why it is broken."""

    stem: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory that workflows run in.

    ``slots`` are how much its backends take at once, ``watchdog`` looks after its processes: both are
    shared by all of its worlds, and by what ``dataclasses.replace`` makes of it; so are ``processes``, which
    end together where one world is told to kill. ``record`` says which answers are recorded ones (None: none
    are), ``cached`` whether answers may come out of the cache, ``trusted`` whether its own settings may say
    what is run and where is asked; ``since`` is when it was opened, in seconds since the epoch.
    """

    root: Path
    settings: Settings
    environ: Mapping[str, str]
    shelves: Shelves
    slots: dict[tuple[str, int, int], Slots] = field(default_factory=dict, repr=False, compare=False)
    watchdog: Watchdog = field(default_factory=Watchdog, repr=False, compare=False)
    processes: WeakSet[Processes] = field(default_factory=WeakSet, repr=False, compare=False)
    record: Mode | None = None
    cached: bool = False
    trusted: bool = True
    since: float = field(default_factory=time.time, repr=False, compare=False)

    @classmethod
    def open(
        cls,
        start: Path,
        *,
        environ: Mapping[str, str],
        config: Path | None = None,
        options: Mapping[str, Any] | None = None,
        search_up: bool = True,
        trust: bool = False,
    ) -> Project:
        """The project ``start`` lies in (nearest parent with .lok/, lok.toml, pyproject.toml or .git).

        ``options`` are dotted settings from the command line (``{"defaults.timeout": 60}``).
        ``trust`` = its settings count whatever they say, as if the user had trusted them. SettingsError
        holds every mistake in the settings files.
        """
        try:
            if not start.exists():
                raise UsageError(f"there is no directory {start}")
        except OSError as error:
            raise UsageError(f"{start} cannot be looked into: {error.strerror}") from error
        root = find_root(start) if search_up else start.resolve()
        settings = load_settings(
            root, environ=environ, config=config, options=options, more_types=lambda: backend_types(TYPES)
        )
        shelves = Shelves(root, config_dir(environ))
        opened = cls(root=root, settings=settings, environ=environ, shelves=shelves)
        claims = settings.claims
        if not claims or trust or trusts(environ) or opened.trust.covers(root, claims.given):
            return opened
        return replace(opened, trusted=False)

    @property
    def trust(self) -> Trust:
        """Which projects this user trusts."""
        from pytest_lok.store.trust import Trust

        return Trust(state_dir(self.environ) / "trust")

    @property
    def distrust(self) -> UsageError | None:
        """Why nothing can be started here; None where everything can."""
        if self.trusted:
            return None
        claims = self.settings.claims
        before = self.trust.given(self.root)
        parts = [f"{claims.file} says what is run, or where questions and keys go, and is not trusted yet:"]
        if before is not None:
            parts = [f"{claims.file} was trusted, and now says otherwise:", *claims.difference(before)]
            parts.append("So it would come to this:")
        parts += claims.says
        once = "LOK_TRUST=1 in the job's environment" if in_ci(self.environ) else "--trust"
        hint = f"if you know who wrote it: `lok trust` trusts it until that changes, {once} for once"
        return UsageError("\n    ".join(parts), hint=hint)

    def recording(self, mode: str) -> Project:
        """The same with recorded answers: ``none``, ``once``, ``new``, ``all``; "" = without.

        ``usual`` is ``once``, but ``none`` where a CI system runs us: what is asked there was not
        reviewed by anybody.
        """
        if mode == "usual":
            mode = Mode.NONE if in_ci(self.environ) else Mode.ONCE
        return replace(self, record=Mode(mode) if mode else None)

    def caching(self, wanted: bool) -> Project:
        """The same with, or without, answers out of the cache; UsageError together with recorded ones."""
        if wanted and self.record is not None:
            raise UsageError(
                "an answer that is recorded must not come out of the cache",
                hint="use the cache or recordings, not both",
            )
        return replace(self, cached=wanted)

    @property
    def cache(self) -> Cache:
        """This user's kept answers, as this project's settings use them."""
        ttl = self.settings.cache.ttl_hours * 3600
        return Cache(cache_dir(self.environ) / "answers", ttl=ttl, redactor=Redactor(self._secrets()))

    def load(self, name: str | Path) -> Workflow:
        """The workflow of that name (project, user, tasks, built in), or of that .toml path.

        WorkflowError holds every mistake in its file; UsageError with a "did you mean" if there is none.
        """
        shelves = self.shelves
        if isinstance(name, Path) or name.endswith(".toml") or "/" in name:
            return self._parsed(shelves.at(Path(name)))
        own = shelves.named(name, among=(Origin.PROJECT, Origin.USER))
        if own is None and name in self.settings.tasks:
            return self._task(name)
        source = own or shelves.named(name)
        if source is None:
            raise unknown(name, (found.stem for found in self.catalog()), self.root)
        return self._parsed(source)

    def catalog(self) -> list[Found]:
        """Every workflow that can be named, project first; shadowed ones are left out."""
        files = list(self.shelves.names())
        tasks = [(name, Origin.SETTINGS) for name in self.settings.tasks]
        first: dict[str, Found] = {}
        for name, origin in [*(f for f in files if f[1] is not Origin.BUILTIN), *tasks, *files]:
            first.setdefault(name, Found(stem=name, origin=origin))
        return list(first.values())

    def world(self, backends: Mapping[str, Backend] | None = None, *, shown: bool = False) -> World:
        """The world its workflows run in; ``backends`` replaces the configured ones (tests, fixtures).

        Nothing is started or connected by making one. UsageError where the project is not trusted, but
        for a world that is only ``shown``: the backends its settings lay a claim to cannot be used there.
        """
        if not shown and (distrust := self.distrust):
            raise distrust
        settings, defaults = self.settings, self.settings.defaults
        processes = Processes(self.root, self._child_environ(), watchdog=self.watchdog)
        tools = Processes(
            self.root, self._child_environ() | {"PATH": search_path(self.environ)}, watchdog=self.watchdog
        )
        for each in (processes, tools):
            self.processes.add(each)
        redactor = Redactor(self._secrets())
        return World(
            backends=self._backends(tools, redactor) if backends is None else backends,
            shell=processes,
            workspace=Checkout(
                self.root,
                files=Files(self.root, state_dir(self.environ)),
                git=self._git(tools),
                which=self._tool,
                nested=MARK in self.environ,
            ),
            env=self.environ,
            limits=Limits(
                max_parallel=defaults.max_parallel if defaults.parallel else 1,
                timeout=defaults.timeout,
                firm=not defaults.parallel or "max_parallel" in defaults.model_fields_set,
            ),
            default_backends=settings.members(defaults.backends),
            weights={name: backend.weight for name, backend in settings.backends.items()},
            strengths={name: backend.strengths for name, backend in settings.backends.items()},
            timeouts={
                name: backend.timeout
                for name, backend in settings.backends.items()
                if backend.timeout is not None
            },
            command_wrapper=defaults.command_wrapper,
            prices={
                pattern: Price(input=price.input, output=price.output)
                for pattern, price in settings.prices.items()
            },
            redactor=redactor,
            kill=self._kill,
            slots=self._slots(),
        )

    def _kill(self) -> None:
        """A world's backends may be another one's, and so may be the processes they run in."""
        for processes in tuple(self.processes):
            processes.kill()

    # --- workflows

    def _parsed(self, source: Source) -> Workflow:
        return parse_workflow(
            source,
            parent=self.shelves.parent,
            backends=self.settings.backends,
            roles=self._roles(),
            read=self.shelves.beside,
            ci=in_ci(self.environ),
        )

    def _roles(self) -> dict[str, Role]:
        """The roles by name; "" is there if whoever names nobody means a role."""
        roles = {
            name: Role(backends=tuple(role.backends), consensus=role.consensus and Strategy(role.consensus))
            for name, role in self.settings.roles.items()
        }
        usual = self.settings.defaults.backends
        if any(name in roles for name in usual):
            alone = roles.get(usual[0]) if len(usual) == 1 else None
            roles[""] = alone or Role(backends=self.settings.members(usual))
        return roles

    def _task(self, name: str) -> Workflow:
        task, settings = self.settings.tasks[name], self.settings
        names: tuple[str, ...] = tuple(task.backends)
        if not names or ALL in names:
            names = tuple(other for other, backend in settings.backends.items() if backend.enabled)
        role = self._roles().get(",".join(names))
        path, line = settings.task_place(name)
        return task_workflow(
            name,
            [(prompt.name, prompt.prompt) for prompt in task.prompts],
            backends=settings.members(names),
            consensus=(role and role.consensus) or Strategy.SYNTHESIS,
            description=task.description,
            path=path,
            line=line,
        )

    # --- the world

    def _backends(self, processes: Processes, redactor: Redactor) -> dict[str, Backend]:
        http = Http(self.environ)
        backends = {
            name: self._backend(name, settings, processes, http)
            for name, settings in self.settings.backends.items()
        }
        if self.record is None:
            return self._with_cache(backends, processes) if self.cached else backends
        lock = state_dir(self.environ) / "cassettes.lock"
        cassettes = Cassettes(self.root, self.record, redactor=redactor, lock=lock, since=self.since)
        return {name: Replayed(backend, cassettes) for name, backend in backends.items()}

    def _with_cache(self, backends: Mapping[str, Backend], processes: Processes) -> dict[str, Backend]:
        """Those that answer from a file of the user's need no cache."""
        cache, found = self.cache, dict(backends)
        for name, settings in self.settings.backends.items():
            if settings.type != "scripted":
                reads = settings.type in CLIS and settings.access == "read"
                tree = functools.partial(tree_state, processes) if reads else None
                found[name] = Cached(backends[name], cache, identity=self._identity(name), tree=tree)
        return found

    def _git(self, processes: Processes) -> Git:
        """A hook of git's that is about a commit names the index, the others nothing of the kind."""
        environ, judged = self.environ, Judged.FILES
        if "GIT_INDEX_FILE" in environ or "GIT_PREFIX" in environ:
            judged = Judged.STAGED if "GIT_INDEX_FILE" in environ else Judged.COMMITTED
        return Git(self.root, processes, base_refs(environ), judged=judged, ci=in_ci(environ))

    def _identity(self, name: str) -> str:
        """All that an answer of a backend depends on, but for the question and the tree."""
        own = self.settings.backends[name].model_dump(exclude=_NEUTRAL)
        redirected = {key: value for key, value in self.environ.items() if key.endswith(_REDIRECTS)}
        parts = (__version__, str(self.root), name, own, redirected)
        return json.dumps(parts, sort_keys=True)

    def _backend(self, name: str, settings: BackendSettings, processes: Processes, http: Http) -> Backend:
        table = f"[backends.{name}]"
        if problem := self._untrusted(name):
            return problem
        if not settings.enabled:
            return Unusable(
                name, BackendFault.DISABLED, "is switched off", f"set `enabled = true` in {table}"
            )
        if settings.type in CLIS:
            tool = Tool(
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
            return CommandBackend(name, tool, run=processes.launch, workspace=self.root, environ=self.environ)
        api = Api(
            base_url=settings.url,
            model=settings.model,
            key_env=settings.api_key_env,
            max_tokens=settings.max_tokens,
            **({} if settings.idle_timeout is None else {"idle": settings.idle_timeout}),
        )
        match settings.type:
            case "scripted":
                rules = [Rule(**reply.model_dump()) for reply in settings.replies]
                return Scripted(name, rules, model=settings.model or "scripted")
            case "bedrock":
                return bedrock.Bedrock(name, api, http=http, environ=self.environ)
            case "ollama" if self._is_absent(name):
                return Unusable(
                    name,
                    BackendFault.NOT_INSTALLED,
                    "is not installed on this machine",
                    f"install Ollama, or say where it runs: `base_url` in {table}",
                )
            case "openai" if settings.api == "responses":
                dialect = openai.RESPONSES
            case kind if kind in _SERVERS:
                dialect = _SERVERS[kind]
            case kind:
                return Guarded(name, backend_types(TYPES)[kind](self._setup(name, settings)))
        return Server(name, api, dialect, http=http, environ=self.environ)

    def _untrusted(self, name: str) -> Backend | None:
        """What stands for a backend that this project must not set up so."""
        claims = self.settings.claims
        if why := claims.mixed.get(name):
            half = f"is half yours and half the project's: {why}"
            return Unusable(
                name, BackendFault.NOT_CONFIGURED, half, "say where it is and its key in one file"
            )
        if not self.trusted and name in claims.backends:
            why = "look at it with `lok trust`, which asks before it trusts"
            return Unusable(
                name, BackendFault.NOT_CONFIGURED, f"is set up by {claims.file}, not trusted", why
            )
        return None

    def _setup(self, name: str, settings: BackendSettings) -> Setup:
        return Setup(
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
        return not mentioned and self._which("ollama") is None

    def _slots(self) -> dict[str, Slots]:
        """How many questions each backend gets at once, and per minute; without ``parallel``, one for all."""
        one = None if self.settings.defaults.parallel else self.slots.setdefault(("", 1, 0), Slots(1))
        found = {}
        for name, backend in self.settings.backends.items():
            limit, pace = 0 if one else backend.max_concurrent, backend.requests_per_minute
            if limit or pace:
                own = Slots(limit, per_minute=pace, among=one)
                found[name] = self.slots.setdefault((name, limit, pace), own)
            elif one:
                found[name] = one
        return found

    def _child_environ(self) -> dict[str, str]:
        """What shell and verify steps start from: no secret that nobody named, none of CI's command files."""
        defaults, own = self.settings.defaults, self._key_names()
        clean = defaults.env_policy == "clean"
        environ = narrowed(self.environ, defaults.env) if clean else self.environ
        kept = {*environ} - _WITHHELD - own - (withheld(environ) - {*defaults.env})
        return {name: value for name, value in environ.items() if name in kept}

    def _key_names(self) -> set[str]:
        """The variables that backends take their keys from."""
        return {backend.api_key_env for backend in self.settings.backends.values()}

    def _secrets(self) -> frozenset[str]:
        own = {part for name in self._key_names() for part in parts_of(self.environ.get(name, ""))}
        return secrets_of(self.environ) | {part for part in own if len(part) >= SHORTEST}

    def _which(self, program: str) -> str | None:
        return shutil.which(program, path=self.environ.get("PATH", ""))

    def _tool(self, program: str) -> str | None:
        """Where a verify command will find a program; what a wrapper has inside it only it knows."""
        return program if self.settings.defaults.command_wrapper else self._which(program)
