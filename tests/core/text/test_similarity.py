from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_lok.core.text.similarity import LONGEST, edits_between, similarity

texts = st.text(st.sampled_from("abcé \ń"), max_size=70)


def by_the_table(one: str, other: str) -> int:
    """The distance as it is defined: the cheapest way through the table, cell by cell."""
    row: list[int] = [*range(len(other) + 1)]
    for at, a in enumerate(one, 1):
        above, row = row, [at]
        for column, b in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + int(a != b)))
    return row[-1]


@given(one=texts, other=texts)
@example(one="", other="")
@example(one="a" * 64, other="b" * 65)
def test_it_is_the_share_of_characters_that_no_edit_changes(one: str, other: str) -> None:
    assert edits_between(one, other) == by_the_table(one, other)
    found = similarity(one, other)
    assert found == similarity(other, one)
    assert 0 <= found <= 1
    same = [unicodedata.normalize("NFC", text).strip() for text in (one, other)]
    assert (found == 1) is (same[0] == same[1])


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        (" 42\n", "42", 1),
        ("e\u0301", "\u00e9", 1),
        ("YES", "yes", 0),
        ("", "yes", 0),
        ("x" * LONGEST, "y" + "x" * (LONGEST - 1), 1 - 1 / LONGEST),
    ],
)
def test_examples(one: str, other: str, wanted: float) -> None:
    assert similarity(one, other) == pytest.approx(wanted)
