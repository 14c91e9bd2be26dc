import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.widths import aligned, columns_of, fit, folded, padded, wrapped

TEXTS = st.text(st.sampled_from("ab 日本é\n👩"))


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("日本", 4), ("é", 1)])
def test_columns(text: str, columns: int) -> None:
    assert columns_of(text) == columns


@given(TEXTS, st.integers(1, 12))
def test_what_fits_is_kept_and_nothing_is_wider(text: str, columns: int) -> None:
    shown = fit(text, columns)
    line = " ".join(text.split())
    assert columns_of(shown) <= columns
    assert shown == line if columns_of(line) <= columns else shown.endswith("…")


@given(TEXTS.map(lambda text: text.replace("\n", "")))
def test_padding_fills_the_columns(text: str) -> None:
    assert columns_of(padded(text, 40 + columns_of(text))) == 40 + columns_of(text)


def test_rows_stand_in_columns_whatever_the_script() -> None:
    assert aligned([["日本", "x"], ["a", "y"]]) == ["日本  x", "a     y"]


def test_the_last_cell_is_cut() -> None:
    (line,) = aligned([["name", "long " * 20]], width=40)
    assert line == "name  long long long long long long lon…"
    assert aligned([["n" * 60, "word " * 9]], width=40)[0].endswith("word word word word…"), (
        "never to nothing"
    )
    assert aligned([]) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("passed  a  1 s", "passed  a  1 s"),
        ("passed  step  1.0 s  claude  12 tokens", "passed  step  1.0 s\n    claude  12 tokens"),
        ("w: failed in 1.0 s · 1 passed · claude", "w: failed in 1.0 s\n    1 passed · claude"),
        ("skipped  step  when is false: steps.a.output", "skipped  step\n    when is false: steps.a.output"),
        ("passed  日本日本日本  1.0 s", "passed  日本日本日本\n    1.0 s"),
        ("one-word-that-is-longer-than-the-line", "one-word-that-is-longer-than-the-line"),
    ],
)
def test_a_line_of_facts_is_broken_between_them(text: str, shown: str) -> None:
    assert folded(text, 24) == shown


@given(TEXTS.map(lambda text: text.replace("\n", "  ")), st.integers(5, 20))
def test_folding_loses_no_word(text: str, columns: int) -> None:
    assert folded(text, columns).split() == text.split()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  fits", ["  fits"]),
        ("  one two three four", ["  one two", "  three four"]),
        ("  a-word-longer-than-it  b", ["  a-word-longer-than-it", "  b"]),
        ("日本 日本 日本 日本", ["日本 日本", "日本 日本"]),
        ("", [""]),
    ],
)
def test_a_line_is_broken_between_words(text: str, shown: list[str]) -> None:
    assert wrapped(text, 12) == shown


def test_a_last_cell_goes_on_in_its_column() -> None:
    rows = [("name", "state"), ("gemini-api", "the variable GEMINI_API_KEY is not set")]
    assert aligned(rows, width=36, whole=True) == [
        "name        state",
        "gemini-api  the variable",
        "            GEMINI_API_KEY is not",
        "            set",
    ]
