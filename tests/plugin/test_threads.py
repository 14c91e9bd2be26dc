"""What the engine's thread does stays out of the tests that run beside it, and is kept with its step."""

from __future__ import annotations

import sys
import warnings
from xml.etree import ElementTree

import pytest
from _pytest.capture import CaptureIO

from tests.plugin.conftest import Suite

NOISY = """
import asyncio
import logging
import sys
import warnings
from pathlib import Path

import pytest

class Gone:
    def __del__(self):
        raise RuntimeError("UNRAISABLE")

async def never(): pass

def say(what):
    print(f"{what} PRINTED")
    print(f"{what} STDERR", file=sys.stderr)
    logging.getLogger("httpx").warning(f"{what} LOGGED")
    warnings.warn(f"{what} WARNED", DeprecationWarning)

async def orphan():
    raise ValueError("ORPHAN")

class Noisy:
    def __init__(self, real):
        self.name, self._real = "echo", real
    def unavailable(self):
        return None
    async def ask(self, prompt):
        while not Path("test_began").exists():
            await asyncio.sleep(0.01)
        say("TASK")
        await asyncio.to_thread(say, "THREAD")
        await asyncio.get_running_loop().run_in_executor(None, say, "EXECUTOR")
        never()
        Gone()
        task = asyncio.create_task(orphan())
        await asyncio.sleep(0.01)
        del task
        Path("asked").touch()
        return await self._real.ask(prompt)
    async def aclose(self):
        raise RuntimeError("CLOSING")

@pytest.fixture(scope="session")
def lok_backends(lok_backends):
    return {"echo": Noisy(lok_backends["echo"])}

def pytest_collection_modifyitems(items):
    order = ["first", "test_innocent", "test_next", "print", "ask", "test_last"]
    items.sort(key=lambda item: order.index(item.name.partition("[")[0]))
"""
INNOCENT = """
import contextlib
import logging
import sys
import time
import warnings
from pathlib import Path

import pytest

@contextlib.contextmanager
def fixtures(request):
    for name in ("capsys", "caplog", "recwarn"):
        request.getfixturevalue(name)
    yield

@contextlib.contextmanager
def strict(request):
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        yield

@contextlib.contextmanager
def expecting(request):
    with pytest.warns(UserWarning) as caught:
        yield
        warnings.warn("my own")
    assert [str(warning.message) for warning in caught] == ["my own"]

@contextlib.contextmanager
def plain(request):
    yield

def test_innocent(request, pytestconfig, capfd):
    caught = globals()[pytestconfig.getini("while_in")]
    with caught(request):
        Path("test_began").touch()
        while not all(Path(name).exists() for name in ("asked", "printed")):
            time.sleep(0.01)
        time.sleep(0.2)
    assert capfd.readouterr() == ("", "")
    print("my own text")
    assert capfd.readouterr() == ("my own text\\n", "")
    if caught is fixtures:
        caplog, recwarn = map(request.getfixturevalue, ("caplog", "recwarn"))
        logging.getLogger("mine").warning("my own log")
        assert [record.name for record in caplog.records] == ["mine"]
        assert recwarn.list == []

def test_next():
    with pytest.raises(DeprecationWarning):
        warnings.warn("every warning of a test is an error here", DeprecationWarning)

def test_last(): pass
"""
SAID = (
    *(
        f"{where} {what}"
        for where in ("TASK", "THREAD")
        for what in ("PRINTED", "STDERR", "LOGGED", "WARNED")
    ),
    "was never awaited",
    "UNRAISABLE",
    "ORPHAN",
)


def noisy(suite: Suite, while_in: str) -> None:
    suite.write("conftest.py", NOISY + "\ndef pytest_addoption(parser): parser.addini('while_in', '')\n")
    suite.write("pytest.ini", f"[pytest]\nwhile_in = {while_in}\n")
    suite.shells("u", first="true")
    suite.workflow("v", '[[steps]]\nname = "ask"\nprompt = "x"\n')
    suite.shells(
        "w", print="while ! test -e test_began; do sleep 0.01; done; echo out; echo err >&2; touch printed"
    )
    suite.write("test_one.py", INNOCENT)


@pytest.mark.parametrize("while_in", ["plain", "strict", "expecting"])
def test_nothing_the_engine_says_lands_on_a_test(suite: Suite, while_in: str) -> None:
    noisy(suite, while_in)
    result = suite.run_apart("--lok", "-W", "error", "-rA", "-p", "no:logging")
    result.assert_outcomes(passed=6)
    said = result.stdout.str().partition("_ ask _")[2]
    for text in SAID:
        assert text in said
        assert text not in result.stdout.str().partition("_ ask _")[0]


def test_nothing_lands_in_what_a_test_has_caught_itself(suite: Suite) -> None:
    noisy(suite, "fixtures")
    suite.write(
        "test_one.py",
        INNOCENT.replace("pytestconfig, capfd", "pytestconfig, capsys").replace("capfd.", "capsys."),
    )
    suite.run_apart("--lok", "-W", "error").assert_outcomes(passed=6)


def test_what_is_said_outside_of_steps_is_kept_for_the_session(suite: Suite) -> None:
    noisy(suite, "plain")
    result = suite.run_apart("--lok", "-W", "error")
    result.assert_outcomes(passed=6)
    (log,) = (suite.root / ".lok" / "runs").glob("2*/stray-output.log")
    for text in ("EXECUTOR PRINTED", "EXECUTOR WARNED", "backend echo could not be closed", "CLOSING"):
        assert text in log.read_text()
    result.stdout.fnmatch_lines([f"backends said something outside of steps: {log}"])


def test_what_a_seed_gives_is_left_to_the_tests(suite: Suite) -> None:
    suite.shells("u", first="true")
    suite.workflow(
        "v",
        """
        [[steps]]
        name = "stubborn"
        shell = "while ! test -e seeded; do sleep 0.01; done; echo again >> ran; exit 1"
        retries = 3
        retry_delay = 1
        continue_on_error = true
        """,
    )
    suite.write(
        "test_one.py",
        """
        import random
        import time
        from pathlib import Path

        def test_seeded():
            random.seed(7)
            before = random.getstate()
            Path("seeded").touch()
            while not Path("ran").exists() or Path("ran").read_text().count("again") < 4:
                time.sleep(0.01)
            assert random.getstate() == before
        """,
    )
    suite.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: ["first", "test_seeded", "stubborn"].index(item.name))
        """,
    )
    suite.run_apart("--lok").assert_outcomes(passed=2, xfailed=1)


def test_a_test_that_freezes_the_time_changes_none_of_a_step(suite: Suite) -> None:
    suite.shells("u", first="true")
    suite.workflow(
        "v",
        """
        [[steps]]
        name = "shell"
        timeout = "60s"
        shell = "touch begun; while ! test -e frozen; do sleep 0.01; done; sleep 0.1"
        [[steps]]
        name = "ask"
        prompt = "{{ steps.shell.output }}"
        [[steps]]
        name = "last"
        depends_on = ["ask"]
        shell = "touch ended"
        """,
    )
    suite.write(
        "test_one.py",
        """
        import time
        from pathlib import Path

        def test_freezing(monkeypatch):
            while not Path("begun").exists():
                time.sleep(0.01)
            monkeypatch.setattr(time, "monotonic", lambda: 1.3e9)
            Path("frozen").touch()
            while not Path("ended").exists():
                time.sleep(0.01)
        """,
    )
    suite.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: ["first", "test_freezing", "shell", "ask", "last"].index(item.name))
        """,
    )
    result = suite.run_apart("--lok", "--junitxml=report.xml")
    result.assert_outcomes(passed=5)
    seconds = [
        float(case.attrib["time"]) for case in ElementTree.parse(suite.root / "report.xml").iter("testcase")
    ]
    assert max(seconds) < 1e6


def test_everything_is_as_before_when_the_session_has_ended(suite: Suite) -> None:
    before = (warnings.filters, CaptureIO.write, sys.unraisablehook)
    suite.shells("w", a="true")
    suite.run("--lok").assert_outcomes(passed=1)
    assert (warnings.filters, CaptureIO.write, sys.unraisablehook) == before


def test_a_session_with_every_kind_of_step_is_clean_under_w_error(suite: Suite) -> None:
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "shell"
        shell = "cat; echo x"

        [[steps]]
        name = "slow"
        shell = "sleep 30"
        timeout = "200ms"
        continue_on_error = true

        [[steps]]
        name = "ask"
        prompt = "x"

        [[steps]]
        name = "each"
        for_each = [1, 2, 3]
        shell = "echo {{ item }}"

        [[steps]]
        name = "stubborn"
        shell = "exit 1"
        retries = 1
        retry_delay = 10
        continue_on_error = true
        """,
    )
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\nstrict = true\n")
    suite.write("test_one.py", "import gc\ndef test_one(): gc.collect()\n")
    result = suite.run_apart("--lok", "-W", "error")
    result.assert_outcomes(passed=4, xfailed=2)
    assert "warning" not in result.stdout.str().lower()
