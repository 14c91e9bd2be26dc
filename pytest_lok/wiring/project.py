"""What the command line and the plugin hold on to: a root directory, with its settings and workflows."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_lok.core.asking.cassette import Mode
from pytest_lok.dataclass import dataclass
from pytest_lok.discovery import WorkflowPaths, find_root, folder_in_repository, is_marked
from pytest_lok.errors import PlanError, UsageError
from pytest_lok.files import existing_path
from pytest_lok.settings import (
    BACKEND_TYPES,
    Settings,
    config_dir,
    in_ci,
    load_settings,
    state_dir,
    trusted_by_environment,
)
from pytest_lok.wiring.backends import BackendFactory, answer_cache
from pytest_lok.wiring.choice import BackendChoice, only_by_name
from pytest_lok.wiring.shared import SharedResources

if TYPE_CHECKING:
    from pytest_lok.backends.cache import AnswerCache
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Backend, World
    from pytest_lok.store.runs import RunDirectory, RunStore
    from pytest_lok.store.trust import Trust
    from pytest_lok.wiring.catalog import WorkflowCatalog

_NOTHING_JUDGED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedChange:
    """A tree that nobody trusts, at ``root``, where the project's workflows run: a change, or a repository.

    ``clone`` is the project's directory in the clone, whose work tree is at ``top``. ``commands`` is the
    whole environment of commands. ``remedy`` says what to do about a missing key.
    """

    root: Path
    clone: Path
    top: Path
    commands: Mapping[str, str]
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory that workflows run in.

    ``record`` says which answers are recorded ones (None: none are), ``cached`` whether answers may come out
    of the cache, ``trusted`` whether the project's own settings may say what is run and where questions go.
    ``since`` is when the project was opened, in seconds since the epoch. ``judged`` is the tree that its
    workflows run in, None = its own.
    ``shared`` is what its worlds share, also with those of a ``dataclasses.replace`` of this.
    """

    root: Path
    settings: Settings
    environ: Mapping[str, str]
    workflow_paths: WorkflowPaths
    shared: SharedResources = field(default_factory=SharedResources, repr=False, compare=False)
    record: Mode | None = None
    cached: bool = False
    trusted: bool = True
    judged: JudgedChange | None = None
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
        """The project that ``start`` lies in (nearest parent with .lok/, lok.toml, pyproject.toml or .git).

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
            root,
            environ=environ,
            config=config,
            options=options,
            more_types=_more_types,
        )
        paths = WorkflowPaths(root, config_dir(environ))
        opened = cls(root=root, settings=settings, environ=environ, workflow_paths=paths)
        restricted = settings.restricted
        if not restricted or trust or trusted_by_environment(environ):
            return opened
        if opened.trust.covers(root, restricted.values):
            return opened
        # it opens all the same: `lok plan` and `lok doctor` show what it would do
        return replace(opened, trusted=False)

    @property
    def trust(self) -> Trust:
        """The projects that this user trusts."""
        from pytest_lok.store.trust import Trust

        return Trust(state_dir(self.environ) / "trust")

    @property
    def distrust(self) -> UsageError | None:
        """Why nothing can be started here; None where everything can."""
        return None if self.trusted else _distrust(self)

    def recording(self, mode: str) -> Project:
        """This project with recorded answers: ``none``, ``once``, ``new``, ``all``; "" = without.

        ``usual`` is ``once``, but ``none`` in CI: nobody has reviewed what would be asked there.
        """
        if mode == "usual":
            mode = Mode.NONE if in_ci(self.environ) else Mode.ONCE
        return replace(self, record=Mode(mode) if mode else None)

    def caching(self, wanted: bool) -> Project:
        """This project with, or without, answers out of the cache; UsageError together with recorded ones."""
        if wanted and self.record is not None:
            raise UsageError(
                "an answer that is recorded must not come out of the cache",
                hint="use the cache or recordings, not both",
            )
        return replace(self, cached=wanted)

    @property
    def place(self) -> Path:
        """The directory that people know it by: that of the clone where a change is judged."""
        return self.judged.clone if self.judged else self.root

    @property
    def runs(self) -> RunStore:
        """The records of its runs: in ``.lok/runs``, or with the user's state if it is no project yet.

        Those about changes that nobody trusts are with the user's state too: a change may bring a directory.
        """
        # a directory that nobody has marked must not become a project because somebody asks there
        if self.judged is not None or not is_marked(self.root):
            return self.run_store(self._runs_of_user)
        return self.run_store(self.root / ".lok" / "runs")

    @property
    def all_runs(self) -> RunStore:
        """The records of its runs, of those about changes that nobody trusts, and of those of ``--each``."""
        from pytest_lok.store.calls import call_folders

        return self.run_store(self.runs.folder, self._runs_of_user, *call_folders(self.each_folder))

    @property
    def each_folder(self) -> Path:
        """Where the records of ``--each`` lie, call by call: apart, so that no run goes on from one."""
        return (
            self.root / ".lok" / "each" if is_marked(self.root) else self._runs_of_user.with_suffix(".each")
        )

    @property
    def _runs_of_user(self) -> Path:
        name = hashlib.sha256(os.fsencode(self.place)).hexdigest()[:32]
        return state_dir(self.environ) / "runs" / name

    def run_store(self, folder: Path, *others: Path) -> RunStore:
        """Records in that directory, as many as the settings keep; those in ``others`` are read as well."""
        from pytest_lok.store.runs import RunStore

        runs = self.settings.runs
        return RunStore(folder, keep=runs.keep, days=runs.keep_days, others=others, root=self.place)

    def new_record(self, command: Sequence[str], folder: Path | None = None) -> RunDirectory:
        """A new record, in ``folder`` or where its runs are; ``command`` is how the process was called.

        OSError where not even a temporary directory can be written.
        """
        from pytest_lok.settings import pull_request

        store = self.runs if folder is None else self.run_store(folder)
        return store.new(
            command=command,
            root=self.place,
            request=pull_request(self.environ),
            folder=folder_in_repository(self.place),
        )

    @property
    def cache(self) -> AnswerCache:
        """This user's kept answers, for as long as this project's settings keep them."""
        return answer_cache(self.settings, self.environ)

    @property
    def catalog(self) -> WorkflowCatalog:
        """The workflows that can be named here."""
        from pytest_lok.wiring.catalog import WorkflowCatalog

        return WorkflowCatalog(
            self.settings, self.workflow_paths, environ=self.environ, recorded=self.record is not None
        )

    def load(self, name: str | Path) -> Workflow:
        """The workflow of that name or path; see ``WorkflowCatalog.load``."""
        return self.catalog.load(name)

    def plan(
        self,
        workflow: Workflow,
        *,
        select: Collection[str] | None = None,
        named: Mapping[str, str] | None = None,
        positional: Sequence[str] = (),
        elsewhere: bool = False,
    ) -> Plan:
        """What ``Plan.of`` makes of it; UsageError where an argument or a step needs what is not here.

        ``elsewhere``: it runs in other directories, and who opens those looks for the paths.
        """
        from pytest_lok.core.workflow.plan import Plan

        plan = Plan.of(workflow, select=select, named=named, positional=positional)
        if not elsewhere:
            self.check_paths(plan)
        plan.check_places(there=bool(self.settings.fleet.scheduler), trusted=self.judged is None)
        return plan

    def check_paths(self, plan: Plan) -> None:
        """UsageError where an argument of the plan names a path that is not in the project."""
        for argument in plan.workflow.args.values():
            if argument.is_path and (value := plan.arguments.get(argument.name)):
                _require_path(self.judged.root if self.judged else self.root, value, plan.workflow.stem)

    def exit_code(self, result: RunResult, workflow: Workflow) -> int:
        """The exit code after a run of the workflow, 3 for one in CI in which nothing was judged."""
        # a gate that skipped everything must not look like a yes where nobody is watching
        if result.idle and not workflow.allow_skip and in_ci(self.environ):
            return _NOTHING_JUDGED
        return result.exit_code

    def world(self, backends: Mapping[str, Backend] | None = None, *, shown: bool = False) -> World:
        """The world its workflows run in; ``backends`` replaces the configured ones (tests, fixtures).

        Nothing is started or connected by making one. UsageError where the project is not trusted, but
        for a world that is only ``shown``: the backends that its settings configure cannot be used there.
        """
        if not shown and (distrust := self.distrust):
            raise distrust
        from pytest_lok.wiring.world import make_world

        made = self._backends if backends is None else backends
        judged = self.judged
        root, commands = (judged.root, judged.commands) if judged else (self.root, None)
        world = make_world(root, self.settings, self.environ, self.shared, made, commands=commands)
        return replace(world, remedy=judged.remedy) if judged else world

    @property
    def choice(self) -> BackendChoice:
        """The backends as they are configured, trusted or not, to be looked at: none can be asked."""
        return BackendChoice(
            backends=self._backends.make(None),
            strengths={name: backend.strengths for name, backend in self.settings.backends.items()},
            only_by_name=only_by_name(self.settings, self.environ, recorded=self.record is not None),
        )

    @property
    def _backends(self) -> BackendFactory:
        return BackendFactory(
            root=self.root,
            settings=self.settings,
            environ=self.environ,
            trusted=self.trusted,
            record=self.record,
            cached=self.cached,
            since=self.since,
            shut=self.judged is not None,
            remedy=self.judged.remedy if self.judged else "",
            servers=self.shared.servers,
            made=self.shared.made,
        )


def _distrust(project: Project) -> UsageError:
    restricted, file = project.settings.restricted, project.settings.restricted.file
    before = project.trust.granted(project.root)
    parts = [f"{file} says what is run, or where questions and keys go, and is not trusted yet:"]
    if before is not None:
        # what has changed first: who has read the rest once need not read it again
        parts = [
            f"{file} was trusted, and now says otherwise:",
            *restricted.difference(before),
        ]
        parts.append("So it would come to this:")
    parts += restricted.descriptions
    once = "LOK_TRUST=1 in the job's environment" if in_ci(project.environ) else "--trust"
    hint = f"if you know who wrote it: `lok trust` trusts it until that changes, {once} for once"
    return UsageError("\n    ".join(parts), hint=hint)


def _require_path(root: Path, value: str, stem: str) -> None:
    root = root.resolve()
    path = existing_path(root, value)
    if not path.is_relative_to(root):
        hint = f"work there instead: lok --dir {value} {stem}"
        raise PlanError(f"{value!r} lies outside of the project at {root}", hint=hint)


def _more_types() -> Collection[str]:
    """The types of backends that other packages add."""
    from pytest_lok.hookspecs import backend_types

    return backend_types(BACKEND_TYPES)
