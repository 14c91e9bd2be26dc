"""Runs on one thread with one event loop, for callers that are not async (pytest is not)."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lok.core.events import Event
from pytest_lok.core.plan import Plan
from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.engine.ports import World


class RunHandle:
    """One started run, seen from another thread."""

    def step(self, name: str, timeout: float) -> StepResult | None:
        """The step's result, or None if it is not there after ``timeout`` seconds. A crash of the engine raises here."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> RunResult | None:
        """The run's result, or None if it has not ended after ``timeout`` seconds."""
        raise NotImplementedError

    def running(self) -> dict[str, float]:
        """Steps running now, with the seconds each has been running."""
        raise NotImplementedError

    def cancel(self, reason: str) -> None:
        """Stop: running steps are cancelled (no child survives), what has not run says ``reason``."""
        raise NotImplementedError


class Background:
    """One engine thread. Nothing it does prints, logs or warns on the calling thread."""

    def start(self, plan: Plan, world: World, emit: Callable[[Event], None]) -> RunHandle:
        """Begin a run; returns at once. ``emit`` is called on the engine thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Cancel what runs, close the worlds' backends, end the thread. Idempotent."""
        raise NotImplementedError
