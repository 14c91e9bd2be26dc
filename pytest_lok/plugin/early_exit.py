"""The early end of a session, as all of its processes see it, and what it makes of steps."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.files import write_atomically
from pytest_lok.plugin.outcome import CANCELLED, NOT_RUN
from pytest_lok.plugin.session import LokSession

_STOP_FILE = "STOP"
"""Tells workers that the session was ended early; its first word is the outcome of steps not begun."""
_KILL_FILE = "KILL"
"""Tells workers that nobody waits any more for processes to end by themselves."""


class EarlyExit:
    """Whether and why the session was ended early, in this process or in the one that started it."""

    def __init__(self, session: LokSession) -> None:
        self._session = session
        self._parent = os.getppid()
        self._announced: tuple[str, Outcome] | None = None

    @property
    def happened(self) -> bool:
        """Whether the session was ended early; a worker looks for the file that says so."""
        if self._announced is None and self._session.is_worker:
            with suppress(FileNotFoundError):
                text = (self._session.runs.path / _STOP_FILE).read_text("utf-8")
                outcome, _, reason = text.partition(" ")
                self._announced = reason, Outcome(outcome)
            # without the directory nobody can tell this worker anything, nor take its results
            if self.directory_lost:
                self._announced = self.directory_lost, Outcome.ERROR
            if os.getppid() != self._parent:  # killed: nobody will be told
                self._announced = "the pytest that started this worker died", Outcome.ERROR
        return self._announced is not None

    @property
    def reason(self) -> str:
        """Why the session was ended early, as far as that is known."""
        return self._announced[0] if self.happened and self._announced else "the session ended"

    @property
    def directory_lost(self) -> str:
        """What is wrong if a step or somebody else has removed the session's directory, else ""."""
        if not self._session.is_recorded or self._session.runs.path.is_dir():
            return ""
        return f"{self._session.runs.path} was removed while the session ran"

    def announce(self, reason: str, outcome_of_rest: Outcome) -> bool:
        """Tell every process of the session; False if the end was announced before.

        ``outcome_of_rest`` is what becomes of the steps that have not begun.
        """
        if self._announced is not None:
            return False
        # first here: a signal may come while the file is written
        self._announced = reason, outcome_of_rest
        if self._session.is_recorded:
            file = self._session.runs.path / _STOP_FILE
            with suppress(FileNotFoundError):  # the directory was removed: workers see that themselves
                write_atomically(file, f"{outcome_of_rest} {reason}".encode(errors="replace"))
        return True

    def announce_kill(self) -> None:
        """Tell workers to kill their processes and wait for none."""
        if self._session.is_recorded and not self._session.is_worker:
            with suppress(FileNotFoundError):
                (self._session.runs.path / _KILL_FILE).touch()

    @property
    def kill_announced(self) -> bool:
        """Whether this is a worker that was told to kill its processes."""
        return self._session.is_worker and (self._session.runs.path / _KILL_FILE).exists()

    def interrupted_result(self, step: str, *, begun: bool) -> StepResult:
        """The result of a step that had none when the session ended; ``begun``: the step was running."""
        reason = self._announced[0] if self._announced else "the session ended"
        text = f"{CANCELLED}{reason}" if begun else f"{NOT_RUN}{reason}"
        if lost := self.directory_lost:
            text = f"nobody knows what came of it: {lost}"
        result = StepResult(name=step, outcome=Outcome.ERROR, reason=text, attempts=int(begun))
        return self.as_reported(result)

    def as_reported(self, result: StepResult) -> StepResult:
        """The result with the outcome to report: skipped if ``-x`` kept the step from running."""
        if self._announced is None or result.attempts or not result.reason.startswith(NOT_RUN):
            return result
        return replace(result, outcome=self._announced[1])
