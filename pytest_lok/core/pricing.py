"""Tokens + a price list -> money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pytest_lok.core.results import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float


def priced(usage: Usage, model: str, prices: Mapping[str, Price]) -> Usage:
    """The usage with its cost, where it has none and the price of the model is listed.

    ``prices`` maps model names, or patterns such as ``claude-*``, to prices; the exact name wins,
    then the longest pattern.
    """
    if usage.cost_usd is not None or usage.tokens is None:
        return usage
    patterns = [pattern for pattern in prices if pattern == model or fnmatchcase(model, pattern)]
    if not patterns:
        return usage
    price = prices[max(patterns, key=lambda pattern: (pattern == model, len(pattern)))]
    cost = ((usage.input_tokens or 0) * price.input + (usage.output_tokens or 0) * price.output) / 1e6
    return replace(usage, cost_usd=cost)
