"""Work on texts of others -> its result, on a thread of its own: it may be slow, and the loop goes on."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol, TypeAlias, TypeVar

from pytest_lok.core.templates.scope import Scope
from pytest_lok.engine.context import time_limit, timed_out
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.stray_output import ENGINE_THREAD

T = TypeVar("T")

TimeLeft: TypeAlias = Callable[[], float]
"""Seconds that are left; TimeoutError when there are none, or nobody waits any more."""


class Evaluable(Protocol):
    """A template, a condition, or a shell text."""

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether it may take long."""
        ...


async def evaluate(
    execution: StepExecution, scope: Scope, texts: Iterable[Evaluable | None], work: Callable[[Scope], T]
) -> T:
    """What ``work`` makes of the texts: at once, or, where one may take long, for as long as the step may."""
    if not any(text is not None and text.may_be_slow(scope) for text in texts):
        return work(scope)
    limit = execution.context.timeout_of(execution.step)
    return await evaluate_in_thread(
        lambda left: work(replace(scope, time_left=left)), limit, "working out its texts"
    )


async def evaluate_in_thread(work: Callable[[TimeLeft], T], limit: float, what: str) -> T:
    """What ``work`` gives; StepUnableError where that takes more than ``limit`` seconds.

    The work has to ask for the time that is left, again and again. The thread is a daemon, so that nobody
    waits for it who leaves.
    """
    loop = asyncio.get_running_loop()
    end = time.monotonic() + limit
    answer: asyncio.Future[T] = loop.create_future()
    abandoned = threading.Event()

    def time_left() -> float:
        seconds = end - time.monotonic()
        if seconds <= 0 or abandoned.is_set():
            raise TimeoutError
        return seconds

    def deliver(result: T | None, failure: BaseException | None) -> None:
        if answer.done():
            return
        if failure is None:
            answer.set_result(result)  # type: ignore[arg-type]  # there is one where nothing failed
        else:
            answer.set_exception(failure)

    def run() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = work(time_left), None
        except BaseException as failure:
            outcome = None, failure
        if not abandoned.is_set():
            loop.call_soon_threadsafe(deliver, *outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=f"{ENGINE_THREAD}-work", daemon=True).start()
    try:
        with time_limit(limit):
            return await answer
    except TimeoutError:
        raise timed_out(what, limit) from None
    finally:
        abandoned.set()
