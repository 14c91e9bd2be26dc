"""Items left after every deselection -> what is to run of each workflow, and what marks keep from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.plugin._pytest_internals import evaluate_skip_marks, evaluate_xfail_marks

if TYPE_CHECKING:
    from pytest_lok.plugin.collect import StepItem, WorkflowModule


class Selection:
    """The selected steps, by workflow.

    ``left_out`` are items that were deselected; what needs their steps heeds their marks.
    """

    def __init__(self) -> None:
        self.left_out: list[StepItem] = []
        self._nodes: dict[str, WorkflowModule] = {}
        self._selected: dict[WorkflowModule, list[StepItem]] = {}
        self._kept: dict[WorkflowModule, dict[str, StepResult]] = {}
        self._excused: dict[WorkflowModule, set[str]] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._selected)

    def node(self, workflow: WorkflowModule) -> WorkflowModule:
        """The first node of the workflow: with ``--keep-duplicates`` there may be several."""
        return self._nodes.setdefault(workflow.nodeid, workflow)

    def add(self, item: StepItem) -> None:
        """Note an item that is left after every deselection; one that is marked as skipped must not run."""
        workflow = self.node(item.workflow)
        items = self._selected.setdefault(workflow, [])
        if next(item.iter_markers(), None) is None:  # as nearly always
            items.append(item)
            return
        if not self._keep(item):
            items.append(item)
        if not item.config.getoption("runxfail", False) and item.get_closest_marker("xfail"):
            self._excused.setdefault(workflow, set()).add(item.name)

    def beside(self, workflow: WorkflowModule) -> Iterator[tuple[WorkflowModule, list[StepItem]]]:
        """The workflows whose fixtures are that one's, it included, with the items to run."""
        while self.left_out:
            self._keep(self.left_out.pop())
        for other, items in self._selected.items():
            if other.fixtures_from == workflow.fixtures_from:
                yield other, items

    def kept(self, workflow: WorkflowModule) -> Mapping[str, StepResult]:
        """What comes of steps that marks keep from running, though others may need them."""
        return self._kept.get(workflow, {})

    def excused(self, workflow: WorkflowModule) -> set[str]:
        """Steps that may break: they are marked so."""
        return self._excused.get(self.node(workflow), set())

    def _keep(self, item: StepItem) -> bool:
        """Whether a mark keeps a step from running; what needs it is blocked then."""
        why = _marked(item)
        if why:
            reason = f"blocked: step {item.name!r} is marked: {why}"
            result = StepResult(name=item.name, outcome=Outcome.SKIPPED, reason=reason, blocked_by=item.name)
            self._kept.setdefault(self.node(item.workflow), {})[item.name] = result
        return bool(why)


def _marked(item: pytest.Item) -> str:
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
