from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Suite

DOWN = """
[[steps]]
name = "bugs"
prompt = "trouble"

[[steps]]
name = "diff"
shell = "true"
"""


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_step_that_could_not_do_its_work_is_no_broken_fixture(suite: Suite, xdist: tuple[str, ...]) -> None:
    suite.workflow("review", DOWN)
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    assert result.ret == 1
    assert result.parseoutcomes() == {"passed": 1, "errors": 1}
    result.stdout.fnmatch_lines(
        [
            "*= ERRORS =*",
            "*_ bugs could not do its work _*",
            ".lok/workflows/review.toml:2: step 'bugs' could not do its work",
            "E   echo was told to fail: overload",
            "*= workflows =*",
            "*= short test summary info =*",
            "ERROR .lok/workflows/review.toml::bugs - echo was told to fail: overload",
        ]
    )
    printed = result.stdout.str()
    assert "at setup of" not in printed
    assert printed.count("= ERRORS =") == 1
    cases = {
        case.attrib["name"]: case for case in ElementTree.parse(suite.root / "report.xml").iter("testcase")
    }
    assert [node.tag for node in cases["bugs"] if node.tag != "properties"] == ["error"]


def test_a_broken_fixture_is_one(suite: Suite) -> None:
    suite.workflow("review", DOWN)
    suite.write(
        "test_one.py",
        """
        import pytest

        @pytest.fixture
        def broken():
            print("so far")
            raise OSError("nothing there")

        def test_one(broken): pass
        """,
    )
    result = suite.run("--lok")
    assert result.parseoutcomes() == {"passed": 1, "errors": 2}
    result.stdout.fnmatch_lines(
        [
            "*_ bugs could not do its work _*",
            "*_ ERROR at setup of test_one _*",
            "ERROR .lok/workflows/review.toml::bugs - *",
            "ERROR test_one.py::test_one - OSError: nothing there",
        ]
    )


def test_what_a_fixture_has_printed_is_shown_unless_it_is_not_to_be(suite: Suite) -> None:
    suite.workflow("review", DOWN)
    suite.write(
        "conftest.py",
        "import pytest\n@pytest.fixture(autouse=True)\ndef talks(): print('the fixture says so')",
    )
    suite.run("--lok").stdout.fnmatch_lines(
        ["*_ bugs could *", "*- Captured stdout setup -*", "the fixture says so"]
    )
    for option in ("--show-capture=stderr", "--show-capture=no", "--tb=no"):
        result = suite.run("--lok", option)
        assert "the fixture says so" not in result.stdout.str()
        assert ("could not do its work" in result.stdout.str()) is (option != "--tb=no")
        assert result.parseoutcomes()["errors"] == 1


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_an_interrupt_is_said_once(suite: Suite, xdist: tuple[str, ...]) -> None:
    suite.shells("w", down="exit 3", **dict.fromkeys("abcde", "echo x >> begun; sleep 60"))
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 4\n")
    suite.write(
        "conftest.py",
        """
        import os, pathlib, signal, threading, time

        def interrupt():
            begun = pathlib.Path("begun")
            while not begun.exists() or len(begun.read_text().split()) < 4:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        def pytest_sessionstart(session):
            if not hasattr(session.config, "workerinput"):
                threading.Thread(target=interrupt, daemon=True).start()
        """,
    )
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "*_ interrupted by Ctrl-C _*",
            "w: ended while running: a, b, c, d",
            "w: not begun: e",
            "*= FAILURES =*",
        ]
    )
    printed = result.stdout.str()
    assert not re.search("_ (. could|ERROR)", printed)
    assert "ERROR .lok" not in printed
    assert result.parseoutcomes() == {"failed": 1, "errors": 5}
    errors = ElementTree.parse(suite.root / "report.xml").iter("error")
    said = [error.attrib["message"] for error in errors]
    assert said == ["cancelled: interrupted by Ctrl-C"] * 4 + ["not run: interrupted by Ctrl-C"]


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
@pytest.mark.parametrize(("number", "code"), [("SIGINT", pytest.ExitCode.INTERRUPTED), ("SIGTERM", 143)])
def test_a_report_during_which_a_signal_comes_is_told_to_all_and_once(
    suite: Suite, number: str, code: int, order: str, xdist: tuple[str, ...]
) -> None:
    suite.shells("w", down="exit 3", long="sleep 20")
    suite.write(
        "conftest.py",
        f"""
        import os, signal
        import pytest

        class Killer:
            @pytest.hookimpl({order}=True)
            def pytest_runtest_logreport(self, report):
                if report.failed and report.nodeid.endswith("::down"):
                    os.kill(os.getpid(), signal.{number})

            @pytest.hookimpl(tryfirst=True)
            def pytest_sessionfinish(self):
                os.kill(os.getpid(), signal.SIGINT)  # the second one ends processes, and no reports

        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                config.pluginmanager.register(Killer())
        """,
    )
    result = suite.run_apart("--lok", "--junitxml=report.xml", *xdist)
    assert result.ret == code
    assert result.parseoutcomes() == {"failed": 1, "errors": 1}
    report = ElementTree.parse(suite.root / "report.xml")
    red = [
        (case.attrib["name"], node.tag)
        for case in report.iter("testcase")
        for node in case
        if node.tag in ("failure", "error")
    ]
    assert red == [("down", "failure"), ("long", "error")]
