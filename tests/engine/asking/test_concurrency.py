"""So many questions at a backend at once and per minute, fewer under pressure, no answer's time spent in line."""

import asyncio
import math
import selectors
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.events import StepFinished, StepStarted
from pytest_lok.core.results import Outcome, Reply
from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
from pytest_lok.engine.ports import Limits, Prompt
from pytest_lok.errors import BackendError, BackendFault
from tests.engine.worlds import ran, world

FOUR = "\n".join(f'[[steps]]\nname = "s{n}"\nbackend = "slow"\nprompt = "?"' for n in range(4))


class Slow:
    """Answers after ``seconds`` and remembers how many it was asked at once; ``asked`` is a file to make then."""

    name = "slow"

    def __init__(self, seconds: float, *, asked: Path | None = None) -> None:
        self._seconds = seconds
        self._asked = asked
        self._now = 0
        self.most = 0

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        self._now += 1
        self.most = max(self.most, self._now)
        if self._asked is not None:
            self._asked.touch()
        await asyncio.sleep(self._seconds)
        self._now -= 1
        return Reply(text="ok", backend=self.name)

    async def aclose(self) -> None:
        pass


def test_a_backend_gets_as_many_questions_as_it_has_slots(tmp_path: Path) -> None:
    for limit in (1, 2):
        backend = Slow(0.02)
        outcomes = ran(
            FOUR, replace(world(tmp_path, backend), limiters={"slow": ConcurrencyLimiter(limit)})
        ).outcomes
        assert set(outcomes.values()) == {Outcome.PASSED}
        assert backend.most == limit


def test_waiting_in_line_is_no_part_of_the_answers_time(tmp_path: Path) -> None:
    within = world(tmp_path, Slow(0.3), limits=Limits(timeout=1.0))
    assert set(ran(FOUR, replace(within, limiters={"slow": ConcurrencyLimiter(1)})).outcomes.values()) == {
        Outcome.PASSED
    }


def test_who_waits_for_a_place_has_not_begun(tmp_path: Path) -> None:
    within = replace(world(tmp_path, Slow(0.2)), limiters={"slow": ConcurrencyLimiter(1)})
    done = ran(FOUR, within)
    happened = [event for event in done.events if isinstance(event, (StepStarted, StepFinished))]
    assert [type(event) for event in happened] == [StepStarted, StepFinished] * 4
    assert all(0.2 <= step.seconds < 0.4 for step in done.result.steps.values()), (
        "the wait is not the step's own"
    )


def test_an_item_that_waits_for_a_place_has_not_begun(tmp_path: Path) -> None:
    text = '[[steps]]\nname = "each"\nbackend = "slow"\nfor_each = [1, 2, 3]\nprompt = "{{ item }}"'
    done = ran(text, replace(world(tmp_path, Slow(0.2)), limiters={"slow": ConcurrencyLimiter(1)}))
    each = done.result.steps["each"]
    assert all(0.2 <= item.seconds < 0.4 for item in each.items)
    assert 0.6 <= each.seconds < 1.0


def test_who_waits_for_a_place_when_the_run_stops_was_not_run(tmp_path: Path) -> None:
    bad = '[[steps]]\nname = "bad"\nshell = "while [ ! -e asked ]; do sleep 0.01; done; exit 1"\n'
    backend = Slow(30, asked=tmp_path / "asked")
    within = replace(world(tmp_path, backend), limiters={"slow": ConcurrencyLimiter(1)})
    result = ran(bad + FOUR, within, fail_fast=True).result
    assert result.steps["s0"].outcome is Outcome.ERROR
    assert result.steps["s0"].reason.startswith("cancelled: ")
    for name in ("s1", "s2", "s3"):
        step = result.steps[name]
        assert (step.outcome, step.attempts, step.blocked_by) == (Outcome.SKIPPED, 0, "bad")
        assert step.reason.startswith("not run: ")


def test_commands_wait_for_a_slot_and_let_questions_pass(tmp_path: Path) -> None:
    wait = "while [ ! -e asked ]; do sleep 0.01; done; rm lock"
    text = f'[[steps]]\nname = "long"\nshell = "touch lock; {wait}"\n'
    text += '[[steps]]\nname = "next"\nshell = "test ! -e lock"\n'
    text += '[[steps]]\nname = "s0"\nbackend = "slow"\nprompt = "?"\nverify = "test ! -e lock"\n'
    within = world(tmp_path, Slow(0.0, asked=tmp_path / "asked"), limits=Limits(max_parallel=1, timeout=20.0))
    assert set(ran(text, within).outcomes.values()) == {Outcome.PASSED}


def test_slots_serve_one_event_loop_after_another() -> None:
    limiter = ConcurrencyLimiter(1)

    async def both() -> list[str]:
        order: list[str] = []

        async def one(name: str) -> None:
            async with limiter.slot():
                order.append(name)
                await asyncio.sleep(0)
                order.append(name)

        await asyncio.gather(one("a"), one("b"))
        return order

    for _ in range(2):
        assert asyncio.run(both()) == ["a", "a", "b", "b"]


def test_a_waiter_that_is_cancelled_leaves_the_line() -> None:
    async def story() -> None:
        limiter = ConcurrencyLimiter(1)

        async def one() -> None:
            async with limiter.slot():
                await asyncio.sleep(10)

        first = asyncio.create_task(one())
        second = asyncio.create_task(one())
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
        async with asyncio.timeout(10), limiter.slot():
            pass

    asyncio.run(story())


def test_a_waiter_that_is_cancelled_as_its_turn_comes_gives_it_on() -> None:
    async def story() -> None:
        limiter = ConcurrencyLimiter(1)
        release = asyncio.Event()

        async def one() -> None:
            async with limiter.slot():
                await release.wait()

        first, second, third = (asyncio.create_task(one()) for _ in range(3))
        await asyncio.sleep(0)
        release.set()
        await first
        second.cancel()
        async with asyncio.timeout(10):
            await third

    asyncio.run(story())


def failure(kind: BackendFault) -> BackendError:
    return BackendError("no", kind=kind, backend="slow")


async def question(limiter: ConcurrencyLimiter, kind: BackendFault | None = None) -> None:
    """One that ends well, or in a failure of that kind, after others have begun."""
    try:
        async with limiter.slot():
            await asyncio.sleep(0)
            if kind is not None:
                raise failure(kind)
    except BackendError:
        pass


async def wave(limiter: ConcurrencyLimiter, size: int, kind: BackendFault | None = None) -> None:
    await asyncio.gather(*(question(limiter, kind) for _ in range(size)))


@pytest.mark.parametrize("kind", [BackendFault.RATE_LIMIT, BackendFault.OVERLOAD])
def test_pressure_halves_the_places_once_per_wave(kind: BackendFault) -> None:
    limiter, seen = ConcurrencyLimiter(8), []

    async def story() -> None:
        for _ in range(5):
            await wave(limiter, int(limiter.capacity), kind)
            seen.append(limiter.capacity)

    asyncio.run(story())
    assert seen == [4, 2, 1, 1, 1]


@pytest.mark.parametrize(
    "kind", [k for k in BackendFault if k not in (BackendFault.RATE_LIMIT, BackendFault.OVERLOAD)]
)
def test_other_failures_are_no_pressure(kind: BackendFault) -> None:
    limiter = ConcurrencyLimiter(8)
    asyncio.run(wave(limiter, 8, kind))
    assert limiter.capacity == 8


def test_places_come_back_one_by_one() -> None:
    limiter, seen = ConcurrencyLimiter(4), []

    async def story() -> None:
        await wave(limiter, 4, BackendFault.OVERLOAD)
        while limiter.capacity < 4:
            await question(limiter)
            seen.append(limiter.capacity)
        await wave(limiter, 20)

    asyncio.run(story())
    # after two answers on two places, and three on three
    assert seen == [2, 2, 3, 3, 3, 4]
    assert limiter.capacity == 4


def test_any_number_at_once_ends_where_it_was_too_much() -> None:
    limiter = ConcurrencyLimiter()
    assert math.isinf(limiter.capacity)
    asyncio.run(wave(limiter, 12, BackendFault.RATE_LIMIT))
    assert limiter.capacity == 6


def test_a_halving_keeps_the_line_in_order_and_lets_everybody_in() -> None:
    limiter, served = ConcurrencyLimiter(4), []

    async def story() -> None:
        async def one(number: int) -> None:
            await question(limiter, BackendFault.OVERLOAD if number < 4 else None)
            served.append(number)

        async with asyncio.timeout(30):
            await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(story())
    assert served == list(range(20))


class Strict(Slow):
    """A server that bears two questions at once, and says so to every further one."""

    async def ask(self, prompt: Prompt) -> Reply:
        if self._now >= 2:
            raise failure(BackendFault.OVERLOAD)
        return await super().ask(prompt)


def test_steps_that_try_again_get_through_a_server_that_bears_less_than_was_thought(tmp_path: Path) -> None:
    many = "\n".join(
        f'[[steps]]\nname = "s{n}"\nbackend = "slow"\nprompt = "?"\nretries = 6\nretry_delay = 20'
        for n in range(8)
    )
    limiter = ConcurrencyLimiter(8)
    outcomes = ran(many, replace(world(tmp_path, Strict(0.01)), limiters={"slow": limiter})).outcomes
    assert set(outcomes.values()) == {Outcome.PASSED}
    assert limiter.capacity < 8


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on only while it waits for a timer, and then at once."""

    class Selector(selectors.DefaultSelector):
        now = 0.0

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            self.now += timeout or 0.0
            return super().select(timeout and 0.0)

    def __init__(self) -> None:
        self._clock = self.Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


@pytest.mark.parametrize("questions", [3, 8])
def test_so_many_begin_per_minute(questions: int) -> None:
    began: list[float] = []
    limiter = ConcurrencyLimiter(per_minute=3)

    async def one() -> None:
        async with limiter.slot():
            began.append(asyncio.get_running_loop().time())

    async def story() -> None:
        await asyncio.gather(*(one() for _ in range(questions)))

    with asyncio.Runner(loop_factory=Clockwork) as runner:
        runner.run(story())
    assert began == [0, 0, 0, 60, 60, 60, 120, 120][:questions]


def test_limits_can_be_nested() -> None:
    async def story() -> None:
        wide = ConcurrencyLimiter(1)
        narrow = [ConcurrencyLimiter(4, parent=wide), ConcurrencyLimiter(4, parent=wide)]
        backend = Slow(0)

        async def one(limiter: ConcurrencyLimiter) -> None:
            async with limiter.slot():
                await backend.ask(Prompt(text="?"))

        await asyncio.gather(*(one(limiter) for limiter in narrow * 4))
        assert backend.most == 1

    asyncio.run(story())
