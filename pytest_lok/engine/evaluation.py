"""Templates, conditions and schemas may be slow on foreign texts: here they do not hold up the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from pytest_lok.engine.context import time_limit
from pytest_lok.engine.stray_output import ENGINE_THREAD

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.engine.execution import StepExecution

T = TypeVar("T")

TimeLeft: TypeAlias = Callable[[], float]
"""Returns the seconds that are left; raises TimeoutError if none are, or if nobody waits any more."""


class Evaluable(Protocol):
    """A template, a condition, or a shell text: what ``evaluate`` may be slow for."""

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether evaluating the text may take long with these values."""
        ...


async def evaluate(
    execution: StepExecution, scope: Scope, texts: Iterable[Evaluable | None], work: Callable[[Scope], T]
) -> T:
    """The result of ``work(scope)``, on a thread and within the step's time limit if a text may take long."""
    if not any(text is not None and text.may_be_slow(scope) for text in texts):
        return work(scope)
    return await evaluate_in_thread(
        execution, lambda left: work(replace(scope, time_left=left)), "working out its texts"
    )


async def evaluate_in_thread(execution: StepExecution, work: Callable[[TimeLeft], T], what: str) -> T:
    """The result of ``work`` on a thread of its own; StepUnableError after the step's time limit.

    A thread cannot be ended from outside, so the work has to call its argument again and again. The thread
    is a daemon: a process that exits does not wait for it.
    """
    loop, limit = asyncio.get_running_loop(), execution.context.timeout_of(execution.step)
    end = time.monotonic() + limit
    answer: asyncio.Future[T] = loop.create_future()
    abandoned = threading.Event()

    def time_left() -> float:
        if (seconds := end - time.monotonic()) <= 0 or abandoned.is_set():
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

    target = partial(contextvars.copy_context().run, run)
    threading.Thread(target=target, name=f"{ENGINE_THREAD}-work", daemon=True).start()
    try:
        with time_limit(limit):
            return await answer
    except TimeoutError:
        raise execution.context.timed_out(execution.step, what) from None
    finally:
        abandoned.set()
