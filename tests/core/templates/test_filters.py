from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_lok.core.templates.filters import number, to_float, to_int
from pytest_lok.errors import TemplateError


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, 5),
        (2.5, 2.5),
        (" 42\n", 42),
        ("-4.7", -4.7),
        ("+.5", 0.5),
        ("1e3", 1000.0),
        ("07", 7),
        ("5.", 5.0),
    ],
)
def test_a_number(value: Any, found: float) -> None:
    assert number(value) == found
    assert to_int(value) == int(found)
    assert to_float(value) == found


TEXTS = ["", " ", "9/10", "N/A", "NaN", "inf", "-Infinity", "1_000", "1,5", "٣", "0x1f", "1e9999", "1" * 2000]
VALUES: list[Any] = [True, False, None, [], {}, [1], math.inf, math.nan]


@pytest.mark.parametrize("value", [*TEXTS, *VALUES], ids=repr)
def test_no_number(value: Any) -> None:
    assert number(value) is None
    for convert in (to_int, to_float):
        assert convert(value, 99) == 99
        with pytest.raises(TemplateError, match="is no number") as caught:
            convert(value)
        assert "(99)" in caught.value.hint


def test_other_bases() -> None:
    assert to_int("1f", base=16) == 31
    assert to_int("zz", 7, base=16) == 7
    with pytest.raises(TemplateError, match="'zz' is no number"):
        to_int("zz", base=16)
