"""At most so many questions at a backend at once, and no answer's time spent waiting in line."""

import asyncio
from dataclasses import replace
from pathlib import Path

from pytest_lok.core.results import Outcome, Reply
from pytest_lok.engine.ports import Limits, Prompt
from pytest_lok.engine.slots import Slots
from pytest_lok.errors import BackendError
from tests.engine.worlds import ran, world

FOUR = "\n".join(f'[[steps]]\nname = "s{n}"\nbackend = "slow"\nprompt = "?"' for n in range(4))


class Slow:
    """Answers after ``seconds`` and remembers how many it was asked at once."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now = 0
        self.most = 0

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(self._seconds)
        self._now -= 1
        return Reply(text="ok", backend=self.name)

    async def aclose(self) -> None:
        pass


def test_a_backend_gets_as_many_questions_as_it_has_slots(tmp_path: Path) -> None:
    for limit in (1, 2):
        backend = Slow(0.02)
        outcomes = ran(FOUR, replace(world(tmp_path, backend), slots={"slow": Slots(limit)})).outcomes
        assert set(outcomes.values()) == {Outcome.PASSED}
        assert backend.most == limit


def test_waiting_in_line_is_no_part_of_the_answers_time(tmp_path: Path) -> None:
    within = world(tmp_path, Slow(0.3), limits=Limits(timeout=1.0))
    assert set(ran(FOUR, replace(within, slots={"slow": Slots(1)})).outcomes.values()) == {Outcome.PASSED}


def test_slots_serve_one_event_loop_after_another() -> None:
    slots = Slots(1)

    async def both() -> list[str]:
        order: list[str] = []

        async def one(name: str) -> None:
            async with slots:
                order.append(name)
                await asyncio.sleep(0)
                order.append(name)

        await asyncio.gather(one("a"), one("b"))
        return order

    for _ in range(2):
        assert asyncio.run(both()) == ["a", "a", "b", "b"]


def test_a_waiter_that_is_cancelled_leaves_the_line() -> None:
    async def story() -> None:
        slots = Slots(1)

        async def one() -> None:
            async with slots:
                await asyncio.sleep(10)

        first = asyncio.create_task(one())
        second = asyncio.create_task(one())
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
        async with asyncio.timeout(10), slots:
            pass

    asyncio.run(story())
