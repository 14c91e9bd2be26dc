"""Tokens + a price list -> money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pytest_lok.core.asking.price_list import LISTED
from pytest_lok.core.results import Usage

_SNAPSHOT = re.compile(r"-20\d\d-?\d\d-?\d\d$")  # the day of a model's version


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float


def priced(usage: Usage, model: str, prices: Mapping[str, Price]) -> Usage:
    """The usage with its cost, where it has none and the price of the model is listed.

    ``prices`` maps model names, or patterns such as ``claude-*``, to prices; the exact name wins,
    then the longest pattern. What none of them fits has the vendor's price, if that is listed.
    """
    if usage.cost_usd is not None or usage.tokens is None:
        return usage
    price = _given(model, prices) or _listed(model)
    if price is None:
        return usage
    cost = ((usage.input_tokens or 0) * price.input + (usage.output_tokens or 0) * price.output) / 1e6
    return replace(usage, cost_usd=cost)


def _given(model: str, prices: Mapping[str, Price]) -> Price | None:
    patterns = [pattern for pattern in prices if pattern == model or fnmatchcase(model, pattern)]
    best = max(patterns, key=lambda pattern: (pattern == model, len(pattern)), default=None)
    return None if best is None else prices[best]


def _listed(model: str) -> Price | None:
    """The vendor's price; a dated version of a model costs what the model costs."""
    found = LISTED.get(model) or LISTED.get(_SNAPSHOT.sub("", model))
    return None if found is None else Price(input=found[0], output=found[1])
