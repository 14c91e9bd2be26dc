from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lok.core.asking.price_list import LIST_DATE, LIST_PRICES
from pytest_lok.core.asking.pricing import Price, add_cost
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
    assert add_cost(TOKENS, model, PRICES).cost_usd == cost


def test_a_reported_cost_is_kept_and_unknown_tokens_cost_an_unknown_sum() -> None:
    reported = Usage(input_tokens=1, cost_usd=0.25)
    assert add_cost(reported, "big-1", PRICES) is reported
    assert add_cost(Usage(), "big-1", PRICES).cost_usd is None


def test_one_side_may_be_unknown() -> None:
    assert add_cost(Usage(output_tokens=1_000_000), "big-1", PRICES).cost_usd == 20.0


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-5.4", 10.0),
        ("gpt-5.4-2026-03-05", 10.0),
        ("gpt-5.4-mini", 3.0),
        ("claude-haiku-4-5-20251001", 3.5),
        ("gpt-5.4-pro", None),  # not what it begins with
        ("gpt-5.4-2026", None),
        ("claude", None),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", None),
    ],
)
def test_a_model_that_is_not_given_a_price_costs_what_its_vendor_lists(
    model: str, cost: float | None
) -> None:
    assert add_cost(TOKENS, model, PRICES).cost_usd == cost


@pytest.mark.parametrize("pattern", ["gpt-5.4-2026-03-05", "gpt-5.4*", "*"])
def test_a_price_that_is_given_wins_over_the_listed_one_however_short(pattern: str) -> None:
    assert add_cost(TOKENS, "gpt-5.4-2026-03-05", {pattern: Price(input=0, output=1)}).cost_usd == 0.5


def test_the_settings_page_tells_of_when_the_list_is() -> None:
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert f"[{LIST_DATE}](../pytest_lok/core/asking/price_list.py)" in " ".join(page.read_text().split())


def test_the_list_holds_names_and_prices() -> None:
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in LIST_PRICES)  # a pattern would take in others
    assert all(0 < taken < given for taken, given in LIST_PRICES.values())
