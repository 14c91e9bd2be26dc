"""What a worker of Dask is asked beside its tasks: each function here is called there, by its name.

Dask knows the worker as ``dask_worker`` and hands it in.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import WorkerPlugin

from pytest_lok.backends.cli.environment import allowed_part
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import LokError, StepUnableError
from pytest_lok.fleet.calls import answer
from pytest_lok.fleet.host import PlaceHost
from pytest_lok.fleet.port import Returned

TOPIC = "pytest-lok"
"""The topic of Dask's events that tells of the ends of attempts, by their ids."""
_NAME = "pytest-lok"  # of the plugin
_KEPT = 60.0  # seconds for which an end waits for its driver


class DaskPlace(WorkerPlugin):  # type: ignore[misc]  # of a package without types of its own
    """The place that a worker is, made by the first call that reaches it, and closed with the worker."""

    def __init__(self, worker: Any) -> None:
        base = Path(worker.local_directory) / f"lok-{os.getpid()}"
        base.mkdir(parents=True, exist_ok=True)
        # what this worker was started by is no part of a run
        env = {**allowed_part(os.environ), "LOK_PROCESS": ""}
        memory = worker.memory_manager.memory_limit or math.inf
        self.host = PlaceHost(base, env, cores=float(worker.state.nthreads), memory=memory)
        self._worker = worker
        logging.getLogger("distributed.worker").addFilter(_is_news)
        self._ends: dict[str, asyncio.Task[Returned]] = {}

    @classmethod
    async def of(cls, worker: Any) -> DaskPlace:
        """The place of a worker."""
        place: DaskPlace | None = worker.plugins.get(_NAME)
        if place is None:
            place = cls(worker)
            await worker.plugin_add(plugin=place, name=_NAME)
        return place

    async def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        """End what runs, as the worker does."""
        await self.host.aclose()

    def start(self, attempt: str, command: CommandSpec, artifacts: Sequence[str]) -> None:
        """Start an attempt, and wait for nothing; an event tells of its end."""
        if attempt in self._ends:
            raise StepUnableError(f"the attempt {attempt} was started before")
        task = asyncio.create_task(self.host.run(attempt, command, artifacts))
        self._ends[attempt] = task
        task.add_done_callback(lambda _: self._tell(attempt, task))

    async def result(self, attempt: str) -> Returned:
        """What came of an attempt that has ended; it is given once."""
        task = self._ends.pop(attempt, None)
        if task is None:
            raise StepUnableError(f"the attempt {attempt} was not started here, or its result was fetched")
        return await task

    def _tell(self, attempt: str, task: asyncio.Task[Returned]) -> None:
        if not task.cancelled():
            task.exception()  # nobody may come for it, and that is no news for the log of a worker
        self._worker.log_event(TOPIC, attempt)
        asyncio.get_running_loop().call_later(_KEPT, self._ends.pop, attempt, None)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of a worker's log is none of those that Dask writes for each call of a driver."""
    calls = (facts_of.__name__, answer_at.__name__)
    return not (isinstance(record.args, tuple) and record.args and record.args[0] in calls)


async def facts_of(driver: str, given_up: Sequence[str], lease: float, dask_worker: Any) -> dict[str, object]:
    """The fields of the worker as a FleetPlace; it hears by this that the driver is there.

    They are plain values, so that a driver of another version can read which version this is.
    """
    version, running, names = (await DaskPlace.of(dask_worker)).host.hear(driver, given_up, lease)
    return {
        "name": str(dask_worker.name),
        "address": dask_worker.address,
        "cores": float(dask_worker.state.nthreads),
        "memory": int(dask_worker.memory_manager.memory_limit or 0),
        "labels": tuple(sorted(dask_worker.state.total_resources)),
        "running": running,
        "names": names,
        "version": version,
    }


async def answer_at(driver: str, method: str, arguments: Sequence[Any], dask_worker: Any) -> Any:
    """What the worker answers to a call, and the error if there is one: a value, so that Dask logs none."""
    place = await DaskPlace.of(dask_worker)
    try:
        match method:
            case "start":
                place.start(*arguments)
                return None, None
            case "result":
                return await place.result(*arguments), None
        return await answer(place.host, driver, method, arguments), None
    except LokError as error:
        return None, error
