"""What the parts of one run share: its plan, its world, its results so far, and ``emit``."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from pytest_lok.core.results import Json, Reply, RunResult, StepResult
from pytest_lok.core.templates.scope import Loop, Scope
from pytest_lok.core.workflow.model import Approve, Nested, Shell, Step
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.asking.concurrency import FifoQueue
from pytest_lok.engine.asking.hints import more_time
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.events import Event
    from pytest_lok.core.remote import Artifact
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.asking.budget import BudgetTracker, Spending
    from pytest_lok.engine.ports import World
    from pytest_lok.engine.resume.memory import OuterMemory, RunMemory


class InnerRun(Protocol):
    """The run of a workflow that a step of another run runs."""

    async def execute(self) -> RunResult:
        """Run to the end."""
        ...

    def result(self) -> RunResult:
        """What has come of the run so far, with nothing masked."""
        ...

    def scope(self) -> Scope:
        """What texts may read of the run now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterStep:
    """The step that runs a workflow, and the run that the step is of; ``part`` is which run of it this is.

    ``last`` is what the round before has handed on, None = there is none.
    """

    step: Step
    context: RunContext
    part: str
    last: Mapping[str, Json] | None = None

    @property
    def memory(self) -> OuterMemory:
        """What keeps the answers of the inner run."""
        return self.context.memory.of_inner(self.step.name, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedByRuns:
    """What several runs of one event loop have in common.

    ``queue`` hands out the slots for steps. ``spending`` is what the runs have spent for which the workflow's
    budget is one; None = each run has all of its budget.
    """

    queue: FifoQueue = field(default_factory=FifoQueue)
    spending: Spending | None = None


@dataclass(slots=True, kw_only=True)
class RunContext:
    """One run in progress.

    ``announce`` tells that a step has begun, if that has not been told. ``results`` is a live view of the
    schedule. ``began`` is a time of the event loop, as ``now()`` is. ``budget`` None = the run has no budget.
    Steps and items acquire their slots from ``queue``. ``memory`` is what is kept of the run before, and
    noted for the next. ``begin_inner`` makes the run of a workflow that a step runs, which tells its events
    to the given function. ``outer`` is the step that runs this run's workflow, None = nobody's. ``answered``
    lists the backends that have answered, ``found`` the values that texts have parsed so far. ``artifacts``
    are the files that commands have made, by the step and the path, and ``makers`` the steps that may make
    some, in their order.
    """

    plan: Plan
    world: World
    emit: Callable[[Event], None]
    announce: Callable[[str], None]
    results: Mapping[str, StepResult]
    began: float
    now: Callable[[], float]
    budget: BudgetTracker | None
    queue: FifoQueue
    memory: RunMemory
    begin_inner: Callable[[Plan, Callable[[Event], None], OuterStep], InnerRun]
    outer: OuterStep | None = None
    answered: list[str] = field(default_factory=list)
    found: dict[str, Json] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Artifact]] = field(default_factory=dict)
    makers: Sequence[Step] = field(init=False)
    project: Mapping[str, Json] = field(init=False)
    _scope: Scope | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.project = _LazyProject(self.world)
        self.makers = [step for step in self.plan.steps if step.artifacts]

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.now() - self.began

    def scope(self, loop: Loop | None = None) -> Scope:
        """What texts may read now. The value is the same object until another backend answers."""
        # Most texts of a run read the same scope, so it is made anew only after another backend answered.
        if self._scope is None:
            self._scope = Scope(
                steps=self.results,
                arguments=self.plan.values,
                env=self.world.env,
                workflow_name=self.plan.workflow.name,
                backends=tuple(self.answered),
                project=self.project,
                json_cache=self.found,
                last=None if self.outer is None else self.outer.last,
            )
        return self._scope if loop is None else replace(self._scope, loop=loop)

    def timeout_of(self, step: Step, backend: str = "") -> float:
        """The time limit of one attempt in seconds, of the step, workflow, backend or settings."""
        own = step.timeout if step.timeout is not None else self.plan.workflow.timeout
        if own is not None:
            return own
        return self.world.timeouts.get(backend, self.world.limits.timeout)

    def timed_out(self, step: Step, what: str) -> StepUnableError:
        """The error of an attempt at ``what`` that ran longer than the step's time limit."""
        message = f"{what} timed out after {self.timeout_of(step):g} s"
        return StepUnableError(message, hint=more_time(step, self.plan.workflow, self.world.limits.raised_by))

    def holds_slot(self, step: Step) -> bool:
        """Whether the step, or each of its parts, holds a slot of the process as long as it runs.

        Every command runs in a slot. A question needs one only if a user has set ``max_parallel``.
        """
        # the steps of a workflow need slots of their own, and one that waits for them must hold none, nor
        # one that waits for a person
        if isinstance(step.action, (Approve, Nested)):
            return False
        return self.world.limits.is_explicit or isinstance(step.action, Shell)

    def note_backend(self, reply: Reply) -> None:
        """Remember the backend of a reply, for ``workflow.backends`` in texts."""
        if reply.backend not in self.answered:
            self.answered.append(reply.backend)
            self._scope = None

    def note_backends(self, results: Iterable[StepResult]) -> None:
        """Remember the backends of steps that did not have to ask them again."""
        for result in results:
            for reply in result.replies:
                self.note_backend(reply)


class _LazyProject(Mapping[str, Json]):
    """The project's facts. They are detected when the first text asks for one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getitem__(self, key: str) -> Json:
        return self._world.workspace.project()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._world.workspace.project())

    def __len__(self) -> int:
        return len(self._world.workspace.project())


class time_limit:  # noqa: N801 - it reads as asyncio.timeout does
    """``with time_limit(seconds):`` raises TimeoutError after so many seconds; ``math.inf`` = no limit.

    asyncio.timeout does the same, and takes a seventh of the time of a step that does nothing.
    """

    __slots__ = ("_cancelling", "_expired", "_limit", "_task", "_timer")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        if math.isinf(self._limit):
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - what waits for a limit is a coroutine of a task
        self._task, self._cancelling = task, task.cancelling()
        self._timer = task.get_loop().call_later(self._limit, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            # without a cancellation from outside, which uncancel() would have counted as well
            raise TimeoutError from failure

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()
