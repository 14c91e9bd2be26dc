"""One workflow of a session: its run, in whichever process, and the results of its steps.

How a step runs exactly once across processes
=============================================

With pytest-xdist several processes collect the same items, and each gets some of them. Two items of one
workflow may be in two processes, but a workflow is one run of the engine, so one process runs the whole of
it and the others wait for results. Four facts carry this:

1. *One directory per session.* The process that starts the workers makes ``.lok/runs/<run id>/`` and tells
   each worker its path. Everything that the processes know of each other lies in there.
2. *One lock per workflow.* Before a process runs a workflow, it takes the workflow's lock
   (``store.run_claims``). The system drops the lock when its owner dies, however it dies.
3. *One journal per workflow.* The owner writes what happens in the run, each event before anybody is woken
   by it. Whoever has not got the lock reads results from the journal; so an item cannot tell where its step
   ran.
4. *Whoever waits tries the lock.* Between two looks at the journal each waiting process asks for the lock.
   It gets the lock only after the owner's death. The new owner keeps every result in the journal, and goes
   on with the steps that had not begun. A step that had begun and has no result becomes an error: it may
   have done anything, so it is never run a second time.

From this follows what the methods here and in ``runner`` rely on:

* The first item whose fixtures are ready starts *every* selected workflow with the same fixtures. All of
  them run at once on one engine thread per process; items merely wait. (``WorkflowRunner.result``)
* A result in the journal may be replaced, never withdrawn: pytest's reruns append a newer one, in
  whichever process they happen, and the last one counts. (``rerun``)
* A replaced result makes those that rest on it *outdated*: steps that were not run because of it. A second
  lock of the workflow decides which process runs them. Steps that ran stay as they are: a judgement that
  was paid for is not thrown away because one of several inputs came late. (``run_outdated``)
* The end of a session reaches all processes by a file in the directory (``early_exit``), so a process looks
  up from its waiting every POLL_INTERVAL. A worker whose parent is dead, or whose directory is gone, ends
  as well.
* With ``--keep-duplicates`` a workflow has several nodes in one process. All of them stand for the first
  one (``SelectedSteps.node``), or the workflow would wait for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.events import ResumeState
from pytest_lok.core.results import NO_USAGE, RunResult, StepResult
from pytest_lok.core.workflow.schedule import allows_dependents
from pytest_lok.dataclass import dataclass
from pytest_lok.plugin.early_exit import EarlyExit
from pytest_lok.plugin.progress import Progress
from pytest_lok.plugin.session import LokSession
from pytest_lok.store.records import RecordedWorkflow

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.engine.ports import World
    from pytest_lok.store.run_claims import WorkflowClaim

POLL_INTERVAL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
RESULT_CHECK_INTERVAL = 0.02
"""Seconds between two looks at what another process has written."""


@dataclass(slots=True, kw_only=True, eq=False)
class WorkflowRun:
    """One workflow of this session, as this process knows it.

    ``world`` may be replaced, by fixtures that are set up anew. ``blocked_by_marks`` are results of steps
    that pytest's marks keep from running, though others need them. ``running_steps`` gives what the whole
    session runs in this process. ``result`` is set when a run of this process has ended, ``has_ended`` also
    if the run crashed. ``_has_reruns``: another attempt has replaced a result, so the claim's record has
    those that count.
    """

    session: LokSession
    early_exit: EarlyExit
    progress: Progress
    running_steps: Callable[[], Mapping[str, float]]
    plan: Plan
    world: World
    claim: WorkflowClaim
    blocked_by_marks: Mapping[str, StepResult]
    result: RunResult | None = None
    has_ended: bool = False
    _handle: RunHandle | None = None
    _has_reruns: bool = False

    def start_if_free(self) -> None:
        """Run the workflow in this process, unless a living process does."""
        if self.claim.try_acquire():
            # what a dead owner has left counts, and is not run again
            left = self.claim.recover()
            self.claim.describe(self.world.redactor.value(RecordedWorkflow.of(self.plan)))
            results = {**self.blocked_by_marks, **{result.name: result for result in left.results}}
            earlier = self.session.left_of(self.plan)
            # a dead owner has told it already
            brought = earlier.brought if left.spent == NO_USAGE else NO_USAGE
            self._handle = self.session.background.start(
                self.plan,
                self.world,
                self.claim.append,
                run_id=self.session.runs.run_id,
                resume=replace(earlier, results=tuple(results.values()), spent=left.spent, brought=brought),
            )

    def wait_for(self, step: str) -> StepResult:
        """A step's result as the session reports it, from this process's run or from the record."""
        # the handle has the first result for ever
        if self._has_reruns and (latest := self.claim.result(step)) is not None:
            return self.early_exit.as_reported(latest)
        while True:
            if self._handle is not None:
                result = self._handle.step(step, POLL_INTERVAL)
            else:
                result = self.claim.result(step)
                if result is None and self.early_exit.happened:
                    return self.early_exit.interrupted_result(step, begun=self.claim.running(step))
                if result is None:
                    # the process that runs the workflow may have died since the last look
                    self.start_if_free()
                    time.sleep(RESULT_CHECK_INTERVAL)
            if result is not None:
                return self.early_exit.as_reported(result)
            if self.early_exit.happened:
                self.cancel()
            self.progress.show(self.running_steps())

    def wait_for_valid(self, step: str) -> StepResult:
        """Like ``wait_for``; a step that an outdated result kept from running is run first."""
        result = self.wait_for(step)
        if result.attempts:
            return result
        while step in self.claim.outdated(self.plan.steps) and not self.early_exit.happened:
            if not self.run_outdated():
                time.sleep(RESULT_CHECK_INTERVAL)
        return self.early_exit.as_reported(self.claim.result(step) or result)

    def rerun(self, step: str) -> StepResult:
        """Run a step once more, and wait for the result, which counts from then on.

        The steps that it needs are not repeated, but for those that are not green and no item of their own.
        """
        before = self._latest(step)
        plan = self.plan.narrowed([step])
        needed = [self._latest(other.name) for other in plan.steps if other.name != step]
        # a step with an item of its own is repeated by that item's reruns, if by any
        with_items = {*self.plan.selected, *self.blocked_by_marks}
        kept = tuple(result for result in needed if result.name in with_items or allows_dependents(result))
        # the budget of the workflow holds for all attempts together
        known = ResumeState(results=kept, spent=self.claim.spent())
        handle = self.session.background.start(plan, self.world, self.claim.append_spending, resume=known)
        while (result := handle.step(step, POLL_INTERVAL)) is None:
            if self.early_exit.happened:
                handle.cancel("the session ended")
        self._has_reruns = True
        for name in {other.name for other in plan.steps} - {step, *(result.name for result in kept)}:
            repeated = handle.step(name, 0)
            if repeated is not None and allows_dependents(repeated):  # else it is as red as it was
                self.claim.record_rerun(_merge_attempts(self._latest(name), repeated))
        result = _merge_attempts(before, result)
        self.claim.record_rerun(result)
        return result

    def run_outdated(self) -> bool:
        """Run the steps that replaced results kept from running; False if another process does that now."""
        if not self.claim.try_acquire_rerun():
            return False
        try:
            # asked again under the lock: another process may have run them meanwhile
            if steps := self.claim.outdated(self.plan.steps):
                plan = self.plan.narrowed(steps)
                needed = (self.claim.result(step.name) for step in plan.steps if step.name not in steps)
                known = ResumeState(results=tuple(filter(None, needed)), spent=self.claim.spent())
                # what these steps need is recorded already, and must not look as if it had run again
                emit = partial(self.claim.append_for, steps)
                handle = self.session.background.start(plan, self.world, emit, resume=known)
                self._has_reruns = True
                while handle.wait(POLL_INTERVAL) is None:
                    if self.early_exit.happened:
                        handle.cancel("the session ended")
                    self.progress.show(handle.running())
        finally:
            self.claim.release_rerun()
        return True

    def run_left_outdated(self) -> None:
        """At the end of the session, run what no item has waited for.

        An item that came before the one that blocked it was reported before it became outdated.
        """
        while self._has_reruns and not self.early_exit.happened and self.claim.outdated(self.plan.steps):
            if not self.run_outdated():
                break

    @property
    def is_running_here(self) -> bool:
        """Whether this process runs the workflow, and the run has not ended."""
        return self._handle is not None and not self.has_ended

    def wait_briefly(self) -> None:
        """Wait for the end of this process's run, a moment at most; a crash is raised here, once."""
        assert self._handle is not None  # noqa: S101 - asked before
        try:
            self.result = self._handle.wait(POLL_INTERVAL)
            self.has_ended = self.result is not None
        # pytest's business, not a crash of the engine
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.has_ended = True
            if not self._handle.has_crashed():  # a step's result that tells of it is an error already
                raise

    def cancel(self) -> None:
        """Cancel this process's run; kill its processes if the session says that nobody waits for them."""
        if self._handle is not None:
            self._handle.cancel(self.early_exit.reason)
        if self.early_exit.kill_announced:
            self.session.background.kill()

    def latest_result(self) -> RunResult:
        """The result of a run that has ended, with the step results that count."""
        assert self.result is not None  # noqa: S101 - asked before
        if not self._has_reruns:
            return self.result
        steps = {name: self.claim.result(name) or old for name, old in self.result.steps.items()}
        return replace(self.result, steps=steps)

    def running_now(self) -> dict[str, float]:
        """The steps that run in this process, or that the run waits for others, each with its seconds."""
        if self._handle is None:
            return {}
        stem, now = self.plan.workflow.stem, {}
        if (seconds := self._handle.waiting()) is not None:
            now[f"{stem} waits for another run in this directory"] = seconds
        return now | {f"{stem}::{name}": seconds for name, seconds in self._handle.running().items()}

    def _latest(self, step: str) -> StepResult:
        """A step's result, or the one that has replaced it, in whichever process."""
        result = self.wait_for(step)
        return self.claim.result(step) or result


def _merge_attempts(before: StepResult, result: StepResult) -> StepResult:
    """The newer result, with the sums of both attempts; an attempt that did not run takes nothing back."""
    return replace(
        result if result.ran or not before.ran else before,
        attempts=before.attempts + result.attempts,
        usage=before.usage + result.usage,
    )
