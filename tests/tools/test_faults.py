"""The page of what may go wrong names tests that are there, and a part of `make faults` runs here."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tools.faults.catalogue import FAULTS
from tools.faults.fault import Fault, Hope
from tools.faults.surfaces import OLD_JUNIT, OLD_SARIF, junit, sarif
from tools.faults.trial import tried

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| R\d", line)
]
QUICK = ("500", "cut findings", "SIGTERM", "report to /dev/full", "report into nothing", "no fault")


@cache
def names(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_row_has_a_test_that_is_there() -> None:
    assert [row[0] for row in ROWS] == [f"R{number}" for number in range(1, 32)]
    for row, *_, tests in ROWS:
        named = re.findall(r"`(\w[\w/]*\.py)::(\w+)`", tests)
        assert named, row
        missing = [name for file, name in named if name not in names(TESTS / file)]
        assert not missing, (row, missing)


def test_the_page_and_the_matrix_have_the_same_rows() -> None:
    tried_rows = {row for fault in FAULTS for row in fault.row.split()}
    assert tried_rows == {row for row, *_, tests in ROWS if re.search(r"\bmatrix\b", tests)}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("name", QUICK)
def test_no_surface_says_yes_of_what_was_not_done(name: str) -> None:
    fault = next(fault for fault in FAULTS if fault.name == name)
    one = tried(fault)
    assert one.false_greens() == []
    assert one.other_problems() == []


def test_a_surface_that_is_broken_is_found() -> None:
    """A project whose conftest has pytest end with 0, and removes what is red from its reports."""
    one = tried(Fault(name="red", row="", work="exit 1"), conftest=BREAK)
    assert one.false_greens() == ["pytest", "its JUnit", "its SARIF"]


BREAK = f"""
import atexit, os, pathlib

def leave():
    pathlib.Path("r.xml").write_text({OLD_JUNIT!r})
    pathlib.Path("r.sarif").write_text({OLD_SARIF!r})
    os._exit(0)

atexit.register(leave)
"""


def test_work_without_its_proof_is_not_done() -> None:
    one = tried(Fault(name="lost", row="", hope=Hope.PROOF, work="true", settings=OTHER))
    assert one.false_greens() == ["lok run", "JUnit", "SARIF", "pytest", "its JUnit", "its SARIF"]


OTHER = '[backends.server]\ntype = "scripted"\nreplies = [{ reply = "something else" }]\n'


def test_reports_are_read_as_strangers_read_them(tmp_path: Path) -> None:
    for text, word in ((OLD_JUNIT, "old file"), ("<testsuites>", "half a file"), ("<testsuites/>", "green")):
        (tmp_path / "r").write_text(text)
        assert junit(tmp_path / "r").word == word
    for text, word in ((OLD_SARIF, "old file"), ('{"runs": [', "half a file"), ("", "half a file")):
        (tmp_path / "r").write_text(text)
        assert sarif(tmp_path / "r").word == word
    assert not junit(tmp_path / "none").green
