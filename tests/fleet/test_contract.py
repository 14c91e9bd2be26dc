"""What every kind of fleet promises (D1-D10): by real processes, which count their own executions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_lok.core.remote import Artifact, LostError, Placement, RemoteRun, Snapshot
from pytest_lok.engine.ports import CommandSpec, Completed
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.local import LocalFleet
from pytest_lok.fleet.port import FleetPlace, Shipment
from pytest_lok.fleet.shell import RemoteShell
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot
from tests.workspace.test_git_state import ENV, git

GB = 10**9
PLACES = (
    FleetPlace(name="small", cores=1, memory=GB),
    FleetPlace(name="big", cores=4, memory=8 * GB, labels=("fast",)),
)


@dataclass
class Fleet:
    """A fleet with the shell in front of it, and what its commands have left behind."""

    engine: LocalFleet
    shell: RemoteShell
    root: Path
    counts: Path
    said: list[str] = field(default_factory=list)

    async def run(
        self, text: str, *, name: str = "x", needs: Placement | None = None, **more: object
    ) -> Completed:
        remote = RemoteRun(name=name, placement=needs or Placement(), say=self.said.append, **more)  # type: ignore[arg-type]
        return await self.shell.run(CommandSpec(argv=("sh", "-c", text), env=self.env, remote=remote))

    @property
    def env(self) -> dict[str, str]:
        return {"COUNTS": str(self.counts), "OWN": "own"}

    def beside(self) -> RemoteShell:
        """Another driver of the same places."""
        local = LocalProcesses(self.root, ENV)
        return RemoteShell(local, self.engine, snapshot=lambda: snapshot(self.root, local))

    def executions(self) -> list[str]:
        return self.counts.read_text().split() if self.counts.exists() else []

    async def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    def take_away(self, place: str) -> None:
        os.kill(self.engine.process_id(place), signal.SIGKILL)


def count(name: str) -> str:
    return f"echo {name} >> $COUNTS;"


def alive(mark: str) -> list[str]:
    """Processes whose arguments hold the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and mark in (entry / "cmdline").read_text("utf-8", "replace"):
                found.append(entry.name)
    return found


@contextlib.asynccontextmanager
async def fleet(
    tmp_path: Path, *, lease: float = 25.0, kind: type[LocalFleet] = LocalFleet
) -> AsyncIterator[Fleet]:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    (root / "one").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    local = LocalProcesses(root, ENV)
    engine = kind(PLACES, {**ENV, "LOK_PROCESS": ""}, lease=lease)
    made: list[Fleet] = []

    async def taken() -> Snapshot:
        return await snapshot(root, local)

    shell = RemoteShell(local, engine, snapshot=taken, lease=lease)
    made.append(Fleet(engine, shell, root, tmp_path / "counts"))
    try:
        yield made[0]
    finally:
        await shell.aclose()


def drive(
    tmp_path: Path,
    story: Callable[[Fleet], Awaitable[None]],
    *,
    lease: float = 25.0,
    kind: type[LocalFleet] = LocalFleet,
) -> None:
    async def play() -> None:
        async with fleet(tmp_path, lease=lease, kind=kind) as it:
            await story(it)

    asyncio.run(play())


def test_an_attempt_starts_once(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        place = (await it.engine.places())[0]
        command = CommandSpec(argv=("sh", "-c", count("a")), env=it.env)
        taken = Shipment(snapshot=await snapshot(it.root, LocalProcesses(it.root, ENV)))
        await it.engine.ship("a", taken, place)
        await it.engine.run("a", command, place, ())
        for late in (it.engine.run("a", command, place, ()), it.engine.ship("a", taken, place)):
            with pytest.raises(StepUnableError, match="before"):
                await late
        await it.engine.ship("b", taken, place)
        twice = [it.engine.run("b", command, place, ()) for _ in range(3)]
        ended = await asyncio.gather(*twice, return_exceptions=True)
        assert sum(isinstance(one, StepUnableError) for one in ended) == 2
        # an end that comes before the start keeps it from starting
        await it.engine.kill("c", place)
        with pytest.raises(StepUnableError, match="was here before"):
            await it.engine.ship("c", taken, place)
        assert it.executions() == ["a", "a"]

    drive(tmp_path, story)


def test_a_place_that_is_lost_in_the_middle_is_an_error_and_nothing_runs_twice(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        running = asyncio.create_task(it.run(f"{count('x')} sleep 300.125", needs=Placement(on="fast")))
        await it.until(it.executions)
        it.take_away("big")
        with pytest.raises(LostError, match=r"x was started on big, and its outcome is unknown"):
            await running
        await it.until(lambda: not alive("300.125"))
        assert it.executions() == ["x"]
        # the rest of the fleet goes on
        assert (await it.run("echo on")).stdout == "on\n"

    drive(tmp_path, story)


def test_a_place_that_is_lost_before_the_start_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        await it.run("true")
        it.take_away("big")
        assert (await it.run(f"{count('x')} echo yes")).stdout == "yes\n"
        assert it.said == ["big was lost before x started there; it is placed again"]
        assert it.executions() == ["x"]

    drive(tmp_path, story)


@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_an_end_from_outside_ends_the_whole_group_there(tmp_path: Path, way: str) -> None:
    async def story(it: Fleet) -> None:
        text = f"setsid sleep 300.250 & {count('x')} sleep 300.250"
        running = asyncio.create_task(it.run(text, timeout=1.0 if way == "timeout" else 300.0))
        await it.until(it.executions)
        if way == "cancel":
            running.cancel()
        with pytest.raises(TimeoutError if way == "timeout" else asyncio.CancelledError):
            await running
        assert not alive("300.250")
        assert not it.said

    drive(tmp_path, story)


def test_commands_of_a_driver_that_says_nothing_are_ended(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        place = (await it.engine.places())[0]
        taken = Shipment(snapshot=await snapshot(it.root, LocalProcesses(it.root, ENV)))
        await it.engine.ship("a", taken, place)
        command = CommandSpec(argv=("sh", "-c", f"{count('a')} sleep 300.375"), env=it.env)
        with pytest.raises(StepUnableError, match="was ended"):
            await it.engine.run("a", command, place, ())
        assert it.executions() == ["a"]
        assert not alive("300.375")
        # a driver that goes on telling is not
        assert (await it.run("sleep 2; echo yes")).stdout == "yes\n"

    drive(tmp_path, story, lease=1.0)


def test_no_command_sees_what_another_has_left_and_artifacts_go_on(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        (it.root / ".gitignore").write_text("dist\n")
        (it.root / "new").write_text("n")
        text = "mkdir dist; echo w > dist/a.whl; echo left > left; chmod 500 dist"
        made = await it.run(text, name="build", needs=Placement(on="fast"), artifacts=("dist/*.whl",))
        assert made.artifacts == {"dist/a.whl": Artifact(b"w\n")}
        listing = "find . -name .git -prune -o -type f -print | sort"
        seen = await it.run(listing, needs=Placement(on="fast"), files=made.artifacts)
        assert seen.stdout.split() == ["./.gitignore", "./dist/a.whl", "./new", "./one"]
        with pytest.raises(StepUnableError, match=r"there is no file that matches 'no\*'"):
            await it.run("true", artifacts=("no*",))
        with pytest.raises(StepUnableError, match="links do not come back"):
            await it.run("ln -s /etc/passwd l", artifacts=("l",))

    drive(tmp_path, story)


def test_the_environment_is_the_steps_own_and_output_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")

    async def story(it: Fleet) -> None:
        seen = await it.run("env")
        assert "OWN=own" in seen.stdout
        assert "sk-secret" not in seen.stdout
        many = await it.run("yes | head -c 20000000")
        assert many.cut
        assert len(many.stdout) < 9_000_000

    drive(tmp_path, story)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (
            Placement(cores=8),
            r"no place has 8 cores; there are: small: 1 cores, 1.0 GB; big: 4 cores, 8.0 GB, fast",
        ),
        (Placement(on="gpu"), "no place labelled 'gpu' has 1 cores"),
        (Placement(on="small", memory=2 * GB), "no place labelled 'small' has 1 cores and 2 GB"),
    ],
)
def test_where_no_place_fits_that_is_an_error_at_once(tmp_path: Path, needs: Placement, said: str) -> None:
    async def story(it: Fleet) -> None:
        with pytest.raises(StepUnableError, match=said):
            await it.run("true", needs=needs)

    drive(tmp_path, story)


def test_no_place_gets_more_than_it_has(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        text = "mkdir $COUNTS.lock && sleep 0.1 && rmdir $COUNTS.lock"
        needs = Placement(on="fast", cores=3)
        # another driver does not know what this one has taken: the place does
        other = Fleet(it.engine, it.beside(), it.root, it.counts)
        ended = await asyncio.gather(*(one.run(text, needs=needs) for one in (it, other) * 3))
        assert [done.exit_code for done in ended] == [0] * 6

    drive(tmp_path, story)


def test_another_attempt_begins_only_when_the_first_has_ended(tmp_path: Path) -> None:
    async def story(it: Fleet) -> None:
        running = asyncio.create_task(
            it.run(f"{count('x')} sleep 300.5", needs=Placement(on="fast"), repeatable=True)
        )
        await it.until(it.executions)
        os.kill(it.engine.process_id("big"), signal.SIGSTOP)
        with pytest.raises(LostError, match=r"outcome is unknown: nothing was heard of it for 2 seconds"):
            await running
        assert it.said == ["x may still run on big, for 2 seconds at most"]
        # it comes back, and hears that it was given up
        os.kill(it.engine.process_id("big"), signal.SIGCONT)
        async with it.shell._pulse:
            await it.until(lambda: not alive("300.5"))
        assert it.executions() == ["x"]

    drive(tmp_path, story, lease=2.0)


def test_a_bug_in_the_heartbeat_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    class Broken(LocalFleet):
        beats = 0

        async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
            self.beats += 1
            if self.beats > 2:
                raise ZeroDivisionError("a bug")
            return await super().places(given_up)

    async def story(it: Fleet) -> None:
        with pytest.raises(ZeroDivisionError, match="a bug"):
            await it.run("sleep 300.625")
        assert not alive("300.625")

    drive(tmp_path, story, lease=2.0, kind=Broken)


def test_a_place_of_another_version_gets_nothing(tmp_path: Path) -> None:
    class Old(LocalFleet):
        async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
            return [replace(place, version="0.0.1") for place in await super().places(given_up)]

    async def story(it: Fleet) -> None:
        with pytest.raises(StepUnableError, match=r"small: 1 cores, 1.0 GB, pytest-lok 0.0.1 \(here: "):
            await it.run("true")

    drive(tmp_path, story, kind=Old)


def test_whenever_places_are_lost_nothing_runs_twice_and_nothing_is_green_that_did_not_end(
    tmp_path: Path,
) -> None:
    async def story(it: Fleet) -> None:
        numbers = random.Random(7)

        async def one(name: str) -> bool:
            try:
                text = f"{count(name)} sleep 0.05; {count(f'{name}.end')} exit $(({name} % 2))"
                done = await it.run(text, name=name, needs=Placement(cores=0.5))
            except StepUnableError:
                return False
            assert done.exit_code == int(name) % 2
            assert f"{name}.end" in it.executions()
            return True

        async def lose() -> None:
            await it.until(lambda: len(it.executions()) > numbers.randrange(4, 20))
            it.take_away("big")

        *ended, _ = await asyncio.gather(*(one(str(n)) for n in range(24)), lose())
        started = it.executions()
        assert len(started) == len(set(started))
        assert any(ended)

    drive(tmp_path, story)
