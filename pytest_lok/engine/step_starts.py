"""When each step of a run begins, as it is told: a question waits for its place first."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pytest_lok.core.events import BackendBusy, Event, StepProgressed, StepStarted

_WAITING_EVENTS = (BackendBusy, StepProgressed)
"""The events of a step that may still wait for the place of its first question."""


class StepStarts:
    """Announces steps. ``at`` has the seconds after which each began; ``effects`` are those that have some.

    A step that asks begins when its first question has a place at a backend. What it tells before, while it
    waits for that place, is told behind its start.
    """

    def __init__(
        self, emit: Callable[[Event], None], elapsed: Callable[[], float], effects: Collection[str]
    ) -> None:
        self.at: dict[str, float] = {}
        self._emit = emit
        self._elapsed = elapsed
        self._effects = effects
        self._waiting: dict[str, list[Event]] = {}

    def announce(self, name: str) -> None:
        """Tell that a step has begun, if that has not been told."""
        if name in self.at:
            return
        self.at[name] = at = self._elapsed()
        self._emit(StepStarted(step=name, at=at, effects=name in self._effects))
        for event in self._waiting.pop(name, ()):
            self._emit(event)

    def emit(self, event: Event) -> None:
        """Emit what a step tells, or keep it until the step has begun."""
        step = getattr(event, "step", "")
        if step not in self.at:
            if isinstance(event, _WAITING_EVENTS):
                self._waiting.setdefault(step, []).append(event)
                return
            if step:
                self.announce(step)
        self._emit(event)
