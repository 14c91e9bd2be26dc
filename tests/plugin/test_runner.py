from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_lok.plugin.junit import is_replaceable
from tests.plugin.conftest import QUIET, Suite, words

ALL = """
[[steps]]
name = "passes"
shell = "echo passes >> ran"

[[steps]]
name = "fails"
shell = "echo fails >> ran; exit 3"

[[steps]]
name = "errs"
prompt = "trouble"

[[steps]]
name = "unneeded"
when = "steps.passes.output == 'something else'"
shell = "echo unneeded >> ran"

[[steps]]
name = "after-unneeded"
depends_on = ["unneeded"]
shell = "echo after-unneeded >> ran"

[[steps]]
name = "blocked"
depends_on = ["fails"]
shell = "echo blocked >> ran"

[[steps]]
name = "blocked-too"
depends_on = ["blocked"]
shell = "echo blocked-too >> ran"

[[steps]]
name = "soft-failure"
shell = "exit 1"
continue_on_error = true

[[steps]]
name = "soft-error"
prompt = "trouble"
continue_on_error = true

[[steps]]
name = "after-soft"
depends_on = ["soft-failure", "soft-error"]
shell = "echo after-soft >> ran"
"""
W = ".lok/workflows/w.toml"


def short(found: dict[str, str]) -> dict[str, str]:
    return {node.rpartition("::")[2]: word for node, word in found.items()}


OUTCOMES = {
    "passes": "PASSED",
    "fails": "FAILED",
    "errs": "ERROR",
    "unneeded": "SKIPPED",
    "after-unneeded": "PASSED",
    "blocked": "SKIPPED",
    "blocked-too": "SKIPPED",
    "soft-failure": "XFAIL",
    "soft-error": "XFAIL",
    "after-soft": "PASSED",
}


def test_the_five_outcomes(suite: Suite) -> None:
    suite.workflow("w", ALL)
    result = suite.run("--lok", "-v", "-rsxfE")
    assert short(words(result)) == OUTCOMES
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert sorted(suite.ran()) == ["after-soft", "after-unneeded", "fails", "passes"]
    result.stdout.fnmatch_lines_random(
        [
            f"SKIPPED [[]1[]] {W}:14: when is false: steps.passes.output == 'something else'",
            f"SKIPPED [[]1[]] {W}:24: blocked: step 'fails' failed",
            f"SKIPPED [[]1[]] {W}:29: blocked: step 'fails' failed",
            f"XFAIL {W}::soft-failure - the command exited with code 1",
            f"FAILED {W}::fails - the command exited with code 3",
            f"ERROR {W}::errs - *overload*",
        ]
    )


def test_soft_steps_are_red_where_xfail_is_switched_off(suite: Suite) -> None:
    suite.workflow("w", ALL)
    found = short(words(suite.run("--lok", "-v", "--runxfail")))
    assert found == {**OUTCOMES, "soft-failure": "FAILED", "soft-error": "ERROR"}


def test_a_green_session_with_a_soft_step_exits_0(suite: Suite) -> None:
    suite.workflow("w", '[[steps]]\nname = "a"\nshell = "false"\ncontinue_on_error = true\n')
    assert suite.run("--lok").ret == 0
    assert suite.run("--lok", "--runxfail").ret == 1


def test_an_unselected_prerequisite_that_breaks_makes_the_step_fail(suite: Suite) -> None:
    suite.shells("w", a="echo why >&2; exit 3", b_after_a="echo b >> ran", c_after_b="echo c >> ran")
    for args in (("--lok", "-k", "c and not lok"), (f"{W}::c",), ("--lok", "--deselect", f"{W}::a")):
        result = suite.run(*args)
        assert result.ret != 0, args
    result = suite.run(f"{W}::c")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   blocked: step 'a' failed", "E   a: the command exited with code 3"])
    suite.run(f"{W}::a", f"{W}::c").assert_outcomes(failed=1, skipped=1)
    assert suite.ran() == []


def test_a_step_marked_as_skipped_is_not_run(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran", b="echo b >> ran")
    suite.write(
        "conftest.py",
        """
        import pytest

        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.skip(reason="not today"))
        """,
    )
    suite.run("--lok").assert_outcomes(passed=1, skipped=1)
    assert suite.ran() == ["b"]


MARKED = """
import pytest

def pytest_collection_modifyitems(items):
    next(item for item in items if item.name == "b").add_marker(pytest.mark.{mark})
"""


@pytest.mark.parametrize(
    ("mark", "word", "why", "xdist"),
    [
        ("skip(reason='no tool')", "SKIPPED", "skip: no tool", ()),
        ("skip(reason='no tool')", "SKIPPED", "skip: no tool", ("-n1",)),
        ("skipif('True', reason='no tool')", "SKIPPED", "skip: no tool", ()),
        ("skipif('unknown', reason='no tool')", "ERROR", "Error evaluating 'skipif' condition", ()),
        ("xfail(run=False, reason='hangs')", "XFAIL", "xfail, not to be run: hangs", ()),
    ],
)
def test_what_needs_a_step_that_is_marked_is_red(
    suite: Suite, mark: str, word: str, why: str, xdist: tuple[str, ...]
) -> None:
    suite.shells("w", a="echo a >> ran", b_after_a="echo b >> ran", c_after_b="echo c >> ran")
    suite.write("conftest.py", MARKED.format(mark=mark))
    result = (suite.run_apart if xdist else suite.run)("--lok", "-v", "-rA", "--junitxml=report.xml", *xdist)
    assert result.ret != 0
    if not xdist:
        assert short(words(result)) == {"a": "PASSED", "b": word, "c": "FAILED"}
    assert junit(suite.root / "report.xml")["c"] == ("failure", f"blocked: step 'b' is marked: {why}")
    result.stdout.fnmatch_lines(["w: error in *"])
    assert suite.ran() == ["a"]


def test_marks_of_steps_that_are_not_selected_count_too(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran", b="echo b >> ran", c_after_b="echo c >> ran", d="echo d >> ran")
    suite.write("conftest.py", MARKED.format(mark="skip"))
    result = suite.run("--lok", "-v", "-k", "w.toml and (c or d)")
    assert short(words(result)) == {"c": "FAILED", "d": "PASSED"}
    assert suite.ran() == ["d"]


def test_a_failure_that_was_expected_leaves_no_green_session_with_a_step_that_did_not_run(
    suite: Suite,
) -> None:
    suite.shells("w", a="exit 1", b="exit 1", c_after_b="true")
    suite.write("conftest.py", MARKED.format(mark="xfail"))
    assert short(words(suite.run("--lok", "-v"))) == {"a": "FAILED", "b": "ERROR", "c": "FAILED"}
    assert short(words(suite.run("--lok", "-v", "--runxfail"))) == {
        "a": "FAILED",
        "b": "FAILED",
        "c": "SKIPPED",
    }


def test_a_file_that_is_named_twice_is_run_once(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran", b_after_a="echo b >> ran")
    suite.run("--keep-duplicates", W, W).assert_outcomes(passed=4)
    assert suite.ran() == ["a", "b"]


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--setup-only"])
def test_looking_starts_nothing(suite: Suite, option: str) -> None:
    suite.shells("w", a="echo a >> ran")
    result = suite.run("--lok", "-v", option)
    assert result.ret == 0
    assert "pytest takes" not in result.stdout.str(), "words of our code"
    assert suite.ran() == []
    assert not (suite.root / ".lok" / "runs").exists()


MEET = """
[[steps]]
name = "{name}"
timeout = "20s"
shell = "touch {name}; while ! test -e {other}; do sleep 0.02; done"
"""


def test_independent_steps_run_at_the_same_time(suite: Suite) -> None:
    suite.workflow("w", MEET.format(name="a", other="b") + MEET.format(name="b", other="a"))
    suite.run("--lok").assert_outcomes(passed=2)


def test_all_selected_workflows_start_at_the_first_step(suite: Suite) -> None:
    suite.workflow("v", MEET.format(name="a", other="b"))
    suite.workflow("w", MEET.format(name="b", other="a"))
    suite.run("--lok").assert_outcomes(passed=2)


def test_seconds_are_the_steps_own(suite: Suite) -> None:
    suite.shells("w", slow="sleep 0.6", quick_after_slow="true")
    result = suite.run("--lok", "--durations=0", "-vv")
    seconds = {
        line.split()[-1].rpartition("::")[2]: float(line.split()[0][:-1])
        for line in result.outlines
        if " call " in line
    }
    assert seconds["slow"] >= 0.6
    assert seconds["quick"] < 0.6, "the wait for slow is not its own time"


LONG = "echo begun >> ran; sleep 30; echo never >> ran"
LIFE = """
import pytest

def note(word):
    with open("life", "a") as life:
        life.write(word + " ")

@pytest.fixture(scope="{scope}")
def lok_backends(lok_backends):
    note("up")
    class Tell:
        name = "echo"
        def unavailable(self): return None
        async def ask(self, prompt):
            import asyncio
            await asyncio.sleep(0.3)
            note("answered")
            return await lok_backends["echo"].ask(prompt)
        async def aclose(self):
            note("closed")
    yield {{"echo": Tell()}}
    note("down")
"""


@pytest.mark.parametrize("scope", ["session", "package", "module"])
def test_backends_are_closed_before_their_fixture_goes(suite: Suite, scope: str) -> None:
    suite.write("conftest.py", LIFE.format(scope=scope))
    suite.workflow("v", '[[steps]]\nname = "a"\nprompt = "x"\n')
    suite.workflow("w", '[[steps]]\nname = "a"\nprompt = "x"\n')
    suite.run("--lok").assert_outcomes(passed=2)
    life = (suite.root / "life").read_text().split()
    if scope == "module":
        assert life == ["up", "answered", "closed", "down"] * 2
    else:
        assert life == ["up", "answered", "answered", "closed", "down"]


def test_steps_that_still_run_are_stopped_with_the_session(suite: Suite) -> None:
    first = "while ! test -e ran; do sleep 0.02; done; exit 1"
    suite.shells("w", a=first, b=LONG, c=LONG, d_after_a=LONG, e=LONG)
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 2\n")
    result = suite.run_apart("--lok", "-x", "--junitxml=report.xml")
    result.stdout.fnmatch_lines_random(
        [
            f"FAILED {W}::a - the command exited with code 1",
            "w: ended while running: b, c",
        ]
    )
    assert "never" not in suite.ran()
    cases = junit(suite.root / "report.xml")
    assert {name: kind for name, (kind, _) in cases.items()} == {
        "a": "failure",
        "b": "error",
        "c": "error",  # a's place was free for a moment
        "d": "skipped",
        "e": "skipped",
    }
    assert "blocked: step 'a' failed" in cases["d"][1]
    assert "not run: stopping after 1 failures" in cases["e"][1]


def junit(path: Path) -> dict[str, tuple[str, str]]:
    """Each case of a report: the kind of its result ("" = passed) and its message."""
    cases: dict[str, tuple[str, str]] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = [(child.tag, child.get("message", "")) for child in case if child.tag in KINDS]
        assert len(kinds) <= 1
        cases[case.attrib["name"]] = kinds[0] if kinds else ("", "")
    return cases


KINDS = ("failure", "error", "skipped")


def test_every_level_of_conftest_may_replace_the_backends(suite: Suite) -> None:
    fixture = """
        import pytest
        from pytest_lok.backends.scripted import Scripted

        @pytest.fixture(scope="session")
        def lok_backends(lok_backends):
            before = lok_backends["echo"]._rules[-1].reply
            return {{"echo": Scripted("echo", before + " > {level}")}}
    """
    suite.write("conftest.py", fixture.format(level="root"))
    suite.write(".lok/conftest.py", fixture.format(level="lok"))
    suite.write(".lok/workflows/conftest.py", fixture.format(level="shelf"))
    suite.write("tests/conftest.py", fixture.format(level="not seen"))
    suite.write("tests/test_one.py", "def test_one(): pass")
    suite.workflow("w", '[[steps]]\nname = "a"\nprompt = "x"\n')
    result = suite.run("--lok", "-rP")
    result.stdout.fnmatch_lines(["hello from echo > root > lok > shelf"])


def test_a_fixture_that_fails_is_an_error_of_every_step_and_nothing_runs(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran", b="echo b >> ran")
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def lok_backends(): raise RuntimeError("no server")
        """,
    )
    result = suite.run("--lok")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*RuntimeError: no server*"])
    assert suite.ran() == []


def test_a_fixture_of_the_wrong_kind_is_said(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran")
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def lok_backends(): return ["claude"]
        """,
    )
    result = suite.run("--lok")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*lok_backends must give a mapping of names to backends*"])
    assert suite.ran() == []


def test_what_session_fixtures_put_into_the_environment_is_there(suite: Suite) -> None:
    suite.shells("w", a='echo "$SERVER" >> ran; echo "current:$PYTEST_CURRENT_TEST" >> ran')
    suite.write(
        "conftest.py",
        """
        import os, pytest

        @pytest.fixture(scope="session", autouse=True)
        def server():
            os.environ["SERVER"] = "up"
            yield
            del os.environ["SERVER"]
        """,
    )
    suite.run("--lok").assert_outcomes(passed=1)
    assert suite.ran() == ["up", "current:"]


def test_a_crash_of_the_engine_is_loud(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def lok_backends(lok_backends):
            class Broken(dict):
                def get(self, name): raise ZeroDivisionError("a bug")
            return Broken(lok_backends)
        """,
    )
    suite.workflow("w", '[[steps]]\nname = "a"\nprompt = "x"\n')
    suite.write("test_one.py", "def test_innocent(): pass")
    result = suite.run(".lok/workflows", "test_one.py")
    assert result.ret == 1
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*| ZeroDivisionError: a bug", "E   internal error", "ERROR *::a - internal error"]
    )


@pytest.mark.parametrize("options", [(), ("-x",), ("-n2",), ("-n2", "-x"), ("-n2", "--dist=each")])
def test_a_session_whose_record_is_removed_ends_red_and_its_report_is_whole(
    suite: Suite, options: tuple[str, ...]
) -> None:
    """As ``git clean -x`` does. No process can tell the others any more what it has run."""
    suite.shells(
        "w", clean="echo clean >> ran; rm -rf .lok/runs", last_after_clean="echo last >> ran; exit 1"
    )
    result = suite.run_apart("--lok", "--junitxml=report.xml", *options)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert sorted(suite.ran()) in (["clean"], ["clean", "last"])
    told = junit(suite.root / "report.xml")
    assert told.keys() == {"clean", "last"}
    assert not told["clean"][1].startswith("not run")


def test_nothing_of_ours_goes_by_the_encoding_of_the_machine(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNDEFAULTENCODING", "1")
    suite.shells("w", a="exit 1", b_after_a="true")
    result = suite.run_apart("--lok", "-x", "-n2", "-W", "error")
    assert "EncodingWarning" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["FAILED .lok/workflows/w.toml::a - the command exited with code 1"])


def alive(marker: str) -> list[str]:
    """Processes that carry a marker in their command line."""
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if marker in line and "ps -eo" not in line]


@contextmanager
def session(suite: Suite, *args: str, workflows: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A running session, ended in the end whatever happens."""
    given = ("--lok", *args) if workflows else args
    command = [sys.executable, "-m", "pytest", *QUIET, "--junitxml=report.xml", *given]
    with subprocess.Popen(command, cwd=suite.root, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_steps_too_and_everything_is_accounted_for(
    suite: Suite, number: signal.Signals
) -> None:
    sleep = f"sleep 3{os.getpid() % 10_000:04}.{number.value}"
    suite.shells("w", a=f"sh -c '{sleep}; true' & {sleep}", b="true", c="true", d_after_a="true")
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 1\n")
    suite.write("report.xml", "<testsuite><testcase name='stale'/></testsuite>")
    with session(suite) as process:
        wait_until(lambda: len(alive(sleep)) >= 3)
        assert not (suite.root / "report.xml").exists()
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == (2 if number == signal.SIGINT else 128 + number), output
    wait_until(lambda: not alive(sleep))
    why = "interrupted by Ctrl-C" if number == signal.SIGINT else f"stopped by {number.name}"
    cases = junit(suite.root / "report.xml")
    assert {name: kind for name, (kind, _) in cases.items()} == {
        "a": "error",
        "b": "error",
        "c": "error",
        "d": "skipped",
    }
    assert f"cancelled: {why}" in cases["a"][1]
    assert f"not run: {why}" in cases["b"][1]


def test_a_python_test_that_is_interrupted_is_an_error_with_a_name(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write(
        "test_one.py",
        """
        import pathlib, time

        def test_first(): pass

        def test_long():
            pathlib.Path("begun").touch()
            time.sleep(60)

        def test_last(): pass
        """,
    )
    with session(suite) as process:
        wait_until((suite.root / "begun").exists)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2, output
    cases = {name: kind for name, (kind, _) in junit(suite.root / "report.xml").items()}
    assert cases == {"a": "", "test_first": "", "test_long": "error"}


def test_only_a_report_is_removed_and_not_what_leads_to_it(suite: Suite) -> None:
    suite.shells("w", a="true")
    stale = suite.write("there/report.xml", "<testsuite/>")
    (suite.root / "link.xml").symlink_to(stale)
    suite.run("--lok", "--junitxml=link.xml").assert_outcomes(passed=1)
    assert (suite.root / "link.xml").is_symlink()
    assert "a" in junit(stale)
    pipe = suite.root / "pipe"
    os.mkfifo(pipe)
    assert not is_replaceable(pipe)
    assert not is_replaceable(Path("/dev/null"))


def test_a_stale_report_that_cannot_be_removed_is_a_usage_error(suite: Suite) -> None:
    suite.shells("w", a="echo a >> ran")
    suite.write("there/report.xml", "<testsuite/>").parent.chmod(0o500)
    result = suite.run("--lok", "--junitxml=there/report.xml")
    if os.access(suite.root / "there", os.W_OK):
        pytest.skip("root may write everywhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*report.xml of an earlier session cannot be removed: Permission denied"])
    assert suite.ran() == []


@pytest.mark.parametrize("hook", ["pytest_collection_modifyitems()", "pytest_runtest_setup(item)"])
def test_a_signal_counts_also_where_its_exception_is_swallowed(suite: Suite, hook: str) -> None:
    suite.shells("w", a="sleep 60", b="echo b >> ran")
    suite.write(
        "conftest.py",
        f"""
        import os, signal

        def {hook}:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                pass
        """,
    )
    with session(suite) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert junit(suite.root / "report.xml")["a"][0] == "error"


@pytest.mark.parametrize(
    ("numbers", "xdist"),
    [
        ((signal.SIGINT, signal.SIGINT), ()),
        ((signal.SIGTERM, signal.SIGTERM), ()),
        ((signal.SIGINT, signal.SIGINT), ("-n2",)),
        ((signal.SIGTERM, signal.SIGTERM), ("-n2",)),
    ],
)
def test_a_second_signal_waits_for_nobody_and_the_report_is_whole(
    suite: Suite, numbers: Sequence[signal.Signals], xdist: tuple[str, ...]
) -> None:
    stubborn = f"sleep 4{os.getpid() % 10_000:04}.{sum(numbers)}"
    suite.shells("w", a=f"trap '' TERM INT; {stubborn}; {stubborn}; {stubborn}", b_after_a="true")
    with session(suite, *xdist) as process:
        for number in numbers:
            wait_until(lambda: bool(alive(stubborn)))
            process.send_signal(number)
            time.sleep(0.3)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == (2 if numbers[0] == signal.SIGINT else 128 + numbers[0]), output
    wait_until(lambda: not alive(stubborn))
    assert junit(suite.root / "report.xml")["a"][0] == "error", output
    assert "b" in junit(suite.root / "report.xml")


def test_a_step_that_is_killed_in_a_hurry_has_not_said_no(suite: Suite) -> None:
    """Also in a worker that Ctrl-C reaches twice before it is told to stop."""
    long = f"sleep 6{os.getpid() % 10_000:04}"
    suite.shells("w", a=f"echo $PPID > worker; {long}")
    with session(suite, "-n1") as process:
        wait_until(lambda: bool(alive(long)))
        for _ in range(2):
            os.kill(int((suite.root / "worker").read_text()), signal.SIGINT)
            time.sleep(0.3)
        wait_until(lambda: not alive(long))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert any(line.startswith("w: error in") for line in output.splitlines()), output


def test_a_teardown_that_breaks_takes_no_report_with_it(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write(
        "conftest.py",
        """
        import os, pytest, signal

        @pytest.fixture(scope="session")
        def lok_backends(lok_backends):
            yield lok_backends
            os.kill(os.getpid(), signal.SIGTERM)

        def pytest_sessionfinish():
            os.kill(os.getpid(), signal.SIGTERM)
        """,
    )
    with session(suite) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert junit(suite.root / "report.xml")["a"] == ("", "")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("code", [0, 1])
def test_a_reader_that_goes_away_takes_neither_report_nor_verdict_with_it(suite: Suite, code: int) -> None:
    suite.shells("w", **{f"s{n}": f"echo {'x' * 200}; exit {code if n == 30 else 0}" for n in range(60)})
    command = [sys.executable, "-m", "pytest", *QUIET, "--lok", "-v", "-rA", "--junitxml=report.xml"]
    with subprocess.Popen(command, cwd=suite.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == code, errors
    assert errors == b""
    assert len(junit(suite.root / "report.xml")) == 60


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("code", [0, 1])
def test_streams_that_were_closed_before_the_start_are_not_missed(
    suite: Suite, closed: str, code: int
) -> None:
    suite.shells("w", a="echo a >> ran", b=f"exit {code}")
    suite.write("report.xml", "<testsuite><testcase name='stale'/></testsuite>")
    words = shlex.join([sys.executable, "-m", "pytest", *QUIET, "--lok", "--junitxml=report.xml"])
    done = subprocess.run(["sh", "-c", f"{words} {closed}"], cwd=suite.root, capture_output=True)
    assert (done.returncode, done.stderr) == (code, b""), done.stderr.decode()
    kinds = {name: kind for name, (kind, _) in junit(suite.root / "report.xml").items()}
    assert kinds == {"a": "", "b": "failure" if code else ""}


def test_a_terminal_that_is_closed_takes_neither_report_nor_verdict_with_it(suite: Suite) -> None:
    suite.shells("w", a="while ! test -e closed; do sleep 0.02; done", b="exit 1")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *QUIET, "--lok", "-v", "--junitxml=report.xml"]
    with subprocess.Popen(command, cwd=suite.root, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        (suite.root / "closed").touch()
        assert process.wait(30) == 1
    assert {name: kind for name, (kind, _) in junit(suite.root / "report.xml").items()} == {
        "a": "",
        "b": "failure",
    }
