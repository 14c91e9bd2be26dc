"""A command -> its end, here or at a place of the fleet: claimed once, and ended when nobody waits."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pytest_lok.core.remote import LostError, RemoteRun, Snapshot
from pytest_lok.engine.ports import CommandRunner, CommandSpec, Completed
from pytest_lok.errors import StepUnableError, UsageError
from pytest_lok.fleet.port import (
    LEASE,
    FleetEngine,
    FleetPlace,
    PlaceBusyError,
    PlaceLostError,
    Returned,
    Shipment,
)
from pytest_lok.fleet.pulse import Pulse
from pytest_lok.fleet.seats import Seats

_PLACEMENTS = 5
_PATIENCE = 0.4  # of a lease: how long a place has to confirm an end


class RemoteShell:
    """A CommandRunner: what has a ``remote`` runs at a place of ``engine``, and everything else by ``local``.

    ``snapshot`` gives the files as they are. ``lease`` is that of the places, in seconds.
    """

    def __init__(
        self,
        local: CommandRunner,
        engine: FleetEngine,
        *,
        snapshot: Callable[[], Awaitable[Snapshot]],
        lease: float = LEASE,
    ) -> None:
        self._local = local
        self._snapshots = _SharedSnapshots(snapshot)
        self._fleet = Fleet(engine, lease=lease)

    def sharing(self, fleet: Fleet) -> RemoteShell:
        """This shell, at the places of a fleet that others use too."""
        self._fleet = fleet
        return self

    async def run(self, command: CommandSpec) -> Completed:
        """See ``engine.ports.CommandRunner``. LostError if nobody knows how a remote command ended.

        TimeoutError after the time limit of a remote command; it has ended by then, or ``say`` was told
        that it may not have.
        """
        if command.remote is None:
            return await self._local.run(command)
        returned = await self._fleet.run(self, command, command.remote, self._snapshots.take)
        return replace(returned.completed, artifacts=returned.artifacts)

    async def aclose(self) -> None:
        """Let go of the fleet. The next remote command connects again."""
        self._snapshots.reset()
        await self._fleet.release(self)


class Fleet:
    """The places of one engine, for whoever uses them in this process, with one heartbeat for all.

    ``lease`` is that of the places, in seconds.
    """

    def __init__(self, engine: FleetEngine, *, lease: float = LEASE) -> None:
        self._engine = engine
        self._lease = lease
        self._users: set[object] = set()
        self.pulse = Pulse(engine, lease)
        self._seats = Seats(self.pulse)

    async def run(
        self,
        user: object,
        command: CommandSpec,
        remote: RemoteRun,
        snapshot: Callable[[], Awaitable[Snapshot]],
    ) -> Returned:
        """Run a command at a place, for a user who releases the fleet later; errors as of ``RemoteShell``."""
        self._users.add(user)
        try:
            async with self.pulse:
                return await self._placed(command, remote, snapshot)
        except UsageError as wrong:  # the step is what cannot do its work
            raise StepUnableError(wrong.message, hint=wrong.hint) from None

    async def release(self, user: object) -> None:
        """Let go of the places, if nobody else uses them. The next command connects again."""
        self._users.discard(user)
        if not self._users:
            self.pulse = Pulse(self._engine, self._lease)
            self._seats = Seats(self.pulse)
            await self._engine.aclose()

    async def _placed(
        self, command: CommandSpec, remote: RemoteRun, snapshot: Callable[[], Awaitable[Snapshot]]
    ) -> Returned:
        lost: list[str] = []
        while len(lost) < _PLACEMENTS:
            async with self._seats.taken(remote.placement) as place:
                attempt = uuid.uuid4().hex
                try:
                    files = await snapshot()
                    shipment = Shipment(
                        snapshot=files, needs=remote.placement, files=remote.files, name=remote.name
                    )
                    await self.pulse.guarded(place, self._engine.ship(attempt, shipment, place))
                except PlaceBusyError:
                    self._seats.note_full(place)
                    continue
                except PlaceLostError:
                    # nothing of it was started, so that it may go elsewhere
                    remote.say(
                        f"{place.name} was lost before {remote.name} started there; it is placed again"
                    )
                    lost.append(place.name)
                    self.pulse.forget(place)
                    continue
                except BaseException:
                    await self._end(attempt, place, remote)
                    raise
                remote.begin(place.name)
                return await self._started(attempt, command, place, remote)
        raise StepUnableError(
            f"{remote.name} was not started: {', '.join(lost)} were lost, one after another"
        )

    async def _started(
        self, attempt: str, command: CommandSpec, place: FleetPlace, remote: RemoteRun
    ) -> Returned:
        """The end of an attempt, which from here on is claimed: it is started no second time."""
        limit = None if math.isinf(remote.timeout) else remote.timeout
        running = self._engine.run(attempt, command, place, remote.artifacts)
        try:
            async with asyncio.timeout(limit):
                return await self.pulse.guarded(place, running)
        except PlaceLostError as lost:
            self.pulse.forget(place)
            # a second attempt must not overlap the first
            if not await self._end(attempt, place, remote) and remote.repeatable:
                await asyncio.sleep(self._lease + self._lease / 5)
            raise LostError(
                f"{remote.name} was started on {place.name}, and its outcome is unknown: {lost.message}",
                hint="" if remote.repeatable else "`retries` allows another attempt, where that does no harm",
            ) from None
        except BaseException:
            await self._end(attempt, place, remote)
            raise

    async def _end(self, attempt: str, place: FleetPlace, remote: RemoteRun) -> bool:
        """End an attempt, whoever is cancelled meanwhile; False where nobody has confirmed it."""
        ending = asyncio.ensure_future(self._engine.kill(attempt, place))
        cancelled: asyncio.CancelledError | None = None
        until = asyncio.get_running_loop().time() + _PATIENCE * self._lease
        while not ending.done() and (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait([ending], timeout=left)
            except asyncio.CancelledError as error:
                cancelled = error
        confirmed = ending.done() and not ending.cancelled() and ending.exception() is None
        if not confirmed:
            ending.cancel()
            self.pulse.given_up.add(attempt)
            limit = self._lease + self._lease / 5
            remote.say(f"{remote.name} may still run on {place.name}, for {limit:.0f} seconds at most")
        if cancelled is not None:
            raise cancelled
        return confirmed


class _SharedSnapshots:
    """Snapshots, each begun after it was asked for: who asks while one is taken shares the next."""

    def __init__(self, make: Callable[[], Awaitable[Snapshot]]) -> None:
        self._make = make
        self.reset()

    def reset(self) -> None:
        """Forget what is being taken."""
        self._taking = asyncio.Lock()
        self._next: asyncio.Task[Snapshot] | None = None
        self._waiting: Counter[asyncio.Task[Snapshot]] = Counter()

    async def take(self) -> Snapshot:
        """The files as they are now, or a moment later."""
        if self._next is None:
            self._next = asyncio.create_task(self._when_free())
        shared = self._next
        self._waiting[shared] += 1
        try:
            # the cancellation of one is none of the others'
            await asyncio.wait({shared})
            return shared.result()
        finally:
            self._waiting[shared] -= 1
            if not self._waiting[shared]:
                del self._waiting[shared]
                await self._end(shared)

    async def _end(self, shared: asyncio.Task[Snapshot]) -> None:
        if self._next is shared:
            self._next = None
        if not shared.done():
            shared.cancel()
            await asyncio.wait({shared})

    async def _when_free(self) -> Snapshot:
        async with self._taking:
            self._next = None
            return await self._make()
