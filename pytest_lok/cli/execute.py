"""Plan and world -> RunResult and exit code, shown in a view and stopped by signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from pytest_lok.backends.on_demand import made_backends
from pytest_lok.cli.views import RunView
from pytest_lok.core.events import FRESH_START, Event, ResumeState
from pytest_lok.core.results import RunResult
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.asking.checked_call import close_world
from pytest_lok.engine.ports import World
from pytest_lok.engine.run import Run, ignore_event
from pytest_lok.wiring.run_records import RunRecorder

_REASONS = {
    signal.SIGINT: "interrupted by Ctrl-C",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "the terminal was closed",
}


def execute(
    plan: Plan,
    world: World,
    view: RunView,
    on_event: Callable[[Event], None] = ignore_event,
    *,
    fail_fast: bool = False,
    known: ResumeState = FRESH_START,
    record: RunRecorder | None = None,
) -> tuple[RunResult, int]:
    """Run a plan to its end, or until a signal stops it; ``on_event`` gets each event after the view.

    ``known`` are results that the run begins with. ``record`` gets each event before anybody else, and names
    the run. The exit code is that of the run, or 128 + the number of the signal. A second signal kills all
    processes and raises SystemExit.
    """

    unclosed: list[tuple[str, BaseException]] = []
    world = replace(world, limits=replace(world.limits, raised_by="--timeout 10m"))
    if record is not None:
        world = replace(world, artifacts=record.artifacts)

    def emit(event: Event) -> None:
        if record is not None:
            record.note(event)
        view.on_event(event)
        on_event(event)

    async def body() -> tuple[RunResult, int]:
        run_id = record.run_id if record else ""
        run = Run(plan, world, emit, fail_fast=fail_fast, run_id=run_id, resume=known)

        def stop(reason: str) -> None:
            view.on_stop(reason)
            run.stop(reason)

        with stopping_on_signals(stop, world.kill) as stopped:
            try:
                result = await run.execute()
            finally:
                # on the same loop: that is where their connections live
                unclosed.extend(await close_world(world, made_backends(world.backends)))
        return result, 128 + stopped[0] if stopped else result.exit_code

    with view:
        ended = asyncio.run(body())
    for said, bug in unclosed:
        click.echo(f"warning: {said}: {type(bug).__name__}: {bug}", err=True)
    return ended


@contextlib.contextmanager
def stopping_on_signals(
    stop: Callable[[str], None], kill: Callable[[], None]
) -> Iterator[list[signal.Signals]]:
    """Call ``stop`` with the reason at the first signal; kill and exit at the second. Yields what came."""
    loop = asyncio.get_running_loop()
    got: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        # asyncio runs this between two steps of the loop, so a run can be stopped from here
        got.append(number)
        if len(got) == 1:
            stop(_REASONS[number])
        else:
            kill()
            raise SystemExit(128 + got[0])

    # a signal that is ignored (nohup, a background job of a script) stays ignored
    handled = [number for number in _REASONS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in handled:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield got
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
