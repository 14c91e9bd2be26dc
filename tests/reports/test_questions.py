"""The questions of a step are counted as they are paid for: a run never asks more than `most`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import BackendAsked
from pytest_lok.reports.questions import QuestionCount, questions_of
from tests.engine.worlds import ran, workflow, world

NAMES = ("a", "b", "c")
GOOD = '{"yes": true, "reason": "r"}'


def step_with(keys: str) -> str:
    return f'[[steps]]\nname = "s"\nprompt = "x"\n{keys}'


@pytest.mark.parametrize(
    ("keys", "usual", "most"),
    [
        ('backend = "a"', 1, 2),
        ('backend = "a"\nrepeat = 3', 3, 6),
        ('backends = ["a", "b", "c"]', 4, 8),
        ('backends = ["a", "b", "c"]\nconsensus = "vote"', 3, 6),
        ('backends = ["a", "b", "c"]\nconsensus = "fallback"', 1, 6),
        ('backends = ["a", "b", "c"]\nconsensus = "first"', 3, 6),
        ('backends = ["a", "b", "c"]\noutput_format = "findings"', 3, 9),
        ('backend = "a"\nfix_retries = 2\nassert = ["output != \'\'"]', 1, 6),
        ('backend = "a"\nassert = [\'rubric("r")\', \'rubric("r") or rubric("t")\']', 3, 6),
        ('backends = ["a", "b"]\nrepeat = 2\nfix_retries = 1\nassert = ["output != \'\'"]', 6, 24),
    ],
)
def test_what_is_counted(keys: str, usual: int, most: int) -> None:
    (step,) = workflow(step_with(keys)).steps
    asked = len(getattr(step.action, "backends", ()))
    assert questions_of(step, asked) == QuestionCount(usual=usual, most=most)


def test_a_command_asks_its_judges_alone() -> None:
    (plain,) = workflow('[[steps]]\nname = "s"\nshell = "true"').steps
    (judged,) = workflow('[[steps]]\nname = "s"\nshell = "true"\nassert = [\'rubric("r")\']').steps
    assert questions_of(plain, 0) == QuestionCount()
    assert questions_of(judged, 0) == QuestionCount(usual=1, most=2)


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(
    "keys",
    [
        'backends = ["a", "b", "c"]\noutput_format = "json"',
        'backends = ["a", "b", "c"]\nconsensus = "vote"\noutput_format = "json"',
        'backends = ["a", "b", "c"]\nconsensus = "fallback"\noutput_format = "json"',
        'backend = "a"\nrepeat = 2\noutput_format = "json"',
        'backend = "a"\noutput_format = "json"\nfix_retries = 2\nassert = ["json.yes == false"]',
    ],
)
def test_a_run_asks_as_often_as_was_said(tmp_path: Path, keys: str, good: bool) -> None:
    (step,) = workflow(step_with(keys)).steps
    backends = [Scripted(name, [ScriptedReply(reply=GOOD if good else "no JSON")]) for name in NAMES]
    calls = len(ran(step_with(keys), world(tmp_path, *backends)).of(BackendAsked))
    count = questions_of(step, len(getattr(step.action, "backends", ())))
    assert calls <= count.most
    if good and "assert" not in keys:
        assert calls == count.usual


def test_counts_are_read_as_a_sentence() -> None:
    assert str(QuestionCount(usual=1, most=1)) == "1 question"
    assert (
        str(QuestionCount(usual=2, most=6).times(2) + QuestionCount(usual=1, most=1))
        == "5 questions, at most 13"
    )
