"""Items left after every deselection -> what is to run of each workflow, and what marks keep from running."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin._pytest_internals import evaluate_skip_marks, evaluate_xfail_marks

if TYPE_CHECKING:
    from pytest_lok.plugin.nodes import StepItem, WorkflowModule


class SelectedSteps:
    """The selected items of steps, by workflow.

    ``deselected`` are the items that were left out. Steps may need theirs all the same, so their marks count.
    """

    def __init__(self) -> None:
        self.deselected: list[StepItem] = []
        self._nodes: dict[str, WorkflowModule] = {}
        self._items: dict[WorkflowModule, list[StepItem]] = {}
        self._marked: dict[WorkflowModule, dict[str, StepResult]] = {}
        self._expected_to_fail: dict[WorkflowModule, set[str]] = {}

    def __bool__(self) -> bool:
        """Whether any step is selected."""
        return bool(self._items)

    @property
    def nodes(self) -> Collection[WorkflowModule]:
        """The workflows of which a step is selected."""
        return self._items.keys()

    def node(self, workflow: WorkflowModule) -> WorkflowModule:
        """The first node of the workflow: with ``--keep-duplicates`` there may be several."""
        return self._nodes.setdefault(workflow.nodeid, workflow)

    def add(self, item: StepItem) -> None:
        """Note an item that is left after every deselection; a step that a mark skips must not run."""
        workflow = self.node(item.workflow)
        items = self._items.setdefault(workflow, [])
        if next(item.iter_markers(), None) is None:  # as nearly always
            items.append(item)
            return
        if not self._block_if_marked(item):
            items.append(item)
        if not item.config.getoption("runxfail", False) and item.get_closest_marker("xfail"):
            self._expected_to_fail.setdefault(workflow, set()).add(item.name)

    def with_same_fixtures(self, workflow: WorkflowModule) -> Iterator[tuple[WorkflowModule, list[StepItem]]]:
        """The workflows that have the same backends' fixtures, this one included, with the items to run."""
        # marks may be added until the collection ends, so they are read when the first run starts
        while self.deselected:
            self._block_if_marked(self.deselected.pop())
        for other, items in self._items.items():
            if other.fixture_key == workflow.fixture_key:
                yield other, items

    def blocked_by_marks(self, workflow: WorkflowModule) -> Mapping[str, StepResult]:
        """The results of steps that marks keep from running, though other steps may need them."""
        return self._marked.get(workflow, {})

    def expected_to_fail(self, workflow: WorkflowModule) -> set[str]:
        """The steps that are marked as ``xfail``: they may break without making the session red."""
        return self._expected_to_fail.get(self.node(workflow), set())

    def _block_if_marked(self, item: StepItem) -> bool:
        """Whether a mark keeps a step from running; what needs the step is blocked then."""
        why = _no_run_mark(item)
        if why:
            reason = f"blocked: step {item.name!r} is marked: {why}"
            result = StepResult(name=item.name, outcome=Outcome.SKIPPED, reason=reason, blocked_by=item.name)
            self._marked.setdefault(self.node(item.workflow), {})[item.name] = result
        return bool(why)


def _no_run_mark(item: pytest.Item) -> str:
    """Why pytest's marks keep an item from being run, "" if they do not."""
    try:
        skip, xfail = evaluate_skip_marks(item), evaluate_xfail_marks(item)
    except pytest.fail.Exception as wrong:  # pytest says so itself, when the item's turn comes
        return str(wrong).partition("\n")[0]
    if skip is not None:
        return f"skip: {skip.reason}"
    if xfail is not None and not xfail.run and not item.config.getoption("runxfail", False):
        return f"xfail, not to be run: {xfail.reason}"
    return ""
