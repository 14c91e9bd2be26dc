"""Commands that write files: which of their arguments name one."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal, reviewed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dd {{ x }}", "take for `of=`"),
        ("tar {{ x }}", "which may be options"),
        ("7z {{ x }} a", "decides what it does"),
        ("curl -T a {{ x }}", "which may be a file"),
        ("curl -T a https://h/{{ x }}", ""),
        ("curl -T a file:{{ x }}", "a file that curl writes"),
        ("tee /dev/{{ x }}", "something that is no file"),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("tee {{ x }}", 1),
        ("gzip {{ x }}", 1),
        ("gzip -t {{ x }}", 0),
        ("chmod {{ x }} f", 0),
        ("chmod 600 {{ x }}", 1),
        ("cp {{ x }} a", 0),
        ("cp a {{ x }}", 1),
        ("mv {{ x }} a", 1),
        ("dd if={{ x }}", 0),
        ("dd of={{ x }}", 1),
        ("split a {{ x }}", 1),
        ("tar -cf {{ x }} a", 1),
        ("tar -tf {{ x }}", 0),
        ("7z a {{ x }} b", 1),
        ("sort -o {{ x }} a", 1),
        ("sort -o{{ x }} a", 1),
        ("sort --output={{ x }} a", 1),
        ("sort {{ x }}", 0),
        ("python -m zipfile -c {{ x }} a", 1),
        ("git clone a {{ x }}", 1),
        ("git mv a {{ x }}", 1),
        ("git worktree add {{ x }}", 1),
        ("echo a > {{ x }}", 1),
        ("echo a < {{ x }}", 0),
        ("find {{ x }} -delete", 1),
        ("find {{ x }} -print", 0),
    ],
)
def test_names_of_files_to_write_are_looked_at(text: str, files: int) -> None:
    report = reviewed(text)
    assert (len(report.written_files), report.refused) == (files, {})
