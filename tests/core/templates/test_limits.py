"""What one rendering may make and go through."""

from __future__ import annotations

import pytest

from pytest_lok.core.templates import limits
from pytest_lok.core.templates.limits import RenderingBudget, check_growth, check_option
from pytest_lok.errors import TemplateError


def test_work_is_counted_and_what_is_given_allows_more() -> None:
    budget = RenderingBudget(10)
    budget.spend(limits.MAX_WORK + 10)
    with pytest.raises(TemplateError, match="takes too long"):
        budget.spend(1)


def test_time_is_asked_for_now_and_then() -> None:
    def over() -> float:
        raise TimeoutError

    budget = RenderingBudget(0, time_left=over)
    budget.spend(1000)
    with pytest.raises(TimeoutError):
        budget.spend(1)


def test_what_is_in_a_list_twice_counts_twice() -> None:
    inner = ["a" * 640]
    assert RenderingBudget(0).measure([inner, inner]) == RenderingBudget(0).measure(
        [["a" * 640], ["b" * 640]]
    )


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        ("*", "a", limits.MAX_TEXT + 1),
        ("*", limits.MAX_TEXT + 1, "a"),
        ("**", 2, 5_000),
        ("*", 1 << 4_000, 1 << 200),
    ],
)
def test_an_operation_that_would_grow_too_far_is_not_begun(
    operator: str, left: object, right: object
) -> None:
    with pytest.raises(TemplateError, match="too large"):
        check_growth(RenderingBudget(0), operator, left, right)
    check_growth(RenderingBudget(0), operator, 2, 3)


def test_options_of_filters_are_small() -> None:
    for option in (limits.MAX_OPTION, "a" * limits.MAX_OPTION, None, True):
        check_option(option)
    for option in (-limits.MAX_OPTION - 1, "a" * (limits.MAX_OPTION + 1)):
        with pytest.raises(TemplateError, match="too large here"):
            check_option(option)
