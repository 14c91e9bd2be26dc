"""The run loop: plan + world -> events, and the RunResult they fold into."""

from __future__ import annotations

from collections.abc import Callable

from pytest_lok.core.events import Event
from pytest_lok.core.plan import Plan
from pytest_lok.core.results import RunResult
from pytest_lok.engine.ports import World


async def run(
    plan: Plan, world: World, emit: Callable[[Event], None] = lambda _: None, *, fail_fast: bool = False
) -> RunResult:
    """Run every step of the plan once, as early as its dependencies and the limits allow.

    Cancelling the caller's task ends every child process, emits an interrupted StepFinished for
    what ran and for what did not, then RunFinished, and re-raises CancelledError.
    """
    raise NotImplementedError
