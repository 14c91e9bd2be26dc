"""How problems are shown."""

from __future__ import annotations

import dataclasses

from pytest_lok.errors import Problem, WorkflowError

PROBLEM = Problem(
    path="wf.toml",
    line=3,
    column=8,
    message="no such thing",
    hint="try another",
    excerpt="\tname = thing",
    length=5,
)


def test_a_problem_is_shown_with_its_place_its_line_and_a_hint() -> None:
    assert str(PROBLEM).split("\n") == [
        "wf.toml:3:8: no such thing",
        "    \tname = thing",
        "    \t      ~~~~^",
        "  hint: try another",
    ]


def test_what_has_no_place_shows_none() -> None:
    assert str(Problem(path="nope", line=0, column=0, message="there is none")) == "nope: there is none"


def test_without_a_length_no_line_is_shown() -> None:
    bare = dataclasses.replace(PROBLEM, length=0, hint="")
    assert str(bare) == "wf.toml:3:8: no such thing"


def test_a_caret_stays_inside_its_line() -> None:
    long = dataclasses.replace(PROBLEM, length=99)
    assert str(long).split("\n")[2] == "    \t      ~~~~~^"
    end = dataclasses.replace(PROBLEM, column=14, length=1)
    assert str(end).split("\n")[2] == "    \t            ^"


def test_of_a_long_line_the_part_around_the_column_is_shown() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    _, shown, caret, _ = str(dataclasses.replace(PROBLEM, excerpt=line, column=501, length=4)).split("\n")
    assert len(shown) < 130
    assert shown[4] == shown[-1] == "…"
    assert shown[caret.index("~") : len(caret)] == "HERE"
    _, shown, caret, _ = str(dataclasses.replace(PROBLEM, excerpt=line, column=1, length=3)).split("\n")
    assert (shown[4:7], caret) == ("xxx", "    ~~^")


def test_an_error_shows_every_problem() -> None:
    error = WorkflowError([PROBLEM, dataclasses.replace(PROBLEM, line=9)])
    assert [problem.line for problem in error.problems] == [3, 9]
    assert str(error).count("no such thing") == 2


def test_a_caret_stands_under_wide_characters() -> None:
    line = 'name = "日本" # x'
    wide = dataclasses.replace(PROBLEM, excerpt=line, column=9, length=2)
    assert str(wide).split("\n")[1:3] == [f"    {line}", "    " + " " * 8 + "~~~^"]
    behind = dataclasses.replace(PROBLEM, excerpt=line, column=line.index("x") + 1, length=1)
    assert str(behind).split("\n")[2] == "    " + " " * 16 + "^"
