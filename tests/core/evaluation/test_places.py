"""Which finding meets which expectation."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.evaluation.case import ChangeSource, EvalCase, Expectation
from pytest_lok.core.evaluation.places import MOST_MORE_LINES, ExpectedFindings
from pytest_lok.errors import CaseError
from tests.core.evaluation.reviews import CODE, SOURCE, expected, found

LINES = st.integers(1, 30)
SPANS = st.tuples(LINES, LINES).map(lambda it: (min(it), max(it)))


def near(one: tuple[int, int], other: tuple[int, int], margin: int) -> bool:
    """The rule again, by counting lines."""
    around = {line + by for line in range(one[0], one[1] + 1) for by in range(-margin, margin + 1)}
    return bool(around & set(range(other[0], other[1] + 1)))


@given(st.lists(SPANS, min_size=1, max_size=4), st.lists(SPANS, max_size=4), st.integers(0, 5))
def test_as_many_are_met_as_can_be(
    must: list[tuple[int, int]], said: list[tuple[int, int]], margin: int
) -> None:
    whole = expected(*must, margin=margin)
    findings = [found(line, end=end) for line, end in said]

    def fits(place: tuple[int, int], finding: tuple[int, int]) -> bool:
        longer = (finding[1] - finding[0]) - (place[1] - place[0])
        return near(place, finding, margin) and longer <= MOST_MORE_LINES

    slots = [*said, *[None] * len(must)]
    best = max(
        sum(one is not None and fits(place, one) for place, one in zip(must, order, strict=False))
        for order in permutations(slots, len(must))
    )
    met = whole.met(findings)
    assert sum(it is not None for it in met) == best
    used = [it for it in met if it is not None]
    assert len(used) == len({*used})
    assert all(fits(must[n], said[it]) for n, it in enumerate(met) if it is not None)


@given(st.lists(SPANS, max_size=4), SPANS)
def test_one_more_finding_meets_no_fewer(said: list[tuple[int, int]], more: tuple[int, int]) -> None:
    whole = expected(5, (10, 12), 20)
    findings = [found(line, end=end) for line, end in said]
    met = [
        sum(it is not None for it in whole.met(all_))
        for all_ in (findings, [*findings, found(more[0], end=more[1])])
    ]
    assert met[0] <= met[1]


def test_the_rule_of_matching() -> None:
    one = expected(50)
    assert one.is_expected(found(47))
    assert one.is_expected(found(53))
    assert not one.is_expected(found(46))
    assert not one.is_expected(found(54))
    assert not one.is_expected(found(50, removed=True)), "the other side of the change"
    assert one.is_expected(found(45, end=65))
    assert not one.is_expected(found(40, end=61)), "a quote of half a file names no place"


def test_one_finding_meets_one_expectation() -> None:
    assert expected(50, 51).met([found(50)]).count(None) == 1
    assert expected(50, 51).met([found(50), found(51)]).count(None) == 0


def test_who_points_at_what_is_harmless_has_not_found_what_stands_beside_it() -> None:
    whole = expected(50, harmless=[52])
    assert whole.is_expected(found(51))
    assert not whole.is_expected(found(52))
    assert whole.is_wrong(found(52))
    assert not whole.is_wrong(found(50))
    assert not whole.is_wrong(found(90)), "nothing was said of it"


def test_in_a_clean_change_nothing_may_block() -> None:
    assert expected(harmless=[3]).is_wrong(found(90))


def case(*must: Expectation, harmless: tuple[Expectation, ...] = ()) -> EvalCase:
    change = ChangeSource(before="b", after="a")
    return EvalCase(name="c", source=SOURCE, change=change, must_block=must, must_not_block=harmless)


FILES = {"a.py": b"one\r\ntwo\nthree\ntwo words\n"}
OLD = {"a.py": b"one\ngone\n", "old.py": b"x\n"}


@pytest.mark.parametrize(
    ("said", "line", "before"),
    [
        (Expectation(path="a.py", quote="one\ntwo\n"), 1, False),
        (Expectation(path="a.py", quote="words"), 4, False),
        (Expectation(path="a.py", removed="gone"), 2, True),
        (Expectation(path="old.py", removed="x"), 1, True),
        (Expectation(path="a.py", lines=(4, 4)), 4, False),
    ],
)
def test_places_are_looked_up(said: Expectation, line: int, before: bool) -> None:
    (place,) = ExpectedFindings.of(case(said), OLD, FILES).must_block[0].places
    assert (place.line, place.before) == (line, before)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Expectation(path="a.py", quote="two"), "`quote` stands 2 times in the file after the change"),
        (Expectation(path="a.py", quote="gone"), "`quote` does not stand in the file after the change"),
        (Expectation(path="a.py", removed="three"), "`removed` does not stand in the file before"),
        (Expectation(path="old.py", quote="x"), "there is no file 'old.py' after the change"),
        (Expectation(path="a.py", lines=(4, 5)), "`lines` end at line 5, and the file has 4"),
    ],
)
def test_a_place_that_is_not_there_is_a_mistake(said: Expectation, why: str) -> None:
    with pytest.raises(CaseError, match=why):
        ExpectedFindings.of(case(said), OLD, FILES)


def test_what_must_block_and_must_not_is_a_mistake() -> None:
    here = Expectation(path="a.py", lines=(1, 2))
    with pytest.raises(CaseError, match="must block and must not"):
        ExpectedFindings.of(case(here, harmless=(here,)), OLD, FILES)
    ruled = [Expectation(path="a.py", lines=(1, 2), rules=(rule,)) for rule in ("x", "y")]
    assert ExpectedFindings.of(case(ruled[0], harmless=(ruled[1],)), OLD, FILES).must_block


def test_a_rule_has_to_be_the_one_that_is_said() -> None:
    said = Expectation(path="a.py", lines=(50, 50), rules=("sql-injection",))
    whole = ExpectedFindings.of(case(said), {}, {"a.py": CODE})
    assert whole.is_expected(found(50, rule="SQL_injection"))
    assert not whole.is_expected(found(50, rule="xss"))
