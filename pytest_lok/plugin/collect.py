"""Workflow files as pytest's own nodes: Workflow is a module, Step an item in it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin._pytest_internals import fixture_value, fixtures_called, fixtures_of
from pytest_lok.plugin.desk import DESK, LokSession, UnfiledWorkflow
from pytest_lok.plugin.failure_text import escape_untrusted
from pytest_lok.plugin.outcome import NotPassedError, Phase, ending
from pytest_lok.plugin.request import PREFIX, is_closed

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult
    from pytest_lok.core.workflow import model

NEEDS = ("lok_backends", "lok_settings")
NARROW = ("function", "class")
"""Fixture scopes a step cannot use: it runs before and after its item."""


class Collection:
    """The hooks that find workflows, and put their steps in the order they run in."""

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        workflows_dir = desk.request.workflows_dir
        self._open = () if is_closed(desk.config, workflows_dir) else (workflows_dir.parent, workflows_dir)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, bool | None, bool | None]:
        """Undo ``norecursedirs``'s ``.*`` for ``.lok/workflows`` and ``.lok``, where workflows are wanted.

        Every other rule is heard: of options, of a conftest.py, of plugins.
        """
        if collection_path not in self._open or not (self._desk.everything or self._desk.named):
            return (yield)
        patterns = self._desk.config.getini("norecursedirs")
        hidden, patterns[:] = patterns[:], []
        try:
            return (yield)
        finally:
            patterns[:] = hidden

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """``.lok`` and ``.lok/workflows`` give workflows and nothing else that lies there."""
        return LokDir.from_parent(parent, path=path) if path in self._open else None

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """A wanted workflow file as a module of steps."""
        desk = self._desk
        if file_path in desk.named or (
            file_path.parent == desk.request.workflows_dir and _wanted(desk, file_path)
        ):
            place = desk.place(file_path)
            return WorkflowModule.from_parent(parent, path=file_path, name=file_path.stem, nodeid=place)
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Workflows without a file in the project stand in the root directory, beside the arguments."""
        report = yield
        virtual = self._desk.virtual
        if virtual and isinstance(collector, pytest.Session):
            root = _root(collector, report.result)
            more = [WorkflowModule.virtual(root, v) for v in virtual] if root else [RootDir.of(collector)]
            report.result = [*report.result, *more]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Steps of a workflow together, in the order they run in, at the place of the first of them."""
        groups: dict[pytest.Collector, list[StepItem]] = {}
        for item in items:
            if isinstance(item, StepItem):
                groups.setdefault(item.workflow, []).append(item)
        for workflow, steps in groups.items():
            assert isinstance(workflow, WorkflowModule)  # noqa: S101 - a step's parent
            steps.sort(key=lambda step: workflow.order[step.name])
        if groups:
            items[:] = _regrouped(items, groups)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Those that are left out may be needed all the same."""
        self._desk.selection.left_out += [item for item in items if isinstance(item, StepItem)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every deselection has happened."""
        for item in session.items:
            if isinstance(item, StepItem):
                self._desk.selection.add(item)
        self._desk.running.prepare()


def _regrouped(
    items: Iterable[pytest.Item], groups: dict[pytest.Collector, list[StepItem]]
) -> Iterator[pytest.Item]:
    for item in items:
        if isinstance(item, StepItem):
            yield from groups.pop(item.workflow, ())
        else:
            yield item


def _root(
    session: pytest.Session, nodes: Iterable[pytest.Item | pytest.Collector]
) -> pytest.Collector | None:
    """The root directory's node, if the arguments led pytest to make one: its conftest.py hangs on it."""
    for node in nodes:
        for parent in node.listchain():
            if isinstance(parent, pytest.Directory) and parent.path == session.config.rootpath:
                return parent
    return None


def _wanted(desk: LokSession, file: Path) -> bool:
    return file.suffix == ".toml" and desk.wanted(file)


class LokDir(pytest.Directory):
    """``.lok`` or ``.lok/workflows``."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """``.lok`` yields ``.lok/workflows``, which yields its workflow files."""
        desk = self.config.stash[DESK]
        workflows_dir = desk.request.workflows_dir
        if self.path != workflows_dir:
            if workflows_dir.is_dir():
                yield LokDir.from_parent(self, path=workflows_dir)
            return
        for file in desk.shelved:
            given = self.session.isinitpath(file)
            if given or not self.ihook.pytest_ignore_collect(collection_path=file, config=self.config):
                yield from self.ihook.pytest_collect_file(file_path=file, parent=self)


class RootDir(pytest.Directory):
    """The root directory, where nothing but workflows without a file is collected in it."""

    @classmethod
    def of(cls, session: pytest.Session) -> RootDir:
        """The one of a session."""
        root: RootDir = cls.from_parent(session, path=session.config.rootpath)
        return root

    def collect(self) -> Iterator[pytest.Collector]:
        """Those workflows."""
        for virtual in self.config.stash[DESK].virtual:
            yield WorkflowModule.virtual(self, virtual)


class WorkflowModule(pytest.Module):
    """A workflow: its steps are its items. Nothing is imported: its module is empty."""

    only: frozenset[str] = frozenset()
    found: model.Workflow | WorkflowError | None = None
    shares_fixtures = True
    fixtures_from: tuple[object, ...] = ()
    wide: tuple[str, ...] = ()

    @classmethod
    def virtual(cls, root: pytest.Collector, virtual: UnfiledWorkflow) -> WorkflowModule:
        """One without a file in the project; the root directory's conftest.py applies to it."""
        node: WorkflowModule = cls.from_parent(
            root, path=root.path, name=virtual.name, nodeid=PREFIX + virtual.name
        )
        node.found, node.only = virtual.found, virtual.steps
        return node

    def collect(self) -> Iterable[pytest.Item]:
        """The steps; CollectError says everything that is wrong with the file."""
        desk = self.config.stash[DESK]
        self._places: dict[str, Path] = {}
        try:
            self.model = self._load(desk)
            self.plan = Plan.of(self.model, **desk.request.arguments.for_(self.model))
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for warning in self.model.warnings:
            self.warn(pytest.PytestCollectionWarning(str(warning)))
        self.name = self.model.name
        self.extra_keyword_matches |= {self.model.stem, self.path.name}
        self.order = {step.name: place for place, step in enumerate(self.plan.steps)}
        for tag in self.model.tags:
            self.config.addinivalue_line("markers", f"{tag}: a tag of workflows")
            self.add_marker(tag)
        return self._steps()

    def _load(self, desk: LokSession) -> model.Workflow:
        if self.found is None:
            self.only = desk.only(self.path)
            return desk.load(self.path)
        if isinstance(self.found, WorkflowError):
            raise self.found
        return self.found

    def _steps(self) -> list[StepItem]:
        """Items in the order they run in, which --sw goes by; they share what their fixtures come to."""
        self._look_at_fixtures()
        shared = fixtures_of(self)
        fixtures = ((name, shared.name2fixturedefs.get(name)) for name in shared.names_closure)
        self.wide = tuple(name for name, found in fixtures if found and found[-1].scope not in NARROW)
        return [
            StepItem.from_parent(self, name=step.name, step=step, fixtureinfo=shared)
            for step in self.plan.steps
            if not self.only or step.name in self.only
        ]

    def _look_at_fixtures(self) -> None:
        """Find out where the backends come from; CollectError for a scope that cannot be."""
        fixtures = [found[-1] for name in NEEDS if (found := fixtures_called(name, self))]
        for fixture in fixtures:
            if fixture.scope in NARROW:
                code = fixture.func.__code__
                raise self.CollectError(
                    f"{code.co_filename}:{code.co_firstlineno}: the fixture {fixture.argname} has "
                    f"{fixture.scope} scope, but steps run before and after their own item\n"
                    '  hint: give it scope="session" (or "package", "module")'
                )
        # a package's fixture lives as long as the session here: `.lok/workflows` is no package
        self.shares_fixtures = all(fixture.scope in ("session", "package") for fixture in fixtures)
        self.fixtures_from = tuple(fixtures) if self.shares_fixtures else (self.nodeid,)

    @cached_property
    def obj(self) -> ModuleType:
        """What ``item.module`` and ``request.module`` are: as of any function, with a name and a file."""
        module = ModuleType(f"lok.{self.path.stem}" if self.found is None else self.nodeid.replace("/", "."))
        module.__file__ = str(self.path)
        return module

    def place(self, path: str) -> Path:
        """A path as the workflow's model has it, made absolute; nearly always the same one."""
        if path not in self._places:
            self._places[path] = self.config.stash[DESK].request.root / path
        return self._places[path]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # as in pytest's own
        """A mistake in a file is text, whatever the traceback style."""
        if isinstance(excinfo.value, self.CollectError):
            return escape_untrusted(str(excinfo.value.args[0]))
        return super().repr_failure(excinfo)


# What pytest takes for a step's function, and whose docstring it would show. The item that starts the
# runs asks for what they need.
def _nothing() -> None: ...


class StepItem(pytest.Function):
    """One step. Setting up waits for its result, running judges it."""

    result: StepResult | None = None
    ended: BaseException | None = None
    waited = 0.0

    def __init__(self, *, step: model.Step, **kwargs: Any) -> None:
        super().__init__(callobj=_nothing, **kwargs)
        self.step = step
        self._again = False

    @property
    def workflow(self) -> WorkflowModule:
        """The workflow it belongs to."""
        assert isinstance(self.parent, WorkflowModule)  # noqa: S101 - made by Workflow.collect
        return self.parent

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the step is written, lines from 0; for an inherited one that is the parent's file."""
        return self.file, self.step.line - 1, self.name

    @property
    def file(self) -> Path:
        """The file that defines it."""
        return self.workflow.place(self.step.path)

    def setup(self) -> None:
        """Set up the fixtures, then get the step's result; an error or a skip is raised here.

        An item that is set up again is one of pytest's reruns: a new attempt. What came of the one before
        says nothing about it.
        """
        before, self.result = self.result, None
        self._again = self._again or before is not None
        if self.config.getoption("setuponly", False):
            super().setup()
            return
        running = self.config.stash[DESK].running
        running.look_around(self)
        super().setup()
        began = time.monotonic()
        try:
            self.result = running.another(self) if self._again else running.result(self)
        finally:
            self.waited = time.monotonic() - began
        self._end(self.result, "setup")

    def runtest(self) -> None:
        """Judge: whatever is not green is raised here, if its set-up has not done so."""
        if self.result is None:
            raise NotPassedError("nothing is known of this step: its item was not set up")
        self._end(self.result, "call")

    def value_of(self, fixture: str) -> object:
        """A fixture's value, as this item sees it."""
        return fixture_value(fixture, self)

    def set_up_wide(self) -> None:
        """Set up the fixtures that outlive it, which come first anyway."""
        for name in self.workflow.wide:
            self.value_of(name)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # as in pytest's own
        """What the step says of itself, whoever makes the report."""
        if self.result is not None and excinfo.value is self.ended:
            return self.config.stash[DESK].running.account(self, self.result).longrepr
        return super().repr_failure(excinfo)

    def _end(self, result: StepResult, phase: Phase) -> None:
        self.ended = ending(result, phase, self.config.stash[DESK].running.selected(self.workflow))
        if self.ended is not None:
            raise self.ended
