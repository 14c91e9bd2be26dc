"""Counts of yes and no -> how sure a share of them is: Wilson's interval, and McNemar's exact test."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % on either side."""


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, between 0 and 1; all of that without trials.

    ``successes`` may be a sum of shares: a trial that was repeated counts as one, with its mean.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, Z_95 * Z_95
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z_95 * sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    # at its ends the formula is exact, and floating point is not
    low = 0.0 if not successes else min(max(0.0, middle - half), share)
    high = 1.0 if successes == trials else max(min(1.0, middle + half), share)
    return low, high


def mcnemar(one: int, other: int) -> float:
    """The exact two-sided p of McNemar's test, from the pairs in which only the one, or the other, was right.

    It is how often a fair coin would be at least as uneven over all of these pairs; 1.0 without any.
    """
    pairs, fewer = one + other, min(one, other)
    ways = tail = 1
    for heads in range(fewer):
        ways = ways * (pairs - heads) // (heads + 1)
        tail += ways
    whole: int = 1 << pairs
    return min(1.0, 2 * tail / whole)
