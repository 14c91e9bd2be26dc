"""The last word of a session: what an item ends with holds, whoever runs it, and however often."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests import forks
from tests.plugin.conftest import Suite
from tests.plugin.test_runner import junit

W = ".lok/workflows/w.toml"
ONCE_RED = "echo {0} >> ran; test -e {0}-flag || {{ touch {0}-flag; exit 1; }}"
RETRY = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    '''Tries the call of an item again, whatever its set-up came to, while its report is made.'''
    report = yield
    if call.when != "call" or call.excinfo is None or report.skipped:
        return report
    hook = item.ihook
    for _ in range(2):
        other = pytest.Class.from_parent(item.session, name="none")
        pytest.CallInfo.from_call(lambda: hook.pytest_runtest_teardown(item=item, nextitem=other), "teardown")
        report.outcome = "retried"
        hook.pytest_runtest_logreport(report=report)
        item._initrequest()
        pytest.CallInfo.from_call(lambda: hook.pytest_runtest_setup(item=item), when="setup")
        call = pytest.CallInfo.from_call(lambda: hook.pytest_runtest_call(item=item), when="call")
        again = pytest.TestReport.from_item_and_call(item, call)
        report.outcome, report.longrepr = again.outcome, again.longrepr
        if again.passed:
            break
    return report

def pytest_report_teststatus(report):
    return ("retried", "R", "RETRY") if report.outcome == "retried" else None
"""


@pytest.fixture
def retrying(suite: Suite) -> Suite:
    suite.write("conftest.py", RETRY)
    return suite


def test_an_attempt_that_could_not_be_judged_is_red_for_whoever_runs_the_call_alone(retrying: Suite) -> None:
    retrying.workflow(
        "w",
        "[[steps]]\nname = 's'\ntimeout = '0.2s'\nshell = 'test -e f && sleep 9; touch f; exit 1'\n",
    )
    result = retrying.run("--lok", "--junitxml=r.xml")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "retried": 2}
    result.stdout.fnmatch_lines(["E   the command timed out after 0.2 s", "w: error in *"])
    assert junit(retrying.root / "r.xml")["s"][0] == "failure"


def test_a_budget_that_is_spent_by_attempts_is_red(retrying: Suite) -> None:
    step = "[[steps]]\nname = 's'\nprompt = 'x'\nfor_each = [1, 2]\nassert = [\"output == 'no'\"]\n"
    retrying.workflow("w", f"[budget]\ncalls = 3\n{step}")
    result = retrying.run("--lok")
    assert result.ret == 1
    assert "passed" not in result.parseoutcomes()


def test_a_step_that_passes_at_last_is_green_and_told_as_that(retrying: Suite) -> None:
    retrying.shells("w", a=ONCE_RED.format("a"))
    result = retrying.run("--lok", "--junitxml=r.xml")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "retried": 1}
    (case,) = ElementTree.parse(retrying.root / "r.xml").iter("testcase")
    facts = [(p.attrib["name"], p.attrib["value"]) for p in case.iter("property")]
    assert ("lok.outcome", "passed") in facts
    assert len(facts) == len(dict(facts)), "each is said once"


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_retried_parts_never_multiply(retrying: Suite, xdist: tuple[str, ...]) -> None:
    retrying.workflow(
        "w", "[[steps]]\nname = 's'\nfor_each = [1, 2]\nshell = 'echo x >> ran; test {{ item }} = 1'\n"
    )
    run = retrying.run_apart if xdist else retrying.run
    result = run("--lok", *xdist)
    assert result.ret == 1
    assert retrying.ran() == ["x"] * 6, "three attempts of two items"
    assert result.parseoutcomes()["failed"] == 2, "the step, and its one red part, once"


def test_parts_that_turn_green_leave_no_red_word(retrying: Suite) -> None:
    command = ONCE_RED.format("{{ item }}")
    retrying.workflow("w", f"[[steps]]\nname = 's'\nfor_each = ['a', 'b']\nshell = '{command}'\n")
    result = retrying.run("--lok", "-v")
    assert result.ret == 0
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 1
    assert "failed" not in outcomes


def test_the_call_of_an_item_that_was_not_set_up_is_red(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(autouse=True)
        def broken():
            raise RuntimeError

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.when == "setup":
                call = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
                report.outcome = pytest.TestReport.from_item_and_call(item, call).outcome
            return report
        """,
    )
    suite.shells("w", a="true")
    assert suite.run("--lok").ret == 1


def chain(suite: Suite, last: str = "false") -> None:
    suite.shells(
        "w", prepare=ONCE_RED.format("prepare"), gate_after_prepare=f"echo gate >> ran; {last}", free="true"
    )


RERUNS = pytest.mark.parametrize(
    "options",
    [("--reruns=1",), ("--reruns=1", "-n2"), ("--reruns=1", "-n2", "--dist=loadfile")],
    ids=["alone", "-n2", "loadfile"],
)


@RERUNS
@pytest.mark.parametrize("last", ["false", "true"])
def test_a_rerun_runs_what_its_step_had_blocked(suite: Suite, options: tuple[str, ...], last: str) -> None:
    chain(suite, last)
    run = suite.run_apart if "-n2" in options else suite.run
    result = run("--lok", "--junitxml=r.xml", *options)
    assert "gate" in suite.ran()
    assert result.ret == (1 if last == "false" else 0)
    cases = junit(suite.root / "r.xml")
    assert cases["gate"][0] == ("failure" if last == "false" else "")
    assert cases["prepare"][0] == cases["free"][0] == ""
    assert sorted(cases) == ["free", "gate", "prepare"]


def test_a_tag_that_is_a_rerun_plugins_marker_does_it_too(suite: Suite) -> None:
    chain(suite)
    file = suite.root / W
    file.write_text(f"tags = ['flaky']\n{file.read_text()}")
    assert suite.run("--lok").ret == 1
    assert "gate" in suite.ran()


def test_a_retry_runs_what_its_step_had_blocked(retrying: Suite) -> None:
    chain(retrying)
    result = retrying.run("--lok")
    assert result.ret == 1
    assert "gate" in retrying.ran()


@RERUNS
def test_items_that_come_before_what_blocks_them_are_corrected(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            items.reverse()
        """,
    )
    chain(suite)
    run = suite.run_apart if "-n2" in options else suite.run
    result = run("--lok", "--junitxml=r.xml", *options)
    assert result.ret == 1
    assert "gate" in suite.ran()
    cases = junit(suite.root / "r.xml")
    assert cases["gate"][0] == "failure"
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (2, 1)
    assert "skipped" not in outcomes, "gate is told once"


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["alone", "-n2"])
def test_what_is_blocked_by_a_step_that_somebody_calls_green_is_red(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if item.name == "prepare" and report.failed:
                report.outcome = "passed"
            return report
        """,
    )
    suite.shells("w", prepare="false", gate_after_prepare="true")
    run = suite.run_apart if options else suite.run
    result = run("--lok", *options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR *::gate - not run: step 'prepare' was red when *"])


def test_what_is_blocked_by_a_step_that_stays_red_stays_skipped(suite: Suite) -> None:
    suite.shells("w", prepare="false", gate_after_prepare="true")
    result = suite.run("--lok", "--reruns=1")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "skipped": 1, "rerun": 1}


def test_a_rerun_that_turns_what_it_needs_green_is_told_so(suite: Suite) -> None:
    chain(suite, "true")
    result = suite.run(f"{W}::gate", "--reruns=1", "--junitxml=r.xml")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["w: passed in *"])


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "-n1"])
def test_an_attempt_leaves_no_case_that_looks_green(suite: Suite, options: tuple[str, ...]) -> None:
    suite.shells("w", a="false", b="test -e f || { touch f; false; }")
    run = suite.run_apart if options else suite.run
    assert run("--lok", "--reruns=2", "--junitxml=r.xml", *options).ret == 1
    cases = ElementTree.parse(suite.root / "r.xml").findall(".//testcase")
    assert [(case.get("name"), case.find("failure") is not None) for case in cases] == [
        ("a", True),
        ("b", False),
    ]


def test_an_attempt_that_is_skipped_takes_nothing_back(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        "import os, pytest\n"
        "def pytest_runtest_logreport(report):\n"
        "    if report.outcome == 'rerun':\n"
        "        os.rename('go', 'gone')\n",
    )
    suite.write("go", "")
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "look"
        shell = "test ! -e go || echo go"
        min_deps_success = 0
        depends_on = ["first"]
        [[steps]]
        name = "first"
        shell = "true"
        [[steps]]
        name = "s"
        when = "steps.look.output == 'go'"
        shell = "false"
        """,
    )
    assert suite.run(f"{W}::s", "--reruns=1").ret == 1


@pytest.mark.parametrize("option", ["--lf", "--sw"])
def test_what_was_blocked_runs_in_the_session_that_turns_its_step_green(suite: Suite, option: str) -> None:
    suite.shells("w", prepare=ONCE_RED.format("prepare"), gate_after_prepare="echo gate >> ran; false")

    def run(*args: str) -> pytest.RunResult:
        return suite.pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:anyio", "--lok", *args)

    assert run().ret == 1
    assert "gate" not in suite.ran()
    assert run(option).ret != 0
    assert "gate" in suite.ran()


def test_a_step_is_a_function_like_others(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                assert isinstance(item, pytest.Function) and "integration" not in item.module.__name__
                assert item.getparent(pytest.Module).obj.__name__ == item.module.__name__
                assert item.module.__file__.endswith("w.toml")

        @pytest.fixture(autouse=True)
        def looks(request):
            assert request.module.__file__ and request.module.__name__
            assert request.module is request.node.module
        """,
    )
    suite.shells("w", a="true")
    suite.run("--lok").assert_outcomes(passed=1)


@pytest.mark.parametrize("options", ["'--lok'", "'--lok', '--collect-only'"])
def test_a_session_on_another_thread_than_the_main_one(suite: Suite, options: str) -> None:
    suite.shells("w", a="true")
    suite.write("test_one.py", "def test_one(lok): assert lok.ask('x').passed")
    code = (
        "import threading, pytest\n"
        f"t = threading.Thread(target=lambda: print('exit', int(pytest.main([{options}]))))\n"
        "t.start(); t.join()"
    )
    done = forks.run([sys.executable, "-c", code], cwd=suite.root)
    assert done.stdout.endswith("exit 0\n"), done.stdout


def test_a_session_whose_main_thread_has_ended_is_refused_in_a_sentence(suite: Suite) -> None:
    suite.shells("w", a="true")
    code = "import threading, pytest; threading.Thread(target=lambda: pytest.main(['--lok'])).start()"
    done = subprocess.run([sys.executable, "-c", code], cwd=suite.root, capture_output=True, text=True)
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert "the main thread has ended" in done.stderr
    assert "join the thread that runs pytest" in done.stderr
    assert not (suite.root / ".lok/runs").exists()


def test_a_judgement_is_an_assertion_error_and_trouble_is_not(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        def pytest_exception_interact(node, call, report):
            with open("seen", "a") as file:
                print(node.name, call.excinfo.typename, call.excinfo.exconly(), sep="|", file=file)
        """,
    )
    suite.shells("w", no="exit 1")
    suite.workflow("v", "[[steps]]\nname = 'trouble'\nprompt = 'trouble'\nretries = 0\n")
    suite.run("--lok")
    seen = [line.split("|") for line in (suite.root / "seen").read_text().splitlines()]
    kinds = {name: kind for name, kind, _ in seen}
    assert kinds == {"no": "AssertionError", "trouble": "NotPassedError"}


BLOCK = """
import socket, pytest

class Blocked(RuntimeError): pass

class Guard(socket.socket):
    def __new__(cls, *args, **kwargs):
        raise Blocked("no sockets in tests")
"""
IN_ITEMS = (
    BLOCK
    + """
@pytest.fixture(autouse=True)
def no_sockets(monkeypatch):
    monkeypatch.setattr(socket, "socket", Guard)
"""
)


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_sockets_that_are_blocked_in_tests_are_no_matter_of_steps(
    suite: Suite, xdist: tuple[str, ...]
) -> None:
    suite.write("conftest.py", IN_ITEMS)
    suite.workflow(
        "w",
        "[[steps]]\nname = 'a'\nshell = 'cat'\nstdin = 'hello'\n[[steps]]\nname = 'b'\nprompt = '{{ steps.a.output }}'\n",
    )
    suite.write("test_one.py", "def test_one(lok): assert lok.ask('x').passed")
    suite.run_apart("--lok", *xdist).assert_outcomes(passed=3)


def test_an_engine_that_cannot_be_made_is_said_in_a_sentence(suite: Suite) -> None:
    suite.write("conftest.py", IN_ITEMS)
    suite.write("test_one.py", "def test_one(lok): lok.ask('x')\ndef test_two(): pass")
    result = suite.run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["workflows cannot run here: no sockets in tests", "*hint: *--allow-unix-socket*"]
    )
    suite.write(
        "conftest.py",
        BLOCK + "def pytest_sessionstart(): socket.socket, socket.usual = Guard, socket.socket\n"
        "def pytest_unconfigure(): socket.socket = socket.usual\n",
    )
    suite.shells("w", a="true")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: workflows cannot run here: no sockets in tests"])


def test_steps_have_the_environment_before_the_fixtures_of_an_item(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import os, pytest

        @pytest.fixture(autouse=True)
        def leaks(monkeypatch):
            monkeypatch.setenv("X", "leaked")

        @pytest.fixture(scope="module", autouse=True)
        def wide():
            os.environ["WIDE"] = "there"
            yield
            del os.environ["WIDE"]
        """,
    )
    suite.shells("w", a='test -z "$X"; echo "x$X $WIDE" >> ran', b="true")
    suite.run("--lok").assert_outcomes(passed=2)
    assert suite.ran() == ["x", "there"]


@pytest.mark.parametrize(
    "options",
    [
        ("--lok", "--lok-arg", "x"),
        ("--lok", "--lok-workflow", "nope"),
        ("--lok", "--no-such-option"),
        ("--lok-workflow", "nope"),
        (f"{W}::nope",),
        ("-o", "lok=true", "-o", "lok_max_parallel=x"),
        ("-k", "("),
    ],
    ids=" ".join,
)
def test_a_report_of_yesterday_is_gone_before_anything_can_go_wrong(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.shells("w", a="true")
    suite.write("pytest.ini", "[pytest]\nlok = true\n" if options[0] == "-k" else "[pytest]\n")
    report = suite.write("r.xml", "old")
    assert suite.run_apart(*options, "--junitxml=r.xml").ret == pytest.ExitCode.USAGE_ERROR
    assert not report.exists() or "<testsuites" in report.read_text()


@pytest.mark.parametrize("options", [("--help",), ("--version",)])
def test_a_report_stays_where_nothing_is_run(suite: Suite, options: tuple[str, ...]) -> None:
    report = suite.write("r.xml", "old")
    suite.run_apart("--lok", *options, "--junitxml=r.xml")
    assert report.read_text() == "old"
    suite.write("test_one.py", "def test_one(): pass")
    suite.run_apart("--no-such-option", "--junitxml=r.xml")
    assert report.read_text() == "old", "a session without workflows is pytest's own"


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full")
def test_a_report_that_cannot_be_written_is_one_line_and_red(suite: Suite) -> None:
    suite.shells("w", a="true")
    result = suite.run("--lok", "--junitxml=/dev/full")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["ERROR: the JUnit file /dev/full could not be written: No space left on device"]
    )
    assert "INTERNALERROR" not in result.stdout.str()
    assert "generated xml file" not in result.stdout.str()


def test_whoever_asks_gets_the_reports_own_name(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from _pytest.junitxml import xml_key

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_sessionfinish(session):
            print("before", session.config.stash[xml_key].logfile)
            yield
            print("after", session.config.stash[xml_key].logfile)
        """,
    )
    suite.shells("w", a="true")
    said = suite.run("--lok", "--junitxml=r.xml").stdout.str()
    assert said.count(str(suite.root / "r.xml")) == 3
    assert ".part" not in said
