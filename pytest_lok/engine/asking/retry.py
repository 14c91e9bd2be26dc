"""An action is attempted again after transient failures, with growing, jittered pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_lok.core.events import StepRetrying
from pytest_lok.errors import BackendError, LokError, StepFailedError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.context import RunContext

T = TypeVar("T")

MAX_PAUSE = 300.0
"""Seconds; a server's Retry-After is cut to this as well, for some are absurd."""


async def with_retries(
    step: Step,
    context: RunContext,
    action: Callable[[int], Awaitable[T]],
    is_transient: Callable[[LokError], bool],
    *,
    item: int | None = None,
) -> T:
    """The result of ``action(number)``, attempted again after each failure for which ``is_transient`` holds.

    ``number`` counts from 1. There are at most ``step.retries`` further attempts; the last failure is raised.
    """
    for number in range(1, step.retries + 1):
        try:
            return await action(number)
        except (StepFailedError, StepUnableError) as failure:
            if not is_transient(failure):
                raise
            delay = pause(step.retry_delay, number, failure)
            context.emit(
                StepRetrying(
                    step=step.name,
                    attempt=number,
                    attempts=step.retries + 1,
                    delay=delay,
                    reason=failure.message,
                    item=item,
                )
            )
            await asyncio.sleep(delay)
    return await action(step.retries + 1)


def pause(first: float, number: int, failure: LokError) -> float:
    """Seconds before attempt ``number + 1``: ``first``, doubled each time, minus up to half.

    A pause that the server asks for replaces it. No pause is longer than MAX_PAUSE."""
    if isinstance(failure, BackendError) and failure.retry_after is not None:
        return min(max(failure.retry_after, 0.0), MAX_PAUSE)
    longest = min(first * 2.0 ** min(number - 1, 30), MAX_PAUSE)
    # the process's own generator is seeded by tests, which count on what it gives next
    import random

    return longest * random.SystemRandom().uniform(0.5, 1.0)
