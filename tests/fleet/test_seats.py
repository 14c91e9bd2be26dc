"""Room at places: never more than there is, nobody waits for ever, and many who wait cost no more than few."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence

import pytest

from pytest_lok.core.remote import Placement
from pytest_lok.errors import StepUnableError
from pytest_lok.fleet.port import FleetPlace, PlaceLostError
from pytest_lok.fleet.pulse import Pulse
from pytest_lok.fleet.seats import Seats

GB = 10**9


class Places:
    """Only says which places there are."""

    def __init__(self, *places: FleetPlace) -> None:
        self.there = list(places)

    async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
        return list(self.there)


@pytest.mark.parametrize("seed", range(4))
def test_whoever_waits_gets_room_in_the_end_or_hears_that_there_is_none(seed: int) -> None:
    numbers = random.Random(seed)
    there = Places(
        FleetPlace(name="a", cores=4, memory=4 * GB),
        FleetPlace(name="b", cores=2, memory=8 * GB, labels=("fast",)),
    )
    held: dict[str, list[Placement]] = {"a": [], "b": []}
    ended: list[str] = []

    async def story() -> None:
        pulse = Pulse(there, lease=25.0)  # type: ignore[arg-type]  # only its places are asked for
        seats = Seats(pulse)

        async def one() -> None:
            needs = Placement(
                on=numbers.choice(["", "", "fast"]),
                cores=numbers.choice([0.5, 1, 2]),
                memory=numbers.choice([0, GB, 3 * GB]),
            )
            await asyncio.sleep(numbers.uniform(0, 0.05))
            try:
                async with seats.taken(needs) as place:
                    held[place.name].append(needs)
                    try:
                        assert sum(it.cores for it in held[place.name]) <= place.cores
                        assert sum(it.memory for it in held[place.name]) <= place.memory
                        await asyncio.sleep(numbers.uniform(0, 0.01))
                    finally:
                        held[place.name].remove(needs)
                ended.append("ran")
            except StepUnableError:
                ended.append("none")

        async def lose() -> None:
            await asyncio.sleep(0.04)
            del there.there[1]
            await pulse.refresh()

        tasks = [asyncio.create_task(one()) for _ in range(60)]
        for task in numbers.sample(tasks, 5):
            asyncio.get_running_loop().call_later(numbers.uniform(0, 0.06), task.cancel)
        await asyncio.wait_for(asyncio.gather(*tasks, lose(), return_exceptions=True), 60)
        assert not [task for task in tasks if not task.cancelled() and task.exception()]
        # nothing is held or waited for any more
        async with seats.taken(Placement(cores=4, memory=4 * GB)) as place:
            assert place.name == "a"

    asyncio.run(story())
    assert {"ran", "none"} == set(ended)


def test_many_who_wait_are_woken_one_by_one() -> None:
    async def story() -> int:
        pulse = Pulse(Places(FleetPlace(name="a", cores=2, memory=GB)), lease=25.0)  # type: ignore[arg-type]
        seats = Seats(pulse)
        looks = 0
        free = seats._free

        def counted(placement: Placement) -> FleetPlace | None:
            nonlocal looks
            looks += 1
            return free(placement)

        seats._free = counted  # type: ignore[method-assign]

        async def one() -> None:
            async with seats.taken(Placement()):
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(500)))
        return looks

    assert asyncio.run(story()) < 500 * 6


def test_a_fleet_that_is_not_there_is_not_waited_for_by_each_command_in_turn() -> None:
    class Nobody(Places):
        looks = 0

        async def places(self, given_up: Collection[str] = ()) -> Sequence[FleetPlace]:
            self.looks += 1
            await asyncio.sleep(0.01)
            raise PlaceLostError("no scheduler answers")

    async def story() -> tuple[int, set[str]]:
        nobody = Nobody()
        seats = Seats(Pulse(nobody, lease=25.0))  # type: ignore[arg-type]

        async def one() -> str:
            with pytest.raises(StepUnableError) as unable:
                async with seats.taken(Placement()):
                    pass
            return unable.value.message

        said = await asyncio.gather(*(one() for _ in range(20)))
        return nobody.looks, set(said)

    looks, said = asyncio.run(story())
    assert looks <= 2
    assert said == {"no place of the fleet answers (no scheduler answers), and a place with 1 core is needed"}
