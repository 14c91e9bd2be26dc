"""git: what its settings and subcommands make of a value."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("git log {{ x }}", ""),
        ("git -c user.name={{ x }} log", ""),
        ("git -c core.pager={{ x }} log", "decide what git runs"),
        ("git -ccore.pager={{ x }} log", "decide what git runs"),
        ("git -c {{ x }} log", "decide what git runs"),
        ("git -c alias.a={{ x }} a", "alias of git"),
        ("git -C {{ x }} log", "value of `-C`"),
        ("git --git-dir={{ x }} log", "value of `--git-dir=`"),
        ("git config user.name {{ x }}", ""),
        ("git config core.editor {{ x }}", "decide what git runs"),
        ("git config alias.a {{ x }}", "decide what git runs"),
        ("git clone -c core.pager={{ x }} a", "decide what git runs"),
        ("git {{ x }}", "the subcommand of `git`"),
        ("git rebase -x {{ x }}", "can be run as code"),
        ("git checkout {{ x }}", ""),
        ("git checkout {{ x }}; make", "written before `make`"),
        ("git branch a {{ x }}; git checkout a; make", "written before `make`"),
        ("git reset {{ x }}; make", ""),
        ("git reset --hard {{ x }}; make", "written before `make`"),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)
