"""The timeline: what waited, what worked, and what the end of the run waited for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.history import StepHistory
from pytest_lok.reports.drawing.timeline import Bar, bars_of, critical_path, timeline
from tests.reports.formats.runs import HOSTILE

NEEDS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "gone": ("a",)}
HISTORY = {
    "a": StepHistory(started=0.0, ended=2.0),
    "b": StepHistory(started=3.0, ended=5.0),
    "c": StepHistory(started=2.0, ended=8.0),
    "d": StepHistory(started=8.0, ended=9.0),
    "gone": StepHistory(started=4.0),
}
WORKED = {"a": 2.0, "b": 2.0, "c": 4.0, "d": 1.0}


def test_waiting_for_a_place_is_no_work_and_no_waiting_for_a_need() -> None:
    bars = {bar.name: bar for bar in bars_of(NEEDS, HISTORY, WORKED)}
    assert bars.keys() == {"a", "b", "c", "d"}
    assert (bars["b"].ready, bars["b"].began, bars["b"].waited) == (2.0, 3.0, 1.0)
    # the step was started, and its first question had no place for two more seconds
    assert (bars["c"].ready, bars["c"].began, bars["c"].waited) == (2.0, 4.0, 2.0)
    assert bars["d"].waited == 0.0


def test_the_critical_path_is_what_the_end_waited_for() -> None:
    assert critical_path(NEEDS, bars_of(NEEDS, HISTORY, WORKED)) == ["a", "c", "d"]
    assert critical_path({}, []) == []


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
    )
)
def test_no_time_runs_backwards(times: dict[str, tuple[float, float, float]]) -> None:
    history = {
        name: StepHistory(started=start, ended=start + length) for name, (start, length, _) in times.items()
    }
    bars = bars_of(NEEDS, history, {name: worked for name, (_, _, worked) in times.items()})
    assert all(0 <= bar.ready <= bar.began <= bar.ended for bar in bars)
    drawn = timeline(bars, {}, {})
    assert "nan" not in drawn
    assert "inf" not in drawn


@pytest.mark.parametrize(
    ("total", "ticks"),
    [
        (0.004, ["0 s", "0.001 s", "0.002 s", "0.003 s", "0.004 s"]),
        (9.0, ["0 s", "2 s", "4 s", "6 s", "8 s"]),
        (200.0, ["0 s", "50 s", "1 min 40 s", "2 min 30 s", "3 min 20 s"]),
    ],
)
def test_the_scale(total: float, ticks: list[str]) -> None:
    drawn = timeline([Bar(name="a", ready=0.0, began=0.0, ended=total)], {}, {})
    assert re.findall(r'class="tick">([^<]+)<', drawn) == ticks


def test_a_name_of_others_is_text() -> None:
    drawn = timeline([Bar(name=HOSTILE, ready=0.0, began=0.0, ended=1.0)], {}, {})
    assert "<img" not in drawn
    assert "\x1b" not in drawn
