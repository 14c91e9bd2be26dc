"""Written durations."""

from __future__ import annotations

import pytest

from pytest_lok.core.toml.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3600), ("500ms", 0.5), ("1.5s", 1.5), (" 1h 30m ", 5400), ("0s", 0)],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 minutes", "-5s", "1d", "5m later", "٣s", "1e3s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_bare_number_lacks_its_unit() -> None:
    with pytest.raises(ValueError, match="the unit is missing"):
        parse_duration("90")
