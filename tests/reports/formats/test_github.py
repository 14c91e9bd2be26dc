from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.runs import BLOCKS, FINDINGS, GREEN, HOSTILE_RUN, MINOR, RED, reported, review
from tests.reports.results import ERROR, PASSED

# as the runner reads a line: whatever stands before the first ::, a command with properties, a message
COMMAND = re.compile(r"^\s*::(\w[\w-]*)(?: ([^:]*))?::(.*)$")


def commands(*runs: ReportedRun) -> list[tuple[str, dict[str, str], str]]:
    text = report_text("github", runs)
    found = [match for line in text.splitlines() if (match := COMMAND.match(line))]
    return [
        (kind, dict(part.split("=", 1) for part in (given or "").split(",") if part), message)
        for kind, given, message in (match.groups() for match in found)
    ]


def test_findings_that_count_are_annotations_at_their_places() -> None:
    found = commands(FINDINGS)
    assert [(kind, given["file"], given["line"]) for kind, given, _ in found] == [
        ("error", "db.py", "3"),
        ("error", "db.py", "11"),
        ("notice", "db.py", "9"),
    ]


def test_what_could_not_be_done_is_an_error() -> None:
    ((kind, given, text),) = commands(reported(PASSED, ERROR))
    assert (kind, given["file"], given["title"]) == ("error", ".lok/workflows/gate.toml", "lok gate%3A error")
    assert "1 of 2 backends gave a valid answer" in text


def test_a_green_run_has_no_error_and_says_so_in_a_plain_line() -> None:
    assert [kind for kind, _, _ in commands(GREEN)] == ["warning"]
    last = report_text("github", [GREEN]).splitlines()[-1]
    assert last.startswith("lok gate: passed: ")


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    assert "error" in {kind for kind, _, _ in commands(RED[name])}
    last = report_text("github", [RED[name]]).splitlines()[-1]
    assert re.match(r"lok [\w.-]+: (failed|inconclusive|nothing judged): ", last)


def test_there_are_ten_of_a_kind_and_a_count() -> None:
    many = [replace(BLOCKS, line=at, fingerprint=f"f{at}") for at in range(1, 31)]
    minor = [replace(MINOR, line=at, fingerprint=f"m{at}") for at in range(1, 11)]
    found = commands(reported(review(*many, *minor)))
    kinds = [kind for kind, _, _ in found]
    assert (kinds.count("error"), kinds.count("notice")) == (10, 10)
    assert [text for kind, _, text in found if kind == "error"][
        -1
    ] == "and 21 more, which GitHub would not show"


def test_hostile_text_commands_nobody() -> None:
    text = report_text("github", [HOSTILE_RUN])
    assert len(text) < 100_000
    assert {kind for kind, _, _ in commands(HOSTILE_RUN)} == {"error"}
    for kind, given, _ in commands(HOSTILE_RUN):
        assert kind == "error"
        assert given.keys() <= {"file", "line", "endLine", "title"}
    for command in ("##[", "##vso[", "\x1b", "\u202e", "ghp_"):
        assert command not in text
