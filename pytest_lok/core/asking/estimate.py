"""Questions that are planned -> about how many tokens and how much money they take, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_lok.core.asking.pricing import Price
from pytest_lok.dataclass import dataclass

CHARACTERS = 4
"""Characters of a token, as most models count text in English and code."""

ANSWER = 500
"""Tokens of an answer of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQuestion:
    """So many questions of one kind to one backend: the ``characters`` of each, and what its model costs.

    ``price`` None = not known.
    """

    backend: str
    characters: int
    number: int = 1
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What questions take by an estimate. ``cost_usd`` is of those whose price is known.

    ``unpriced`` are the backends whose price is not known, each once.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


def estimated(questions: Iterable[PlannedQuestion]) -> Estimate:
    """The estimate for all of the questions, each with an answer of ``ANSWER`` tokens."""
    sent = received = 0
    cost = 0.0
    unpriced: dict[str, None] = {}
    for question in questions:
        tokens = -(-question.characters // CHARACTERS) * question.number
        answers = ANSWER * question.number
        sent += tokens
        received += answers
        if question.price is not None:
            cost += (tokens * question.price.input + answers * question.price.output) / 1e6
        elif question.number:
            unpriced[question.backend] = None
    return Estimate(input_tokens=sent, output_tokens=received, cost_usd=cost, unpriced=tuple(unpriced))
