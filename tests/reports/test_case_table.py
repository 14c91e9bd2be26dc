"""The table of a step's cases, in text and on a page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_lok.core.results import CasePlace, Outcome, RunResult, Score, StepResult, Usage
from pytest_lok.reports.case_table import case_lines, case_tables
from pytest_lok.reports.formats import junit
from pytest_lok.reports.formats.html import render
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.reports.parts import step_facts
from pytest_lok.reports.widths import columns_of

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED


def run(rows: dict[str, list[Outcome | None]], *columns: str) -> RunResult:
    """A run of step ``q``: of each row the outcomes in the columns; None = the case was not selected."""
    steps, places = dict[str, StepResult](), list[CasePlace]()
    for row, outcomes in rows.items():
        for column, outcome in zip(columns, outcomes, strict=True):
            name = f"q[{column}-{row}]"
            places.append(CasePlace(name=name, step="q", row=row, column=column))
            if outcome is not None:
                usage = Usage(calls=1, cost_usd=0.0015 if column == "dear" else None)
                steps[name] = StepResult(name=name, outcome=outcome, seconds=1.24, attempts=1, usage=usage)
    cases = {place.name: place for place in places}
    return RunResult(run_id="r", workflow="w", steps=steps, cases=cases)


def test_each_cell_has_a_mark_the_time_and_the_cost() -> None:
    assert [*case_lines(run({"one": [P, F], "two": [E, P], "三": [S, None]}, "dear", "x"))] == [
        "q      dear             x",
        "  one  ✓ 1.2 s $0.0015  ✗ 1.2 s",
        "  two  ! 1.2 s $0.0015  ✓ 1.2 s",
        "  三   ↷ $0.0015",
        "  dear: 1 of 3 passed  $0.0045  3.7 s",
        "  x: 1 of 2 passed  2.5 s",
        "  not selected: 1 case",
    ]


def test_scores_stand_in_the_cells_and_their_mean_below() -> None:
    made = run({"one": [P, F], "two": [F, P]}, "x", "y")
    told = {"q[x-one]": 8.0, "q[x-two]": 5.5, "q[y-one]": 10.0}
    steps = {
        name: replace(step, scores=(Score(name="s", value=told[name], most=10),) if name in told else ())
        for name, step in made.steps.items()
    }
    assert [*case_lines(replace(made, steps=steps))] == [
        "q      x               y",
        "  one  ✓ 8/10 1.2 s    ✗ 10/10 1.2 s",
        "  two  ✗ 5.5/10 1.2 s  ✓ 1.2 s",
        "  x: 1 of 2 passed  mean 6.75/10  2.5 s",
        "  y: 1 of 2 passed  mean 10/10 (1 of 2)  2.5 s",
    ]
    facts = step_facts(steps["q[x-one]"], workflow="w", workflow_sha256="", run_id="r")
    assert facts["score[s]"] == 8.0
    report = junit.render([ReportedRun(result=replace(made, steps=steps), exit_code=1)])
    assert report.count('<property name="lok.score[s]"') == 3


def test_a_step_without_a_matrix_has_one_column_and_one_without_cases_no_table() -> None:
    assert [*case_lines(run({"one": [P]}, ""))] == ["q", "  one  ✓ 1.2 s", "  1 of 1 passed  1.2 s"]
    assert (
        case_tables(RunResult(run_id="r", workflow="w", steps={"q": StepResult(name="q", outcome=P)})) == []
    )


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_wide_table_is_told_in_parts(width: int) -> None:
    columns = [f"a-model-with-a-long-name-{n}" for n in range(9)]
    lines = [*case_lines(run({f"row-{'x' * 40}-{n}": [P] * 9 for n in range(3)}, *columns), width)]
    table = lines[: -len(columns)]
    assert max(map(columns_of, table)) <= width
    assert sum(line.count("✓") for line in table) == 27


def test_of_very_many_rows_those_are_shown_that_are_not_green() -> None:
    rows: dict[str, list[Outcome | None]] = {f"r{n}": [F if n % 50 == 7 else P] for n in range(300)}
    lines = [*case_lines(run(rows, "x"))]
    assert [line.split()[0] for line in lines if "✗" in line] == ["r7", "r57", "r107", "r157", "r207", "r257"]
    assert "  and 294 cases more, all passed" in lines
    assert len(lines) == 1 + 6 + 1 + 1


def test_a_page_has_a_table_whose_cells_lead_to_the_steps() -> None:
    made = run({"<b>one": [P, F], "two": [None, P]}, "dear", "x")
    page = render([ReportedRun(result=made, exit_code=1)])
    table = re.search(r"<table>.*</table>", page, re.DOTALL)
    assert table is not None
    assert "<b>" not in table[0]
    assert "2 of 2" not in table[0]
    assert "1 of 1 passed" in table[0]
    assert "1 case not selected" in table[0]
    links = re.findall(r'href="#([^"]+)"', table[0])
    assert len(links) == 3
    assert all(f'id="{link}"' in page for link in links)
