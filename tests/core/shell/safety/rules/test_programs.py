"""Programs without a rule of their own, by what the tables say of them."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("npm install {{ x }}", "runs what it gets"),
        ("npm view {{ x }}", ""),
        ("npm init {{ x }}", "runs what it gets"),
        ("docker run {{ x }}", "argument of `docker run`"),
        ("docker run -e A={{ x }} image", ""),
        ("docker run -e {{ x }} image", "argument of `docker`"),
        ("docker run image:{{ x }}", ""),
        ("docker exec c {{ x }}", "argument of `docker exec`"),
        ("pytest {{ x }}", "which runs what it names"),
        ("pytest -k {{ x }}", ""),
        ("apt-get {{ x }}", "the subcommand of `apt-get`"),
        ("kubectl -n {{ x }} get pods", ""),
        ("find . -name {{ x }}", ""),
        ("find . -exec sh -c {{ x }} ';'", "argument of `sh -c`"),
        ("find . -fprint {{ x }}", ""),
        ("scp a {{ x }}:b", "argument of `scp`"),
        ("frobnicate {{ x }}", ""),
        ("frobnicate sh -c {{ x }}", "argument of `sh -c`"),
        ("docker build - < {{ x }}", "which runs it as code"),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


def test_a_command_of_which_nothing_is_known_is_named() -> None:
    assert list(reviewed("frobnicate {{ x }}; grep a {{ x }}; frobnicate b").unknown_commands) == [
        "frobnicate"
    ]
