"""What the command line and the plugin hold on to: a root directory, with its settings and workflows."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from pytest_lok.backends.cache import AnswerCache
from pytest_lok.backends.cli.environment import search_path
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.replay import CassetteStore, ReplayBackend
from pytest_lok.core.asking.cassette import Mode
from pytest_lok.core.asking.pricing import Price
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.core.workflow.model import Origin, Role, Strategy, Workflow
from pytest_lok.core.workflow.reader import SourceText, parse_workflow
from pytest_lok.discovery import WorkflowPaths, find_root, unknown
from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
from pytest_lok.engine.ports import Backend, Limits, World
from pytest_lok.errors import UsageError
from pytest_lok.hookspecs import backend_types
from pytest_lok.settings import (
    ALL,
    TYPES,
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
from pytest_lok.wiring.backends import BackendFactory
from pytest_lok.wiring.secrecy import children_see, secrets
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git, JudgedTree
from pytest_lok.workspace.git_state import tree_state
from pytest_lok.workspace.local_workspace import LocalWorkspace
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.processes.watchdog import Watchdog

if TYPE_CHECKING:
    from pytest_lok.store.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
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
    shelves: WorkflowPaths
    slots: dict[tuple[str, int, int], ConcurrencyLimiter] = field(
        default_factory=dict, repr=False, compare=False
    )
    watchdog: Watchdog = field(default_factory=Watchdog, repr=False, compare=False)
    processes: WeakSet[LocalProcesses] = field(default_factory=WeakSet, repr=False, compare=False)
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
        shelves = WorkflowPaths(root, config_dir(environ))
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
    def cache(self) -> AnswerCache:
        """This user's kept answers, as this project's settings use them."""
        ttl = self.settings.cache.ttl_hours * 3600
        return AnswerCache(cache_dir(self.environ) / "answers", ttl=ttl, redactor=self._redactor())

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

    def catalog(self) -> list[CatalogEntry]:
        """Every workflow that can be named, project first; shadowed ones are left out."""
        files = list(self.shelves.names())
        tasks = [(name, Origin.SETTINGS) for name in self.settings.tasks]
        first: dict[str, CatalogEntry] = {}
        for name, origin in [*(f for f in files if f[1] is not Origin.BUILTIN), *tasks, *files]:
            first.setdefault(name, CatalogEntry(stem=name, origin=origin))
        return list(first.values())

    def world(self, backends: Mapping[str, Backend] | None = None, *, shown: bool = False) -> World:
        """The world its workflows run in; ``backends`` replaces the configured ones (tests, fixtures).

        Nothing is started or connected by making one. UsageError where the project is not trusted, but
        for a world that is only ``shown``: the backends its settings lay a claim to cannot be used there.
        """
        if not shown and (distrust := self.distrust):
            raise distrust
        settings, defaults = self.settings, self.settings.defaults
        seen = children_see(settings, self.environ)
        processes = LocalProcesses(self.root, seen, watchdog=self.watchdog)
        seen_by_tools = {**seen, "PATH": search_path(self.environ)}
        tools = LocalProcesses(self.root, seen_by_tools, watchdog=self.watchdog)
        for each in (processes, tools):
            self.processes.add(each)
        redactor = self._redactor()
        return World(
            backends=self._backends(tools, redactor) if backends is None else backends,
            shell=processes,
            workspace=self._checkout(tools),
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

    def _parsed(self, source: SourceText) -> Workflow:
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

    def _backends(self, processes: LocalProcesses, redactor: Redactor) -> dict[str, Backend]:
        answerers = BackendFactory(
            root=self.root,
            settings=self.settings,
            environ=self.environ,
            trusted=self.trusted,
            run=processes.launch,
            http=HttpClient(self.environ),
        )
        if self.cached and self.record is None:
            return answerers.cached(self.cache, functools.partial(tree_state, processes))
        backends = answerers.all()
        if self.record is None:
            return backends
        lock = state_dir(self.environ) / "cassettes.lock"
        cassettes = CassetteStore(self.root, self.record, redactor=redactor, lock=lock, since=self.since)
        return {name: ReplayBackend(backend, cassettes) for name, backend in backends.items()}

    def _checkout(self, processes: LocalProcesses) -> LocalWorkspace:
        return LocalWorkspace(
            self.root,
            files=Files(self.root, state_dir(self.environ)),
            git=self._git(processes),
            which=self._tool,
            nested=MARK in self.environ,
        )

    def _redactor(self) -> Redactor:
        return Redactor(secrets(self.settings, self.environ))

    def _git(self, processes: LocalProcesses) -> Git:
        """A hook of git's that is about a commit names the index, the others nothing of the kind."""
        environ, judged = self.environ, JudgedTree.FILES
        if "GIT_INDEX_FILE" in environ or "GIT_PREFIX" in environ:
            judged = JudgedTree.STAGED if "GIT_INDEX_FILE" in environ else JudgedTree.COMMITTED
        return Git(self.root, processes, base_refs(environ), judged=judged, ci=in_ci(environ))

    def _slots(self) -> dict[str, ConcurrencyLimiter]:
        """How many questions each backend gets at once, and per minute; without ``parallel``, one for all."""
        one = (
            None
            if self.settings.defaults.parallel
            else self.slots.setdefault(("", 1, 0), ConcurrencyLimiter(1))
        )
        found = {}
        for name, backend in self.settings.backends.items():
            limit, pace = 0 if one else backend.max_concurrent, backend.requests_per_minute
            if limit or pace:
                own = ConcurrencyLimiter(limit, per_minute=pace, among=one)
                found[name] = self.slots.setdefault((name, limit, pace), own)
            elif one:
                found[name] = one
        return found

    def _tool(self, program: str) -> str | None:
        """Where a verify command will find a program; what a wrapper has inside it only it knows."""
        if self.settings.defaults.command_wrapper:
            return program
        return shutil.which(program, path=self.environ.get("PATH", ""))
