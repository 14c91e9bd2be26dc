"""Estimates: they grow with what is asked, and never take an unknown price for nothing."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.asking.estimate import ANSWER, PlannedQuestion, estimated
from pytest_lok.core.asking.pricing import Price, price_of

QUESTIONS = st.lists(
    st.builds(
        PlannedQuestion,
        backend=st.sampled_from("abc"),
        characters=st.integers(0, 10_000),
        number=st.integers(0, 20),
        price=st.none() | st.builds(Price, input=st.floats(0, 50), output=st.floats(0, 50)),
    )
)


def test_tokens_and_cost() -> None:
    found = estimated([
        PlannedQuestion(backend="a", characters=4_001, number=2, price=Price(input=1.0, output=10.0)),
        PlannedQuestion(backend="b", characters=8),
        PlannedQuestion(backend="b", characters=8),
    ])  # fmt: skip
    assert (found.input_tokens, found.output_tokens) == (2 * 1_001 + 2 + 2, 4 * ANSWER)
    assert found.cost_usd == (2_002 * 1.0 + 2 * ANSWER * 10.0) / 1e6
    assert found.unpriced == ("b",)
    assert found.tokens == found.input_tokens + found.output_tokens


@given(QUESTIONS, QUESTIONS)
def test_more_questions_are_never_less(some: list[PlannedQuestion], more: list[PlannedQuestion]) -> None:
    before, after = estimated(some), estimated([*some, *more])
    assert before.input_tokens <= after.input_tokens
    assert before.output_tokens <= after.output_tokens
    assert before.cost_usd <= after.cost_usd
    assert {*before.unpriced} <= {*after.unpriced}
    assert {*after.unpriced} == {it.backend for it in (*some, *more) if it.price is None and it.number}


def test_the_price_of_a_model() -> None:
    mine = Price(input=1.0, output=2.0)
    assert price_of("x-1", {"x-*": mine}) == mine
    assert price_of("claude-haiku-4-5-20251001", {}) == Price(input=1.0, output=5.0)
    assert price_of("nobody-knows", {}) is None
