"""What every kind of fleet promises (D1-D10): by real processes, which count their own executions."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.core.remote import Artifact, LostError, Placement
from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.local import LocalFleet
from pytest_lok.fleet.port import FleetEngine, FleetPlace, Shipment
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot
from tests.fleet.clusters import GB, PLACES, SECRET, DaskProcesses
from tests.fleet.stories import Drive, Fleet, Signal, Story, alive, count, fleet
from tests.workspace.test_git_state import ENV


@pytest.fixture(params=["local", "dask"])
def drive(request: pytest.FixtureRequest, tmp_path: Path) -> Drive:
    """Plays a story on each kind of fleet; all its places are there at the beginning."""

    def play(story: Story, *, lease: float = 25.0, spoil: Callable[[Any], None] = lambda _: None) -> None:
        async def on(engine: FleetEngine, send: Signal) -> None:
            spoil(engine)
            async with fleet(tmp_path, engine, send, lease) as it:
                await story(it)

        if request.param == "local":
            local = LocalFleet(PLACES, {**ENV, "LOK_PROCESS": ""}, lease=lease)
            asyncio.run(on(local, lambda name, number: os.kill(local.process_id(name), number)))
        else:
            processes: DaskProcesses = request.getfixturevalue("cluster")
            processes.ensure()
            asyncio.run(on(processes.engine(lease=lease), processes.send))

    return play


def test_an_attempt_starts_once(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        place = (await it.engine.places())[0]
        command = CommandSpec(argv=("sh", "-c", count("a")), env=it.env)
        taken = await snapshot(it.root, LocalProcesses(it.root, ENV))
        await it.engine.ship("a", Shipment(snapshot=taken), place)
        await it.engine.run("a", command, place, ())
        for late in (
            it.engine.run("a", command, place, ()),
            it.engine.ship("a", Shipment(snapshot=taken), place),
        ):
            with pytest.raises(StepUnableError, match="before"):
                await late
        await it.engine.ship("b", Shipment(snapshot=taken), place)
        twice = [it.engine.run("b", command, place, ()) for _ in range(3)]
        ended = await asyncio.gather(*twice, return_exceptions=True)
        assert sum(isinstance(one, StepUnableError) for one in ended) == 2
        # an end that comes before the start keeps it from starting
        await it.engine.kill("c", place)
        with pytest.raises(StepUnableError, match="was here before"):
            await it.engine.ship("c", Shipment(snapshot=taken), place)
        assert it.executions() == ["a", "a"]

    drive(story)


def test_a_place_that_is_lost_in_the_middle_is_an_error_and_nothing_runs_twice(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        running = asyncio.create_task(it.run(f"{count('x')} {it.nap}", needs=Placement(on="fast")))
        await it.until(it.executions)
        it.take_away("big")
        with pytest.raises(LostError, match=r"x was started on big, and its outcome is unknown"):
            await running
        await it.until(lambda: not alive(it.nap))
        assert it.executions() == ["x"]
        # the rest of the fleet goes on
        assert (await it.run("echo on")).stdout == "on\n"

    drive(story)


def test_a_place_that_is_lost_before_the_start_is_replaced_and_that_is_said(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        await it.run("true")
        it.take_away("big")
        assert (await it.run(f"{count('x')} echo yes")).stdout == "yes\n"
        assert it.said == ["big was lost before x started there; it is placed again"]
        assert it.executions() == ["x"]

    drive(story)


@pytest.mark.parametrize("way", ["cancel", "timeout"])
def test_an_end_from_outside_ends_the_whole_group_there(drive: Drive, way: str) -> None:
    async def story(it: Fleet) -> None:
        text = f"setsid {it.nap} & {count('x')} {it.nap}"
        running = asyncio.create_task(it.run(text, timeout=1.0 if way == "timeout" else 300.0))
        await it.until(it.executions)
        if way == "cancel":
            running.cancel()
        with pytest.raises(TimeoutError if way == "timeout" else asyncio.CancelledError):
            await running
        assert not alive(it.nap)
        assert not it.said

    drive(story)


def test_commands_of_a_driver_that_says_nothing_are_ended(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        place = (await it.engine.places())[0]
        taken = await snapshot(it.root, LocalProcesses(it.root, ENV))
        await it.engine.ship("a", Shipment(snapshot=taken), place)
        command = CommandSpec(argv=("sh", "-c", f"{count('a')} {it.nap}"), env=it.env)
        with pytest.raises(StepUnableError, match="was ended"):
            await it.engine.run("a", command, place, ())
        assert it.executions() == ["a"]
        assert not alive(it.nap)
        # a driver that goes on telling is not
        assert (await it.run("sleep 2; echo yes")).stdout == "yes\n"

    drive(story, lease=1.0)


def test_no_command_sees_what_another_has_left_and_artifacts_go_on(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        (it.root / ".gitignore").write_text("dist\n")
        (it.root / "new").write_text("n")
        text = "mkdir dist; echo w > dist/a.whl; echo left > left; chmod 500 dist"
        built = await it.run(text, needs=Placement(on="fast"), artifacts=("dist/*.whl",))
        assert built.artifacts == {"dist/a.whl": Artifact(b"w\n")}
        text = "find . -name .git -prune -o -type f -print | sort"
        seen = await it.run(text, needs=Placement(on="fast"), files=built.artifacts)
        assert seen.stdout.split() == ["./.gitignore", "./dist/a.whl", "./new", "./one"]
        with pytest.raises(StepUnableError, match=r"no file that matches 'no\*'"):
            await it.run("true", artifacts=("no*",))
        with pytest.raises(StepUnableError, match="links do not come back"):
            await it.run("ln -s /etc/passwd l", artifacts=("l",))

    drive(story)


def test_the_environment_is_the_steps_own_and_output_is_bounded(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)

    async def story(it: Fleet) -> None:
        seen = await it.run("env")
        assert "OWN=own" in seen.stdout
        assert "sk-secret" not in seen.stdout
        many = await it.run("yes | head -c 20000000")
        assert many.cut
        assert len(many.stdout) < 9_000_000

    drive(story)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (
            Placement(cores=8),
            r"no place has 8 cores; there are: big: 4 cores, 2.0 GB, fast; small: 1 core, 1.0 GB",
        ),
        (Placement(on="gpu"), "no place labelled 'gpu' has 1 core"),
        (Placement(on="small", memory=2 * GB), "no place labelled 'small' has 1 core and 2 GB"),
    ],
)
def test_where_no_place_fits_that_is_an_error_at_once(drive: Drive, needs: Placement, said: str) -> None:
    async def story(it: Fleet) -> None:
        with pytest.raises(StepUnableError, match=said):
            await it.run("true", needs=needs)

    drive(story)


def test_no_place_gets_more_than_it_has(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        text = "mkdir $COUNTS.lock && sleep 0.1 && rmdir $COUNTS.lock"
        needs = Placement(on="fast", cores=3)
        # another driver does not know what this one has taken: the place does
        ended = await asyncio.gather(*(one.run(text, needs=needs) for one in (it, it.beside()) * 3))
        assert [done.exit_code for done in ended] == [0] * 6

    drive(story)


def test_another_attempt_begins_only_when_the_first_has_ended(drive: Drive) -> None:
    async def story(it: Fleet) -> None:
        running = asyncio.create_task(
            it.run(f"{count('x')} {it.nap}", needs=Placement(on="fast"), repeatable=True)
        )
        await it.until(it.executions)
        it.signal("big", signal.SIGSTOP)
        beside = asyncio.create_task(it.run("sleep 4; echo yes", needs=Placement(on="small")))
        try:
            with pytest.raises(LostError, match=r"outcome is unknown: nothing was heard of it for 4 seconds"):
                await running
            # one that hangs is no reason to lose the others
            assert (await beside).stdout == "yes\n"
        finally:
            it.signal("big", signal.SIGCONT)
        assert it.said == ["x may still run on big, for 4 seconds at most"]
        # it comes back, and hears that it was given up
        async with it.shell._fleet.pulse:
            await it.until(lambda: not alive(it.nap))
        assert it.executions() == ["x"]

    drive(story, lease=3.0)


def test_a_bug_in_the_heartbeat_is_told_and_leaves_nothing_behind(drive: Drive) -> None:
    def spoil(engine: Any) -> None:
        looks, right = itertools.count(), engine.places

        async def places(given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
            if next(looks) > 1:
                raise ZeroDivisionError("a bug")
            found: Sequence[FleetPlace] = await right(given_up)
            return found

        engine.places = places

    async def story(it: Fleet) -> None:
        with pytest.raises(ZeroDivisionError, match="a bug"):
            await it.run(it.nap)
        assert not alive(it.nap)

    drive(story, lease=3.0, spoil=spoil)


def test_a_place_of_another_version_gets_nothing(drive: Drive) -> None:
    def spoil(engine: Any) -> None:
        right = engine.places

        async def places(given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
            return [replace(place, version="0.0.1") for place in await right(given_up)]

        engine.places = places

    async def story(it: Fleet) -> None:
        with pytest.raises(StepUnableError, match=r"small: 1 core, 1.0 GB, pytest-lok 0.0.1 \(here: "):
            await it.run("true")

    drive(story, spoil=spoil)


def test_whenever_places_are_lost_nothing_runs_twice_and_nothing_is_green_that_did_not_end(
    drive: Drive,
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

    drive(story)
