"""How a list of repositories is worked through, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.events import Event
    from pytest_lok.each.listing import Row
    from pytest_lok.reports.each.rows import RepositoryRun


def _nothing(*_: object) -> None:
    """A listener that does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EachOptions:
    """How the runs are made.

    ``jobs`` repositories are worked on at once. ``fail_fast``: the first one that is not green stops all.
    ``asked``: the questions are kept for reports. ``command`` is how lok was called, for the records.
    ``on_event``, ``on_begun`` and ``on_done`` hear what happens, on the loop; ``warn`` hears of trouble that
    changes no result.
    """

    jobs: int
    fail_fast: bool = False
    dry_run: bool = False
    asked: bool = False
    command: tuple[str, ...] = ()
    on_event: Callable[[Row, Event], None] = _nothing
    on_begun: Callable[[Row], None] = _nothing
    on_done: Callable[[RepositoryRun], None] = _nothing
    warn: Callable[[str], None] = _nothing
