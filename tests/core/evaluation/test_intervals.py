"""Wilson's interval and McNemar's test, each beside what it is defined by."""

from __future__ import annotations

from itertools import product
from math import comb, sqrt

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.evaluation.intervals import Z_95, mcnemar, wilson


def is_plausible(share: float, truth: float, trials: int) -> bool:
    """Whether the score test does not reject the truth: what the interval is the set of."""
    return abs(share - truth) <= Z_95 * sqrt(truth * (1 - truth) / trials)


def edge(share: float, trials: int, *, low: bool) -> float:
    """The end of that set, by halving."""
    inside, outside = share, 0.0 if low else 1.0
    if is_plausible(share, outside, trials):
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if is_plausible(share, middle, trials):
            inside = middle
        else:
            outside = middle
    return inside


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.floats(0, n), st.just(n))))
def test_the_interval_is_what_the_score_test_does_not_reject(drawn: tuple[float, int]) -> None:
    successes, trials = drawn
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert abs(low - edge(successes / trials, trials, low=True)) < 1e-6
    assert abs(high - edge(successes / trials, trials, low=False)) < 1e-6


def test_the_interval_has_the_truth_in_it_as_often_as_it_says() -> None:
    """By all outcomes of a binomial, each with its probability: 95 % on average over the truth."""
    for trials in (10, 20, 30):
        covered = []
        for percent in range(1, 100):
            truth = percent / 100
            hit = [low <= truth <= high for low, high in (wilson(k, trials) for k in range(trials + 1))]
            chance = [comb(trials, k) * truth**k * (1 - truth) ** (trials - k) for k in range(trials + 1)]
            covered.append(sum(p for p, inside in zip(chance, hit, strict=True) if inside))
        assert 0.945 < sum(covered) / len(covered) < 0.965
        assert min(covered) > 0.82


def test_without_trials_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_counts_the_coins_that_are_as_uneven(one: int, other: int) -> None:
    tosses = list(product((0, 1), repeat=min(one + other, 12)))
    if one + other > 12:
        return
    uneven = [abs(2 * sum(toss) - len(toss)) >= abs(one - other) for toss in tosses]
    assert abs(mcnemar(one, other) - sum(uneven) / len(uneven)) < 1e-12
    assert mcnemar(one, other) == mcnemar(other, one)


def test_many_pairs_are_no_problem() -> None:
    assert mcnemar(0, 5_000) == 0.0
    assert mcnemar(3_000, 3_000) == 1.0
