"""The hooks by which pytest collects workflows, and orders their steps."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_lok.plugin.nodes import LokDir, RootDir, StepItem, WorkflowModule
from pytest_lok.plugin.request import is_ignored
from pytest_lok.plugin.runner import WorkflowRunner
from pytest_lok.plugin.selected_steps import SelectedSteps
from pytest_lok.plugin.selection import WorkflowSelection


class CollectionHooks:
    """The hooks that find workflows, and put their steps in the order they run in."""

    def __init__(self, selection: WorkflowSelection, selected: SelectedSteps, runner: WorkflowRunner) -> None:
        self._selection = selection
        self._selected = selected
        self._runner = runner
        self._config = selection.session.config
        self._workflows_dir = path = selection.session.request.workflows_dir
        self._lok_dirs = () if is_ignored(self._config, path) else (path.parent, path)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Generator[None, bool | None, bool | None]:
        """Undo ``norecursedirs``'s ``.*`` for ``.lok`` and ``.lok/workflows``, if this session has workflows.

        Every other rule is obeyed: of options, of a conftest.py, of plugins.
        """
        selection = self._selection
        if collection_path not in self._lok_dirs or not (selection.whole_project or selection.files):
            return (yield)
        # pytest has no hook for this one rule, so the list is empty while the other rules are asked
        patterns = self._config.getini("norecursedirs")
        hidden, patterns[:] = patterns[:], []
        try:
            return (yield)
        finally:
            patterns[:] = hidden

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """``.lok`` and ``.lok/workflows`` give workflows and nothing else that lies there."""
        return LokDir.from_parent(parent, path=path) if path in self._lok_dirs else None

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """The node of a workflow file that this session collects."""
        selection = self._selection
        is_named = file_path in selection.files
        in_dir = file_path.parent == self._workflows_dir and file_path.suffix == ".toml"
        if is_named or (in_dir and selection.is_collected(file_path)):
            nodeid = selection.session.node_id(file_path)
            return WorkflowModule.from_parent(parent, path=file_path, name=file_path.stem, nodeid=nodeid)
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the workflows without a file in the project: they stand in the root directory."""
        report = yield
        unfiled = self._selection.unfiled
        if unfiled and isinstance(collector, pytest.Session):
            # below the root directory, the fixtures of its conftest.py apply to them
            root = _root_node(collector, report.result)
            more = [WorkflowModule.of_unfiled(root, u) for u in unfiled] if root else [RootDir.of(collector)]
            report.result = [*report.result, *more]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the steps of a workflow together where its first step stands, in the order they run in."""
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
        """Note deselected steps: others may need them all the same."""
        self._selected.deselected += [item for item in items if isinstance(item, StepItem)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the steps that are left: every deselection has happened."""
        for item in session.items:
            if isinstance(item, StepItem):
                self._selected.add(item)
        self._runner.start_engine()


def _regrouped(
    items: Iterable[pytest.Item], groups: dict[pytest.Collector, list[StepItem]]
) -> Iterator[pytest.Item]:
    for item in items:
        if isinstance(item, StepItem):
            yield from groups.pop(item.workflow, ())
        else:
            yield item


def _root_node(
    session: pytest.Session, nodes: Iterable[pytest.Item | pytest.Collector]
) -> pytest.Collector | None:
    """The root directory's node, if the arguments led pytest to make one: its conftest.py hangs on it."""
    for node in nodes:
        for parent in node.listchain():
            if isinstance(parent, pytest.Directory) and parent.path == session.config.rootpath:
                return parent
    return None
