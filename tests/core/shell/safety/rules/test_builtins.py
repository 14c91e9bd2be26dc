"""The shell's own commands: which of their arguments are code."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("eval {{ x }}", "argument of `eval`"),
        ("eval \"echo '{{ x }}'\"", "argument of `eval`"),
        ("trap {{ x }} EXIT", "argument of `trap`"),
        (". {{ x }}", "argument of `.`"),
        ("export A={{ x }}", ""),
        ("export PATH={{ x }}", "in `PATH`, which decides"),
        ("export -p {{ x }}", "argument of `export`"),
        ("read {{ x }}", "argument of `read`"),
        ("let {{ x }}", "in which bash calculates"),
        ("[[ {{ x }} == a ]]", "in which bash calculates"),
        ("set {{ x }}", "changes the shell"),
        ("set -- {{ x }}", ""),
        ("printf {{ x }}", ""),
        ("printf -v n {{ x }}", "`printf` with an option"),
        ("[ -n {{ x }} ]", ""),
        ("[ ! {{ x }} = b ]", ""),
        ("[ {{ x }} -a b ]", "take it for an operator"),
        ("echo {{ x }}", ""),
        ("cd {{ x }}", ""),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


def test_the_format_of_printf_is_escaped_and_its_data_is_not() -> None:
    assert len(reviewed("printf {{ x }}").printf_formats) == 1
    assert reviewed("printf '%s' {{ x }}").printf_formats == set()
