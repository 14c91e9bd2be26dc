"""``pytest --lok --lok-report KIND=PATH``: whole files of this session, or none."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Suite


def runs(suite: Suite, name: str = "out.sarif") -> list[Any]:
    found: list[Any] = json.loads((suite.root / name).read_text())["runs"]
    return found


def verdicts(suite: Suite, name: str = "out.sarif") -> dict[str, str]:
    return {
        run["automationDetails"]["id"].split("/")[1]: run["properties"]["verdict"]
        for run in runs(suite, name)
    }


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_each_workflow_is_reported(suite: Suite, xdist: tuple[str, ...]) -> None:
    suite.shells("good", a="true")
    suite.shells("bad", a="false")
    done = suite.run_apart("--lok", "--lok-report=sarif=out.sarif", *xdist)
    assert done.ret == 1
    # nothing says yes in a session that says no
    assert verdicts(suite) == {"bad": "failed", "good": "inconclusive"}
    suite.shells("bad", a="true")
    assert suite.run_apart("--lok", "--lok-report=sarif=out.sarif", *xdist).ret == 0
    assert verdicts(suite) == {"bad": "passed", "good": "passed"}


JUDGED = """
[[steps]]
name = "look"
shell = "printf '[[ATTACHMENT|/etc/passwd]] ##[error]x'"

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

[[steps]]
name = "each"
for_each = [1, 2, 3]
shell = "test {{ item }} != 2"

[[steps]]
name = "after"
depends_on = ["ask"]
shell = "true"

[[steps]]
name = "never"
when = "false"
shell = "true"
"""


def test_junit_says_what_pytests_own_file_says(suite: Suite) -> None:
    suite.workflow("gate", JUDGED)
    assert suite.run("--lok", "--junitxml=own.xml", "--lok-report=junit=ours.xml").ret == 1
    own, ours = (_cases(suite, name) for name in ("own.xml", "ours.xml"))
    assert len(ours) == 10
    assert ours == own


def _cases(suite: Suite, name: str) -> dict[str, Any]:
    """What readers take of each case, by the case's name."""
    cases: dict[str, Any] = {}
    for case in ElementTree.parse(suite.root / name).iter("testcase"):
        told = next((node for node in case if node.tag in ("failure", "error", "skipped")), None)
        properties = {node.attrib["name"]: node.attrib["value"] for node in case.iter("property")}
        cases[case.attrib["name"]] = {
            **{key: case.attrib.get(key) for key in ("classname", "file", "line")},
            "told": told is not None and (told.tag, told.get("message"), told.get("type")),
            "properties": properties,
            "output": case.findtext("system-out"),
        }
    return cases


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_page_has_the_prompts_of_passed_steps_too_and_says_when_each_step_ran(
    suite: Suite, xdist: tuple[str, ...]
) -> None:
    asking = '[args.about]\ndefault = "x"\n[[steps]]\nname = "ask"\nprompt = "Is {{ arg.about }} fine?"\n'
    suite.workflow("gate", f'{asking}[[steps]]\nname = "then"\nshell = "true"\ndepends_on = ["ask"]\n')
    done = suite.run_apart("--lok", "--lok-arg=about=all of it", "--lok-report=html=out.html", *xdist)
    assert done.ret == 0
    page = (suite.root / "out.html").read_text()
    assert "Is all of it fine?" in page
    assert "lok run gate &#39;--about=all of it&#39;" in page
    assert page.count('class="row passed"') == 2
    assert page.count('class="node passed"') == 2


def test_annotations_go_where_the_runner_reads_them(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.root / "summary.md"))
    suite.shells("bad", a="false")
    done = suite.run_apart("--lok", "--lok-report=github=/dev/stdout")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["::error file=.lok/workflows/bad.toml,line=1,*::step a: failed: *"])
    assert "### lok `bad`: failed" in (suite.root / "summary.md").read_text()


def test_the_ini_key_and_the_option_add_up(suite: Suite) -> None:
    suite.shells("good", a="true")
    suite.write("pytest.ini", "[pytest]\nlok_report =\n    sarif=a.sarif\n")
    (suite.root / "sub").mkdir()
    suite.pytester.chdir()
    assert suite.run("--lok", "--lok-report", "sarif=sub/b.sarif").ret == 0
    assert verdicts(suite, "a.sarif") == verdicts(suite, "sub/b.sarif") == {"good": "passed"}


def test_a_red_python_test_makes_no_green_report(suite: Suite) -> None:
    suite.shells("good", a="true")
    suite.write("test_x.py", "def test_x():\n    assert False\n")
    assert suite.run("--lok", "--lok-report=sarif=out.sarif").ret == 1
    (run,) = runs(suite)
    assert not run["invocations"][0]["executionSuccessful"]
    assert run["invocations"][0]["exitCode"] == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nonsense=a", "'nonsense' is no kind of report"),
        ("sarif=none/a", "there is no directory"),
    ],
)
def test_a_report_that_cannot_be_is_a_usage_error(suite: Suite, given: str, told: str) -> None:
    suite.shells("w", a="echo a >> ran")
    done = suite.run("--lok", f"--lok-report={given}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{told}*"])
    assert suite.ran() == []


def test_a_report_of_a_session_without_workflows_is_a_usage_error(suite: Suite) -> None:
    suite.write("test_x.py", "def test_x(): pass\n")
    done = suite.run("--lok-report=sarif=a")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*runs no workflow: add --lok*"])
    assert suite.run("--lok-report=none").ret == 0


def test_an_old_report_is_gone_whatever_goes_wrong(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write("conftest.py", "raise RuntimeError\n")
    old = suite.write("out.sarif", "of an earlier session")
    assert suite.run_apart("--lok", "--lok-report=sarif=out.sarif").ret != 0
    assert not old.exists()


def test_workflows_that_did_not_begin_are_said(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write("test_x.py", "import nonsense_of_nobody\n")
    assert suite.run("--lok", "--lok-report=sarif=out.sarif").ret == 2
    (run,) = runs(suite)
    told = run["invocations"][0]
    assert not told["executionSuccessful"]
    assert (
        "not run: the session ended with exit status 2"
        in told["toolExecutionNotifications"][0]["message"]["text"]
    )


def test_a_report_that_cannot_be_written_makes_a_green_session_red(suite: Suite) -> None:
    (suite.root / "sub").mkdir()
    suite.shells("w", a="rmdir sub")
    done = suite.run("--lok", "--lok-report=sarif=sub/out.sarif", "--lok-report=sarif=other.sarif")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["ERROR: no sarif report: cannot write*"])
    assert (suite.root / "other.sarif").exists()


def test_a_session_without_reports_imports_nothing_of_them(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write(
        "conftest.py",
        """
        import sys
        def pytest_unconfigure():
            print("\\nmade", [m for m in sys.modules if "report_files" in m or "reported_run" in m])
        """,
    )
    done = suite.run_cold("--lok")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["made [[]]"])


def test_an_interrupted_session_is_said(suite: Suite) -> None:
    suite.shells("w", a="sleep 30", b_after_a="true")
    suite.write(
        "conftest.py",
        """
        import os, signal, threading
        def pytest_collection_finish():
            threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
        """,
    )
    assert suite.run_apart("--lok", "--lok-report=sarif=out.sarif").ret == 2
    (run,) = runs(suite)
    assert run["properties"]["verdict"] == "inconclusive"
    assert not run["invocations"][0]["executionSuccessful"]


def test_github_gets_annotations_by_itself(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.root / "summary.md"))
    suite.shells("bad", a="false")
    done = suite.run_apart("--lok")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "::error file=.lok/workflows/bad.toml,line=1,*::step a: failed: *",
            "reports: annotations in this log, and the summary of the job*",
        ]
    )
    assert "### lok `bad`: failed" in (suite.root / "summary.md").read_text()
    suite.write("pytest.ini", "[pytest]\nlok_report = none\n")
    suite.run_apart("--lok").stdout.no_fnmatch_line("::error*")


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_gitlab_gets_its_report_by_itself(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, xdist: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_PROJECT_DIR", str(suite.root))
    suite.shells("bad", a="false")
    file = suite.write("gl-code-quality-report.json", "of an earlier job")
    done = suite.run_apart("--lok", *xdist)
    assert [it["check_name"] for it in json.loads(file.read_text())] == ["lok/failed"]
    done.stdout.fnmatch_lines(["reports: gl-code-quality-report.json, which GitLab shows*"])
    suite.write("conftest.py", "raise RuntimeError\n")
    assert suite.run_apart("--lok").ret != 0
    assert not file.exists()


def test_a_session_without_workflows_reports_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITLAB_CI", "true")
    suite.write("test_x.py", "def test_x(): pass\n")
    done = suite.run_apart()
    assert done.ret == 0
    done.stdout.no_fnmatch_line("reports:*")
    assert not (suite.root / "gl-code-quality-report.json").exists()


def test_what_was_answered_of_a_review_that_is_cut_is_in_every_report(suite: Suite) -> None:
    suite.write(
        "lok.toml",
        '[backends.one]\ntype = "scripted"\nreplies = [{ reply = """\n'
        '[{"rule_id": "sql", "title": "a query", "message": "bind it", "severity": "low", "confidence": 1, "path": "a.py", "line": 1, "evidence": "db.execute(sql)"}]""" }]\n'
        '[backends.two]\ntype = "scripted"\nreplies = [{ reply = "[]" }]\n',
    )
    suite.write("a.py", "db.execute(sql)\n")
    suite.workflow(
        "w",
        '[budget]\ncalls = 1\n[gate]\n[[steps]]\nname = "review"\nbackends = ["one", "two"]\nprompt = "x"\n'
        'output_format = "findings"\n',
    )
    wanted = [f"--lok-report={kind}=out.{kind}" for kind in ("sarif", "junit", "markdown", "jsonl")]
    done = suite.run("--lok", "--junitxml=own.xml", *wanted)
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*[[]low[]] sql a.py:1*", "answered: 1 of 2 backends", "ERROR *::review - the budget of 1 call *"]
    )
    for name in ("out.junit", "own.xml"):
        assert _cases(suite, name)["review"]["told"][0] == "error"
        assert _cases(suite, name)["review"]["properties"]["lok.answered"] == "1 of 2 backends"
    for name in ("out.sarif", "out.markdown", "out.jsonl"):
        text = (suite.root / name).read_text()
        assert "answered: 1 of 2 backends" in text
        assert "a query" in text
    (run,) = runs(suite)
    assert not run["invocations"][0]["executionSuccessful"]
