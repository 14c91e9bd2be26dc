import pytest

from pytest_lok.core.text.truncation import leave_out_middle, one_line, truncate


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("abcd", "abcd"), ("abcde", "abcde"), ("abcdef", "abcd…"), ("abcdefgh", "abcd…")],
)
def test_the_beginning_is_shown_within_the_limit(text: str, shown: str) -> None:
    assert truncate(text, 5) == shown


def test_a_text_over_several_lines_becomes_one() -> None:
    assert one_line(" one\n  two\tthree ", 100) == "one two three"
    assert one_line("one\ntwo", 5) == "one …"


def test_what_is_missing_in_the_middle_is_counted() -> None:
    assert leave_out_middle("a" * 10, head=5, tail=5) == "a" * 10
    assert (
        leave_out_middle("a" * 3 + "b" * 2000 + "c" * 5, head=3, tail=5)
        == "aaa\n… 2,000 characters left out …\nccccc"
    )


def test_lines_are_left_out_too() -> None:
    text = "\n".join(map(str, range(10)))
    assert leave_out_middle(text, head=50, tail=50, lines=4) == "0\n1\n… 6 lines left out …\n8\n9"
    assert leave_out_middle(text, head=50, tail=50, lines=10) == text
