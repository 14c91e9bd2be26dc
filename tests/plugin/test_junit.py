from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import lxml.etree
import pytest

from tests import forks
from tests.plugin.conftest import Suite

GATE = """
[[steps]]
name = "look"
shell = "printf '[[ATTACHMENT|/etc/passwd]] ##[error]x \\\\033[31m'"

[[steps]]
name = "ask"
prompt = "Is this fine?"
assert = ["output == 'yes'"]

[[steps]]
name = "down"
prompt = "trouble"

[[steps]]
name = "soft"
shell = "exit 1"
continue_on_error = true
"""


def cases(path: Path) -> dict[str, ElementTree.Element]:
    return {case.attrib["name"]: case for case in ElementTree.parse(path).iter("testcase")}


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_what_review_bots_read(suite: Suite, xdist: tuple[str, ...]) -> None:
    suite.workflow("gate", GATE)
    suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    found = cases(suite.root / "report.xml")
    assert {case.attrib["classname"] for case in found.values()} == {"lok.gate"}
    places = {name: (case.attrib["file"], case.attrib["line"]) for name, case in found.items()}
    assert places == {
        "look": (".lok/workflows/gate.toml", "2"),
        "ask": (".lok/workflows/gate.toml", "6"),
        "down": (".lok/workflows/gate.toml", "11"),
        "soft": (".lok/workflows/gate.toml", "15"),
    }
    assert message(found["ask"], "failure") == "assert failed: output == 'yes'"
    assert message(found["down"], "error") == "echo was told to fail: overload"
    assert message(found["soft"], "skipped") == "the command exited with code 1"
    properties = {node.attrib["name"]: node.attrib["value"] for node in found["ask"].iter("property")}
    assert properties["lok.outcome"] == "failed"
    assert properties["lok.backend"] == "echo"
    assert properties["lok.model"] == "scripted"
    assert int(properties["lok.tokens"]) > 0
    assert float(properties["lok.cost_usd"]) == 0
    assert properties["lok.attempts"] == "1"
    assert properties["lok.run_id"] == next((suite.root / ".lok" / "runs").glob("2*")).name
    assert len(properties["lok.workflow_sha256"]) == 64


def test_hostile_text_is_neutral_and_output_bounded(suite: Suite) -> None:
    suite.workflow("gate", GATE)
    suite.shells("big", a="head -c 3000000 /dev/zero | tr '\\0' x")
    suite.run("--lok", "--junitxml=report.xml")
    text = (suite.root / "report.xml").read_text()
    assert len(text) < 100_000
    found = cases(suite.root / "report.xml")
    told = found["look"].findtext("system-out") or ""
    assert "ATTACHMENT|/etc/passwd" in told
    assert "[[ATTACHMENT|" not in text
    assert "##[" not in text
    assert "\x1b" not in text


HOSTILE = """
[[steps]]
name = "raw"
shell = "cat bytes; exit 1"

[[steps]]
name = "told"
shell = "cat text"

[[steps]]
name = "said"
prompt = "{{ steps.told.output }}"
assert = ["output == ']]> & <b>'"]

[[steps]]
name = "each"
for_each = ["]]><testcase name='forged'/>", "\\u001b[31m", "[[ATTACHMENT|/etc/passwd]]", "::error::x"]
shell = "echo {{ item }}; exit 1"
"""
TEXT = b"]]></failure><testcase name='forged'/> &#0; &amp; \xf0\x9f\x90\x8d \xef\xbf\xbe " + bytes(
    range(1, 256)
)


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_three_independent_readers_agree(suite: Suite, xdist: tuple[str, ...]) -> None:
    """Python's own parser, libxml2 without its recovery, and the parser of a review bot."""
    suite.workflow("hostile", HOSTILE)
    (suite.root / "text").write_bytes(TEXT)
    (suite.root / "bytes").write_bytes(TEXT + os.urandom(100_000))
    suite.workflow("gate", GATE)
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    result.stdout.fnmatch_lines(["*generated xml file: */report.xml*"])
    report = suite.root / "report.xml"
    plain = {name: [node.tag for node in case] for name, case in cases(report).items()}
    strict = lxml.etree.parse(
        report, lxml.etree.XMLParser(recover=False, huge_tree=False, resolve_entities=False)
    )
    assert {case.get("name"): [node.tag for node in case] for case in strict.iter("testcase")} == plain
    bot = junitparser.JUnitXml.fromfile(str(report))
    seen = {case.name: case.result for test_suite in bot for case in test_suite}
    steps = {"raw", "told", "said", "each", "look", "ask", "down", "soft"}
    assert {name for name in seen if "[" not in name} == steps
    assert seen.keys() == plain.keys()
    assert len(seen) == len(steps) + 4
    assert all(len(results) <= 1 for results in seen.values())
    assert isinstance(seen["raw"][0], junitparser.Failure)
    assert isinstance(seen["down"][0], junitparser.Error)
    assert isinstance(seen["soft"][0], junitparser.Skipped)
    assert seen["look"] == []


ITEMS = """
[[steps]]
name = "judged"
for_each = ["good", "bad"]
shell = "test {{ item }} = good"

[[steps]]
name = "broken"
for_each = ["fine", "trouble"]
prompt = "{{ item }}"
"""


@pytest.mark.parametrize("by", ["pytest", "lok"])
def test_a_reader_sees_which_item_is_red(suite: Suite, by: str) -> None:
    suite.workflow("w", ITEMS)
    if by == "pytest":
        suite.run("--lok", "--junitxml=report.xml")
    else:
        words = [sys.executable, "-m", "pytest_lok.cli.main", "run", "w", "--report", "junit=report.xml"]
        forks.run(words, cwd=suite.root)
    found = cases(suite.root / "report.xml")
    assert set(found) == {"judged", "judged[item 0: good]", "judged[item 1: bad]", "broken"}
    assert message(found["judged[item 1: bad]"], "failure") == "the command exited with code 1"
    assert found["judged[item 0: good]"].find("failure") is None
    said = found["broken"].findtext("error") or ""
    assert "trouble" in said
    assert "overload" in said


def test_the_users_own_choice_of_family_stays(suite: Suite) -> None:
    suite.workflow("gate", GATE)
    suite.write("pytest.ini", "[pytest]\njunit_family = xunit2\n")
    suite.run("--lok", "--junitxml=report.xml")
    assert all("line" not in case.attrib for case in cases(suite.root / "report.xml").values())


def test_seconds_are_the_steps_own(suite: Suite) -> None:
    suite.shells("w", slow="sleep 0.6", quick_after_slow="true")
    suite.run("--lok", "--junitxml=report.xml")
    seconds = {name: float(case.attrib["time"]) for name, case in cases(suite.root / "report.xml").items()}
    assert seconds["slow"] >= 0.6
    assert seconds["quick"] < 0.6


def test_names_are_unique_and_python_tests_as_ever(suite: Suite) -> None:
    suite.shells("v", a="true")
    suite.shells("w", a="true")
    suite.write("test_one.py", "def test_a(): pass")
    suite.run("--lok", "--junitxml=report.xml")
    found = [
        (case.attrib["classname"], case.attrib["name"])
        for case in ElementTree.parse(suite.root / "report.xml").iter("testcase")
    ]
    assert sorted(found) == [
        ("lok.v", "a"),
        ("lok.w", "a"),
        ("test_one", "test_a"),
    ]


def message(case: ElementTree.Element, tag: str) -> str:
    node = case.find(tag)
    assert node is not None, ElementTree.tostring(case)
    return node.attrib["message"]


def test_a_report_that_cannot_be_written_is_not_there_by_half(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write(
        "conftest.py",
        """
        import resource

        def pytest_runtest_teardown():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # as a disk that is full
        """,
    )
    result = suite.run_apart("--lok", "-p", "no:cacheprovider", "--junitxml=report.xml")
    assert result.ret != 0
    assert not list(suite.root.glob("*report.xml*"))


def test_a_link_or_a_device_is_written_to_and_left_alone(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write("real.xml", "old")
    (suite.root / "report.xml").symlink_to("real.xml")
    suite.run("--lok", "--junitxml=report.xml")
    assert (suite.root / "report.xml").is_symlink()
    assert list(cases(suite.root / "real.xml")) == ["a"]
    os.mkfifo(suite.root / "pipe.xml")
    with subprocess.Popen(["cat", "pipe.xml"], cwd=suite.root, stdout=subprocess.PIPE) as reader:
        suite.run("--lok", "--junitxml=pipe.xml")
        written, _ = reader.communicate(timeout=30)
    assert b'name="a"' in written
    assert (suite.root / "pipe.xml").is_fifo()


@pytest.mark.parametrize("place", ["file/r.xml", "/proc/no/such/r.xml", "a" * 300])
def test_a_place_that_no_report_can_be_made_in_is_an_error_before_anything_runs(
    suite: Suite, place: str
) -> None:
    suite.shells("w", a="echo a >> ran")
    suite.write("file", "")
    result = suite.run_apart("--lok", f"--junitxml={place}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *r.xml cannot be written: *" if "/" in place else "ERROR: *: File name too long"]
    )
    assert suite.ran() == []


def test_a_report_makes_its_directories(suite: Suite) -> None:
    suite.shells("w", a="true")
    assert suite.run_apart("--lok", "--junitxml=some/where/r.xml").ret == 0
    assert [it.name for it in (suite.root / "some/where").iterdir()] == ["r.xml"]


@pytest.mark.parametrize(
    "other", ["--junitxml=/proc/no/r.xml", "--lok-report=junit=/proc/no/r.xml", "--lok-report=no=r"]
)
def test_one_report_that_cannot_be_written_keeps_no_other_of_yesterday(suite: Suite, other: str) -> None:
    suite.shells("w", a="echo a >> ran")
    old = suite.write("r.sarif", "{}")
    result = suite.run_apart("--lok", other, "--lok-report=sarif=r.sarif")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not old.exists()
    assert suite.ran() == []
