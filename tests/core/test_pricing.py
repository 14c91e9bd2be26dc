from __future__ import annotations

import pytest

from pytest_lok.core.pricing import Price, priced
from pytest_lok.core.results import Usage

PRICES = {
    "big-*": Price(input=10, output=20),
    "big-cheap-*": Price(input=1, output=2),
    "big-cheap-1": Price(input=3, output=4),
}
TOKENS = Usage(input_tokens=1_000_000, output_tokens=500_000)


@pytest.mark.parametrize(
    ("model", "cost"),
    [("big-1", 20.0), ("big-cheap-2", 2.0), ("big-cheap-1", 5.0), ("small", None), ("", None)],
)
def test_the_exact_name_wins_then_the_longest_pattern(model: str, cost: float | None) -> None:
    assert priced(TOKENS, model, PRICES).cost_usd == cost


def test_a_reported_cost_is_kept_and_unknown_tokens_cost_an_unknown_sum() -> None:
    reported = Usage(input_tokens=1, cost_usd=0.25)
    assert priced(reported, "big-1", PRICES) is reported
    assert priced(Usage(), "big-1", PRICES).cost_usd is None


def test_one_side_may_be_unknown() -> None:
    assert priced(Usage(output_tokens=1_000_000), "big-1", PRICES).cost_usd == 20.0
