"""Runs on one thread with one event loop, for callers that are not async (pytest is not)."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.events import FRESH_START, Event, ResumeState, RunWaiting, StepFinished
from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.engine.asking.checked_call import close_all, close_world
from pytest_lok.engine.context import SharedByRuns
from pytest_lok.engine.run import INTERNAL_ERROR, Run, ignore_event
from pytest_lok.engine.stray_output import ENGINE_THREAD
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Backend, World

SWITCH_INTERVAL = 0.00002
"""Seconds after which a busy thread has to let another one run, while the engine's thread lives. With
Python's usual 5 ms every wake-up of the engine would take that long as long as the caller computes.
"""


class RunHandle:
    """A started run, for callers on other threads; every method may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._run: Run | None = None
        self._task: asyncio.Task[RunResult] | None = None
        self._result: Future[RunResult] = Future()
        self._results: dict[str, StepResult] = {}
        self._waiting_since: float | None = None
        self._waiters: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def step(self, name: str, timeout: float) -> StepResult | None:
        """The step's result; None if there is none after ``timeout`` seconds.

        Raises the exception that ended the engine, or KeyError for a step that is not in the run.
        """
        result = self._results.get(name)
        if result is not None:
            return result
        with self._lock:
            waiter = self._waiters.setdefault(name, threading.Event())
            if name in self._results or self._result.done():
                waiter.set()
        waiter.wait(timeout)
        if name not in self._results and self._result.done():
            # raises the exception that ended the engine
            self._result.result()
            raise KeyError(name)
        return self._results.get(name)

    def wait(self, timeout: float | None = None) -> RunResult | None:
        """The run's result; None if the run has not ended after ``timeout`` seconds.

        Raises as ``step`` does.
        """
        try:
            return self._result.result(timeout)
        except TimeoutError:  # of waiting, or what the run died of; it may have ended just now
            return self._result.result() if self._result.done() else None

    def has_crashed(self) -> bool:
        """Whether the engine died of a bug that a step's result already reports."""
        return any(result.reason.startswith(INTERNAL_ERROR) for result in self._results.values())

    def running(self) -> dict[str, float]:
        """The steps that run now, with the seconds since each started."""
        return self._run.running() if self._run is not None and not self._result.done() else {}

    def waiting(self) -> float | None:
        """Seconds that the run has waited for other runs of its workspace; None if it does not wait."""
        since = self._waiting_since
        return None if since is None else time.monotonic() - since

    def cancel(self, reason: str) -> None:
        """Stop the run: running steps are cancelled (no child survives), the rest ends with ``reason``."""
        if self._run is not None and not self._result.done():
            self._loop.call_soon_threadsafe(self._run.stop, reason)

    def _on_event(self, event: Event) -> None:
        """Keep a finished step's result and wake whoever waits for it. Runs on the engine's thread."""
        self._waiting_since = time.monotonic() if isinstance(event, RunWaiting) else None
        if not isinstance(event, StepFinished):
            return
        name = event.result.name
        with self._lock:
            self._results[name] = event.result
            waiter = self._waiters.pop(name, None)
        if waiter is not None:
            waiter.set()

    def _end(self, task: asyncio.Task[RunResult]) -> None:
        """Wake every waiter, whatever became of the run. Runs on the engine's thread."""
        crash = asyncio.CancelledError() if task.cancelled() else task.exception()
        with self._lock:
            if crash is not None:
                self._result.set_exception(crash)
            else:
                self._result.set_result(task.result())
            left, self._waiters = self._waiters, {}
        for waiter in left.values():
            waiter.set()


class Background:
    """One engine thread with one event loop, started by the first run. Its runs share the slots for steps.

    Nothing that the engine does prints or warns on the caller's thread.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._handles: list[RunHandle] = []
        self._backends: list[Backend] = []
        self._worlds: list[World] = []
        self._kills: list[Callable[[], None]] = []
        self._shared = SharedByRuns()
        self._switch_interval = 0.0

    def start(
        self,
        plan: Plan,
        world: World,
        on_event: Callable[[Event], None] = ignore_event,
        *,
        fail_fast: bool = False,
        run_id: str = "",
        resume: ResumeState = FRESH_START,
    ) -> RunHandle:
        """Begin a run and return at once. ``on_event`` is called on the engine thread; else as ``Run``."""
        loop = self._running_loop()
        handle = RunHandle(loop)

        def forward(event: Event) -> None:
            # first: whoever is woken by a result may count on its event having been heard
            on_event(event)
            handle._on_event(event)

        handle._run = run = Run(
            plan,
            world,
            forward,
            fail_fast=fail_fast,
            run_id=run_id,
            resume=resume,
            shared=self._shared,
        )
        self._handles.append(handle)
        self._backends += [
            b for b in world.backends.values() if all(b is not other for other in self._backends)
        ]
        if world.fleet is not None and all(world.fleet is not other.fleet for other in self._worlds):
            self._worlds.append(world)
        self._kills.append(world.kill)
        # a context of its own: what the caller has set there (warnings, databases) is none of the run's
        loop.call_soon_threadsafe(self._begin, run, handle, context=Context())
        return handle

    def prepare(self) -> None:
        """Start the thread now, before a test blocks sockets; UsageError if they are blocked already."""
        self._running_loop()

    def close(self) -> None:
        """Cancel what runs, close the backends, end the thread.

        Calling it twice is fine, and so is a new run.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop, self._closing, self._thread = None, loop, None
        try:
            asyncio.run_coroutine_threadsafe(self._shut_down(), loop).result()
        except BaseException:  # the caller lost its patience
            for kill in self._kills:
                loop.call_soon_threadsafe(kill)
            raise
        finally:
            self._closing = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            sys.setswitchinterval(self._switch_interval)

    def kill(self) -> None:
        """Kill every process now; ``close`` ends them politely and takes longer."""
        loop = self._loop or self._closing
        if loop is not None:
            for kill in self._kills:
                loop.call_soon_threadsafe(kill)

    def release(self, world: World) -> None:
        """Close the backends of one world, and its fleet. Call it when no run uses the world any more."""
        if self._loop is None:
            return
        mine = [it for it in self._backends if any(it is b for b in world.backends.values())]
        self._backends = [it for it in self._backends if all(it is not b for b in mine)]
        asyncio.run_coroutine_threadsafe(self._close_all(mine, [world]), self._loop).result()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            # A loop that fails half way through its making leaks sockets, so what it needs is tried first.
            _check_sockets()
            self._loop = asyncio.new_event_loop()
            # tests that freeze the time replace time.monotonic; limits and durations of steps are real ones
            self._loop.time = partial(time.clock_gettime, time.CLOCK_MONOTONIC)  # type: ignore[method-assign]
            self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix=ENGINE_THREAD))
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name=ENGINE_THREAD, daemon=True
            )
            self._thread.start()
            self._switch_interval = sys.getswitchinterval()
            sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL))
        return self._loop

    def _begin(self, run: Run, handle: RunHandle) -> None:
        handle._task = asyncio.get_running_loop().create_task(run.execute())
        handle._task.add_done_callback(handle._end)

    async def _close_all(self, backends: Sequence[Backend], worlds: Sequence[World]) -> None:
        bugs = [bug for world in worlds for bug in await close_world(world, ())]
        for message, bug in bugs + await close_all(backends):
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": bug})

    async def _shut_down(self) -> None:
        tasks = [handle._task for handle in self._handles if handle._task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._handles.clear()
        await self._close_all(self._backends, self._worlds)
        self._backends.clear()
        self._worlds.clear()
        self._kills.clear()


def _check_sockets() -> None:
    """UsageError if sockets are blocked: asyncio would fail while it makes a loop, and leave half of it."""
    try:
        socket.socket(socket.AF_UNIX).close()
    except Exception as blocked:
        hint = "it needs sockets inside of this process: --allow-unix-socket, where pytest-socket is"
        raise UsageError(f"workflows cannot run here: {blocked}", hint=hint) from blocked


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
