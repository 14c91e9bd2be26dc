"""What commands leave in files, and who may run it after them."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo {{ x }} > f; make", "written before `make`"),
        ("make; echo {{ x }} > f", ""),
        ("echo {{ x }} > f.txt; make", ""),
        ("echo {{ x }} > f.txt; make f.txt", "written before `make`"),
        ("echo {{ x }} > f.txt; make *.txt", "written before `make`"),
        ("echo {{ x }} > /tmp/f; make", ""),
        ("echo {{ x }} > f; grep a f", ""),
        ("echo {{ x }} > f; cp f g; make", "written before `make`"),
        ("while true; do make; echo {{ x }} > f; done", "written before `make`"),
        ("make & echo {{ x }} > f", "written before `make`"),
        ("echo {{ x }} > .git/config; git log", "in a file of git's own"),
        ("echo a > f; make", ""),
        ("cd {{ x }}; make", "directory in which `make` may run"),
        ("cd {{ x }}; git log", "directory in which `git` may run"),
        ("make; cd {{ x }}", ""),
        ("while true; do make; cd {{ x }}; done", "directory in which `make` may run"),
        ("cd {{ x }}; grep a f", ""),
    ],
)
def test_nobody_runs_a_file_with_a_value_in_it(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)
