from __future__ import annotations

import graphlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Step
from pytest_lok.core.workflow.schedule import Schedule, outdated
from tests.core.steps import ended, passed, step, steps


def ready(schedule: Schedule) -> list[str]:
    names = []
    while (taken := schedule.take()) is not None:
        names.append(taken.name)
    return names


def test_a_step_is_ready_the_moment_its_own_needs_are_done() -> None:
    schedule = Schedule(steps("slow a b:a c:slow,b"))
    assert ready(schedule) == ["slow", "a"]
    schedule.settle(passed("a"))
    assert ready(schedule) == ["b"], "b does not wait for slow, which is on a's level"
    schedule.settle(passed("b"))
    assert ready(schedule) == []
    schedule.settle(passed("slow"))
    assert ready(schedule) == ["c"]
    schedule.settle(passed("c"))
    assert schedule.done


def test_what_is_known_is_not_taken_again() -> None:
    schedule = Schedule(steps("a b:a c:b d e:d f"))
    unrun = schedule.resume([passed("b"), passed("a"), ended("d", Outcome.ERROR)])
    assert [(r.name, r.blocked_by) for r in unrun] == [("e", "d")]
    assert sorted(ready(schedule)) == ["c", "f"]
    schedule.settle(passed("c"))
    schedule.settle(passed("f"))
    assert schedule.done


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR])
def test_what_breaks_blocks_every_descendant_and_nothing_else(outcome: Outcome) -> None:
    schedule = Schedule(steps("a b:a c:b d:c other"))
    assert ready(schedule) == ["a", "other"]
    unrun = schedule.settle(ended("a", outcome))
    assert [(r.name, r.outcome, r.blocked_by) for r in unrun] == [
        (name, Outcome.SKIPPED, "a") for name in ("b", "c", "d")
    ]
    assert "'a'" in unrun[-1].reason
    assert ready(schedule) == []
    assert not schedule.done


@pytest.mark.parametrize("outcome", [Outcome.SOFT, Outcome.SKIPPED, Outcome.PASSED])
def test_soft_skipped_and_passed_let_dependents_run(outcome: Outcome) -> None:
    schedule = Schedule(steps("a b:a"))
    ready(schedule)
    assert schedule.settle(ended("a", outcome)) == []
    assert ready(schedule) == ["b"]


def test_min_deps_success_counts_those_that_passed() -> None:
    schedule = Schedule([*steps("a b c"), step("d", "a", "b", "c", min_deps_success=2)])
    ready(schedule)
    schedule.settle(passed("a"))
    schedule.settle(ended("b", Outcome.FAILED))
    assert ready(schedule) == [], "it waits until every dependency is settled"
    schedule.settle(passed("c"))
    assert ready(schedule) == ["d"]


@pytest.mark.parametrize(("soft", "outcome"), [(False, Outcome.ERROR), (True, Outcome.SOFT)])
def test_too_few_passed_dependencies_are_an_error_and_block_or_not(soft: bool, outcome: Outcome) -> None:
    schedule = Schedule([*steps("a b"), step("c", "a", "b", min_deps_success=2, soft=soft), step("d", "c")])
    ready(schedule)
    schedule.settle(passed("a"))
    unrun = schedule.settle(ended("b", Outcome.SOFT))
    assert unrun[0].outcome is outcome
    assert "1 of 2 dependencies passed, 2 needed (min_deps_success): b failed softly" in unrun[0].reason
    assert [r.name for r in unrun] == (["c"] if soft else ["c", "d"])
    assert ready(schedule) == (["d"] if soft else [])


def test_a_reference_that_is_not_declared_is_not_counted_but_still_blocks() -> None:
    counted = Step(name="c", action=step("x").action, depends_on=("a",), needs=("a", "b"), min_deps_success=1)
    schedule = Schedule([*steps("a b"), counted])
    ready(schedule)
    schedule.settle(passed("a"))
    assert [r.blocked_by for r in schedule.settle(ended("b", Outcome.FAILED))] == ["b"]


def test_abandoning_settles_everything_once() -> None:
    schedule = Schedule(steps("a b:a c"))
    ready(schedule)
    schedule.settle(passed("a"))
    left = schedule.abandon("not run: interrupted")
    assert [(r.name, r.outcome) for r in left] == [("b", Outcome.ERROR), ("c", Outcome.ERROR)]
    assert schedule.done
    assert schedule.take() is None
    assert schedule.abandon("again") == []


def test_a_chain_of_5000_and_a_fan_out_of_10000_are_no_recursion() -> None:
    chain = [step("s0"), *(step(f"s{i}", f"s{i - 1}") for i in range(1, 5000))]
    schedule = Schedule(chain)
    assert ready(schedule) == ["s0"]
    assert len(schedule.settle(ended("s0", Outcome.FAILED))) == 4999
    assert schedule.done
    fan = Schedule([step("root"), *(step(f"leaf{i}", "root") for i in range(10_000))])
    ready(fan)
    fan.settle(passed("root"))
    assert len(ready(fan)) == 10_000


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    """Random DAGs in random file order, with random tolerance."""
    count = draw(st.integers(1, 12))
    made: list[Step] = []
    for number in range(count):
        needs = draw(st.lists(st.sampled_from(range(number)), unique=True, max_size=4)) if number else []
        names = tuple(f"s{need}" for need in needs)
        tolerated = draw(st.none() | st.integers(1, len(names))) if names else None
        made.append(step(f"s{number}", *names, min_deps_success=tolerated, soft=draw(st.booleans())))
    return draw(st.permutations(made))


@given(graphs(), st.data())
def test_every_step_comes_out_exactly_once_after_its_needs(graph: list[Step], data: st.DataObject) -> None:
    """Random DAGs, random outcomes, random order of finishing: nothing is lost, doubled or early."""
    schedule = Schedule(graph)
    needs = {s.name: s.needs for s in graph}
    results: dict[str, StepResult] = {}
    running: list[str] = ready(schedule)
    taken = list(running)
    stop_after = data.draw(st.none() | st.integers(0, len(graph)), label="stop after")
    while running and len(results) != stop_after:
        name = running.pop(data.draw(st.integers(0, len(running) - 1)))
        outcome = data.draw(st.sampled_from(list(Outcome)))
        for result in (settled := ended(name, outcome)), *schedule.settle(settled):
            assert result.name not in results
            results[result.name] = result
        for started in ready(schedule):
            assert all(need in results for need in needs[started])
            running.append(started)
            taken.append(started)
    for result in schedule.abandon("stopped"):
        assert result.name not in results
        results[result.name] = result
    assert schedule.done
    assert dict(schedule.results) == results
    assert results.keys() == needs.keys()
    assert len(taken) == len(set(taken))
    for blocked in (r for r in results.values() if r.blocked):
        root = results[blocked.blocked_by]
        assert root.outcome.red
        assert _reaches(needs, blocked.name, root.name)


def _reaches(needs: dict[str, tuple[str, ...]], start: str, goal: str) -> bool:
    todo, seen = [start], set()
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += needs[name]
    return False


@given(graphs())
def test_the_order_of_starting_agrees_with_graphlib(graph: list[Step]) -> None:
    schedule = Schedule(graph)
    sorter = graphlib.TopologicalSorter({s.name: s.needs for s in graph})
    sorter.prepare()
    while sorter.is_active():
        expected = set(sorter.get_ready())
        assert set(ready(schedule)) == expected
        for name in expected:
            schedule.settle(passed(name))
        sorter.done(*expected)
    assert schedule.done


def test_what_did_not_run_is_open_again_where_a_result_it_rests_on_is_replaced() -> None:
    chain = steps("a b:a c:b e d:e")
    results = {
        "a": StepResult(name="a", outcome=Outcome.PASSED, attempts=2),
        "b": StepResult(name="b", outcome=Outcome.SKIPPED, reason="blocked", blocked_by="a"),
        "c": StepResult(name="c", outcome=Outcome.SKIPPED, reason="blocked", blocked_by="a"),
        "d": StepResult(name="d", outcome=Outcome.FAILED, attempts=1),
    }
    order = {"a": 1, "b": 2, "c": 3, "d": 4}
    assert outdated(chain, results, order) == frozenset()
    assert outdated(chain, results, order | {"a": 5}) == {"b", "c"}
    assert outdated(chain, results, order | {"e": 5}) == frozenset(), "what ran stays"
    withheld = {**results, "b": StepResult(name="b", outcome=Outcome.SKIPPED, reason="x", blocked_by="b")}
    assert outdated(chain, withheld, order | {"a": 5}) == frozenset(), "somebody else keeps it from running"
