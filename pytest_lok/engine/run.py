"""The run loop: plan + world -> events, and the RunResult they fold into."""

from __future__ import annotations

import asyncio
import time
import traceback
import uuid
from collections.abc import Callable

from pytest_lok.core.events import (
    BudgetSpent,
    Event,
    RunFinished,
    RunStarted,
    RunWaiting,
    StepFinished,
    StepStarted,
    fold,
)
from pytest_lok.core.results import FRESH_START, Outcome, ResumeState, RunResult, Section, StepResult, Usage
from pytest_lok.core.workflow.model import Step
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.schedule import Schedule
from pytest_lok.engine.asking.budget import BudgetTracker
from pytest_lok.engine.asking.concurrency import FifoQueue
from pytest_lok.engine.context import RunContext
from pytest_lok.engine.ports import RunLock, World
from pytest_lok.engine.step import perform
from pytest_lok.errors import StepUnableError

INTERNAL = "internal error"
"""How the reason of a step begins that a bug of ours has ended."""
_FOLDED = (RunStarted, StepFinished, RunFinished)
"""What a RunResult is made of."""
LOCK_CHECK_INTERVAL = 0.05
"""Seconds between two looks at whether another run of the workspace has ended."""


def silent(event: Event) -> None:
    """Nobody listens."""


class Run:
    """One run of a plan: every step once, as early as its needs and the limits allow.

    ``line`` is shared with the other runs of the process, so that the limits hold for all of them together.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        emit: Callable[[Event], None] = silent,
        *,
        fail_fast: bool = False,
        run_id: str = "",
        known: ResumeState = FRESH_START,
        line: FifoQueue | None = None,
    ) -> None:
        self.run_id = run_id or uuid.uuid4().hex[:12]
        self._plan = plan
        self._world = world
        self._emit = emit
        self._fail_fast = fail_fast
        self._known = known
        self._schedule = Schedule(plan.steps)
        self._line = line or FifoQueue()
        self._most = world.limits.own(plan.workflow.max_parallel)
        in_all = world.limits.in_all(plan.workflow.max_parallel)
        self._in_all = lambda: in_all
        self._places = 0
        self._queued: asyncio.Task[None] | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._since: dict[str, float] = {}
        self._told: list[Event] = []
        self._stopped = ""
        self._interrupted = ""
        self._culprit = ""
        self._traceback: tuple[Section, ...] = ()

    async def execute(self) -> RunResult:
        """Run to the end, or to ``stop``; returns what came of it.

        Cancelling the task that awaits this ends every child process, settles what did not finish
        as interrupted, emits RunFinished, and re-raises.
        """
        now, budget = asyncio.get_running_loop().time, self._plan.workflow.budget
        self._context = RunContext(
            plan=self._plan,
            world=self._world,
            tell=self._tell,
            results=self._schedule.results,
            began=now(),
            now=now,
            purse=BudgetTracker(budget, self._known.spent, self._count) if budget else None,
            line=self._line,
        )
        self._tell(self._started())
        known = self._known.results
        self._finished(*known, *self._schedule.resume(known))
        lock = self._world.workspace.run_lock(alone=self._plan.workflow.exclusive)
        try:
            await self._wait_for(lock)
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._begin()
        except asyncio.CancelledError:
            self._interrupted = self._interrupted or "interrupted"
            raise
        except BaseException as bug:
            self._interrupted = INTERNAL
            self._traceback = (Section(title="traceback", text="".join(traceback.format_exception(bug))),)
            raise
        finally:
            lock.release()
            self._close()
        return fold(self._told)

    def stop(self, reason: str) -> None:
        """End the run early (call on its loop): running steps are cancelled, the rest is not run."""
        self._interrupted = self._stopped = reason
        self._cancel_running()

    def running(self) -> dict[str, float]:
        """Steps running now, with the seconds since each started."""
        names = tuple(self._running)
        return {name: self._context.at - self._since[name] for name in names}

    async def _wait_for(self, lock: RunLock) -> None:
        """Wait until no other run is in the way, or until this one is stopped."""
        told = False
        try:
            while not self._stopped and not lock.try_acquire():
                if not told:
                    self._tell(RunWaiting())
                told = True
                await asyncio.sleep(LOCK_CHECK_INTERVAL)
        except StepUnableError as failure:
            self.stop(failure.message)

    def _begin(self) -> None:
        """Start what may start, each in a task of its own."""
        while (step := self._next()) is not None:
            self._running[step.name] = self._group.create_task(self._perform(step))

    def _next(self) -> Step | None:
        """A step that may start now, announced; None if there is none, or no place for it."""
        if not self._has_next():
            return None
        if self._line.take(self._in_all):
            self._places += 1
            return self._announced()
        if self._queued is None:
            self._queued = self._group.create_task(self._queue())
        return None

    def _has_next(self) -> bool:
        return self._schedule.ready and len(self._running) < self._most and not self._stopped

    def _announced(self) -> Step | None:
        step = self._schedule.take()
        if step is not None:
            self._since[step.name] = at = self._context.at
            self._tell(StepStarted(step=step.name, at=at))
        return step

    async def _queue(self) -> None:
        """Wait until other runs leave a place, then perform a step on it, if there still is one."""
        await self._line.enter(self._in_all)
        self._places += 1
        task, self._queued = self._queued, None
        step = self._announced() if self._has_next() else None
        if step is None or task is None:
            self._leave()
            return
        self._running[step.name] = task
        self._begin()
        await self._perform(step)

    async def _perform(self, first: Step) -> None:
        """A step, then one that it made ready, and so on: a chain needs no task per step."""
        task = self._running[first.name]
        step: Step | None = first
        while step is not None:
            try:
                result = await perform(step, self._context)
            except asyncio.CancelledError:
                if not self._stopped:  # the whole run is being cancelled from outside
                    raise
                result = self._cut(step.name, f"cancelled: {self._stopped}")
            del self._running[step.name]
            self._leave()
            self._settle(result)
            step = self._next()
            if step is not None:
                self._running[step.name] = task
                self._begin()

    def _settle(self, result: StepResult) -> None:
        """Record a result, with those it settles for steps that will not run."""
        self._finished(result, *self._schedule.settle(result))
        if self._fail_fast and result.outcome.red and not self._stopped:
            self._stopped = f"fail-fast after step {result.name!r} {result.outcome}"
            self._culprit = result.name
            self._cancel_running()

    def _leave(self) -> None:
        self._places -= 1
        self._line.leave()

    def _cancel_running(self) -> None:
        for task in (*self._running.values(), *filter(None, [self._queued])):
            task.cancel()

    def _close(self) -> None:
        """Settle whatever has no result, so that nothing is lost and nobody waits for ever."""
        reason = self._interrupted or self._stopped
        while self._places:  # also that of a step which could not even be announced
            self._leave()
        for name in self._running:
            cut = self._cut(name, reason)
            self._finished(cut, *self._schedule.settle(cut))
        culprit = "" if self._interrupted else self._culprit
        self._finished(*self._schedule.abandon(f"not run: {reason}", blocked_by=culprit))
        self._tell(RunFinished(seconds=self._context.at, interrupted=self._interrupted))

    def _cut(self, name: str, reason: str) -> StepResult:
        """A step that was stopped before it could end."""
        seconds = self._context.at - self._since[name]
        return StepResult(
            name=name,
            outcome=Outcome.ERROR,
            reason=reason,
            attempts=1,
            seconds=seconds,
            sections=self._traceback,
        )

    def _finished(self, *results: StepResult) -> None:
        at = self._context.at
        for result in results:
            self._tell(StepFinished(result=result, at=at))

    def _count(self, usage: Usage) -> None:
        self._tell(BudgetSpent(usage=usage))

    def _tell(self, event: Event) -> None:
        """The one way out of a run: what is shown or stored has passed here, without its secrets."""
        event = self._world.redactor.value(event)
        if isinstance(event, _FOLDED):
            self._told.append(event)
        self._emit(event)

    def _started(self) -> RunStarted:
        workflow = self._plan.workflow
        return RunStarted(
            run_id=self.run_id,
            workflow=workflow.stem,
            path=workflow.path,
            sha256=workflow.sha256,
            time=time.time(),
            steps=tuple(step.name for step in self._plan.steps),
            selected=tuple(s.name for s in self._plan.steps if s.name in self._plan.selected),
            leaves=self._plan.leaves,
        )


async def run(
    plan: Plan, world: World, emit: Callable[[Event], None] = silent, *, fail_fast: bool = False
) -> RunResult:
    """``Run(...).execute()``: every step of the plan once. See ``Run``."""
    return await Run(plan, world, emit, fail_fast=fail_fast).execute()
