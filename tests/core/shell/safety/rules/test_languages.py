"""Programs of little languages: a value in one is code, a value beside it is data."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("awk {{ x }}", "part of a program"),
        ("awk '{ print \"{{ x }}\" }'", "part of a program"),
        ("awk -v n={{ x }} '{ print n }'", ""),
        ("awk -v n={{ x }} '{ system(n) }'", "program that runs commands"),
        ("awk -v {{ x }} '{ print }'", "argument of `awk`"),
        ("awk '{ print }' {{ x }}", ""),
        ("awk --frob {{ x }}", "part of a program"),
        ("sed {{ x }} f", "part of a program"),
        ("sed --sandbox {{ x }} f", ""),
        ("sed -e s/a/{{ x }}/ f", "part of a program"),
        ("jq {{ x }}", "part of a program"),
        ("jq --arg n {{ x }} '.a = $n'", ""),
        ("jq -f {{ x }}", "part of a program"),
        ("yq {{ x }}", "part of a program"),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


def test_what_is_edited_in_place_is_a_file_that_is_written() -> None:
    assert len(reviewed("sed -i s/a/b/ {{ x }}").written_files) == 1
    assert reviewed("sed s/a/b/ {{ x }}").written_files == []


def test_what_jq_makes_an_object_of_is_no_option() -> None:
    assert reviewed("curl -d \"$(jq -n --arg v {{ x }} '{v: $v}')\" https://h").forbidden_starts == []
