"""Workflow files as pytest's own nodes: a workflow is a module, a step is an item in it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin._pytest_internals import fixture_value, fixtures_called, fixtures_of, read_id_as_text
from pytest_lok.plugin.outcome import NotPassedError, Phase, StepReport, exception_for
from pytest_lok.plugin.request import UNFILED_PREFIX
from pytest_lok.plugin.selection import SELECTION, UnfiledWorkflow, WorkflowSelection
from pytest_lok.reports.untrusted import escape_untrusted

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult
    from pytest_lok.core.workflow import model

_REQUIRED_FIXTURES = ("lok_backends", "lok_settings")
_NARROW_SCOPES = ("function", "class")
"""Fixture scopes that a step cannot use: it runs before and after its item."""


class StepResults(Protocol):
    """What an item asks for its step's result; the runner is one. The nodes know no more of the runner."""

    def prepare_world(self, item: StepItem) -> None:
        """Note the environment the runs begin with; called before the item's own fixtures are set up."""

    def result(self, item: StepItem) -> StepResult:
        """Wait for the step's result. The first call starts every selected workflow of the session."""
        ...

    def rerun(self, item: StepItem) -> StepResult:
        """Run the step once more, and wait for the result."""
        ...

    def report(self, item: StepItem, result: StepResult) -> StepReport:
        """What a report of the item says."""
        ...

    def selected_steps(self, workflow: WorkflowModule) -> Collection[str]:
        """The steps of a workflow whose own items are red if they break."""
        ...


STEP_RESULTS = pytest.StashKey[StepResults]()


class LokDir(pytest.Directory):
    """The node of the directory ``.lok`` or ``.lok/workflows``."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The workflows directory below ``.lok``, the workflow files below that directory."""
        selection = self.config.stash[SELECTION]
        workflows_dir = selection.session.request.workflows_dir
        if self.path != workflows_dir:
            if workflows_dir.is_dir():
                yield LokDir.from_parent(self, path=workflows_dir)
            return
        for file in selection.workflow_files:
            # a file that was named is collected even if a rule ignores it, as pytest does with tests
            given = self.session.isinitpath(file)
            if given or not self.ihook.pytest_ignore_collect(collection_path=file, config=self.config):
                yield from self.ihook.pytest_collect_file(file_path=file, parent=self)


class RootDir(pytest.Directory):
    """The root directory's node, in a session that collects only workflows without a file."""

    @classmethod
    def of(cls, session: pytest.Session) -> RootDir:
        """The root directory's node of a session."""
        root: RootDir = cls.from_parent(session, path=session.config.rootpath)
        return root

    def collect(self) -> Iterator[pytest.Collector]:
        """The workflows without a file in the project."""
        for unfiled in self.config.stash[SELECTION].unfiled:
            yield WorkflowModule.of_unfiled(self, unfiled)


class WorkflowModule(pytest.Module):
    """A workflow: its steps are its items. Nothing is imported: its module is empty.

    ``loaded`` is set if the workflow has no file in the project. ``steps_asked_for``: none means all.
    ``shares_fixtures``: the fixtures of the backends live as long as the session. Workflows with an equal
    ``fixture_key`` have the same ones. ``lasting_fixtures`` are those that outlive an item.
    """

    steps_asked_for: frozenset[str] = frozenset()
    loaded: model.Workflow | WorkflowError | None = None
    shares_fixtures = True
    fixture_key: tuple[object, ...] = ()
    lasting_fixtures: tuple[str, ...] = ()

    @classmethod
    def of_unfiled(cls, root: pytest.Collector, unfiled: UnfiledWorkflow) -> WorkflowModule:
        """The node of a workflow without a file; the root directory's conftest.py applies to it."""
        nodeid = UNFILED_PREFIX + unfiled.name
        node: WorkflowModule = cls.from_parent(root, path=root.path, name=unfiled.name, nodeid=nodeid)
        node.loaded, node.steps_asked_for = unfiled.loaded, unfiled.steps
        return node

    def collect(self) -> Iterable[pytest.Item]:
        """The items of the steps; CollectError says everything that is wrong with the file."""
        selection = self.config.stash[SELECTION]
        self._absolute: dict[str, Path] = {}
        try:
            self.model = self._load(selection)
            arguments = selection.session.request.arguments.for_workflow(self.model)
            self.plan = selection.session.project.plan(self.model, **arguments)
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        # as pytest shows what it finds odd in a test module
        for warning in self.model.warnings:
            self.warn(pytest.PytestCollectionWarning(str(warning)))
        self.name = self.model.name
        # -k finds a workflow by its stem too, though its node shows its title
        self.extra_keyword_matches |= {self.model.stem, self.path.name}
        self.order = {step.name: position for position, step in enumerate(self.plan.steps)}
        # tags become marks, so -m selects by them; registered, or --strict-markers would refuse them
        for tag in self.model.tags:
            self.config.addinivalue_line("markers", f"{tag}: a tag of workflows")
            self.add_marker(tag)
        return self._steps()

    def _load(self, selection: WorkflowSelection) -> model.Workflow:
        if self.loaded is None:
            self.steps_asked_for = selection.selected_steps(self.path)
            return selection.session.load(self.path)
        if isinstance(self.loaded, WorkflowError):
            raise self.loaded
        return self.loaded

    def _steps(self) -> list[StepItem]:
        """Items in the order they run in, which --sw goes by; all of them share one fixture closure."""
        self._resolve_fixture_scope()
        # asked once per workflow, not once per step: thousands of steps may have the same fixtures
        shared = fixtures_of(self)
        fixtures = ((name, shared.name2fixturedefs.get(name)) for name in shared.names_closure)
        self.lasting_fixtures = tuple(
            name for name, found in fixtures if found and found[-1].scope not in _NARROW_SCOPES
        )
        # of a step with cases pytest chooses itself
        asked = self.model.named(self.steps_asked_for)
        return [
            StepItem.from_parent(self, name=step.name, step=step, fixtureinfo=shared)
            for step in self.plan.steps
            if not asked or step.name in asked
        ]

    def _resolve_fixture_scope(self) -> None:
        """Set ``shares_fixtures`` and ``fixture_key``; CollectError for a scope that steps cannot use."""
        fixtures = [found[-1] for name in _REQUIRED_FIXTURES if (found := fixtures_called(name, self))]
        for fixture in fixtures:
            if fixture.scope in _NARROW_SCOPES:
                code = fixture.func.__code__
                raise self.CollectError(
                    f"{code.co_filename}:{code.co_firstlineno}: the fixture {fixture.argname} has "
                    f"{fixture.scope} scope, but steps run before and after their own item\n"
                    '  hint: give it scope="session" (or "package", "module")'
                )
        # a package's fixture lives as long as the session here: the workflows directory is no package
        self.shares_fixtures = all(fixture.scope in ("session", "package") for fixture in fixtures)
        self.fixture_key = tuple(fixtures) if self.shares_fixtures else (self.nodeid,)

    @cached_property
    def obj(self) -> ModuleType:
        """The module behind ``item.module`` and ``request.module``: empty, with a name and a file."""
        module = ModuleType(f"lok.{self.path.stem}" if self.loaded is None else self.nodeid.replace("/", "."))
        module.__file__ = str(self.path)
        return module

    def absolute(self, path: str) -> Path:
        """A path of the workflow's model, made absolute; cached, since nearly every step has the same one."""
        if path not in self._absolute:
            self._absolute[path] = self.config.stash[SELECTION].session.request.root / path
        return self._absolute[path]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # as in pytest's own
        """A mistake in a file is text, whatever the traceback style."""
        if isinstance(excinfo.value, self.CollectError):
            return escape_untrusted(str(excinfo.value.args[0]))
        return super().repr_failure(excinfo)


# pytest takes this for the function of each step, and would show its docstring. It has no parameters, so
# pytest looks for no fixtures; the item that starts the runs asks for those that the runs need.
def _step_function() -> None: ...


class StepItem(pytest.Function):
    """One step. Setting it up waits for the step's result, running it judges the result.

    ``raised`` is what ended the item, if the step's result did. ``seconds_waited`` is no time of the step.
    """

    result: StepResult | None = None
    raised: BaseException | None = None
    seconds_waited = 0.0

    def __init__(self, *, step: model.Step, **kwargs: Any) -> None:
        super().__init__(callobj=_step_function, **kwargs)
        self.step = step
        if step.case is not None:
            read_id_as_text(self)
        self._is_rerun = False

    @property
    def workflow(self) -> WorkflowModule:
        """The node of the workflow that the step belongs to."""
        assert isinstance(self.parent, WorkflowModule)  # noqa: S101 - made by WorkflowModule.collect
        return self.parent

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the step is written, lines from 0; for an inherited one that is the parent's file."""
        return self.file, self.step.line - 1, self.name

    @property
    def file(self) -> Path:
        """The file that defines the step."""
        return self.workflow.absolute(self.step.path)

    def setup(self) -> None:
        """Set up the fixtures, then wait for the step's result; an error or a skip is raised here.

        The first item that waits starts every selected workflow of the session. An item that is set up again
        is one of pytest's reruns, so it asks for a new attempt: the result before says nothing about it.
        """
        before, self.result = self.result, None
        self._is_rerun = self._is_rerun or before is not None
        if self.config.getoption("setuponly", False):
            super().setup()
            return
        results = self.config.stash[STEP_RESULTS]
        results.prepare_world(self)
        super().setup()
        began = time.monotonic()
        try:
            self.result = results.rerun(self) if self._is_rerun else results.result(self)
        finally:
            self.seconds_waited = time.monotonic() - began
        self._raise_in(self.result, "setup")

    def runtest(self) -> None:
        """Judge the result: whatever is not green is raised here, if the set-up has not done so."""
        if self.result is None:
            raise NotPassedError("nothing is known of this step: its item was not set up")
        self._raise_in(self.result, "call")

    def value_of(self, fixture: str) -> object:
        """A fixture's value, as this item sees it."""
        return fixture_value(fixture, self)

    def set_up_lasting_fixtures(self) -> None:
        """Set up the fixtures that outlive the item; pytest sets them up before the others anyway."""
        for name in self.workflow.lasting_fixtures:
            self.value_of(name)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]  # as in pytest's own
        """The step's own words, also where a plugin makes the report."""
        if self.result is not None and excinfo.value is self.raised:
            return self.config.stash[STEP_RESULTS].report(self, self.result).longrepr
        return super().repr_failure(excinfo)

    def _raise_in(self, result: StepResult, phase: Phase) -> None:
        selected = self.config.stash[STEP_RESULTS].selected_steps(self.workflow)
        self.raised = exception_for(result, phase, selected)
        if self.raised is not None:
            raise self.raised
