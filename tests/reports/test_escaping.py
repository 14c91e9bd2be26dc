import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.escaping import escape_ci_commands, escape_control_chars


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\rb", r"a\rb"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f\x00", r"\x7f\x00"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("\u2066\u2069\u200f\u061c", r"\u2066\u2069\u200f\u061c"),
        ("\u2028", r"\u2028"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
        ("naïve 日本 👩‍💻", "naïve 日本 👩‍💻"),
    ],
)
def test_what_would_be_obeyed_is_spelled_out(text: str, shown: str) -> None:
    assert escape_control_chars(text) == shown


@given(st.text(st.characters()))
def test_no_control_character_is_left(text: str) -> None:
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", escape_control_chars(text)
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", ": :error::x"),
        ("ok\n  ::add-mask::x", "ok\n  : :add-mask::x"),
        ("ok\r::error::x", "ok\r: :error::x"),
        ("ok\u2028::error::x", "ok\u2028: :error::x"),
        ("\x0c::error::x", "\x0c: :error::x"),
        ("a::b", "a::b"),
        ("std::string x", "std::string x"),
        ("x ##[error]y", "x # #[error]y"),
        ("x ###[error]y", "x ## #[error]y"),
        ("##vso[task.setvariable]y", "# #vso[task.setvariable]y"),
        ("## A heading", "## A heading"),
    ],
)
def test_no_line_is_a_command(text: str, shown: str) -> None:
    assert escape_ci_commands(text) == shown


def is_command(line: str) -> bool:
    """How a CI runner reads a line of a log."""
    return line.strip().startswith("::") or "##[" in line


@given(st.text(st.sampled_from(":#[ab \t\r\n\x0b\x0c\x85\u2028\u00a0")))
def test_a_runner_finds_no_command(text: str) -> None:
    assert not any(is_command(line) for line in re.split("[\n\r]", escape_ci_commands(text)))


def test_a_long_run_of_blank_lines_is_read_once() -> None:
    # quadratic, this would take hours
    assert escape_ci_commands("\n \t" * 300_000 + "::x").endswith(": :x")
