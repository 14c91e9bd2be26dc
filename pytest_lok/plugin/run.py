"""Selected steps -> runs of the engine, each once however many processes; an item waits for its own step."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks  # what these marks come to

from pytest_lok.backends.whole import write_whole
from pytest_lok.core.plan import Plan
from pytest_lok.core.results import Known, Outcome, RunResult, StepResult
from pytest_lok.core.schedule import lets_through
from pytest_lok.errors import UsageError
from pytest_lok.plugin.progress import Progress
from pytest_lok.plugin.timeouts import budgeted
from pytest_lok.plugin.verdict import NOT_RUN, Account
from pytest_lok.store.runs import Record

if TYPE_CHECKING:
    from pytest_lok.engine.background import RunHandle
    from pytest_lok.engine.ports import World
    from pytest_lok.plugin.collect import Step, Workflow
    from pytest_lok.plugin.desk import Desk
    from pytest_lok.store.ledger import Entry

RUNS = "lok_runs"
"""What a worker is told: the directory its session is recorded in."""
POLL = 0.2
"""Seconds a wait lasts at most before it looks up: signals get through, and other stops are seen."""
STOP = "STOP"
"""The file that says the session was ended early; its first word is what becomes of steps not begun."""
HURRY = "HURRY"
"""The file that says that nobody waits any more for processes to end by themselves."""
GLANCE = 0.02
"""Seconds between two looks at what another process has written."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """One workflow of this session: what is to run, its record, and the run itself if this process has it.

    ``kept`` are results of steps that pytest's marks keep from running, though others need them.
    ``changed``: another attempt has replaced a result, and the record has the one that counts.
    """

    plan: Plan
    world: World
    entry: Entry
    kept: dict[str, StepResult]
    handle: RunHandle | None = None
    settled: bool = False
    result: RunResult | None = None
    changed: bool = False


class Running:
    """The runs of this session: one engine thread, all selected workflows at once.

    ``left_out`` are items that were deselected; what needs their steps heeds their marks.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._is_worker = hasattr(desk.config, "workerinput")
        self._parent = os.getppid()
        self._nodes: dict[str, Workflow] = {}
        self._selected: dict[Workflow, list[Step]] = {}
        self.left_out: list[Step] = []
        self._kept: dict[Workflow, dict[str, StepResult]] = {}
        self._excused: dict[Workflow, set[str]] = {}
        self._watched: dict[Workflow, Watched] = {}
        self._progress = Progress(desk.config)
        self._stop: tuple[str, Outcome] | None = None
        self._world: World

    def records(self) -> list[Record] | None:
        """The runs, if all of the session's have ended in this process; None where only the records know."""
        if not self._watched or any(watched.result is None for watched in self._watched.values()):
            return None
        return [Record(result=_newest(watched)) for watched in self._watched.values()]

    def select(self, item: Step) -> None:
        """Note an item that is left after every deselection; one that is marked as skipped must not run."""
        workflow = self._node(item.workflow)
        items = self._selected.setdefault(workflow, [])
        if next(item.iter_markers(), None) is None:  # as nearly always
            items.append(item)
            return
        if not self._keep(item):
            items.append(item)
        if not item.config.getoption("runxfail", False) and item.get_closest_marker("xfail"):
            self._excused.setdefault(workflow, set()).add(item.name)

    def _keep(self, item: Step) -> bool:
        """Whether a mark keeps a step from running; what needs it is blocked then."""
        why = _marked(item)
        if why:
            reason = f"blocked: step {item.name!r} is marked: {why}"
            result = StepResult(name=item.name, outcome=Outcome.SKIPPED, reason=reason, blocked_by=item.name)
            self._kept.setdefault(self._node(item.workflow), {})[item.name] = result
        return bool(why)

    def _node(self, workflow: Workflow) -> Workflow:
        """The first node of the workflow: with ``--keep-duplicates`` there may be several."""
        return self._nodes.setdefault(workflow.nodeid, workflow)

    def prepare(self) -> None:
        """Make what runs need before any item has its say about sockets and the like."""
        config = self._desk.config
        if (
            self._selected
            and not config.getoption("collectonly")
            and not config.getoption("setuponly", False)
        ):
            try:
                self._desk.background.prepare()
            except UsageError as error:
                raise pytest.UsageError(str(error)) from None

    def look_around(self, item: Step) -> None:
        """Take what the runs of an item's workflow begin with: the environment before its own fixtures."""
        workflow = self._node(item.workflow)
        watched = self._watched.get(workflow)
        if watched is None or (watched.settled and not workflow.shares_fixtures):
            item.set_up_wide()
            self._world = self._desk.world_of(item.value_of("lok_settings"), item.value_of("lok_backends"))
            if watched is not None:  # set up anew, by a plugin that tries again
                watched.world = world = self._world
                workflow.addfinalizer(lambda: self._desk.background.release(world))

    def result(self, item: Step) -> StepResult:
        """The step's result; waits for it alone. The first item with its fixtures ready starts the runs."""
        workflow = self._node(item.workflow)
        if workflow not in self._watched:
            self._start(item)
        self._progress.begin()
        try:
            watched = self._watched[workflow]
            result = self._await(watched, item.name)
            return result if result.attempts else self._decided(watched, result)
        finally:
            self._progress.end()

    def another(self, item: Step) -> StepResult:
        """The result of one more attempt of the step, as pytest's reruns ask for.

        What it needs is not run again, but for steps that are not green and no item of their own.
        """
        watched = self._watched[self._node(item.workflow)]
        first = self._latest(watched, item.name)
        plan = watched.plan.narrowed([item.name])
        needed = [self._latest(watched, step.name) for step in plan.steps if step.name != item.name]
        own = {*watched.plan.selected, *watched.kept}
        results = (result for result in needed if result.name in own or lets_through(result))
        known = Known(results=tuple(results), spent=watched.entry.spent())
        handle = self._desk.background.start(plan, watched.world, watched.entry.spend, known=known)
        while (result := handle.step(item.name, POLL)) is None:
            if self._stop is not None or self.stopped:
                handle.cancel("the session ended")
        result = replace(
            result if result.ran or not first.ran else first,  # what does not run takes nothing back
            attempts=first.attempts + result.attempts,
            usage=first.usage + result.usage,
        )
        watched.changed = True
        watched.entry.again(result)
        return result

    def _latest(self, watched: Watched, step: str) -> StepResult:
        """A step's result, or the one that has replaced it, in whichever process."""
        result = self._await(watched, step)
        return watched.entry.result(step) or result

    def _decided(self, watched: Watched, result: StepResult) -> StepResult:
        """The result of a step that was not run, once it rests on nothing that has changed since."""
        name = result.name
        while name in watched.entry.outdated(watched.plan.steps) and not self.stopped:
            if not self._run_outdated(watched):
                time.sleep(GLANCE)
        return self.told(watched.entry.result(name) or result)

    def _run_outdated(self, watched: Watched) -> bool:
        """Run what was not run because of results that have been replaced; False if another process does."""
        entry = watched.entry
        if not entry.claim():
            return False
        try:
            if steps := entry.outdated(watched.plan.steps):
                plan = watched.plan.narrowed(steps)
                needed = (entry.result(step.name) for step in plan.steps if step.name not in steps)
                known = Known(results=tuple(filter(None, needed)), spent=entry.spent())
                tell = partial(entry.append_of, steps)
                handle = self._desk.background.start(plan, watched.world, tell, known=known)
                watched.changed = True
                while handle.wait(POLL) is None:
                    if self.stopped:
                        handle.cancel("the session ended")
                    self._progress.show(handle.running())
        finally:
            entry.release()
        return True

    def selected(self, workflow: Workflow) -> Collection[str]:
        """The steps of a workflow that are items of this session, and red if they break."""
        workflow = self._node(workflow)
        selected, excused = self._watched[workflow].plan.selected, self._excused.get(workflow)
        return selected - excused if excused else selected

    def account(self, item: Step, result: StepResult) -> Account:
        """What there is to tell of an item's step."""
        watched = self._watched[self._node(item.workflow)]
        root = self._await(watched, result.blocked_by) if result.blocked else None
        return Account(
            workflow=watched.plan.workflow,
            step=item.step,
            file=item.file,
            result=result,
            run_id=self._desk.runs.run_id,
            asked=watched.entry.asked,
            root=root,
        )

    @property
    def stopped(self) -> bool:
        """Whether the session has been ended early, in this process or in the one that started it."""
        if self._stop is None and self._is_worker:
            with suppress(FileNotFoundError):
                outcome, _, why = (self._desk.runs.path / STOP).read_text("utf-8").partition(" ")
                self._stop = why, Outcome(outcome)
            if self._lost:
                self._stop = self._lost, Outcome.ERROR
            if os.getppid() != self._parent:  # killed: nobody will be told
                self._stop = "the pytest that started this worker died", Outcome.ERROR
        return self._stop is not None

    @property
    def _lost(self) -> str:
        """What is wrong if a step or somebody else has removed the session's directory, else ""."""
        if not self._desk.is_recorded or self._desk.runs.path.is_dir():
            return ""
        return f"{self._desk.runs.path} was removed while the session ran"

    def stop(self, why: str, rest: Outcome) -> None:
        """End the runs, also those of the workers; ``rest`` is what becomes of steps that have not begun."""
        if self._stop is None:
            self._stop = why, rest
            if self._desk.is_recorded:
                with suppress(FileNotFoundError):  # removed: workers see that themselves
                    write_whole(self._desk.runs.path / STOP, f"{rest} {why}".encode(errors="replace"))
            self._cancel(self._watched.values())

    def cut(self, step: str, *, begun: bool) -> StepResult:
        """What came of a step that the end of the session caught."""
        why, _ = self._stop or ("the session ended", Outcome.ERROR)
        reason = f"cancelled: {why}" if begun else f"{NOT_RUN}{why}"
        if lost := self._lost:
            reason = f"nobody knows what came of it: {lost}"
        return self.told(StepResult(name=step, outcome=Outcome.ERROR, reason=reason, attempts=int(begun)))

    def told(self, result: StepResult) -> StepResult:
        """The result as the session tells it: after ``-x`` a step that was not run is skipped, no error."""
        if self._stop is None or result.attempts or not result.reason.startswith(NOT_RUN):
            return result
        return replace(result, outcome=self._stop[1])

    def left(self, workflow: str) -> Mapping[str, StepResult]:
        """What workers that are dead have left of a workflow; a step one died in is an error."""
        if self._lost:
            return {}
        entry = self._desk.ledger.entry(workflow)
        return {result.name: result for result in entry.inherit().results} if entry.own() else {}

    def hurry(self) -> None:
        """Nobody waits any more: end every process at once, also those of the workers."""
        self._cancel(self._watched.values())  # first: a command that is killed has not failed by itself
        self._desk.background.kill()
        if self._desk.is_recorded and not self._is_worker:
            with suppress(FileNotFoundError):
                (self._desk.runs.path / HURRY).touch()

    def end(self) -> None:
        """Wait for every run of this process (or cancel it, if the session stops early); close the engine."""
        try:
            self._settle(self._watched.values())
            self._desk.background.close()
        except KeyboardInterrupt:  # once more: no patience now, and the reports are still to be written
            self.hurry()
            for watched in self._watched.values():
                watched.settled = True
            self._desk.background.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Every xdist worker, also one that replaces a dead one, works in the same directory."""
        if not node.gateway.spec.popen:
            raise pytest.UsageError("workflows need xdist workers on this machine: they share a directory")
        if any(self._desk.candidates()):
            node.workerinput[RUNS] = str(self._desk.runs.path)

    def _start(self, item: Step) -> None:
        """Start every selected workflow whose fixtures are the ones this item has ready."""
        desk, workflow = self._desk, item.workflow
        if self.stopped and self._lost:
            raise pytest.fail.Exception(f"nobody knows what came of it: {self._lost}", pytrace=False)
        while self.left_out:
            self._keep(self.left_out.pop())
        world = self._world
        begun: list[Watched] = []
        for other, items in self._selected.items():
            if other.fixtures_from == workflow.fixtures_from:
                names = [item.name for item in items]
                plan = Plan.of(other.model, select=names, **desk.request.arguments.for_(other.model))
                plan = budgeted(plan, items, desk.config)
                entry = desk.ledger.entry(other.nodeid)
                needed = {step.name for step in plan.steps}
                kept = {n: result for n, result in self._kept.get(other, {}).items() if n in needed}
                self._watched[other] = watched = Watched(plan=plan, world=world, entry=entry, kept=kept)
                begun.append(watched)
                self._own(watched)
        # last in, first out: these run before the fixtures the runs use are torn down
        if workflow.shares_fixtures:
            item.session.addfinalizer(self.end)
        else:
            workflow.addfinalizer(lambda: desk.background.release(world))
            workflow.addfinalizer(lambda: self._settle(begun))

    def _own(self, watched: Watched) -> None:
        """Run a workflow here, unless a living process does."""
        if watched.entry.own():
            left = watched.entry.inherit()
            results = watched.kept | {result.name: result for result in left.results}
            watched.handle = self._desk.background.start(
                watched.plan,
                watched.world,
                watched.entry.append,
                run_id=self._desk.runs.run_id,
                known=replace(left, results=tuple(results.values())),
            )

    def _await(self, watched: Watched, step: str) -> StepResult:
        if watched.changed and (newest := watched.entry.result(step)) is not None:
            return self.told(newest)
        while True:
            if watched.handle is not None:
                result = watched.handle.step(step, POLL)
            else:
                result = watched.entry.result(step)
                if result is None and self.stopped:
                    return self.cut(step, begun=watched.entry.running(step))
                if result is None:
                    self._own(watched)
                    time.sleep(GLANCE)
            if result is not None:
                return self.told(result)
            if self.stopped:
                self._cancel([watched])
            self._progress.show(self._now())

    def _now(self) -> dict[str, float]:
        """The steps that run in this process, and the runs that wait for others, with their seconds."""
        handles = {w.plan.workflow.stem: w.handle for w in self._watched.values() if w.handle is not None}
        now: dict[str, float] = {}
        for stem, handle in handles.items():
            if (seconds := handle.waiting()) is not None:
                now[f"{stem} waits for another run in this directory"] = seconds
            now |= {f"{stem}::{name}": seconds for name, seconds in handle.running().items()}
        return now

    def _cancel(self, begun: Iterable[Watched]) -> None:
        why, _ = (self.stopped and self._stop) or ("the session ended", None)
        for watched in begun:
            if watched.handle is not None:
                watched.handle.cancel(why)
        if self._is_worker and (self._desk.runs.path / HURRY).exists():
            self._desk.background.kill()

    def _settle(self, begun: Iterable[Watched]) -> None:
        """Wait until these runs have ended; what the engine died of is raised here, once."""
        for watched in begun:
            while watched.handle is not None and not watched.settled:
                if self.stopped:
                    self._cancel(begun)
                try:
                    watched.result = watched.handle.wait(POLL)
                    watched.settled = watched.result is not None
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    watched.settled = True
                    if not watched.handle.tells_of_crash():  # where it does, that is no matter of this item
                        raise
            while watched.changed and not self.stopped and watched.entry.outdated(watched.plan.steps):
                if not self._run_outdated(watched):  # items that come before the ones that block them
                    break


def _marked(item: pytest.Item) -> str:
    """Why pytest's marks keep an item from being run, "" if they do not."""
    try:
        skip, xfail = evaluate_skip_marks(item), evaluate_xfail_marks(item)
    except pytest.fail.Exception as wrong:  # pytest says so itself, when the item's turn comes
        return str(wrong).partition("\n")[0]
    if skip is not None:
        return f"skip: {skip.reason}"
    if xfail is not None and not xfail.run and not item.config.getoption("runxfail", False):
        return f"xfail, not to be run: {xfail.reason}"
    return ""


def _newest(watched: Watched) -> RunResult:
    """What came of a run that has ended, with the results that count."""
    assert watched.result is not None  # noqa: S101 - asked before
    if not watched.changed:
        return watched.result
    steps = {name: watched.entry.result(name) or old for name, old in watched.result.steps.items()}
    return replace(watched.result, steps=steps)
