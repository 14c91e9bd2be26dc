"""Workers of a Dask cluster as places: Dask knows who is there and carries calls, and never starts a command.

Calls go beside the scheduling (``Client.run``): a task whose worker is lost would silently run again. No call
lasts as long as a command does, for a scheduler has a limited number of connections: an event tells of the
end, and the next answer of the place tells of it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import UsageError
from pytest_lok.fleet.calls import HostCalls
from pytest_lok.fleet.port import LEASE, FleetPlace, PlaceLostError, Returned

_LOOK = 8.0  # seconds at most until who does not answer counts as not there
_TOPICS = ("all", "pytest-lok")  # of events: Dask's own on workers, and ours on the ends of attempts
# what Dask raises where a connection breaks or a worker is not there any more
_BROKEN = (OSError, TimeoutError, ValueError, KeyError, RuntimeError, AttributeError)


@dataclass(slots=True, eq=False)
class _Wait:
    """Somebody who waits for the end of an attempt; ``started`` = the worker has said that it runs."""

    attempt: str
    started: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Worker:
    """One worker, as long as the scheduler knows it, and who waits for its attempts.

    ``gone`` says why it is no worker any more, once that is so.
    """

    name: str
    gone: asyncio.Future[str]
    waits: set[_Wait] = field(default_factory=set)


class DaskFleet(HostCalls):
    """The workers of the cluster whose scheduler is at ``address``; each needs pytest-lok of this version.

    ``security`` are the files of TLS by the names of the settings: ``ca``, ``cert``, ``key``. The names of
    Dask's resources of a worker are its labels. ``lease`` is in seconds.
    """

    def __init__(
        self, address: str, security: Mapping[str, str] | None = None, *, lease: float = LEASE
    ) -> None:
        super().__init__()
        self._address = address
        self._security = dict(security or {})
        self._lease = lease
        self._patience = min(_LOOK, lease / 3)
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._workers: dict[str, _Worker] = {}

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        """The places that answer now, as in FleetEngine."""
        client = await self._connected()
        listed = await self._listed(client)
        # each for itself: one that hangs is no reason to lose the others
        looks = [
            asyncio.create_task(self._look(client, address, name, given_up))
            for address, name in listed.items()
        ]
        if looks:
            await _within(looks, self._patience)
        found = [look.result() for look in looks if not look.cancelled()]
        return sorted((place for place in found if place is not None), key=lambda place: place.name)

    async def call(self, place: FleetPlace, method: str, *arguments: Any) -> Any:
        """What a place answers, as in HostCalls."""
        from pytest_lok.fleet.dask_place import answer_at

        worker = self._worker(place)
        client = await self._connected()
        asking = client.run(
            answer_at, self.driver, method, arguments, workers=[place.address], on_error="raise"
        )
        try:
            value, failure = (await _unless_gone(worker, asking))[place.address]
        except _BROKEN as error:
            raise PlaceLostError(f"its worker does not answer: {error}") from None
        if failure is not None:
            raise failure
        return value

    async def run(
        self, attempt: str, command: CommandSpec, place: FleetPlace, artifacts: Sequence[str]
    ) -> Returned:
        """Run a shipped attempt once, as in FleetEngine."""
        worker = self._worker(place)
        plain = replace(command, remote=None, env=dict(command.env))
        # the event of the end may come before the answer to the start
        worker.waits.add(wait := _Wait(attempt=attempt))
        try:
            await self.call(place, "start", attempt, plain, tuple(artifacts))
            wait.started = True
            await _unless_gone(worker, wait.ended.wait())
            returned: Returned = await self.call(place, "result", attempt)
        finally:
            worker.waits.discard(wait)
        return returned

    async def aclose(self) -> None:
        """Let go of all places, as in FleetEngine."""
        for address in tuple(self._workers):
            self._lose(address, "the driver has let go of it")
        if self._client is not None:
            client, self._client = self._client, None
            # a scheduler says in its log whom it could not tell of this end
            for topic in _TOPICS if client.status == "running" else ():
                client.unsubscribe_topic(topic)
            await client.close()

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is not None and self._client.status != "running":
                await self.aclose()
            if self._client is None:
                self._client = client = await _connect(self._address, self._security, self._patience)
                for topic, hear in zip(_TOPICS, (self._hear_of_workers, self._hear_of_ends), strict=True):
                    client.subscribe_topic(topic, hear)
            return self._client

    async def _listed(self, client: Any) -> dict[str, str]:
        """The names of the workers that the scheduler knows, by address; others are gone."""
        try:
            async with asyncio.timeout(self._patience):
                about = await client.scheduler.identity(n_workers=-1)
        except _BROKEN:
            raise PlaceLostError(f"the scheduler at {self._address} does not answer") from None
        listed = {address: str(known["name"]) for address, known in about["workers"].items()}
        for address in self._workers.keys() - listed.keys():
            self._lose(address, "it is no worker any more")
        for address in listed.keys() - self._workers.keys():
            gone = asyncio.get_running_loop().create_future()
            self._workers[address] = _Worker(name=listed[address], gone=gone)
        return listed

    async def _look(
        self, client: Any, address: str, name: str, given_up: Collection[str]
    ) -> FleetPlace | None:
        """One worker as a place; None where it does not answer."""
        from pytest_lok.fleet.dask_place import facts_of

        worker = self._workers[address]
        waits = [wait for wait in worker.waits if wait.started]
        try:
            said = await client.run(
                facts_of, self.driver, tuple(given_up), self._lease, workers=[address], on_error="return"
            )
        except _BROKEN:
            return None
        facts = said.get(address)
        if isinstance(facts, ImportError):
            return FleetPlace(name=name, address=address, cores=0, memory=0, version="none")
        if not isinstance(facts, dict):
            return None
        place = FleetPlace(**facts)
        # an event can be lost with a connection
        for wait in waits:
            if wait.attempt not in place.running:
                wait.ended.set()
        return place

    def _worker(self, place: FleetPlace) -> _Worker:
        worker = self._workers.get(place.address)
        if worker is None:
            raise PlaceLostError("it is no worker any more")
        return worker

    def _lose(self, address: str, why: str) -> None:
        worker = self._workers.pop(address, None)
        if worker is not None and not worker.gone.done():
            worker.gone.set_result(why)

    def _hear_of_workers(self, event: tuple[float, Any]) -> None:
        said = event[1]
        if isinstance(said, dict) and said.get("action") == "remove-worker":
            self._lose(said["worker"], "its connection to the scheduler has ended")

    def _hear_of_ends(self, event: tuple[float, Any]) -> None:
        for worker in self._workers.values():
            for wait in worker.waits:
                if wait.attempt == event[1]:
                    wait.ended.set()


async def _unless_gone(worker: _Worker, waiting: Coroutine[Any, Any, Any]) -> Any:
    """What is waited for; PlaceLostError as soon as the worker is gone."""
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task, worker.gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    if not task.done():
        raise PlaceLostError(worker.gone.result())
    return task.result()


async def _within(tasks: Sequence[asyncio.Task[Any]], seconds: float) -> None:
    """Wait for tasks; those that take longer, or are waited for no more, are cancelled."""
    try:
        await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)


def _check_files(files: Mapping[str, str]) -> None:
    """UsageError names the file of TLS that cannot be read; ssl's own error names none."""
    for key, path in files.items():
        try:
            Path(path).read_bytes()
        except OSError as unreadable:
            said = f"`fleet.{key}` cannot be read: {path}: {unreadable.strerror}"
            raise UsageError(said, hint="a path in lok.toml begins at the directory of that file") from None


async def _connect(address: str, files: Mapping[str, str], patience: float) -> Any:
    try:
        from distributed import Security

        from pytest_lok.fleet.dask_client import OneConnection
    except ImportError:
        raise UsageError(
            "a fleet needs Dask, which is not installed here", hint="pip install 'pytest-lok[fleet]'"
        ) from None
    security = None
    if files:
        await asyncio.to_thread(_check_files, files)
        security = Security(
            tls_ca_file=files["ca"],
            tls_client_cert=files["cert"],
            tls_client_key=files["key"],
            require_encryption=True,
        )
    try:
        client = OneConnection(
            address, asynchronous=True, security=security, timeout=patience, set_as_default=False
        )
    except OSError as unusable:  # ssl's errors are some
        raise UsageError(
            f"the files of [fleet] are none that TLS can use: {unusable}",
            hint="ca, cert and key are PEM files, and the key is that of the certificate",
        ) from None
    try:
        return await client
    except (OSError, TimeoutError) as error:
        await client.close()
        raise PlaceLostError(f"no scheduler answers at {address}: {error}") from None
    except asyncio.CancelledError:
        await client.close()
        raise
