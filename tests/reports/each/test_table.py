"""The table of many repositories fits the terminal, whatever their names are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.repositories import ListedRepository
from pytest_lok.core.results import Outcome, RunResult, StepResult
from pytest_lok.reports.each.rows import RepositoryRun, outcome, worst
from pytest_lok.reports.each.table import end_of, table
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.reports.widths import columns_of


def row(path: str, code: int, reason: str = "no", line: int = 1) -> RepositoryRun:
    outcome = {0: Outcome.PASSED, 1: Outcome.FAILED}.get(code, Outcome.ERROR)
    step = StepResult(name="s", outcome=outcome, reason=reason if code else "", seconds=1.0)
    run_id = f"20261129-0123{line % 100:02}-{line:06x}"
    result = RunResult(run_id=run_id, workflow="w", steps={"s": step}, selected=("s",), seconds=61.0)
    listed = ListedRepository(line=line, path=path)
    return RepositoryRun(
        repository=listed, run=ReportedRun(result=result, exit_code=code, repository=listed.name)
    )


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=150)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(NAMES, st.sampled_from([0, 1, 3]), NAMES), min_size=1, max_size=5),
    st.integers(40, 120),
)
def test_no_line_is_wider_than_the_terminal_and_each_name_ends_as_it_ends(
    given_rows: list[tuple[str, int, str]], width: int
) -> None:
    rows = [row(*given) for given in given_rows]
    lines = table(rows, width=width).split("\n")
    assert max(map(columns_of, lines)) <= width
    heads = [line for line in lines[1:] if not line.startswith("    ")]
    assert len(heads) == len(rows)
    for head, (name, _, _) in zip(heads, given_rows, strict=True):
        assert name.endswith(head.rpartition("  ")[2].removeprefix("…"))
    whole = table(rows)
    assert all(name in whole for name, _, _ in given_rows)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0, 1, 3, 70, 5]), min_size=1))
def test_the_worst_is_a_bug_then_a_no_then_what_could_not_be_done(codes: list[int]) -> None:
    rows = [row("a", code) for code in codes]
    found = set(codes)
    assert worst(rows) == (70 if 70 in found else 1 if 1 in found else 3 if found != {0} else 0)
    assert (outcome(rows) == "passed") == (found == {0})


def test_what_was_not_run_is_no_yes_whatever_its_run_says() -> None:
    good = row("a", 0)
    assert good.verdict == "passed"
    for state in ("error", "not run"):
        assert worst([good, replace(good, state=state)]) == 3
        assert replace(good, state=state).verdict == state


def test_a_report_that_has_no_room_for_all_leaves_out_the_green_ones_and_counts_them() -> None:
    runs = [row(f"{'long/' * 20}repositories/{at}", int(at == 270), line=at).run for at in range(1, 301)]
    for kind in ("markdown", "html"):
        text = report_text(kind, runs)
        assert "repositories/270" in text, kind
        assert "more: " in text, kind
    assert "200 of 300 repositories: " in report_text("html", runs)
    assert "in 300 repositories: 299 passed, 1 failed" in report_text("markdown", runs)
    junit = report_text("junit", runs)
    assert junit.count("<testsuite ") == 300
    assert junit.count("<failure ") == 1


def test_the_end_of_a_name_is_what_is_shown() -> None:
    assert end_of("a/long/path", 6) == "…/path"
    assert end_of("short", 5) == "short"
    assert columns_of(end_of("日本語の道", 4)) <= 4
