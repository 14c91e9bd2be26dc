"""Workers of a Dask cluster as places: Dask knows who is there and carries calls, and never starts a command.

Calls go beside the scheduling (``Client.run``): a task whose worker is lost would silently run again.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_lok.backends.cli.environment import allowed_part
from pytest_lok.errors import LokError, UsageError
from pytest_lok.fleet.calls import HostCalls, answer
from pytest_lok.fleet.host import PlaceHost
from pytest_lok.fleet.port import LEASE, FleetPlace, PlaceLostError

_CONNECT = 10.0  # seconds until a scheduler that does not answer counts as not there
_LOOK = 5.0  # the same for a worker that is asked whether it is there
_HOST = "pytest_lok_place"
_SETTINGS = {
    "distributed.comm.retry.count": 0,
    "distributed.worker.daemon": False,
}


class DaskFleet(HostCalls):
    """The workers of the cluster whose scheduler is at ``address``; each needs pytest-lok installed.

    ``security`` are the files of TLS by the names of the settings: ``ca``, ``cert``, ``key``.
    """

    def __init__(
        self, address: str, security: Mapping[str, str] | None = None, *, lease: float = LEASE
    ) -> None:
        super().__init__()
        self._address = address
        self._security = dict(security or {})
        self._lease = lease
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        """The places that answer now, as in FleetEngine."""
        client = await self._connected()
        try:
            async with asyncio.timeout(_LOOK):
                found = await client.run(
                    facts_of, self.driver, self._lease, tuple(given_up), on_error="ignore"
                )
        except (OSError, TimeoutError):
            raise PlaceLostError(f"the scheduler at {self._address} does not answer") from None
        facts = [found[address] for address in sorted(found) if isinstance(found[address], dict)]
        return [FleetPlace(**fact) for fact in facts]

    async def call(self, place: FleetPlace, method: str, *arguments: Any) -> Any:
        """What a place answers, as in HostCalls."""
        client = await self._connected()
        try:
            said = await client.run(
                answer_at,
                self.driver,
                self._lease,
                method,
                arguments,
                workers=[place.address],
                on_error="raise",
            )
        # Dask raises what it meets on its way: closed connections, names of workers that are not there
        except (OSError, ValueError, KeyError) as error:
            raise PlaceLostError(f"{place.name} does not answer: {error}") from None
        if place.address not in said:
            raise PlaceLostError(f"{place.name} is no worker any more")
        value, failure = said[place.address]
        if failure is not None:
            raise failure
        return value

    async def aclose(self) -> None:
        """Let go of all places, as in FleetEngine."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await _connect(self._address, self._security)
            return self._client


async def _connect(address: str, files: Mapping[str, str]) -> Any:
    try:
        import dask
        from distributed import Client, Security
    except ImportError:
        raise UsageError(
            "a fleet needs Dask, which is not installed here", hint="pip install 'pytest-lok[fleet]'"
        ) from None
    dask.config.set(_SETTINGS)
    security = None
    if files:
        security = Security(
            tls_ca_file=files["ca"],
            tls_client_cert=files["cert"],
            tls_client_key=files["key"],
            require_encryption=True,
        )
    try:
        return await Client(
            address, asynchronous=True, security=security, timeout=_CONNECT, set_as_default=False
        )
    except (OSError, TimeoutError) as error:
        raise PlaceLostError(f"no scheduler answers at {address}: {error}") from None


def host_of(worker: Any, lease: float) -> PlaceHost:
    """The host of a worker, made with the first call that reaches it."""
    host: PlaceHost | None = getattr(worker, _HOST, None)
    if host is None:
        base = Path(worker.local_directory) / f"lok-{os.getpid()}"
        base.mkdir(parents=True, exist_ok=True)
        env = allowed_part(os.environ)
        # what this worker was started by is no part of a run
        env["LOK_PROCESS"] = ""
        memory = worker.memory_manager.memory_limit or math.inf
        host = PlaceHost(base, env, cores=float(worker.state.nthreads), memory=memory, lease=lease)
        setattr(worker, _HOST, host)
    return host


async def facts_of(
    driver: str, lease: float, given_up: Collection[str], dask_worker: Any
) -> dict[str, object]:
    """The fields of the worker as a FleetPlace; it hears by this that the driver is there.

    They are plain values, so that workers and drivers of other versions can tell that they are.
    """
    version, running = host_of(dask_worker, lease).hear(driver, given_up)
    return {
        "name": str(dask_worker.name),
        "address": dask_worker.address,
        "cores": float(dask_worker.state.nthreads),
        "memory": int(dask_worker.memory_manager.memory_limit or 0),
        "labels": tuple(sorted(dask_worker.state.total_resources)),
        "running": running,
        "version": version,
    }


async def answer_at(
    driver: str, lease: float, method: str, arguments: Sequence[Any], dask_worker: Any
) -> Any:
    """What the worker answers to a call, and the error if there is one: a value, so that Dask logs none."""
    try:
        return await answer(host_of(dask_worker, lease), driver, method, arguments), None
    except LokError as error:
        return None, error
