"""Shell steps: what is too long to be kept whole is not judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lok.core.results import Outcome
from tests.engine.worlds import ran, world

LONG = """shell = "head -c 6000000 /dev/zero | tr '\\\\0' x; echo FAIL; head -c 6000000 /dev/zero | tr '\\\\0' x" """


@pytest.mark.parametrize("judged", ["assert = [\"not contains(output, 'FAIL')\"]", 'output_format = "lines"'])
def test_what_was_not_kept_is_not_judged(tmp_path: Path, judged: str) -> None:
    step = ran(f'[[steps]]\nname = "a"\n{LONG}\n{judged}\n', world(tmp_path)).result.steps["a"]
    assert (step.outcome, step.exit_code) == (Outcome.ERROR, 0)
    assert "too long to be judged" in step.reason


def test_long_text_that_nothing_judges_is_no_mistake(tmp_path: Path) -> None:
    step = ran(f'[[steps]]\nname = "a"\n{LONG}\n', world(tmp_path)).result.steps["a"]
    assert step.passed
    assert "bytes of output dropped here" in step.output


def test_a_text_that_speaks_of_dropped_output_is_whole(tmp_path: Path) -> None:
    text = (
        '[[steps]]\nname = "a"\nshell = "echo \'[... 9 bytes of output dropped here ...]\'"\n'
        "assert = ['contains(output, \"dropped\")']\n"
    )
    assert ran(text, world(tmp_path)).result.steps["a"].passed
