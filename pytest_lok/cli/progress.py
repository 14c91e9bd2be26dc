"""Events -> what runs now, since when, and what waits: the state that a live view shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import field

from pytest_lok.core.events import (
    BackendAsked,
    BackendRefused,
    BackendReplied,
    Event,
    RunStarted,
    StepFinished,
    StepRetrying,
    StepStarted,
)
from pytest_lok.dataclass import dataclass


@dataclass(slots=True, kw_only=True)
class RunningStep:
    """A step that runs. ``asked`` are its open questions, by backend and item."""

    since: float
    asked: dict[tuple[str, int | None], None] = field(default_factory=dict)
    pause: str = ""

    @property
    def doing(self) -> str:
        """``asking claude, codex (3)``, or why the step pauses; "" for a command."""
        counts = Counter(backend for backend, _ in tuple(self.asked))
        asking = ", ".join(f"{name} ({n})" if n > 1 else name for name, n in counts.items())
        return f"asking {asking}" if asking else self.pause


class RunProgress:
    """The state of a run; ``clock`` returns monotonic seconds, and every time here is of that clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.began = clock()
        self.total = 0
        self.finished = 0
        self.running: dict[str, RunningStep] = {}
        self.waiting: dict[str, None] = {}

    def age(self, since: float) -> float:
        """Seconds from ``since`` until now."""
        return self._clock() - since

    def on_event(self, event: Event) -> None:
        """Bring the state up to date."""
        match event:
            case RunStarted(steps=steps):
                self.began, self.total = self._clock(), len(steps)
                self.waiting = dict.fromkeys(steps)
            case StepStarted(step=name):
                self.waiting.pop(name, None)
                self.running[name] = RunningStep(since=self._clock())
            case StepFinished(result=result):
                self.waiting.pop(result.name, None)
                self.running.pop(result.name, None)
                self.finished += 1
            case BackendAsked() | BackendReplied() | BackendRefused() | StepRetrying():
                if event.step in self.running:
                    _note(self.running[event.step], event)


def _note(step: RunningStep, event: BackendAsked | BackendReplied | BackendRefused | StepRetrying) -> None:
    match event:
        case BackendAsked():
            step.asked[event.backend, event.item] = None
        case BackendReplied():
            step.asked.pop((event.reply.backend, event.item), None)
        case BackendRefused():
            step.asked.pop((event.refusal.backend, event.item), None)
        case StepRetrying():
            step.pause = f"attempt {event.attempt + 1} after {event.delay:.1f} s: {event.reason}"
            for asked in [key for key in step.asked if key[1] == event.item]:
                del step.asked[asked]
