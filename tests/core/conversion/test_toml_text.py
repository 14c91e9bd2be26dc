"""What is written as TOML is read as it was."""

from __future__ import annotations

from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.conversion.toml_text import key_line, plain

TEXTS = st.text() | st.sampled_from(
    ['"""', "a\nb", 'x"\n""" \\', "\r\n", 'it\'s "so"', "\x00\x7f", "tab\t", "\n"]
)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(TEXTS.filter(bool), VALUES)
def test_every_value_comes_back(key: str, value: Any) -> None:
    assert tomli.loads(key_line(key, value)) == {key: value}


def test_a_text_over_several_lines_stays_one() -> None:
    assert key_line("prompt", 'a "b"\n\tc\\d') == 'prompt = """\na "b"\n\tc\\\\d"""'
    assert key_line("a", ['rubric("x")', "y"]) == 'a = [\'rubric("x")\', "y"]'


def test_what_yaml_has_and_toml_has_not_is_made_plain() -> None:
    assert plain({1: None, "x": (float("inf"), [True])}) == {"1": "", "x": ["inf", [True]]}
    bomb: list[Any] = ["x"] * 100
    for _ in range(5):
        bomb = [bomb] * 100
    with pytest.raises(ValueError, match="more than 50,000 values"):
        plain(bomb)
