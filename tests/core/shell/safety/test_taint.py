"""Where values go: through variables and inputs to what is run."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('V={{ x }}; echo "$V"', ""),
        ('V={{ x }}; eval "$V"', "`eval` reads later"),
        ('V={{ x }}; W=$V; U=a$W; sh -c "$U"', "`sh -c` reads later"),
        ('read -r V < {{ x }}; eval "$V"', "`eval` reads later"),
        ('V=$(cat {{ x }}); eval "$V"', "`eval` reads later"),
        ('for V in {{ x }}; do eval "$V"; done', "`eval` reads later"),
        ('f() { eval "$1"; }; f {{ x }}', "`eval` reads later"),
        ("V={{ x }}; echo $((V))", "`$((…))` reads later"),
        ("V=V2; V2={{ x }}; echo $((V))", "`$((…))` reads later"),
        ("V={{ x }}; W=$V; U=$W; echo $((U))", "`$((…))` reads later"),
        ("V=$(wc -c {{ x }} | cut -c1); echo $((V))", ""),
        ("echo {{ x }} | sh", "input of `sh`"),
        ("sh <<EOF\n{{ x }}\nEOF", "input of `sh`"),
        ("echo {{ x }} > f; sh f", "writes to `f` and runs it"),
        ("V={{ x }}; env | python -", "prints its variables"),
    ],
)
def test_a_value_is_followed_to_where_it_is_run(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


def test_a_word_may_start_with_what_a_variable_says() -> None:
    guarded = reviewed('V={{ x }}; grep "$V" f')
    assert len(guarded.forbidden_starts) == 1
    assert len(reviewed("V='a {{ x }}'; grep $V f").split_words) == 1
    assert "take for an option" in refusal('V=-e{{ x }}; grep "$V" f')
