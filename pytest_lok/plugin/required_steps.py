"""The steps that a typed ``--lok`` requires, and why pytest did not come to some of them.

Nobody can know in general who deselects a step, and what a plugin thinks has not changed looks like a
choice. So there is a closed list of what the command line itself chooses, judged by pytest's own matchers.
Every other reason is reported, and makes the session red in CI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.errors import WorkflowError
from pytest_lok.plugin._pytest_internals import matches_keyword, matches_marks
from pytest_lok.plugin.nodes import StepItem
from pytest_lok.plugin.request import UNFILED_PREFIX
from pytest_lok.plugin.selection import WorkflowSelection
from pytest_lok.plugin.typed import typed_words

_WORKER_KEY = "lok_required_steps"
_PARTIAL_RUN = (
    *("--lf", "--last-failed", "--sw", "--stepwise", "--sw-skip", "--stepwise-skip"),
    *("--splits", "--shard-id", "--num-shards", "--test-group", "--test-group-count"),
)
"""Options that choose a part of the tests, and nothing else; another session has the rest of them."""


class RequiredSteps:
    """The hooks that see which steps are collected and selected.

    ``unselected`` are the required steps that pytest did not select, by node id, and why. ``deselected`` are
    the required steps that the command line itself leaves out: nobody misses those.
    """

    def __init__(self, selection: WorkflowSelection) -> None:
        self._selection = selection
        self._config = selection.session.config
        self._words = tuple(typed_words(self._config, os.environ))
        self._collected: dict[str, StepItem] = {}
        self.unselected: dict[str, str] = {}
        self.deselected: set[str] = set()

    @cached_property
    def ids(self) -> dict[str, Path]:
        """The node ids, each with the file of its workflow; none if nobody typed that they are to be run."""
        return dict(self._requested()) if self._selection.is_typed else {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        """Note every step that is collected, before anybody leaves some out."""
        self._collected = {item.nodeid: item for item in items if isinstance(item, StepItem)}
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find out which required steps were left out, and why."""
        selected = {item.nodeid for item in session.items}
        for nodeid in self.ids.keys() - selected:
            if self._is_deselected_by_user(nodeid):
                self.deselected.add(nodeid)
        known = selected | self.deselected
        self.unselected = {nodeid: self._why_unselected(nodeid) for nodeid in self.ids if nodeid not in known}
        if hasattr(self._config, "workeroutput"):
            # every worker collects the same, and reports it when it ends
            self._config.workeroutput[_WORKER_KEY] = [self.unselected, sorted(self.deselected)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has found out: the process that has xdist's workers collects nothing."""
        unselected, deselected = getattr(node, "workeroutput", {}).get(_WORKER_KEY, ({}, ()))
        self.unselected |= unselected
        self.deselected.update(deselected)

    def _requested(self) -> Iterator[tuple[str, Path]]:
        selection = self._selection
        for file in filter(Path.is_file, selection.requested_files):  # pytest reports one that is missing
            try:
                workflow = selection.session.load(file)
            except WorkflowError:  # its node is an error of collection
                continue
            if file in selection.files or not workflow.by_name_only:
                named, parent = workflow.named(selection.files.get(file, ())), self._node_id(file)
                for step in workflow.steps:
                    if not named or step.name in named:
                        yield f"{parent}::{step.name}", file

    def _node_id(self, file: Path) -> str:
        if any(file.stem == unfiled.name for unfiled in self._selection.unfiled):
            return UNFILED_PREFIX + file.stem
        return self._selection.session.node_id(file)

    def _is_deselected_by_user(self, nodeid: str) -> bool:
        """Whether the options that somebody typed leave a step out."""
        words = self._words
        if any(word.partition("=")[0] in _PARTIAL_RUN for word in words):
            return True
        if any(nodeid.startswith(prefix) for prefix in _values_of(words, "--deselect")):
            return True
        item, config = self._collected.get(nodeid), self._config
        if item is None:
            return False
        by_keyword = _is_typed(words, "k") and not _has_keyword(item, config.getoption("keyword"))
        return by_keyword or (_is_typed(words, "m") and not _has_marks(item, config.getoption("markexpr")))

    def _why_unselected(self, nodeid: str) -> str:
        selection, file = self._selection, self.ids[nodeid]
        keyword, marks = self._config.getoption("keyword"), self._config.getoption("markexpr")
        item = self._collected.get(nodeid)
        if item is not None:
            if not _has_keyword(item, keyword):
                return f"-k {keyword!r} of pytest's configuration deselects it"
            if not _has_marks(item, marks):
                return f"-m {marks!r} of pytest's configuration deselects it"
            return "a plugin or a conftest.py deselects it"
        reason = selection.exclusion_reason(file) if file not in selection.files else ""
        return reason or "a rule ignores it: --ignore, collect_ignore, their globs, or pytest_ignore_collect"


def _is_typed(words: Sequence[str], letter: str) -> bool:
    """Whether a short option was typed, also attached to its value, or behind others."""
    return any(re.match(f"-[A-Za-z]*{letter}", word) for word in words)


def _values_of(words: Sequence[str], option: str) -> Iterator[str]:
    for word, after in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name == option:
            yield value if equals else after


def _has_keyword(item: pytest.Item, expression: str) -> bool:
    return not expression or matches_keyword(item, expression)


def _has_marks(item: pytest.Item, expression: str) -> bool:
    return not expression or matches_marks(item, expression)
