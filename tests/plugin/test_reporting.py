from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Suite

GATE = """
name = "The gate"

[[steps]]
name = "look"
shell = "printf 'first\\\\nsecond'; echo warned >&2"

[[steps]]
name = "ask"
prompt = "Is this fine? {{ steps.look.output }}"
assert = ["output == 'yes'"]
"""


def test_a_failure_is_told_in_the_steps_words_and_no_stack_of_ours(suite: Suite) -> None:
    suite.workflow("gate", GATE)
    result = suite.run("--lok")
    result.stdout.fnmatch_lines(
        [
            "*___ ask ___*",
            ".lok/workflows/gate.toml:8: step 'ask' failed",
            "asked echo:",
            "    Is this fine? first",
            "    second",
            "echo answered (scripted, * s, * tokens, $0.0000):",
            "    hello from echo",
            "assert:",
            "*output = 'hello from echo'*",
            "E   assert failed: output == 'yes'",
        ]
    )
    printed = result.stdout.str()
    assert "Traceback" not in printed
    assert "pytest_lok/" not in printed


@pytest.mark.parametrize("style", ["auto", "long", "short", "native", "line"])
def test_the_short_reason_is_there_in_every_style(suite: Suite, style: str) -> None:
    suite.workflow("gate", GATE)
    result = suite.run("--lok", f"--tb={style}")
    result.stdout.fnmatch_lines(["FAILED .lok/workflows/gate.toml::ask - assert failed: output == 'yes'"])
    if style == "line":
        result.stdout.fnmatch_lines(["*/.lok/workflows/gate.toml:8: assert failed: output == 'yes'"])


def test_where_a_character_cannot_be_shown_its_line_alone_is_spelled_out(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.workflow("w", '[[steps]]\nname = "s"\nshell = "echo one; echo zwei é; exit 1"\n')
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    suite.run_cold("--lok").stdout.fnmatch_lines(
        [
            "*: step 's' failed",
            "command:",
            "output:",
            "    one",
            "    zwei [\\]xe9",
            "E   the command exited with code 1",
        ]
    )


def test_rp_shows_every_steps_output(suite: Suite) -> None:
    suite.workflow("gate", GATE.replace("== 'yes'", "!= 'yes'"))
    result = suite.run("--lok", "-rP")
    result.stdout.fnmatch_lines(
        [
            "*__ look __*",
            "*- output -*",
            "first",
            "second",
            "*- stderr -*",
            "warned",
            "*__ ask __*",
            "*- output -*",
            "hello from echo",
        ]
    )


VOTE = """
[[steps]]
name = "vote"
prompt = "ok?"
backends = ["echo", "second", "third"]
consensus = "vote"
vote_on = ""
"""
VOTERS = """
[backends.second]
type = "scripted"
[[backends.second.replies]]
reply = "hello from echo"
[backends.third]
type = "scripted"
[[backends.third.replies]]
reply = "no"
"""


def test_a_vote_is_told_by_rp_and_in_junit(suite: Suite) -> None:
    suite.workflow("w", VOTE)
    suite.write("lok.toml", (suite.root / "lok.toml").read_text() + VOTERS)
    result = suite.run("--lok", "-rP", "--junitxml=report.xml")
    result.assert_outcomes(passed=1)
    said = ["second  *  ✓ hello from echo", "third  *  ✗ no"]
    result.stdout.fnmatch_lines(["*- answers -*", *said, "*- result -*", "hello from echo 2 : 1 no (third)"])
    (output, *_) = ElementTree.parse(suite.root / "report.xml").iter("system-out")
    assert "result: hello from echo 2 : 1 no (third)" in str(output.text)


def test_v_says_of_each_step_who_said_what(suite: Suite) -> None:
    suite.workflow("w", VOTE + '\n[[steps]]\nname = "look"\nshell = "true"\n')
    suite.write("lok.toml", (suite.root / "lok.toml").read_text() + VOTERS)
    suite.run("--lok", "-v").stdout.fnmatch_lines(
        [
            "*= workflows =*",
            "  passed   vote  *  hello from echo 2 : 1 no (third)  echo, second, third  *",
            "    echo  *  ✓ hello from echo",
            "    third  *  ✗ no",
            "  passed   look  *",
            "w: passed in *",
        ]
    )
    assert "✓" not in suite.run("--lok").stdout.str()


def test_the_summary_has_a_line_for_every_workflow(suite: Suite) -> None:
    suite.workflow("gate", GATE)
    suite.shells("other", a="true", b="false")
    result = suite.run("--lok")
    result.stdout.fnmatch_lines(
        [
            "lok: 2 workflows: gate, other",
            "*= workflows =*",
            "gate: failed in * s · 1 passed, 1 failed · echo · * tokens, $0.0000",
            "other: failed in * s · 1 passed, 1 failed",
        ]
    )


def test_what_an_unselected_prerequisite_cost_is_counted(suite: Suite) -> None:
    suite.workflow(
        "w", '[[steps]]\nname="a"\nprompt="x"\n[[steps]]\nname="b"\nshell="true"\ndepends_on=["a"]\n'
    )
    suite.run(".lok/workflows/w.toml::b").stdout.fnmatch_lines(
        ["w: passed in * · 2 passed · echo · * tokens*"]
    )


def test_junit_has_a_short_message_and_the_whole_text(suite: Suite) -> None:
    suite.workflow("gate", GATE + '\n[[steps]]\nname = "down"\nprompt = "trouble"\n')
    suite.run("--lok", "--junitxml=report.xml")
    cases = {
        case.attrib["name"]: case for case in ElementTree.parse(suite.root / "report.xml").iter("testcase")
    }
    failure, error = cases["ask"].find("failure"), cases["down"].find("error")
    assert failure is not None
    assert failure.attrib["message"] == "assert failed: output == 'yes'"
    assert "hello from echo" in (failure.text or "")
    assert error is not None
    assert "overload" in error.attrib["message"]
    assert len(error.attrib["message"]) < 200


SPY = """
import json

def pytest_runtest_logreport(report):
    if hasattr(report, "lok"):
        with open("facts", "a") as file:
            file.write(json.dumps([report.nodeid, report.when, report.duration, report.lok]) + "\\n")
"""


def test_reports_carry_plain_facts(suite: Suite) -> None:
    suite.workflow("gate", GATE)
    suite.write("conftest.py", SPY)
    suite.run("--lok")
    lines = [json.loads(line) for line in (suite.root / "facts").read_text().splitlines()]
    assert [(nodeid.rpartition("::")[2], when) for nodeid, when, _, _ in lines] == [
        ("look", "call"),
        ("ask", "call"),
    ]
    facts = lines[1][3]
    assert facts["outcome"] == "failed"
    assert facts["backend"] == "echo"
    assert facts["workflow"] == "gate"
    assert facts["tokens"] > 0
    assert lines[1][2] == facts["seconds"]


def test_output_that_is_no_text_harms_nothing(suite: Suite) -> None:
    suite.shells("w", a=r"printf '\033[31m\000\377 ##[error]x\n::error::y\n'; exit 1")
    result = suite.run("--lok", "--junitxml=report.xml")
    printed = result.stdout.str()
    assert "\x1b[31m" not in printed
    assert "##[" not in printed
    assert not any(line.lstrip().startswith("::") for line in result.outlines)
    assert ElementTree.parse(suite.root / "report.xml").getroot() is not None
