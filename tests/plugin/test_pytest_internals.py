"""The private names of pytest stand in one file, counted and explained; what is made of them is what pytest makes."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from pytest_lok.plugin import _pytest_internals as internals
from tools.measure import modules_of, private_pytest_names

PACKAGE = Path(internals.__file__).parents[1]
EXPLAINED = [
    name.rpartition(".")[2]
    for line in re.findall(r"^``.*``$", internals.__doc__ or "", re.MULTILINE)
    for name in re.findall(r"``([\w.]+)``", line)
]


def test_no_other_file_touches_one() -> None:
    _, files = private_pytest_names(modules_of(PACKAGE))
    assert files == ["pytest_lok.plugin._pytest_internals"]


def test_they_are_sixteen_and_each_is_explained() -> None:
    assert len(set(EXPLAINED)) == len(EXPLAINED) == 16
    source = Path(internals.__file__).read_text().replace(internals.__doc__ or "", "")
    imported = {
        name.strip()
        for names in re.findall(r"^from _pytest.* import (.*)$", source, re.M)
        for name in names.split(",")
    }
    attributes = set(re.findall(r"\.(_[a-z]\w*)", source))
    assert imported | attributes == set(EXPLAINED)


def test_a_failure_is_shown_as_a_text_with_a_short_reason_and_goes_to_another_process_and_back() -> None:
    report = pytest.TestReport(
        nodeid="a",
        location=("a", 0, "a"),
        keywords={},
        outcome="failed",
        longrepr=internals.make_longrepr("one\ntwo", "w.toml", 7, "it says no"),
        when="call",
    )
    sent = pytest.TestReport._from_json(report._to_json())
    for shown in (report, sent):
        assert shown.longreprtext == "one\ntwo"
        place = shown.longrepr.reprcrash  # type: ignore[union-attr]
        assert (place.path, place.lineno, place.message) == ("w.toml", 7, "it says no")


def test_every_way_to_capture_is_known() -> None:
    from _pytest import capture

    kinds = {kind for kind in vars(capture).values() if isinstance(kind, type) and "write" in vars(kind)}
    files = {kind for kind in kinds if issubclass(kind, io.TextIOWrapper)}
    assert capture.TeeCaptureIO in files
    assert files <= set(internals.captured_files())
