from __future__ import annotations

import os
import signal

from tests.plugin.conftest import Suite
from tests.plugin.test_runner import alive, junit, session, wait_until

REVIEW = """
[args.focus]
default = "all"

[[steps]]
name = "ask"
prompt = "Look at {{ arg.focus }} in {{ arg.1 | default('nothing') }}"

[[steps]]
name = "show"
shell = "echo {{ steps.ask.output }}"
"""


def test_a_workflow_runs_from_a_python_test(suite: Suite) -> None:
    suite.workflow("review", REVIEW)
    suite.write(
        "test_one.py",
        """
        def test_run(lok):
            result = lok.run("review", "HEAD", focus="auth")
            assert result.passed
            assert result.steps["ask"].backend == "echo"
            assert result.output == "hello from echo"

        def test_path(lok):
            assert lok.run(".lok/workflows/review.toml").passed
        """,
    )
    suite.run().assert_outcomes(passed=2)


def test_a_question_from_a_python_test(suite: Suite) -> None:
    suite.write(
        "test_one.py",
        """
        def test_ask(lok):
            assert lok.ask("who are you {{ not a template }}").output == "I am the configured one"

        def test_backend(lok):
            assert lok.ask("anything", backend="echo", system="Be brief").passed

        def test_several(lok):
            result = lok.ask("anything", backend=("echo", "echo"))
            assert result.passed

        def test_list(lok):
            assert lok.ask("anything", backend="echo, echo").passed

        def test_auto(lok):
            result = lok.ask("anything", backend="auto")
            assert "echo: asked only by name" in result.steps["ask"].reason

        def test_trouble(lok):
            result = lok.ask("trouble")
            assert not result.passed
            assert "overload" in result.steps["ask"].reason
        """,
    )
    suite.run().assert_outcomes(passed=6)


def test_a_backend_that_is_none_fails_the_test_before_anybody_is_asked(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from pytest_lok.backends.scripted import Scripted

        @pytest.fixture(scope="session")
        def lok_backends():
            return {"mine": Scripted("mine", "yes")}
        """,
    )
    suite.write(
        "test_one.py",
        """
        def test_wrong(lok): lok.ask("anything", backend="zzz")
        def test_one_is_wrong(lok): lok.ask("anything", backend=("mine", "echo"))
        def test_empty(lok): lok.ask("anything", backend="")
        def test_mine(lok): assert lok.ask("anything", backend="mine").passed
        """,
    )
    result = suite.run()
    result.assert_outcomes(failed=3, passed=1)
    for name in ("zzz", "echo", ""):
        result.stdout.fnmatch_lines([f"no backend is called '{name}'", "  hint: there are: mine"])
    assert not (suite.root / ".lok" / "runs").exists()


def test_what_happened_is_shown_where_the_test_fails(suite: Suite) -> None:
    each = '[[steps]]\nname = "b"\nfor_each = [1, 2]\nshell = "test {{ item }} = 1"\n'
    suite.workflow("w", f'[[steps]]\nname = "a"\nshell = "echo because; exit 1"\n{each}')
    suite.write("test_one.py", "def test_run(lok): assert lok.run('w').passed")
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*where False = <run w: failed · 2 failed · a failed: the command exited with code 1>.passed",
            "*Captured lok call*",
            "w: failed in *",
            "failed   a *",
            "    the command exited with code 1",
            "    because",
            "failed   b *",
            "    ✗  [[]1[]] 2  failed  *",
        ]
    )


def test_a_wrong_name_or_argument_fails_the_test_with_a_hint(suite: Suite) -> None:
    suite.workflow("review", REVIEW)
    suite.write(
        "test_one.py",
        """
        def test_name(lok): lok.run("reviw")
        def test_argument(lok): lok.run("review", fokus="x")
        """,
    )
    result = suite.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*there is no workflow 'reviw'*", "*did you mean 'review'*"])
    result.stdout.fnmatch_lines(["*has no argument 'fokus'*", "*focus*"])


def test_wrong_settings_are_an_error_of_the_test(suite: Suite) -> None:
    suite.write("lok.toml", "[defaults]\ntimeuot = 1\n")
    suite.write("test_one.py", "def test_run(lok): pass")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*lok.toml:2:1*timeuot*"])


def test_backends_may_be_replaced_and_wrapped_anywhere(suite: Suite) -> None:
    suite.write(
        "tests/conftest.py",
        """
        import pytest
        from pytest_lok.backends.scripted import Scripted

        @pytest.fixture
        def lok_backends(lok_backends):
            assert lok_backends["echo"].name == "echo"
            return {"echo": Scripted("echo", {"ping": "pong", "": "what?"})}
        """,
    )
    suite.write("tests/test_one.py", "def test_ask(lok): assert lok.ask('ping').output == 'pong'")
    suite.write("test_two.py", "def test_ask(lok): assert lok.ask('ping').output == 'hello from echo'")
    suite.run("tests", "test_two.py").assert_outcomes(passed=2)


def test_settings_may_be_replaced(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def lok_settings(lok_settings):
            return lok_settings.replace(defaults=lok_settings.defaults.replace(timeout=0.2))
        """,
    )
    suite.shells("w", a="sleep 20")
    suite.write("test_one.py", "def test_run(lok): assert 'timed out' in lok.run('w').steps['a'].reason")
    suite.run("--lok").assert_outcomes(passed=1, errors=1)


def test_a_python_test_runs_a_workflow_while_others_run(suite: Suite) -> None:
    suite.shells("first", a="true")
    suite.shells("slow", b="touch begun; while ! test -e done; do sleep 0.02; done")
    suite.workflow(
        "quick",
        """
        collect = false
        [[steps]]
        name = "c"
        shell = "while ! test -e begun; do sleep 0.02; done; touch done"
        """,
    )
    suite.write("test_one.py", "def test_run(lok): assert lok.run('quick').passed")
    suite.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: ["a", "test_run", "b"].index(item.name))
        """,
    )
    suite.write("pytest.ini", "[pytest]\ntimeout = 30\n")
    suite.run_apart("--lok").assert_outcomes(passed=3)


def test_the_environment_of_the_test_is_the_workflows(suite: Suite) -> None:
    suite.shells("w", a="echo $COLOUR")
    suite.write(
        "test_one.py",
        """
        import pytest

        @pytest.mark.parametrize("colour", ["red", "blue"])
        def test_run(lok, monkeypatch, colour):
            monkeypatch.setenv("COLOUR", colour)
            assert lok.run("w").output == colour
        """,
    )
    suite.run().assert_outcomes(passed=2)


def test_a_test_that_is_stopped_takes_its_steps_with_it(suite: Suite) -> None:
    suite.shells("w", a="touch begun; sleep 60; touch never")
    suite.write("test_one.py", "def test_run(lok): lok.run('w')")
    result = suite.run_apart("--timeout=5")
    result.assert_outcomes(failed=1)
    assert (suite.root / "begun").exists()
    assert not (suite.root / "never").exists()


def test_a_signal_ends_a_session_of_python_tests_in_order_too(suite: Suite) -> None:
    sleep = f"sleep 7{os.getpid() % 10_000:04}"
    suite.workflow("w", f"[[steps]]\nname = 'a'\nshell = 'touch begun; {sleep}'\n")
    suite.write(
        "test_one.py", "def test_first(): pass\ndef test_run(lok): lok.run('w')\ndef test_last(): pass"
    )
    suite.write("report.xml", "<testsuite><testcase name='stale'/></testsuite>")
    with session(suite, "test_one.py", workflows=False) as process:
        wait_until((suite.root / "begun").exists)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, output
    wait_until(lambda: not alive(sleep))
    cases = {name: kind for name, (kind, _) in junit(suite.root / "report.xml").items()}
    assert cases == {"test_first": "", "test_run": "error"}


def test_an_unused_fixture_starts_no_thread(suite: Suite) -> None:
    suite.write(
        "test_one.py",
        """
        import threading

        def test_run(lok, lok_settings, lok_backends):
            assert lok_settings.backends["echo"].type == "scripted"
            assert "echo" in lok_backends
            assert "lok-engine" not in {thread.name for thread in threading.enumerate()}
        """,
    )
    suite.run().assert_outcomes(passed=1)
