"""The early end of a session, as all of its processes see it, and what it makes of steps."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.files import write_atomically
from pytest_lok.plugin.outcome import NOT_RUN

if TYPE_CHECKING:
    from pytest_lok.plugin.desk import LokSession

STOP_FILE = "STOP"
"""The file that says the session was ended early; its first word is what becomes of steps not begun."""
KILL_FILE = "KILL"
"""The file that says that nobody waits any more for processes to end by themselves."""


class EarlyExit:
    """Whether and why the session was ended early, in this process or in the one that started it."""

    def __init__(self, desk: LokSession) -> None:
        self._desk = desk
        self._is_worker = hasattr(desk.config, "workerinput")
        self._parent = os.getppid()
        self._said: tuple[str, Outcome] | None = None

    @property
    def happened(self) -> bool:
        """Whether it was; a worker looks at what it has been told, and at who is left."""
        if self._said is None and self._is_worker:
            with suppress(FileNotFoundError):
                outcome, _, why = (self._desk.runs.path / STOP_FILE).read_text("utf-8").partition(" ")
                self._said = why, Outcome(outcome)
            if self.lost:
                self._said = self.lost, Outcome.ERROR
            if os.getppid() != self._parent:  # killed: nobody will be told
                self._said = "the pytest that started this worker died", Outcome.ERROR
        return self._said is not None

    @property
    def why(self) -> str:
        """Why it was, as far as that is known."""
        return self._said[0] if self.happened and self._said else "the session ended"

    @property
    def lost(self) -> str:
        """What is wrong if a step or somebody else has removed the session's directory, else ""."""
        if not self._desk.is_recorded or self._desk.runs.path.is_dir():
            return ""
        return f"{self._desk.runs.path} was removed while the session ran"

    def say(self, why: str, rest: Outcome) -> bool:
        """Tell every process; ``rest`` is what becomes of steps that have not begun. False if it is known."""
        if self._said is not None:
            return False
        self._said = why, rest
        if self._desk.is_recorded:
            with suppress(FileNotFoundError):  # removed: workers see that themselves
                write_atomically(self._desk.runs.path / STOP_FILE, f"{rest} {why}".encode(errors="replace"))
        return True

    def kill_now(self) -> None:
        """Tell workers that nobody waits any more."""
        if self._desk.is_recorded and not self._is_worker:
            with suppress(FileNotFoundError):
                (self._desk.runs.path / KILL_FILE).touch()

    @property
    def kill_requested(self) -> bool:
        """Whether this is a worker that was told so."""
        return self._is_worker and (self._desk.runs.path / KILL_FILE).exists()

    def cut(self, step: str, *, begun: bool) -> StepResult:
        """What came of a step that the end of the session caught."""
        why = self._said[0] if self._said else "the session ended"
        reason = f"cancelled: {why}" if begun else f"{NOT_RUN}{why}"
        if lost := self.lost:
            reason = f"nobody knows what came of it: {lost}"
        return self.told(StepResult(name=step, outcome=Outcome.ERROR, reason=reason, attempts=int(begun)))

    def told(self, result: StepResult) -> StepResult:
        """The result as the session tells it: after ``-x`` a step that was not run is skipped, no error."""
        if self._said is None or result.attempts or not result.reason.startswith(NOT_RUN):
            return result
        return replace(result, outcome=self._said[1])
