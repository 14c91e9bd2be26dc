"""Events -> what runs now, since when, and what waits: the state that a live view shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import field

from pytest_lok.core.events import (
    BackendAnswering,
    BackendAsked,
    BackendBusy,
    BackendRefused,
    BackendReplied,
    Event,
    RunStarted,
    RunWaiting,
    StepFinished,
    StepProgressed,
    StepRetrying,
    StepStarted,
)
from pytest_lok.dataclass import dataclass

_NO_PAUSE = StepRetrying(step="", attempt=0, delay=0.0, reason="")


@dataclass(slots=True, kw_only=True)
class RunningStep:
    """A step that runs. ``asked`` are its open questions, by backend and item; times are of the clock."""

    since: float
    asked: dict[tuple[str, int | None], None] = field(default_factory=dict)
    busy: str = ""
    answering: BackendAnswering | None = None
    parts: StepProgressed | None = None
    retry: StepRetrying = _NO_PAUSE
    retry_at: float = 0.0

    def waits(self, now: float) -> bool:
        """Whether the step does nothing itself: it pauses before a retry, or its backend has no place."""
        return not self.asked and (now < self.retry_at or bool(self.busy))

    def doing(self, now: float) -> str:
        """``3/6  asking claude (2), codex``, how its answer begins, or why it waits; "" for a command."""
        parts = f"{self.parts.finished}/{self.parts.total}" if self.parts else ""
        round_ = f"round {self.parts.round}" if self.parts and self.parts.round else ""
        return "  ".join(filter(None, [round_, parts, self._doing(now)]))

    def _doing(self, now: float) -> str:
        # the events come in on another thread
        counts = Counter(backend for backend, _ in tuple(self.asked))
        if len(counts) == 1 and self.parts is None and self.answering is not None:
            coming = self.answering
            return f"{coming.backend}, {coming.characters:,} chars: {coming.words}"
        if counts:
            return "asking " + ", ".join(f"{name} ({n})" if n > 1 else name for name, n in counts.items())
        retry = self.retry
        attempt = f"attempt {retry.attempt + 1} of {retry.attempts}" if retry.attempts else ""
        if now < self.retry_at:
            return f"{attempt} in {self.retry_at - now:.0f} s: {retry.reason}"
        return f"for a place at {self.busy}" if self.busy else attempt


class RunProgress:
    """The state of a run; ``clock`` returns monotonic seconds, and every time here is of that clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self.total = 0
        self.locked = False
        self.finished: Counter[str] = Counter()
        self.running: dict[str, RunningStep] = {}
        self.waiting: dict[str, None] = {}

    def on_event(self, event: Event) -> None:
        """Bring the state up to date."""
        self.locked = isinstance(event, RunWaiting)
        match event:
            case RunStarted(steps=steps):
                self.began, self.total = self.clock(), len(steps)
                self.waiting = dict.fromkeys(steps)
            case StepStarted(step=name):
                self.waiting.pop(name, None)
                self.running[name] = RunningStep(since=self.clock())
            case StepFinished(result=result):
                self.waiting.pop(result.name, None)
                self.running.pop(result.name, None)
                self.finished[result.outcome] += 1
            case _:
                step = self.running.get(getattr(event, "step", ""))
                if step is not None:
                    self._note(step, event)

    def _note(self, step: RunningStep, event: Event) -> None:
        match event:
            case StepProgressed():
                step.parts = event
            case BackendBusy(backend=backend):
                step.busy = backend
            case BackendAsked():
                step.asked[event.backend, event.item] = None
                step.busy, step.answering = "", None
            case BackendAnswering():
                step.answering = event
            case BackendReplied():
                step.asked.pop((event.reply.backend, event.item), None)
            case BackendRefused():
                step.asked.pop((event.refusal.backend, event.item), None)
            case StepRetrying():
                step.retry, step.retry_at = event, self.clock() + event.delay
                for asked in [key for key in step.asked if key[1] == event.item]:
                    del step.asked[asked]
            case _:
                pass
