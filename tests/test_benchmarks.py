"""The models the benchmarks compare with are right: a wrong floor would flatter us."""

import random

import pytest

from benchmarks.conditions import conditions
from benchmarks.makespan import around, critical_path, for_each, ladder, level_barrier
from benchmarks.measure import Ratio, Row, table
from benchmarks.runs import Job


def test_the_ladder_is_the_known_one() -> None:
    jobs = ladder(5, scale=1)
    assert critical_path(jobs) == pytest.approx(3.0)
    assert level_barrier(jobs) == pytest.approx(10.2)


def test_a_barrier_takes_items_one_by_one_and_the_ideal_all_at_once() -> None:
    each = for_each(random.Random(1), items=20, scale=1)
    assert isinstance(each.seconds, list)
    jobs = around(each)
    assert critical_path(jobs) == pytest.approx(max(each.seconds) + 0.4)
    assert level_barrier(jobs) == pytest.approx(sum(each.seconds) + 0.4)


def test_a_chain_has_nothing_to_gain() -> None:
    jobs = [Job(name="a", seconds=1), Job(name="b", seconds=2, after=["a"])]
    assert critical_path(jobs) == level_barrier(jobs) == 3


def test_the_table_says_which_goals_are_met() -> None:
    rows = [
        Row(group="g", what="good", ratio=1.0, goal=1.02),
        Row(group="g", what="bad", ratio=1.1, goal=1.02),
        Row(group="g", what="known", ratio=9),
    ]
    _, _, _, good, bad, known = table(rows).splitlines()
    assert " met" in good
    assert "MISSED" in bad
    assert "met" not in known.lower()


def test_a_ratio_of_rounds_knows_how_far_they_lie_apart() -> None:
    steady, shaky = Ratio.median([2.0, 2.0, 2.0, 2.0]), Ratio.median([1.0, 2.0, 2.0, 3.0, 4.0, 9.0, 2.0, 2.0])
    assert (steady, steady.spread) == (2.0, 0.0)
    assert shaky == 2.0
    assert shaky.spread == pytest.approx(0.5)
    least = Ratio.least([0.3, 0.2, 0.25], 0.1)
    assert least == pytest.approx(2.0)
    assert least.spread == pytest.approx(0.25)
    assert "25%" in table([Row(group="g", what="w", ratio=least)])


def test_the_conditions_name_what_figures_depend_on() -> None:
    said = "\n".join(conditions())
    for word in ("processor:", "cores", "system:", "python:", "bytecode:", "load:"):
        assert word in said
