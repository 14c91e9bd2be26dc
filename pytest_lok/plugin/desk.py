"""What the plugin's parts share in one process: the request, the project, its workflows, the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import pytest

from pytest_lok.core.asking.cassette import Mode
from pytest_lok.core.workflow.model import Format, Gate, Step
from pytest_lok.core.workflow.model import Workflow as Model
from pytest_lok.engine.background import Background
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.hooks import BEGAN
from pytest_lok.plugin.promise import Promise
from pytest_lok.plugin.request import PREFIX, Request
from pytest_lok.plugin.runner import RUNS, WorkflowRunner
from pytest_lok.plugin.selection import Selection
from pytest_lok.plugin.typed import ini_typed, keep_typed
from pytest_lok.settings import Settings, in_ci
from pytest_lok.store.run_claims import ClaimStore
from pytest_lok.store.runs import RecordedRun, RunDirectory
from pytest_lok.wiring import Project

if TYPE_CHECKING:
    from pytest_lok.engine.ports import Backend, World

DESK = pytest.StashKey["LokSession"]()
FailOn: TypeAlias = Literal["critical", "high", "medium", "low", "info", "never"]
_STRICTER: tuple[FailOn, ...] = ("never", "critical", "high", "medium", "low", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfiledWorkflow:
    """A workflow that has no file in the project (or a file that is broken): its node is ``lok/NAME``."""

    name: str
    found: Model | WorkflowError
    steps: frozenset[str] = frozenset()


class LokSession:
    """One per process; ``config.stash`` keeps it.

    ``everything``: what is meant to be collected was asked for, and pytest comes past it. ``promised`` are
    the files of the workflows that were asked for, whether or not pytest does; ``is_promised``: somebody
    typed so.
    """

    def __init__(self, config: pytest.Config, request: Request) -> None:
        self.config = config
        self.request = request
        opened = Project.open(
            request.root,
            environ=_environ(),
            options=_options(config),
            search_up=False,
            trust=True,  # pytest runs the checkout's conftest.py too
        )
        self.not_typed = keep_typed(config, os.environ) if in_ci(os.environ) else ()
        opened = opened.recording(_record(config)).caching(config.getoption("lok_cache"))
        self.project = replace(opened, since=config.stash[BEGAN])
        self.background = Background()
        self.selection = Selection()
        self.stop = EarlyExit(self)
        self.running = WorkflowRunner(self)
        self.virtual: list[UnfiledWorkflow] = []
        self.named: dict[Path, frozenset[str]] = dict(request.files)
        self.everything = request.everything
        self.is_promised = False
        self.promised: list[Path] = []
        self.promise = Promise(self)
        self._fail_on = _fail_on(config)
        self._loaded: dict[Path, Model | WorkflowError] = {}
        self._steps_at: dict[str, dict[str, tuple[Model, Step]] | None] = {}

    @cached_property
    def runs(self) -> RunDirectory:
        """Where this session is recorded; an xdist worker is told by the process that started it."""
        given = getattr(self.config, "workerinput", {}).get(RUNS)
        return RunDirectory(Path(given)) if given else RunDirectory.make(self.request.root)

    @cached_property
    def ledger(self) -> ClaimStore:
        """Which of this session's processes runs what."""
        worker = getattr(self.config, "workerinput", {}).get("workerid")
        return ClaimStore(self.runs.path, f"worker {worker}" if worker else "pytest")

    def records(self) -> list[RecordedRun]:
        """The session's runs, in whichever of its processes, as far as they have come."""
        if not self.is_recorded:
            return []
        here = self.running.records()
        return self.runs.records() if here is None else here

    @property
    def is_recorded(self) -> bool:
        """Whether anything has been run, or may have been by a worker."""
        return "runs" in self.__dict__

    def close(self) -> None:
        """End the engine whatever it does, and let go of the records. Idempotent."""
        self.background.close()
        if "ledger" in self.__dict__:
            self.ledger.close()
        if self.is_recorded:
            self.runs.close()

    def load(self, file: Path) -> Model:
        """The project's workflow in this file, read once; WorkflowError holds every mistake in it."""
        if file not in self._loaded:
            try:
                self._loaded[file] = self._ruled(self.project.load(file))
            except WorkflowError as error:
                self._loaded[file] = error
        found = self._loaded[file]
        if isinstance(found, WorkflowError):
            raise found
        return found

    def step_at(self, nodeid: str) -> tuple[Model, Step] | None:
        """The step with that node id; None if it is no step of this session's workflows."""
        place, _, name = nodeid.partition("::")
        if place not in self._steps_at:
            found = self._workflow_at(place)
            self._steps_at[place] = {step.name: (found, step) for step in found.steps} if found else None
        steps = self._steps_at[place]
        return None if steps is None else steps[name]

    def _workflow_at(self, place: str) -> Model | None:
        for virtual in self.virtual:
            if place == PREFIX + virtual.name and isinstance(virtual.found, Model):
                return virtual.found
        file = Path(os.path.normpath(self.config.rootpath / place))
        if file in self.named or (file.parent == self.request.workflows_dir and file.suffix == ".toml"):
            return self.load(file)
        return None

    def place(self, file: Path) -> str:
        """The node id of a workflow's file; pytest has none that is the same for every argument above it."""
        return Path(os.path.relpath(file, self.config.rootpath)).as_posix()

    def find(self, name: str) -> Model:
        """The workflow of that name, or of the path of a .toml file, seen from where pytest was started."""
        place = self.config.invocation_params.dir / name if name.endswith(".toml") else name
        return self._ruled(self.project.load(place))

    def _ruled(self, workflow: Model) -> Model:
        """The workflow with the session's ``lok_fail_on`` in its gate, if it has findings to rule over.

        In CI what nobody typed only makes a gate stricter.
        """
        finds = workflow.gate is not None or any(s.output_format is Format.FINDINGS for s in workflow.steps)
        if self._fail_on is None or not finds:
            return workflow
        fail_on = self._fail_on
        typed = not in_ci(os.environ) or ini_typed(self.config, os.environ, "lok_fail_on") is not None
        if workflow.gate is not None and not typed:
            fail_on = max(fail_on, workflow.gate.fail_on, key=_STRICTER.index)
        return replace(workflow, gate=replace(workflow.gate or Gate(), fail_on=fail_on))

    def wanted(self, file: Path) -> bool:
        """Whether this session collects a file of the project's ``.lok/workflows``."""
        return file in self.named or (self.everything and not self.why_not(file))

    def only(self, file: Path) -> frozenset[str]:
        """The steps that were asked for, where the whole file was not; none = all.

        An argument below another one is dropped by pytest, which then walks the whole file.
        """
        if self.everything and not self.why_not(file):
            return frozenset()
        return self.named.get(file, frozenset())

    def why_not(self, file: Path) -> str:
        """Why ``--lok`` leaves a workflow out, "" if it does not (a broken one is shown, not left out)."""
        try:
            workflow = self.load(file)
        except WorkflowError:
            return ""
        missing = self.request.arguments.missing(workflow)
        if missing:
            return f"needs --lok-arg {missing[0]}=VALUE"
        if workflow.collect:
            return ""
        return (
            "not collected by default" if workflow.by_name_only else "it reads arguments that have no value"
        )

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The project's workflows that ``--lok`` does not run in this session, and why not."""
        files = [file for file in self.promised if file not in self.named]
        return {file.stem: why for file in files if (why := self.why_not(file))}

    @cached_property
    def shelved(self) -> list[Path]:
        """The project's workflow files."""
        return sorted(self.request.workflows_dir.glob("*.toml"))

    def candidates(self) -> Iterator[Model]:
        """Every readable workflow this session may run; of a file that is not there pytest itself tells."""
        files = [*filter(Path.is_file, self.named), *(file for file in self.shelved if self.wanted(file))]
        for file in dict.fromkeys(files):
            try:
                yield self.load(file)
            except WorkflowError:
                continue
        yield from (v.found for v in self.virtual if isinstance(v.found, Model))

    @property
    def is_broken(self) -> bool:
        """Whether a workflow that was looked at cannot be read."""
        found = (*self._loaded.values(), *(virtual.found for virtual in self.virtual))
        return any(isinstance(workflow, WorkflowError) for workflow in found)

    def world_of(self, settings: object, backends: object) -> World:
        """The world made of the fixtures' values; UsageError for values that are nothing of the kind."""
        if not isinstance(settings, Settings):
            raise UsageError(f"the fixture lok_settings gave {type(settings).__name__}, not Settings")
        if not isinstance(backends, Mapping) or not all(hasattr(b, "ask") for b in backends.values()):
            raise UsageError("the fixture lok_backends must give a mapping of names to backends")
        return self.world(settings, backends)

    def world(self, settings: Settings, backends: Mapping[str, Backend] | None = None) -> World:
        """The world of this moment: its environment is what fixtures have made of it by now."""
        return replace(self.project, settings=settings, environ=_environ()).world(backends)


def desk(config: pytest.Config) -> LokSession:
    """This process's desk; one for the fixtures alone where no workflows are in play."""
    if DESK not in config.stash:
        try:
            config.stash[DESK] = LokSession(config, Request.of(config))
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        config.add_cleanup(config.stash[DESK].close)
        _stop_in_order(config.stash[DESK])
    return config.stash[DESK]


def _stop_in_order(here: LokSession) -> None:
    """From the first use of a fixture on, a session of Python tests ends like one with workflows."""
    from pytest_lok.plugin.interruption import EarlyExitHooks
    from pytest_lok.plugin.junit import InterruptedTests

    manager, stopping = here.config.pluginmanager, EarlyExitHooks(here)
    session = manager.get_plugin("session")
    if isinstance(session, pytest.Session):
        stopping.pytest_sessionstart(session)
        stopping.pytest_collection_finish(session)
        for part in (stopping, *InterruptedTests.of(here.config)):
            manager.register(part, f"lok-{type(part).__name__.lower()}")


def _fail_on(config: pytest.Config) -> FailOn | None:
    """``lok_fail_on``, None where it is not set."""
    written = config.getini("lok_fail_on")
    known: tuple[FailOn, ...] = get_args(FailOn)
    if written and written not in known:
        raise UsageError(f"lok_fail_on = {written!r} is no severity", hint=f"one of: {', '.join(known)}")
    return next((value for value in known if value == written), None)


def _options(config: pytest.Config) -> dict[str, object]:
    """Settings that pytest's own configuration gives."""
    try:
        parallel = config.getini("lok_max_parallel")
    except (TypeError, ValueError, pytest.UsageError):  # which of them depends on pytest's version
        raise UsageError("the ini key lok_max_parallel is no number") from None
    if parallel is None:
        return {}
    if parallel < 1:
        raise UsageError(f"lok_max_parallel = {parallel}: at least 1 step must be able to run")
    return {"defaults.max_parallel": parallel}


def _record(config: pytest.Config) -> str:
    """Which answers are recorded ones; where a CI system runs us, the ini has no say."""
    given: str = config.getoption("lok_record")
    usual: str = config.getini("lok_record")
    for mode in (given, usual):
        if mode not in ("", *Mode):
            raise UsageError(f"the ini key lok_record is {mode!r}", hint=f"one of: {', '.join(Mode)}")
    return given or ("" if in_ci(os.environ) else usual)


def _environ() -> dict[str, str]:
    """A copy: pytest writes its own variable into the real one at every phase, while commands start."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
