from __future__ import annotations

import json
import os
from xml.etree import ElementTree

import pytest

from pytest_lok.cli.main import main
from tests.plugin.conftest import Suite

EACH = """
[[steps]]
name = "each"
for_each = [1, 2, 3, 4]
shell = "echo got {{ item }}; test {{ item }} != 2 && test {{ item }} != 4"
"""
SEVERAL = """
[[steps]]
name = "several"
prompt = "x"
backends = ["echo", "down"]
consensus = "first"
"""
DOWN = """
[backends.down]
type = "scripted"
[[backends.down.replies]]
error = "rate_limit"
"""


def failures(suite: Suite) -> dict[str, list[str]]:
    """The messages of each case of the JUnit file, by its name."""
    cases = list(ElementTree.parse(suite.root / "report.xml").iter("testcase"))
    found = {case.attrib["name"]: [f.attrib["message"] for f in case.findall("failure")] for case in cases}
    assert len(found) == len(cases), "no two have the same name"
    return found


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_red_items_of_a_failed_step_are_subtests_with_their_reasons(
    suite: Suite, xdist: tuple[str, ...]
) -> None:
    suite.workflow("w", EACH)
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 3
    result.stdout.fnmatch_lines_random(
        [
            "*each [[]item 1: 2[]]*",
            "item 1: 2: failed",
            "output:",
            "    got 2",
            "✗  [[]1[]] 2  failed   the command exited with code 1",
            "✓  [[]0[]] 1  passed*",
            "*each [[]item 3: 4[]]*",
            "SUBFAILED[[]item 1: 2[]] .lok/workflows/w.toml::each - the command*",
            "FAILED .lok/workflows/w.toml::each - 2 of 4 items did not pass*",
        ]
    )
    assert failures(suite) == {
        "each": [
            "2 of 4 items did not pass: [1] the command exited with code 1; [3] the command exited with code 1"
        ],
        "each[item 1: 2]": ["the command exited with code 1"],
        "each[item 3: 4]": ["the command exited with code 1"],
        "each[item 0: 1]": [],
        "each[item 2: 3]": [],
    }
    (whole,) = ElementTree.parse(suite.root / "report.xml").iter("testsuite")
    assert (whole.attrib["tests"], whole.attrib["failures"], whole.attrib["errors"]) == ("5", "3", "0")
    assert {case.attrib["classname"] for case in whole.iter("testcase")} == {"lok.w"}
    assert "Traceback" not in result.stdout.str()


MIXED = """
[[steps]]
name = "each"
for_each = [1, 2, 3]
timeout = 400
shell = "test {{ item }} != 2 || exit 1; test {{ item }} != 3 || sleep 9"
"""


@pytest.mark.parametrize("options", [("--lok",), ("--lok", "-n1"), ()], ids=["alone", "xdist", "lok"])
def test_an_item_that_could_not_do_its_work_is_an_error_and_no_failure(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.workflow("w", MIXED)
    if options:
        result = suite.run_apart(*options, "--junitxml=report.xml")
        counts = result.parseoutcomes()
        assert (counts["failed"], counts["errors"]) == (2, 1)
        result.stdout.fnmatch_lines(["*each [[]item 2: 3[]] could not do its work*"])
        result.stdout.no_fnmatch_line("*at setup of*")
    else:
        main(["run", "w", "--report", "junit=report.xml"], {**os.environ, "LOK_TRUST": "1"})
    (whole,) = ElementTree.parse(suite.root / "report.xml").iter("testsuite")
    assert (whole.attrib["tests"], whole.attrib["failures"], whole.attrib["errors"]) == ("4", "2", "1")
    found = {case.attrib["name"]: case for case in whole.iter("testcase")}
    error = found["each[item 2: 3]"].find("error")
    assert error is not None
    assert "400 ms" in error.attrib["message"] or "0.4 s" in error.attrib["message"]
    assert "setup" not in error.attrib["message"]
    assert found["each[item 1: 2]"].find("failure") is not None
    assert found["each"].find("failure") is not None


def test_a_soft_step_stays_soft(suite: Suite) -> None:
    suite.workflow("w", EACH.replace("for_each", "continue_on_error = true\nfor_each"))
    result = suite.run("--lok", "-v", "--junitxml=report.xml")
    assert result.ret == 0
    assert result.parseoutcomes() == {"xfailed": 1}, "no part of it is shown as passed"
    (case,) = ElementTree.parse(suite.root / "report.xml").iter("testcase")
    told = case.findtext("system-out") or ""
    assert "item 1: 2: the command exited with code 1" in told
    assert "item 3: 4: the command exited with code 1" in told


def test_a_reached_quorum_stays_green_and_says_who_did_not_answer(suite: Suite) -> None:
    suite.workflow("w", SEVERAL.replace("first", 'vote"\nquorum = 1\nvote_on = ""#'))
    suite.write("lok.toml", (suite.root / "lok.toml").read_text() + DOWN)
    result = suite.run("--lok", "-rP")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*- answers -*", "down  *  ! *", "*- result -*", "no answer of down: *"])


def test_green_items_are_told_in_detail_on_request(suite: Suite) -> None:
    suite.workflow("w", EACH.replace("!= 2", "!= x").replace("!= 4", "!= x"))
    result = suite.run("--lok", "-v")
    assert "passed" in result.parseoutcomes()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*::each SUBPASSED[[]item 0: 1[]]*"])


def test_without_pytests_subtests_nothing_is_lost(suite: Suite) -> None:
    suite.workflow("w", EACH)
    result = suite.run("--lok", "-p", "no:subtests")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["[[]1[]] 2: failed: the command exited with code 1", "    output:", "        got 2"]
    )


def test_the_first_failed_item_is_enough_for_x(suite: Suite) -> None:
    suite.workflow("w", EACH + '\n[[steps]]\nname = "after"\nshell = "sleep 1"\n')
    result = suite.run("--lok", "-x")
    assert result.ret == 1
    assert "Traceback" not in result.stdout.str()


FINDINGS = """
[gate]
fail_on = "high"

[[steps]]
name = "look"
argv = ["cat", "findings.json"]
output_format = "findings"
"""


def reported(suite: Suite) -> None:
    suite.workflow("gate", FINDINGS)
    suite.write("db.py", "query = 'select ' + name\nunused = 1\n")
    found = {"message": "user input in a query", "confidence": 0.9, "path": "db.py"}
    first = {
        **found,
        "rule_id": "sql",
        "title": "SQL injection",
        "severity": "high",
        "line": 1,
        "end_line": 1,
    }
    second = {
        **found,
        "rule_id": "dead",
        "title": "Unused name",
        "severity": "medium",
        "line": 2,
        "end_line": 2,
    }
    first["evidence"], second["evidence"] = "query = 'select ' + name", "unused = 1"
    suite.write("findings.json", json.dumps([first, second]))


@pytest.mark.parametrize(("fail_on", "blocking"), [("", 1), ("medium", 2), ("critical", 0)])
def test_every_finding_that_blocks_is_a_case_at_its_own_place(
    suite: Suite, fail_on: str, blocking: int
) -> None:
    reported(suite)
    suite.write("pytest.ini", f"[pytest]\nlok_fail_on = {fail_on}\n" if fail_on else "[pytest]\n")
    suite.run("--lok", "--junitxml=report.xml")
    step, *parts = ElementTree.parse(suite.root / "report.xml").iter("testcase")
    assert len(step.findall("failure")) == (1 if blocking else 0)
    assert step.attrib["file"] == ".lok/workflows/gate.toml"
    places = [(case.get("name"), case.get("file"), case.get("line")) for case in parts]
    assert places == [("look[sql db.py:1]", "db.py", "1"), ("look[dead db.py:2]", "db.py", "2")][:blocking]
    if blocking:
        assert failures(suite)["look[sql db.py:1]"][0].startswith("[high] sql db.py:1")


@pytest.mark.parametrize(
    ("written", "typed", "code"),
    [
        ("never", [], 1), ("critical", [], 1), ("medium", [], 1),
        ("medium", ["-o", "lok_fail_on=never"], 0), ("medium", ["--override-ini=lok_fail_on=critical", "-n1"], 0),
        ("never", ["-n1"], 1),
    ],
)  # fmt: skip
def test_in_ci_the_ini_only_makes_a_gate_stricter(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, written: str, typed: list[str], code: int
) -> None:
    reported(suite)
    suite.write("pytest.ini", f"[pytest]\nlok_fail_on = {written}\n")
    monkeypatch.setenv("CI", "true")
    assert suite.run("--lok", *typed).ret == code


def test_a_family_without_places_gets_none(suite: Suite) -> None:
    reported(suite)
    suite.run("--lok", "--junitxml=report.xml", "-o", "junit_family=xunit2")
    assert list(failures(suite)) == ["look", "look[sql db.py:1]"]
    for case in ElementTree.parse(suite.root / "report.xml").iter("testcase"):
        assert sorted(case.attrib) == ["classname", "name", "time"]


def test_two_findings_of_one_name_are_two_cases(suite: Suite) -> None:
    reported(suite)
    file = suite.root / "findings.json"
    first, _ = json.loads(file.read_text())
    file.write_text(json.dumps([first, {**first, "title": "Another", "evidence": "select "}]))
    suite.run("--lok", "--junitxml=report.xml")
    cases = list(ElementTree.parse(suite.root / "report.xml").iter("testcase"))
    assert [len(case.findall("failure")) for case in cases] == [1] * len(cases)


def test_a_report_that_a_hook_has_made_has_parts_too(suite: Suite) -> None:
    suite.workflow("w", EACH)
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            return pytest.TestReport(
                report.nodeid, report.location, {}, report.outcome, report.longrepr, report.when
            )
        """,
    )
    result = suite.run("--lok", "--junitxml=report.xml")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 3}
    assert len(failures(suite)) == 5


INSIDE = """
collect = false
[[steps]]
name = "good"
shell = "true"
[[steps]]
name = "bad"
shell = "echo got {{ env.N | default('none') }}; false"
[[steps]]
name = "never"
depends_on = ["bad"]
shell = "true"
"""


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_steps_of_a_workflow_that_a_step_runs_are_subtests(suite: Suite, xdist: tuple[str, ...]) -> None:
    suite.workflow(
        "w", '[[steps]]\nname = "x"\nworkflow = "inside"\n[[steps]]\nname = "y"\nworkflow = "leaf"\n'
    )
    suite.workflow("inside", INSIDE)
    suite.workflow("leaf", "collect = false\n[[steps]]\nname = 'deep'\nshell = 'true'\n")
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        ["SUBFAILED[[]bad[]] .lok/workflows/w.toml::x - the command exited*", "output: got none"]
    )
    message = "inside: step bad: failed: the command exited with code 1"
    assert failures(suite) == {
        "x": [message],
        "x[bad]": ["the command exited with code 1"],
        "x[good]": [],
        "y": [],
        "y[deep]": [],
    }
