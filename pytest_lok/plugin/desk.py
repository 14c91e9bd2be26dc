"""What the plugin's parts share in one process: the request, the project, its workflows, the engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import pytest

from pytest_lok.core.cassette import Mode
from pytest_lok.core.model import Format, Gate, Origin, Step
from pytest_lok.core.model import Workflow as Model
from pytest_lok.engine.background import Background
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin.hooks import BEGAN, is_ours
from pytest_lok.plugin.pipes import keep_writing
from pytest_lok.plugin.promise import Promise
from pytest_lok.plugin.request import PREFIX, Arguments, Request, add, is_closed, is_virtual
from pytest_lok.plugin.run import RUNS, Running
from pytest_lok.plugin.typed import ini_typed, keep_typed
from pytest_lok.settings import Settings, in_ci
from pytest_lok.store.ledger import Ledger
from pytest_lok.store.runs import Record, RunDirectory
from pytest_lok.wiring import Project

if TYPE_CHECKING:
    from pytest_lok.engine.ports import Backend, World

DESK = pytest.StashKey["Desk"]()
FailOn: TypeAlias = Literal["critical", "high", "medium", "low", "info", "never"]
_STRICTER: tuple[FailOn, ...] = ("never", "critical", "high", "medium", "low", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Virtual:
    """A workflow that has no file in the project (or a file that is broken): its node is ``lok/NAME``."""

    name: str
    found: Model | WorkflowError
    steps: frozenset[str] = frozenset()


class Desk:
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
        self.running = Running(self)
        self.virtual: list[Virtual] = []
        self.named: dict[Path, frozenset[str]] = dict(request.files)
        self.everything = request.everything
        self.is_promised = False
        self.promised: list[Path] = []
        self.promise = Promise(self)
        self._fail_on = _fail_on(config)
        self._loaded: dict[Path, Model | WorkflowError] = {}

    @cached_property
    def runs(self) -> RunDirectory:
        """Where this session is recorded; an xdist worker is told by the process that started it."""
        given = getattr(self.config, "workerinput", {}).get(RUNS)
        return RunDirectory(Path(given)) if given else RunDirectory.make(self.request.root)

    @cached_property
    def ledger(self) -> Ledger:
        """Which of this session's processes runs what."""
        worker = getattr(self.config, "workerinput", {}).get("workerid")
        return Ledger(self.runs.path, f"worker {worker}" if worker else "pytest")

    def records(self) -> list[Record]:
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
        for virtual in self.virtual:
            if place == PREFIX + virtual.name and isinstance(virtual.found, Model):
                return virtual.found, virtual.found.step(name)
        file = Path(os.path.normpath(self.config.rootpath / place))
        if file in self.named or (file.parent == self.request.shelf and file.suffix == ".toml"):
            workflow = self.load(file)
            return workflow, workflow.step(name)
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
        """Whether this session collects a file of the project's shelf."""
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
        return sorted(self.request.shelf.glob("*.toml"))

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


def desk(config: pytest.Config) -> Desk:
    """This process's desk; one for the fixtures alone where no workflows are in play."""
    if DESK not in config.stash:
        try:
            config.stash[DESK] = Desk(config, Request.of(config))
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        config.add_cleanup(config.stash[DESK].close)
        _stop_in_order(config.stash[DESK])
    return config.stash[DESK]


def _stop_in_order(here: Desk) -> None:
    """From the first use of a fixture on, a session of Python tests ends like one with workflows."""
    from pytest_lok.plugin.junit import Caught
    from pytest_lok.plugin.stopping import Stopping

    manager, stopping = here.config.pluginmanager, Stopping(here)
    session = manager.get_plugin("session")
    if isinstance(session, pytest.Session):
        stopping.pytest_sessionstart(session)
        stopping.pytest_collection_finish(session)
        for part in (stopping, *Caught.of(here.config)):
            manager.register(part, f"lok-{type(part).__name__.lower()}")


def install(config: pytest.Config, keyword: str) -> None:
    """Bring in the plugin's parts for a session with workflows; ``keyword`` is the name in ``-k``."""
    from pytest_lok.plugin.apart import Apart
    from pytest_lok.plugin.collect import Collection, Step
    from pytest_lok.plugin.junit import JUnit
    from pytest_lok.plugin.lastfailed import LastFailed
    from pytest_lok.plugin.lastword import LastWord
    from pytest_lok.plugin.report import Reporting
    from pytest_lok.plugin.stopping import Stopping
    from pytest_lok.plugin.timeouts import Timeouts

    try:
        _refuse_unsupported(config)
        here = config.stash[DESK] = Desk(config, Request.of(config))
        _arrange(here, keyword)
        if not hasattr(config, "workerinput"):
            _check_shelf(here)
            _check_arguments(here)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(here.close)
    keep_writing(config)
    last = LastWord(here)
    parts = [Collection(here), here.promise, here.running, Reporting(here, lambda: last.left)]
    parts += [Stopping(here), Apart(here), Timeouts(Step)]
    if not hasattr(config, "workerinput"):
        parts.insert(0, last)  # after the steps that the end of a session has caught are told
        parts += [LastFailed(config), *JUnit.of(config)]
    for part in parts:
        config.pluginmanager.register(part, f"lok-{type(part).__name__.lower()}")


def _arrange(here: Desk, keyword: str) -> None:
    """Make what was asked for part of pytest's own arguments, or remember it where pytest has none for it."""
    config, request = here.config, here.request
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    args = [arg for arg in config.args if not is_virtual(config, arg)]
    if not given and not request.everything and request.named:
        args = []
    for name in request.named:
        args += _named(here, name)
    adds = _adds_shelf(here, given)
    on_the_way = any(_leads_to_shelf(here, arg) for arg in args)
    if adds and not on_the_way and not request.shelf.is_relative_to(config.rootpath):
        here.virtual += [_foreign(here, file) for file in here.shelved if not here.why_not(file)]
    elif adds and request.shelf.is_dir() and not is_closed(config, request.shelf):
        args.append(str(request.shelf))
    whole = adds or (request.everything and on_the_way)
    here.promised = list(dict.fromkeys([*(here.shelved if whole else ()), *here.named]))
    here.is_promised = _typed(config) or (given and any(is_ours(config, arg) for arg in config.args))
    here.everything = request.everything and any(_holds_shelf(here, arg) for arg in args)
    if keyword and not given:
        args += _by_keyword(here, keyword)
    config.args = args


def _adds_shelf(here: Desk, given: bool) -> bool:
    """Whether the project's workflows join what pytest was told to collect.

    ``--lok`` that somebody typed asks for them whatever else is named; ``lok = true`` and addopts only
    where nothing is. Who names a workflow means that one.
    """
    config, request = here.config, here.request
    if not given or not request.everything:
        return request.everything
    return _typed(config) and not any(is_ours(config, arg) for arg in config.args)


def _typed(config: pytest.Config) -> bool:
    words = [os.fspath(word).partition("=")[0] for word in config.invocation_params.args]
    return "--lok" in words or "--lok-workflow" in words


def _leads_to_shelf(here: Desk, arg: str) -> bool:
    place = os.path.normpath(here.config.invocation_params.dir / arg)
    return here.request.shelf.is_relative_to(place)


def _holds_shelf(here: Desk, arg: str) -> bool:
    """Whether pytest comes past the project's workflows when it collects an argument."""
    return _leads_to_shelf(here, arg) and not is_closed(here.config, here.request.shelf)


def _foreign(here: Desk, file: Path) -> Virtual:
    """A workflow of a project that pytest's root directory is not above: it has no place in its tree."""
    try:
        return Virtual(name=file.stem, found=here.load(file))
    except WorkflowError as error:
        return Virtual(name=file.stem, found=error)


def _named(here: Desk, wish: str) -> Iterator[str]:
    """An argument for a workflow with a file in the project; others are noted as virtual."""
    name, _, step = wish.partition("::")
    try:
        workflow = here.find(name)
    except WorkflowError as error:
        path = here.config.invocation_params.dir / name
        file = path if name.endswith(".toml") else here.request.shelf / f"{name}.toml"
        if file.is_file():
            add(here.named, file, "")
            yield str(file)
        else:
            here.virtual.append(Virtual(name=name, found=error))
        return
    if step:
        _check_step(workflow, step)
    file = here.request.root / workflow.path
    inside = workflow.origin in (Origin.PROJECT, Origin.PATH) and file.is_relative_to(here.config.rootpath)
    if inside:
        add(here.named, file, step)
        yield f"{file}::{step}" if step else str(file)
    else:
        steps = frozenset([step]) if step else frozenset()
        here.virtual.append(Virtual(name=workflow.stem, found=workflow, steps=steps))


def _by_keyword(here: Desk, keyword: str) -> Iterator[str]:
    """The file of a workflow named by ``-k``, if it is one that ``--lok`` would collect."""
    file = here.request.shelf / f"{keyword}.toml"
    if file.is_file() and not here.why_not(file):
        add(here.named, file, "")
        yield str(file)


def _check_step(workflow: Model, step: str) -> None:
    if step not in {known.name for known in workflow.steps}:
        names = ", ".join(known.name for known in workflow.steps)
        raise UsageError(f"workflow {workflow.stem!r} has no step {step!r}", hint=f"it has: {names}")


def _check_shelf(here: Desk) -> None:
    """``--lok`` that somebody typed must find something: a gate that is not there would be green."""
    if not _typed(here.config) or here.named or here.virtual:
        return
    root, left_out = here.request.root, here.left_out
    if here.shelved:
        if left_out and not here.promise.steps and len(left_out) == len(here.shelved):
            reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
            hint = "name what is to be run: --lok-workflow NAME, or leave --lok out"
            raise UsageError(f"--lok: it runs no workflow of {here.request.shelf} ({reasons})", hint=hint)
        return
    others = sorted({str(file.parents[2].relative_to(root)) for file in root.glob("*/.lok/workflows/*.toml")})
    hint = f"run pytest for each project: {', '.join(others)}" if others else "leave --lok out, or write one"
    raise UsageError(f"--lok: there is no workflow in {here.request.shelf}", hint=hint)


def _check_arguments(here: Desk) -> None:
    """A value that no workflow of this session uses is a mistake (ini: no workflow of the project)."""
    given = here.request.arguments.keys
    if not given:
        return
    typed = Arguments.of(here.config.getoption("lok_arg")).keys
    declared = _declared(here.candidates())
    if here.is_broken:  # in what way, is to be told first
        return
    for name in sorted(typed - declared):
        raise UsageError(
            f"--lok-arg {name}: no workflow of this session has a use for this argument",
            hint=f"there are: {', '.join(sorted(declared))}" if declared else "none takes any",
        )
    unknown = given - declared
    if unknown and (unknown := unknown - _declared(_readable(here, here.shelved))):
        raise UsageError(f"lok_args: no workflow of the project has a use for {', '.join(sorted(unknown))!r}")


def _declared(workflows: Iterable[Model]) -> set[str]:
    """The arguments they have, by name and by number."""
    return {
        name for workflow in workflows for name in (*workflow.args, *map(str, range(1, workflow.places + 1)))
    }


def _readable(here: Desk, files: Iterable[Path]) -> Iterator[Model]:
    for file in files:
        try:
            yield here.load(file)
        except WorkflowError:
            continue


def _refuse_unsupported(config: pytest.Config) -> None:
    if config.getini("lok_report"):
        raise UsageError("the ini key lok_report is not supported by this version", hint="remove it")


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
