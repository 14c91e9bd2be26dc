"""The tokens of an answer and a price list -> what the answer cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from pytest_lok.core.asking.price_list import LIST_PRICES
from pytest_lok.core.results import Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_SNAPSHOT = late_regex(r"-20\d\d-?\d\d-?\d\d$")  # the day of a model's version


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in USD per million tokens."""

    input: float
    output: float


def add_cost(usage: Usage, model: str, prices: Mapping[str, Price]) -> Usage:
    """The usage with its cost in USD; unchanged if it has a cost already or the model has no known price.

    ``prices`` maps model names, or patterns such as ``claude-*``, to prices; the exact name wins,
    then the longest pattern. A model that no pattern fits has the vendor's list price, if there is one.
    """
    # what the vendor says it cost is better than what a list says
    if usage.cost_usd is not None or usage.tokens is None:
        return usage
    price = price_of(model, prices)
    if price is None:
        return usage
    cost = ((usage.input_tokens or 0) * price.input + (usage.output_tokens or 0) * price.output) / 1e6
    return replace(usage, cost_usd=cost)


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """What a model costs, by the prices as ``add_cost`` reads them; None = nobody knows."""
    return _configured_price(model, prices) or _list_price(model)


def _configured_price(model: str, prices: Mapping[str, Price]) -> Price | None:
    # a name may hold brackets, so an exact name is no pattern
    patterns = [pattern for pattern in prices if pattern == model or fnmatchcase(model, pattern)]
    best = max(patterns, key=lambda pattern: (pattern == model, len(pattern)), default=None)
    return None if best is None else prices[best]


def _list_price(model: str) -> Price | None:
    """The vendor's price; a dated version of a model costs what the model costs."""
    found = LIST_PRICES.get(model) or LIST_PRICES.get(_SNAPSHOT.sub("", model))
    return None if found is None else Price(input=found[0], output=found[1])
