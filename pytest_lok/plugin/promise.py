"""What ``--lok`` promises when somebody types it: steps, and why pytest did not come to some of them."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.errors import WorkflowError
from pytest_lok.plugin._pytest_internals import matches_keyword, matches_marks
from pytest_lok.plugin.request import PREFIX
from pytest_lok.plugin.typed import typed_words

if TYPE_CHECKING:
    from pytest_lok.plugin.collect import StepItem
    from pytest_lok.plugin.desk import LokSession

_SENT = "lok_promise"
_MEANT = (
    *("--lf", "--last-failed", "--sw", "--stepwise", "--sw-skip", "--stepwise-skip"),
    *("--splits", "--shard-id", "--num-shards", "--test-group", "--test-group-count"),
)
"""Options that choose a part of the tests, and nothing else; a part that another session has the rest of."""


class Promise:
    """The hooks that see which steps are collected and selected.

    ``steps`` are the node ids that were promised; ``left`` are those of them that pytest did not select,
    and why; ``chosen`` are those that the command line itself leaves out.
    """

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._words = tuple(typed_words(desk.config, os.environ))
        self._made: dict[str, StepItem] = {}
        self.left: dict[str, str] = {}
        self.chosen: set[str] = set()

    @cached_property
    def steps(self) -> dict[str, Path]:
        """Node ids, with the file of their workflow; none where nobody typed that they are to be run."""
        return dict(self._promised()) if self._desk.is_promised else {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        """Every step there is, before anybody leaves some out."""
        from pytest_lok.plugin.collect import StepItem

        self._made = {item.nodeid: item for item in items if isinstance(item, StepItem)}
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Which were left out, and why."""
        selected = {item.nodeid for item in session.items}
        for nodeid in self.steps.keys() - selected:
            if self._is_chosen(nodeid):
                self.chosen.add(nodeid)
        settled = selected | self.chosen
        self.left = {nodeid: self._why(nodeid) for nodeid in self.steps if nodeid not in settled}
        if hasattr(self._desk.config, "workeroutput"):
            self._desk.config.workeroutput[_SENT] = [self.left, sorted(self.chosen)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """The process that has xdist's workers collects nothing itself."""
        left, chosen = getattr(node, "workeroutput", {}).get(_SENT, ({}, ()))
        self.left |= left
        self.chosen.update(chosen)

    def _promised(self) -> Iterator[tuple[str, Path]]:
        desk = self._desk
        for file in filter(Path.is_file, desk.promised):  # of one that is not there pytest tells
            try:
                workflow = desk.load(file)
            except WorkflowError:  # it is told as that
                continue
            if file in desk.named or not workflow.by_name_only:
                only, place = desk.named.get(file, frozenset()), self._place(file)
                for step in workflow.steps:
                    if not only or step.name in only:
                        yield f"{place}::{step.name}", file

    def _place(self, file: Path) -> str:
        if any(file.stem == virtual.name for virtual in self._desk.virtual):
            return PREFIX + file.stem
        return self._desk.place(file)

    def _is_chosen(self, nodeid: str) -> bool:
        """Whether the options somebody typed leave a step out."""
        words = self._words
        if any(word.partition("=")[0] in _MEANT for word in words):
            return True
        if any(nodeid.startswith(prefix) for prefix in _values(words, "--deselect")):
            return True
        item, config = self._made.get(nodeid), self._desk.config
        if item is None:
            return False
        return (_typed(words, "k") and not _matches_keyword(item, config.getoption("keyword"))) or (
            _typed(words, "m") and not _matches_marks(item, config.getoption("markexpr"))
        )

    def _why(self, nodeid: str) -> str:
        desk, file = self._desk, self.steps[nodeid]
        keyword, marks = desk.config.getoption("keyword"), desk.config.getoption("markexpr")
        item = self._made.get(nodeid)
        if item is not None and keyword and not _matches_keyword(item, keyword):
            return f"-k {keyword!r} of pytest's configuration deselects it"
        if item is not None and marks and not _matches_marks(item, marks):
            return f"-m {marks!r} of pytest's configuration deselects it"
        if item is not None:
            return "a plugin or a conftest.py deselects it"
        why = desk.why_not(file) if file not in desk.named else ""
        return why or "a rule ignores it: --ignore, collect_ignore, their globs, or pytest_ignore_collect"


def _typed(words: Sequence[str], letter: str) -> bool:
    """Whether a short option was typed, also attached to its value, or behind others."""
    return any(re.match(f"-[A-Za-z]*{letter}", word) for word in words)


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    for word, after in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name == option:
            yield value if equals else after


def _matches_keyword(item: pytest.Item, expression: str) -> bool:
    return not expression or matches_keyword(item, expression)


def _matches_marks(item: pytest.Item, expression: str) -> bool:
    return not expression or matches_marks(item, expression)
