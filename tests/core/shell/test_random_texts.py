"""Random texts with hostile values: nothing of a value ever runs (``tests/core/shell/random_texts.py`` tries more)."""

import shutil
from pathlib import Path

import pytest

from tests.core.shell.random_texts import fuzz

SHELLS = [shell for shell in (["dash"], ["bash"], ["bash", "--posix"]) if shutil.which(shell[0])]


@pytest.mark.parametrize("seed", range(4))
def test_no_value_runs_in_any_shell(seed: int, tmp_path: Path) -> None:
    tally = fuzz(180, seed=seed, shells=SHELLS, root=tmp_path, rounds=1)
    assert tally.escapes == []
    assert tally.accepted > 30
    assert tally.runs > 60


def test_values_that_are_pasted_do_run(tmp_path: Path) -> None:
    """What the fuzzer finds where there is something to be found."""
    tally = fuzz(60, seed=0, shells=SHELLS[:1], root=tmp_path, rounds=1, unsafe=True)
    assert len(tally.escapes) > 5
