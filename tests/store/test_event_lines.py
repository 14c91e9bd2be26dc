"""Events as lines of JSON."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.events import Event, RunFinished, StepFinished
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.store.event_lines import from_json, to_json
from tests.core.test_events import EVENTS


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.kind)
def test_an_event_survives_json(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert from_json(line) == event


@given(st.text())
def test_any_text_survives_json(text: str) -> None:
    event = StepFinished(result=StepResult(name="a", outcome=Outcome.PASSED, output=text), at=0.0)
    assert from_json(to_json(event)) == event


def test_half_a_surrogate_pair_out_of_an_answer_does_not_break_the_journal() -> None:
    result = StepResult(name="a", outcome=Outcome.PASSED, output='{"x": "\\ud800"}', data={"x": "\ud800 y"})
    read = from_json(to_json(StepFinished(result=result, at=0.0)))
    assert isinstance(read, StepFinished)
    assert read.result.data == {"x": "? y"}
    assert read.result.output == result.output


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "run_exploded"}',
        "{}",
        "[]",
        '{"seconds":"1","kind":"run_finished"}',
        '{"seconds":1,"more":2,"kind":"run_finished"}',
        '{"kind":"run_finished"}',
        '{"result":{"name":"a","outcome":"green"},"at":1,"kind":"step_finished"}',
        '{"result":{"name":"a","outcome":"passed","replies":[{"text":1,"backend":"b"}]},"at":1,"kind":"step_finished"}',
    ],
)
def test_rubbish_is_not_an_event(line: str) -> None:
    with pytest.raises(ValueError, match=r"no event|green"):
        from_json(line)


def test_only_what_is_said_is_written_and_the_kind_stands_last() -> None:
    assert to_json(RunFinished(seconds=2.5)) == '{"seconds":2.5,"kind":"run_finished"}'
    assert from_json(to_json(RunFinished(seconds=math.inf))) == RunFinished(seconds=math.inf)
