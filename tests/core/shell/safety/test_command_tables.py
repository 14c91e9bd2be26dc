"""What is known about commands by their names."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.safety import command_tables as tables
from pytest_lok.core.shell.safety.file_tables import OUTPUTS


@pytest.mark.parametrize(
    "name", ["sh", "python", "python3.12", "python3.12-x86_64-linux-gnu", "ruby3.1", "node"]
)
def test_an_interpreter_is_known_in_every_version(name: str) -> None:
    assert tables.interpreter(name) is not None


def test_other_names_are_no_interpreters() -> None:
    assert [tables.interpreter(name) for name in ("cat", "pythons", "sha256sum", "")] == [None] * 4


@pytest.mark.parametrize(
    ("name", "runs"),
    [("/usr/bin/env", True), ("sh", True), ("awk", True), ("pytest", True), ("less", False), ("cat", False)],
)
def test_names_that_make_a_command_line_of_what_follows(name: str, runs: bool) -> None:
    assert tables.runs_operands(name) is runs


def test_a_row_of_a_table_counts_for_each_of_its_names() -> None:
    assert tables.REMOTE_SUBCOMMANDS["podman"] == {"exec", "run", "debug"}
    assert tables.BUILD_FILES["gmake"] == ["Makefile", "makefile", "GNUmakefile"]
    assert OUTPUTS["ln"] == OUTPUTS["cp"] == {"-t", "--target-directory"}
    assert OUTPUTS["grep"] == frozenset()
