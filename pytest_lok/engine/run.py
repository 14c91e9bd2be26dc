"""The run loop: plan + world -> events, and the RunResult that they fold into.

A step runs as soon as the schedule says that it is ready, and a slot is free if it needs one. Slots are
shared by all runs of the process. A step that asks needs none: it waits for a place at its backend, and is
announced when it asks. Each step that runs has a task; when it has ended, the same task goes on with the next
ready step, so that a chain of steps costs one task. Every result passes through ``_record``, and everything
that anybody learns of a run passes through ``_emit``.
"""

from __future__ import annotations

import asyncio
import time
import traceback
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.events import (
    FRESH_START,
    BudgetSpent,
    Event,
    ResumeState,
    RunFinished,
    RunFold,
    RunStarted,
    RunWaiting,
    not_to_be_kept,
)
from pytest_lok.core.results import RunResult, Section, StepResult, Usage
from pytest_lok.core.workflow.schedule import Schedule
from pytest_lok.engine.asking.budget import BudgetTracker
from pytest_lok.engine.context import InnerRun, OuterStep, RunContext, SharedByRuns
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.resume.memory import RunMemory
from pytest_lok.engine.step import interrupted_step, run_step
from pytest_lok.engine.step_starts import StepStarts
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World

INTERNAL_ERROR = "internal error"
"""How the reason of a step begins that was ended by a bug in lok itself."""
LOCK_CHECK_INTERVAL = 0.05
"""Seconds between two attempts to acquire the workspace's lock."""


def ignore_event(event: Event) -> None:
    """A listener that does nothing with an event."""


def _observed(on_event: Callable[[Event], None], world: World) -> Callable[[Event], None]:
    """What hears each event of one run: the observer of the world, if it has one, then ``on_event``."""
    if world.observer is None:
        return on_event
    observe = world.observer()

    def both(event: Event) -> None:
        observe(event)
        on_event(event)

    return both


class Run:
    """One run of a plan: every step once, as early as its dependencies and the limits allow.

    ``on_event`` is called on the event loop, with secrets masked. ``fail_fast`` stops the run at the first
    red step. ``resume`` holds results and spending of a run that this one continues. ``shared`` is
    what it has in common with other runs of the process; the default is nothing. ``outer`` is the step that
    runs this workflow, whose run has the lock and the budget.
    """

    def __init__(  # noqa: PLR0913 - all but three by name, each with its usual value
        self,
        plan: Plan,
        world: World,
        on_event: Callable[[Event], None] = ignore_event,
        *,
        fail_fast: bool = False,
        run_id: str = "",
        resume: ResumeState = FRESH_START,
        shared: SharedByRuns | None = None,
        outer: OuterStep | None = None,
    ) -> None:
        self.run_id = run_id or uuid.uuid4().hex[:12]
        self._plan = plan
        self._world = world
        self._on_event = _observed(on_event, world)
        self._fail_fast = fail_fast
        self._resume = resume
        self._schedule = Schedule(plan.steps)
        self._shared = shared or SharedByRuns()
        self._slots = self._shared.queue
        self._max_parallel = world.limits.parallel_for(plan.workflow.max_parallel)
        slot_limit = world.limits.total_for(plan.workflow.max_parallel)
        self._slot_limit = lambda: slot_limit
        self._slots_held = 0
        self._queued: deque[Step] = deque()
        self._waiting_for_slot: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, StepExecution] = {}
        self._outer = outer
        effects = {step.name for step in plan.steps if step.effects}
        self._starts = StepStarts(self._emit, lambda: self._context.elapsed, effects)
        beyond = None if outer is None else outer.memory
        self._memory = RunMemory(
            plan, world, resume, self.run_id, self._schedule.results, self._emit, outer=beyond
        )
        self._fold = RunFold()
        self._stopped = ""
        self._interrupted = ""
        self._failed_step = ""
        self._traceback: tuple[Section, ...] = ()

    async def execute(self) -> RunResult:
        """Run to the end, or until ``stop`` is called, and return the result. Call it once.

        Cancelling it ends every child process, records unfinished steps as interrupted, emits RunFinished,
        and re-raises.
        """
        self._context = _context_of(self)
        try:
            await self._begin()
            async with _lock_of(self):
                await self._keep_results()
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    self._start_ready()
                await self._memory.settle()
        except asyncio.CancelledError:
            self._interrupted = self._interrupted or "interrupted"
            raise
        except BaseException as bug:
            self._interrupted = INTERNAL_ERROR
            self._traceback = (Section(title="traceback", text="".join(traceback.format_exception(bug))),)
            raise
        finally:
            self._finish()
            await self._memory.close()
        return self._fold.result()

    def result(self) -> RunResult:
        """What has come of the run so far, with nothing masked."""
        told = self._fold.result()
        return replace(told, steps={name: self._schedule.results[name] for name in told.steps})

    def scope(self) -> Scope:
        """What texts may read of the run now."""
        return self._context.scope()

    def stop(self, reason: str) -> None:
        """End the run early: running steps are cancelled, the rest is not run. Call it on the run's loop."""
        self._interrupted = self._stopped = reason
        self._cancel_running()

    def running(self) -> dict[str, float]:
        """The steps that run now, with the seconds since each started."""
        names = [name for name in tuple(self._tasks) if name in self._starts.at]
        return {name: self._context.elapsed - self._starts.at[name] for name in names}

    async def _begin(self) -> None:
        """Tell that the run began, also where it is cancelled meanwhile, and what is known from before."""
        before, commits = self._resume, ("", "")
        try:
            if self._outer is None:
                commits = await self._world.workspace.commits()
        finally:
            self._emit(_run_started(self.run_id, self._plan, *commits, before.resumes))
            for event in before.told:
                self._emit(event)
            self._emit_finished(*before.results, *self._schedule.resume(before.results))

    async def _keep_results(self) -> None:
        """Begin with the results that are kept of an earlier run, now that no other run is in the way."""
        if self._resume.recorded and not self._stopped:
            kept = await self._memory.plan_ahead(self._schedule.results)
            self._emit_finished(*kept, *self._schedule.resume(kept))
            self._context.note_backends(kept)

    def _start_ready(self) -> None:
        """Run every step that may run now, each in a task of its own."""
        while (step := self._take_next()) is not None:
            self._tasks[step.name] = self._group.create_task(self._run_chain(step))

    def _take_next(self) -> Step | None:
        """The next step to run; None if no step is ready, or each of them waits for a slot."""
        while self._may_start():
            if self._queued and self._slots.try_acquire(self._slot_limit):
                return self._next_queued()
            step = self._schedule.take()
            if step is None:
                if self._queued and self._waiting_for_slot is None:
                    self._waiting_for_slot = self._group.create_task(self._wait_for_slot())
                return None
            if not self._context.holds_slot(step):
                return step
            self._queued.append(step)
        return None

    def _may_start(self) -> bool:
        return len(self._tasks) < self._max_parallel and not self._stopped

    def _next_queued(self) -> Step:
        """The next of the steps that need a slot, announced; a slot has been acquired for it."""
        self._slots_held += 1
        step = self._queued.popleft()
        self._starts.announce(step.name)
        return step

    async def _wait_for_slot(self) -> None:
        """Wait until a slot becomes free, then run a step on it, if one still waits."""
        await self._slots.acquire(self._slot_limit)
        # Meanwhile the run may have been stopped, or another task may have taken the last queued step.
        task, self._waiting_for_slot = self._waiting_for_slot, None
        if task is None or not self._queued or not self._may_start():
            self._slots.release()
            return
        step = self._next_queued()
        self._tasks[step.name] = task
        self._start_ready()
        await self._run_chain(step)

    async def _run_chain(self, first: Step) -> None:
        """Run a step, then a step that is ready by then, and so on: a chain needs no task per step."""
        task = self._tasks[first.name]
        step: Step | None = first
        while step is not None:
            result: StepResult | None
            try:
                execution = self._running[step.name] = StepExecution(step, self._context)
                result = await self._memory.perform(step, partial(run_step, execution))
                if not self._memory.is_kept(step.name):
                    self._starts.announce(step.name)
            except asyncio.CancelledError:
                # the whole run is being cancelled from outside
                if not self._stopped:
                    raise
                result = self._interrupted_result(step.name, f"cancelled: {self._stopped}")
            except BaseException:
                # a bug, which the result of this step reports
                self._starts.announce(step.name)
                raise
            self._running.pop(step.name, None)
            # The slot is free before the result is recorded: whoever is woken by it can start at once.
            del self._tasks[step.name]
            if self._context.holds_slot(step):
                self._release_slot()
            if result is not None:
                self._record(result)
                self._memory.has_ended(step)
            step = self._take_next()
            if step is not None:
                self._tasks[step.name] = task
                self._start_ready()

    def _record(self, result: StepResult) -> None:
        """Record a result, and the results of steps that it keeps from running."""
        self._emit_finished(result, *self._schedule.settle(result))
        if self._fail_fast and result.outcome.red and not result.waiting and not self._stopped:
            self._stopped = f"fail-fast after step {result.name!r} {result.outcome}"
            self._failed_step = result.name
            self._cancel_running()

    def _release_slot(self) -> None:
        self._slots_held -= 1
        self._slots.release()

    def _cancel_running(self) -> None:
        for task in (*self._tasks.values(), *filter(None, [self._waiting_for_slot])):
            task.cancel()

    def _finish(self) -> None:
        """Give every step without a result one, so that nobody waits for ever, and emit RunFinished."""
        reason = self._interrupted or self._stopped
        # also the slot of a step whose start could not even be emitted
        # A slot that is not given back would be missing to every later run of this process.
        while self._slots_held:
            self._release_slot()
        for name in self._tasks:
            result = self._interrupted_result(name, reason)
            if result is not None:
                self._emit_finished(result, *self._schedule.settle(result))
        blocker = "" if self._interrupted else self._failed_step
        self._emit_finished(*self._schedule.abandon(f"not run: {reason}", blocked_by=blocker))
        self._emit(RunFinished(seconds=self._context.elapsed, interrupted=self._interrupted))

    def _interrupted_result(self, name: str, reason: str) -> StepResult | None:
        """The result of a step that was stopped before it could end; None if it had not begun yet."""
        if name not in self._starts.at:
            return None
        seconds = self._context.elapsed - self._starts.at[name]
        self._memory.note_stopped(name)
        execution = self._running.pop(name, None)
        if execution is None:  # it has a place, and nothing of it has begun
            step = next(step for step in self._plan.steps if step.name == name)
            execution = StepExecution(step, self._context)
        execution.sections += self._traceback
        return interrupted_step(execution, reason, seconds)

    def _emit_finished(self, *results: StepResult) -> None:
        for result in results:
            self._emit(self._memory.finished(result, self._context.elapsed))

    def _emit_spent(self, usage: Usage) -> None:
        self._emit(BudgetSpent(usage=usage))

    def _emit(self, event: Event) -> None:
        """The only way out of a run: whatever is shown or stored has lost its secrets here."""
        # Redaction stands before everything else: neither the journal nor a view sees the original.
        masked = self._world.redactor.value(event)
        event = masked if masked is event else not_to_be_kept(masked)
        self._fold.add(event)
        self._on_event(event)


def _context_of(run: Run) -> RunContext:
    """What the steps of the run have in common; the run begins now."""
    now, budget, outer = asyncio.get_running_loop().time, run._plan.workflow.budget, run._outer
    spent = run._resume.spent + run._resume.brought
    tracker = None if outer is None else outer.context.budget
    if budget is not None:
        tracker = BudgetTracker(budget, spent, run._emit_spent, now, run._shared.spending, tracker)

    def begin_inner(plan: Plan, on_event: Callable[[Event], None], by: OuterStep) -> InnerRun:
        # nobody outside follows a run inside of another one
        within = replace(run._world, observer=None)
        strict = run._fail_fast and not by.step.continue_on_error
        shared = SharedByRuns(queue=run._slots)
        return Run(plan, within, on_event, fail_fast=strict, shared=shared, outer=by)

    return RunContext(
        plan=run._plan,
        world=run._world,
        emit=run._starts.emit,
        announce=run._starts.announce,
        results=run._schedule.results,
        began=now(),
        now=now,
        budget=tracker,
        queue=run._slots,
        memory=run._memory,
        begin_inner=begin_inner,
        outer=outer,
    )


@asynccontextmanager
async def _lock_of(run: Run) -> AsyncIterator[None]:
    """Hold the lock of the workspace, after waiting for it; the lock of an inner run is the outer run's."""
    lock = None if run._outer else run._world.workspace.run_lock(alone=run._plan.workflow.exclusive)
    announced = False
    try:
        try:
            while lock and not run._stopped and not lock.try_acquire():
                if not announced:
                    run._emit(RunWaiting())
                announced = True
                await asyncio.sleep(LOCK_CHECK_INTERVAL)
        except StepUnableError as failure:
            run.stop(failure.message)
        yield
    finally:
        if lock:
            lock.release()


def _run_started(run_id: str, plan: Plan, base: str, head: str, resumes: str) -> RunStarted:
    workflow = plan.workflow
    return RunStarted(
        run_id=run_id,
        workflow=workflow.stem,
        path=workflow.path,
        sha256=workflow.sha256,
        time=time.time(),
        steps=tuple(step.name for step in plan.steps),
        selected=tuple(s.name for s in plan.steps if s.name in plan.selected),
        leaves=plan.leaves,
        reviews=tuple(step.name for step in plan.steps if step.reviews),
        base=base,
        head=head,
        resumes=resumes,
        cases=tuple(step.case.place for step in workflow.steps if step.case is not None),
    )


async def run(
    plan: Plan, world: World, on_event: Callable[[Event], None] = ignore_event, *, fail_fast: bool = False
) -> RunResult:
    """Run every step of the plan once; ``Run`` explains the arguments."""
    return await Run(plan, world, on_event, fail_fast=fail_fast).execute()
