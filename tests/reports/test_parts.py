from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_lok.core.results import ItemResult, Outcome, Reply
from pytest_lok.reports.parts import subtests_of
from tests.core.reports import finding
from tests.reports.results import FAILED, PASSED

P, F, E = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR


def items(*outcomes: Outcome) -> tuple[ItemResult, ...]:
    return tuple(ItemResult(index=n, item=n, outcome=it, reason="no") for n, it in enumerate(outcomes))


@pytest.mark.parametrize(
    ("number", "shown", "last"),
    [(3, 3, ""), (50, 50, ""), (51, 50, "and 2 more"), (9_000, 50, "and 8,951 more")],
)
def test_of_many_blocking_findings_the_first_are_parts_and_the_others_are_counted(
    number: int, shown: int, last: str
) -> None:
    many = tuple(finding(line=at + 1, standing="blocks") for at in range(number))
    parts = subtests_of(replace(FAILED, findings=many))
    assert len(parts) == shown
    assert {it.outcome for it in parts} == {F}
    assert not last or parts[-1].name == last


@pytest.mark.parametrize(
    ("outcomes", "last"),
    [([P] * 60, P), ([P] * 60 + [F], P), ([F] * 60, F), ([F] * 49 + [E] * 5 + [P] * 30, E)],
)
def test_what_stands_for_many_items_is_as_red_as_they_are(outcomes: list[Outcome], last: Outcome) -> None:
    parts = subtests_of(replace(FAILED, items=items(*outcomes)))
    assert len(parts) == 50
    assert (parts[-1].name, parts[-1].outcome) == (f"and {len(outcomes) - 49} more", last)
    assert parts[-1].reason.endswith("more parts of this step are not listed")


def test_one_part_is_the_step_itself() -> None:
    assert subtests_of(replace(FAILED, items=items(F))) == []
    assert subtests_of(PASSED) == []
    two = replace(PASSED, replies=tuple(Reply(text="x", backend=name) for name in "ab"))
    assert [it.name for it in subtests_of(two)] == ["a", "b"]
