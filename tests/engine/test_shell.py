"""Shell steps: what is too long to be kept whole is not judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_lok.core.results import Outcome
from pytest_lok.engine.ports import CommandSpec, Completed
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


@pytest.mark.parametrize(
    ("said", "program"),
    [
        ("sh: 1: gh: not found", "gh"),
        ("sh: line 1: gh: command not found", "gh"),
        ("/bin/bash: line 3: gh: command not found", "gh"),
        ("sh: gh: not found", "gh"),
        ("noise before\nsh: 1: ./tool: not found\nnoise behind", "./tool"),
    ],
)
def test_a_program_that_the_shell_did_not_find_is_an_error(tmp_path: Path, said: str, program: str) -> None:
    argv = ["sh", "-c", 'echo "$0" >&2; exit 127', said]
    text = f'[[steps]]\nname = "a"\nretries = 2\nretry_delay = 1\nargv = {json.dumps(argv)}\n'
    step = ran(text, world(tmp_path)).result.steps["a"]
    assert (step.outcome, step.attempts, step.exit_code) == (Outcome.ERROR, 1, 127)
    assert step.reason == f"command not found: {program}"
    assert ("https://cli.github.com" in step.hint) is (program == "gh")
    assert said in step.output


@pytest.mark.parametrize(("said", "code"), [("sh: 1: gh: not found", 1), ("the answer is no", 127)])
def test_other_words_and_codes_are_judgements(tmp_path: Path, said: str, code: int) -> None:
    text = f'[[steps]]\nname = "a"\nshell = "echo \'{said}\' >&2; exit {code}"\n'
    assert ran(text, world(tmp_path)).result.steps["a"].outcome is Outcome.FAILED


def test_a_command_that_only_gathers_gives_no_judgement(tmp_path: Path) -> None:
    text = """
[[steps]]
name = "a"
judges = false
retries = 1
retry_delay = 1
shell = "echo some; echo noise >&2; echo 'fatal: no such thing' >&2; echo usage >&2; exit 128"
[[steps]]
name = "silent"
judges = false
shell = "exit 3"
[[steps]]
name = "other"
judges = false
shell = "echo first >&2; echo last >&2; exit 1"
[[steps]]
name = "soft"
judges = false
continue_on_error = true
shell = "exit 3"
"""
    steps = ran(text, world(tmp_path)).result.steps
    assert (steps["a"].outcome, steps["a"].reason) == (Outcome.ERROR, "fatal: no such thing")
    assert (steps["a"].attempts, steps["a"].exit_code) == (2, 128)
    assert steps["a"].output == "some\nnoise\nfatal: no such thing\nusage\nexit code: 128"
    assert steps["other"].reason == "last"
    assert (steps["silent"].outcome, steps["silent"].reason) == (
        Outcome.ERROR,
        "the command exited with code 3",
    )
    assert (steps["soft"].outcome, steps["soft"].underlying) == (Outcome.SOFT, Outcome.ERROR)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, Outcome.PASSED), (1, Outcome.FAILED), *((code, Outcome.ERROR) for code in (2, 3, 70, 130, -9))],
)
def test_of_lok_s_own_exit_codes_one_alone_is_a_judgement(
    tmp_path: Path, code: int, outcome: Outcome
) -> None:
    @dataclass
    class Ended:
        async def run(self, command: CommandSpec) -> Completed:
            return Completed(exit_code=code, stdout="", stderr="lok: error: why\n  hint: what", seconds=0.0)

    text = '[[steps]]\nname = "a"\nargv = ["lok", "forge", "checks", "12"]\n'
    step = ran(text, replace(world(tmp_path), shell=Ended())).result.steps["a"]
    assert step.outcome is outcome
    if outcome is Outcome.ERROR:
        assert (step.reason, step.hint) == ("why", "what")
