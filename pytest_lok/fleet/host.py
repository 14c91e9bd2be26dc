"""One place of a fleet: it lays out files, runs each attempt once, and ends what nobody waits for.

It knows no engine. What reaches it may come twice or late, so each attempt goes one way::

    shipped ──run──▶ running ──▶ over        run of anything but "shipped" is refused
       └──────kill──────┴──▶ over
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from pytest_lok.core.remote import Artifact, Placement
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.checkout import Checkouts, ShippedTree, add_files
from pytest_lok.fleet.port import LEASE, PlaceBusyError, Returned
from pytest_lok.version import __version__
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.processes.watchdog import Watchdog
from pytest_lok.workspace.travel.artifacts import collect

_REMEMBERED = 10_000  # attempts that are over, so that a call that comes late is refused


@dataclass(slots=True)
class _Attempt:
    """One attempt: whose it is, the room that it takes, where its files lie, and the task that runs it.

    ``name`` is for people. ``folder`` None = its files are still being laid out. ``since`` is when it was
    shipped.
    """

    name: str
    driver: str
    needs: Placement
    since: float
    folder: Path | None = None
    task: asyncio.Task[Returned] | None = None


class PlaceHost:
    """Runs the commands of drivers, below ``base``, on the event loop that calls it.

    ``env`` is what every command sees of the place's environment. ``cores`` and ``memory`` (bytes) are what
    all attempts have together, whoever their drivers are. A driver that says nothing for ``lease`` seconds
    is gone, and its commands are ended. ``now`` is a clock in seconds.
    """

    def __init__(
        self,
        base: Path,
        env: Mapping[str, str],
        *,
        cores: float = math.inf,
        memory: float = math.inf,
        lease: float = LEASE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watchdog = Watchdog()
        self._processes = LocalProcesses(base, env, watchdog=self._watchdog)
        self._env = dict(env)
        self._checkouts = Checkouts(base, self._processes)
        self._cores = cores
        self._memory = memory
        self._lease = lease
        self._now = now
        self._leases: dict[str, float] = {}
        self._until: dict[str, float] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._over: dict[str, None] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> tuple[str, ...]:
        """The attempts whose command runs."""
        return tuple(name for name, attempt in self._attempts.items() if attempt.task is not None)

    def hear(
        self, driver: str, given_up: Collection[str] = (), lease: float | None = None
    ) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Note that a driver is there, and end what it has given up; ``lease`` is its own, if it has one.

        Returns the version of pytest-lok here, the attempts that run, and their names.
        """
        if lease is not None:
            self._leases[driver] = lease
        self._note(driver)
        for attempt in given_up:
            if attempt in self._attempts:
                task = asyncio.create_task(self.kill(attempt))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        names = tuple(attempt.name for attempt in self._attempts.values() if attempt.task is not None)
        return __version__, self.running, names

    def _note(self, driver: str) -> None:
        self._until[driver] = self._now() + self._leases.get(driver, self._lease)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._end_orphans())

    def has(self, commit: str) -> bool:
        """Whether the objects of a commit are here."""
        return self._checkouts.has(commit)

    async def ship(
        self,
        driver: str,
        attempt: str,
        shipped: ShippedTree,
        needs: Placement,
        files: Mapping[str, Artifact],
        name: str,
    ) -> None:
        """Take room for an attempt and lay out its files; PlaceBusyError where there is no room now.

        StepUnableError where the files are not the ones that were meant.
        """
        self._note(driver)
        self._refuse_known(attempt)
        self._refuse_crowd(needs)
        self._attempts[attempt] = known = _Attempt(name=name, driver=driver, needs=needs, since=self._now())
        try:
            top = await self._checkouts.make(attempt, shipped)
            folder = top / shipped.folder
            add_files(folder, files)
        except BaseException:
            self._forget(attempt)
            raise
        known.folder, known.since = folder, self._now()
        if self._attempts.get(attempt) is not known:
            self._checkouts.remove(attempt)
            raise StepUnableError(f"the attempt {attempt} was ended")

    async def run(self, attempt: str, command: CommandSpec, artifacts: Sequence[str]) -> Returned:
        """Run the command of an attempt, and wait; StepUnableError if it is not here, or was started."""
        known = self._attempts.get(attempt)
        if known is None or known.folder is None or known.task is not None:
            raise StepUnableError(
                f"the attempt {attempt} is not waiting here: it was started, or ended, before"
            )
        known.task = asyncio.create_task(self._perform(known.folder, command, artifacts))
        try:
            return await asyncio.shield(known.task)
        except asyncio.CancelledError:
            if not known.task.cancelled():
                raise
            raise StepUnableError(f"the attempt {attempt} was ended") from None
        finally:
            if known.task.done():
                self._forget(attempt)

    async def kill(self, attempt: str) -> None:
        """End an attempt; it and all that it started is gone when this returns. Others are no error."""
        known = self._attempts.get(attempt)
        self._over[attempt] = None
        if known is None:
            return
        if known.task is not None:
            known.task.cancel()
            await asyncio.wait([known.task])
        self._forget(attempt)

    async def aclose(self) -> None:
        """End everything."""
        if self._watch is not None:
            self._watch.cancel()
        for attempt in tuple(self._attempts):
            await self.kill(attempt)

    async def _perform(self, folder: Path, command: CommandSpec, artifacts: Sequence[str]) -> Returned:
        done = await LocalProcesses(folder, self._env, watchdog=self._watchdog).run(command)
        # what a command that failed has left is no product
        if done.exit_code or not artifacts:
            return Returned(completed=done)
        return Returned(completed=done, artifacts=await asyncio.to_thread(collect, folder, artifacts))

    def _refuse_crowd(self, needs: Placement) -> None:
        taken = [attempt.needs for attempt in self._attempts.values()]
        cores = sum(one.cores for one in taken) + needs.cores
        memory = sum(one.memory for one in taken) + needs.memory
        if cores > self._cores + 1e-9 or memory > self._memory:
            raise PlaceBusyError("the place has no room now")

    def _refuse_known(self, attempt: str) -> None:
        if attempt in self._attempts or attempt in self._over:
            raise StepUnableError(f"the attempt {attempt} was here before")

    def _forget(self, attempt: str) -> None:
        known = self._attempts.pop(attempt, None)
        if known is not None and known.folder is not None:
            self._checkouts.remove(attempt)
        self._over[attempt] = None
        while len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    async def _end_orphans(self) -> None:
        """End what belongs to drivers that are gone, as long as there is anything."""
        while self._until:
            await asyncio.sleep(min(1.0, self._lease / 5))
            gone = [driver for driver, until in self._until.items() if self._now() > until]
            for driver in gone:
                del self._until[driver]
                self._leases.pop(driver, None)
            for name, attempt in tuple(self._attempts.items()):
                # who ships starts at once, if it does not give up
                idle = attempt.folder is not None and attempt.task is None
                if attempt.driver not in self._until or (idle and self._now() - attempt.since > self._lease):
                    try:
                        await self.kill(name)
                    except Exception as bug:  # one that cannot be ended is no reason to leave the others
                        said = {"message": f"the attempt {name} could not be ended", "exception": bug}
                        asyncio.get_running_loop().call_exception_handler(said)
