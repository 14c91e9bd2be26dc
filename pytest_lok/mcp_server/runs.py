"""Runs that go on while their client asks for other things: started, followed, stopped, kept for a while."""

from __future__ import annotations

import asyncio
import contextlib
import math
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace

from pytest_lok.backends.on_demand import made_backends
from pytest_lok.core.events import (
    Event,
    RunFinished,
    RunStarted,
    RunWaiting,
    StepFinished,
    StepProgressed,
    StepRetrying,
    StepStarted,
    fold,
)
from pytest_lok.core.results import RunResult
from pytest_lok.core.text.truncation import one_line
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.asking.checked_call import close_world
from pytest_lok.engine.context import SharedByRuns
from pytest_lok.engine.ports import World
from pytest_lok.engine.run import Run
from pytest_lok.errors import UsageError
from pytest_lok.reports.console import duration
from pytest_lok.wiring.run_records import RunRecorder

MOST_KEPT = 100
"""Ended runs whose results are kept; the oldest go first."""
MOST_RUNNING = 32
"""Runs at once. A client that starts more has lost count of them."""
PATIENCE = 1.5
"""Seconds that processes have to end by themselves when the server ends; then they are killed."""
_LINE = 200

ExitCode = Callable[[RunResult], int]
"""The exit code that `lok` would end with."""


@dataclass(slots=True, eq=False)
class Follower:
    """What has happened in a run since somebody looked last, in lines."""

    lines: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, line: str) -> None:
        """Add a line ("" = none) and wake whoever waits."""
        self.lines += [line] if line else []
        self._news.set()

    async def wait(self, seconds: float) -> list[str]:
        """The lines since the last call; empty if there are none after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self._news.wait()
        self._news.clear()
        lines, self.lines = self.lines, []
        return lines


class ServedRun:
    """One run, in a task of its own, so that it outlives the call that began it."""

    def __init__(
        self,
        plan: Plan,
        world: World,
        shared: SharedByRuns,
        exit_code: ExitCode,
        record: RunRecorder | None = None,
    ) -> None:
        self._plan = plan
        self._world = world = replace(world, artifacts=record.artifacts) if record else world
        self._record = record
        run_id = record.run_id if record else ""
        self._run = Run(plan, world, self._on_event, shared=shared, run_id=run_id)
        self._exit_code = exit_code
        self._folded: list[Event] = []
        self._finished: set[str] = set()
        self._followers: set[Follower] = set()
        self.task = asyncio.get_running_loop().create_task(self._execute())
        self.task.add_done_callback(lambda _: self._tell(""))

    @property
    def run_id(self) -> str:
        """The id by which clients ask for this run."""
        return self._run.run_id

    @property
    def workflow(self) -> str:
        """The stem of the workflow."""
        return self._plan.workflow.stem

    @property
    def ended(self) -> bool:
        """Whether the run has its result, and no process is left of it."""
        return self.task.done()

    @property
    def result(self) -> RunResult:
        """What came of the run; of one that goes on what came of it so far, which is never green."""
        return fold(self._folded)

    @property
    def exit_code(self) -> int:
        """The exit code that `lok` would end with after this result."""
        return self._exit_code(self.result)

    @property
    def counts(self) -> tuple[int, int]:
        """How many steps have ended, and how many there are."""
        return len(self._finished), len(self._plan.steps)

    def running(self) -> Mapping[str, float]:
        """The steps that run now, with the seconds since each started."""
        return {} if self.ended else self._run.running()

    def stop(self, reason: str) -> None:
        """End the run early; what it has found out until now stays known."""
        if not self.ended:
            self._run.stop(reason)

    async def wait(self, seconds: float) -> bool:
        """Wait for the end, for so many seconds at most; returns whether the run has ended."""
        if not self.ended:
            await asyncio.wait([self.task], timeout=None if math.isinf(seconds) else seconds)
        return self.ended

    @contextlib.contextmanager
    def followed(self) -> Iterator[Follower]:
        """Somebody who hears of the run from now on."""
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    async def _execute(self) -> None:
        try:
            await self._run.execute()
        except Exception as bug:
            # the steps in the result tell of it; the whole is for whoever reads the log of the server
            traceback.print_exception(bug)
        finally:
            for _, unclosed in await close_world(self._world, made_backends(self._world.backends)):
                traceback.print_exception(unclosed)
            if self._record is not None:
                self._record.end(self.exit_code)
                self._record.close()
                if (failure := self._record.failure) is not None:
                    traceback.print_exception(failure)

    def _on_event(self, event: Event) -> None:
        if self._record is not None:
            self._record.note(event)
        if isinstance(event, RunStarted | StepFinished | RunFinished):
            self._folded.append(event)
        if isinstance(event, StepFinished):
            self._finished.add(event.result.name)
        if line := _line(event):
            self._tell(one_line(line, _LINE))

    def _tell(self, line: str) -> None:
        for follower in self._followers:
            follower.add(line)


def _line(event: Event) -> str:
    """What a follower hears of an event; "" = nothing."""
    match event:
        case RunWaiting():
            return "waiting for another run in this directory"
        case StepStarted():
            return f"{event.step} started"
        case StepProgressed():
            round_ = f"round {event.round}, " if event.round else ""
            return f"{event.step}: {round_}{event.finished} of {event.total}"
        case StepRetrying():
            return f"{event.step} is tried again in {duration(event.delay)}: {event.reason}"
        case StepFinished(result=result):
            return f"{result.name} {result.outcome}" + (
                f" ({duration(result.seconds)})" if result.ran else ""
            )
    return ""


class ServedRuns:
    """The runs of one server: all that go on, and the last ones that have ended."""

    def __init__(self, *, most_kept: int = MOST_KEPT, most_running: int = MOST_RUNNING) -> None:
        self._most_kept = most_kept
        self._most_running = most_running
        self._runs: dict[str, ServedRun] = {}
        self._shared = SharedByRuns()

    def start(
        self,
        plan: Plan,
        world: World,
        exit_code: ExitCode,
        record: Callable[[], RunRecorder | None] = lambda: None,
    ) -> ServedRun:
        """Begin a run and return at once; UsageError where too many go on already.

        ``record`` begins the record of the run.
        """
        going_on = [run for run in self._runs.values() if not run.ended]
        if len(going_on) >= self._most_running:
            raise UsageError(
                f"{len(going_on)} runs go on already, which is the most at once",
                hint="wait for one with `status`, or end one with `cancel`",
            )
        ended = [run_id for run_id, run in self._runs.items() if run.ended]
        for run_id in ended[: max(0, len(ended) - self._most_kept + 1)]:
            del self._runs[run_id]
        run = ServedRun(plan, world, self._shared, exit_code, record())
        self._runs[run.run_id] = run
        return run

    def get(self, run_id: str) -> ServedRun:
        """The run with that id; UsageError if this server has none."""
        if run_id in self._runs:
            return self._runs[run_id]
        raise UsageError(
            f"there is no run {run_id!r}",
            hint=f"`status` without run_id lists the runs; the last {self._most_kept} that have ended "
            "are kept while the server lives",
        )

    def all(self) -> list[ServedRun]:
        """Every run that is known, the oldest first."""
        return list(self._runs.values())

    def stop(self, reason: str) -> None:
        """End all runs early; each keeps what it has come to."""
        for run in self._runs.values():
            run.stop(reason)

    async def close(self, kill: Callable[[], None]) -> None:
        """End all runs and wait until no process is left; ``kill`` is called where that takes long."""
        self.stop("the server ended")
        for patience in (PATIENCE, None):
            tasks = [run.task for run in self._runs.values() if not run.ended]
            if tasks:
                await asyncio.wait(tasks, timeout=patience)
                kill()
