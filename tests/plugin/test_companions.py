"""Plugins that change how items run: each gets what it means, of the step and not of the wait for it."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.plugin.conftest import Suite, run_apart, words
from tests.plugin.test_runner import junit

ROOT = Path(__file__).parents[2]
W = ".lok/workflows/w.toml"
RETRY = ("--lok", "-p", "pytest-retry", "-p", "no:rerunfailures")  # both would try again


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_is_the_steps_own(suite: Suite, method: str) -> None:
    pytest.importorskip("pytest_timeout")
    suite.shells("w", a="sleep 0.7", b_after_a="sleep 0.7", c_after_b="sleep 0.7; true", d="sleep 30")
    suite.write("test_one.py", "def test_one(): pass")
    result = suite.run_apart("--lok", "--timeout=1.5", f"--timeout-method={method}", "-v")
    assert {node.rpartition("::")[2]: word for node, word in words(result).items()} == {
        "a": "PASSED",
        "b": "PASSED",
        "c": "PASSED",
        "d": "ERROR",
        "test_one": "PASSED",
    }
    result.stdout.fnmatch_lines([f"ERROR {W}::d - *timed out after 1.5 s*"])


def test_a_steps_own_limit_wins_over_the_sessions_and_a_marker_over_both(suite: Suite) -> None:
    pytest.importorskip("pytest_timeout")
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "own"
        timeout = "20s"
        shell = "sleep 0.5"

        [[steps]]
        name = "marked"
        timeout = "20s"
        shell = "sleep 30"

        [[steps]]
        name = "usual"
        shell = "sleep 30"
        """,
    )
    suite.write("pytest.ini", "[pytest]\ntimeout = 0.2\n")
    suite.write(
        "conftest.py",
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "marked":
                    item.add_marker(pytest.mark.timeout(0.4))
        """,
    )
    result = suite.run("--lok")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [f"ERROR {W}::marked - *after 0.4 s*", f"ERROR {W}::usual - *after 0.2 s*"]
    )


def test_a_rerun_is_a_new_attempt_of_that_step_only(suite: Suite) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite.shells(
        "w",
        a="echo a >> ran",
        b_after_a="echo b >> ran; test $(grep -c b ran) -ge 3",
        c_after_b="echo c >> ran",
        d="echo d >> ran",
    )
    result = suite.run("--lok", "--reruns=3", "-v")
    outcomes = result.parseoutcomes()
    assert outcomes["rerun"] == 2
    assert outcomes["passed"] == 4
    assert "skipped" not in outcomes, "c was blocked by an attempt that does not count any more"
    assert sorted(suite.ran()) == ["a", "b", "b", "b", "c", "d"]
    result.stdout.fnmatch_lines(["w: passed in * · 4 passed"])


def test_a_rerun_repeats_what_nobody_else_would(suite: Suite) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite.shells(
        "w",
        a="echo a >> ran",
        b_after_a="echo b >> ran; test $(grep -c b ran) -ge 2",
        c_after_b="echo c >> ran",
    )
    result = suite.run(f"{W}::c", "--reruns=2")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1}
    assert suite.ran() == ["a", "b", "b", "c"]


def test_attempts_and_cost_of_reruns_are_summed(suite: Suite) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite.workflow("w", '[[steps]]\nname = "a"\nprompt = "x"\nassert = ["output == \'no\'"]\n')
    result = suite.run("--lok", "--reruns=2")
    result.stdout.fnmatch_lines(["(3 attempts, *)"])
    once = suite.run("--lok", "-p", "no:rerunfailures")
    assert tokens(result) == 3 * tokens(once)


def test_reruns_share_one_budget(suite: Suite) -> None:
    pytest.importorskip("pytest_rerunfailures")
    steps = '[[steps]]\nname = "a"\nprompt = "x"\nassert = ["output == \'no\'"]\n'
    suite.workflow("w", f"[budget]\ncalls = 2\n{steps}")
    result = suite.run("--lok", "--reruns=3")
    assert result.parseoutcomes() == {"errors": 1, "rerun": 3}
    result.stdout.fnmatch_lines(["E   the budget of 2 calls does not allow another call: 2 made"])


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_retry_is_a_new_attempt_of_that_step_only(suite: Suite, xdist: tuple[str, ...]) -> None:
    pytest.importorskip("pytest_retry")
    suite.shells(
        "w",
        a="echo a >> ran",
        b_after_a="echo b >> ran; test $(grep -c b ran) -ge 2",
        c_after_b="echo c >> ran",
    )
    result = suite.run_apart(*RETRY, "--retries=2", *xdist)
    assert result.parseoutcomes() == {"passed": 3, "retried": 1}
    assert result.ret == pytest.ExitCode.OK
    assert suite.ran() == ["a", "b", "b", "c"]


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_a_retry_that_cannot_be_judged_is_red(suite: Suite, xdist: tuple[str, ...]) -> None:
    pytest.importorskip("pytest_retry")
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "s"
        timeout = "0.5s"
        shell = "test -e f && sleep 9; touch f; exit 1"
        """,
    )
    result = suite.run_apart(*RETRY, "--retries=1", "--junitxml=r.xml", *xdist)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"failed": 1, "retried": 1}
    assert junit(suite.root / "r.xml")["s"][0] == "failure"


def test_retries_that_spend_the_budget_are_red(suite: Suite) -> None:
    pytest.importorskip("pytest_retry")
    step = "[[steps]]\nname = 's'\nprompt = 'x'\nfor_each = [1, 2]\nassert = [\"output == 'no'\"]\n"
    suite.workflow("w", f"[budget]\ncalls = 6\n{step}")
    result = suite.run_apart(*RETRY, "--retries=2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "passed" not in result.parseoutcomes()


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_parts_that_are_retried_never_multiply(suite: Suite, xdist: tuple[str, ...]) -> None:
    pytest.importorskip("pytest_retry")
    suite.workflow(
        "w", "[[steps]]\nname = 's'\nfor_each = [1, 2]\nshell = 'echo x >> ran; test {{ item }} = 1'\n"
    )
    result = suite.run_apart(*RETRY, "--retries=2", *xdist)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert suite.ran() == ["x"] * 6, "three attempts of two items"


def test_sockets_that_are_disabled_in_tests_are_no_matter_of_steps(suite: Suite) -> None:
    pytest.importorskip("pytest_socket")
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "a"
        shell = "cat"
        stdin = "hello"
        [[steps]]
        name = "b"
        prompt = "{{ steps.a.output }}"
        [[steps]]
        name = "c"
        for_each = [1, 2]
        shell = "test {{ item }} = 1"
        """,
    )
    suite.write(
        "test_one.py",
        """
        import socket, pytest, pytest_socket

        def test_blocked():
            with pytest.raises(pytest_socket.SocketBlockedError):
                socket.socket()

        def test_lok(lok): assert lok.ask("x").passed
        """,
    )
    result = suite.run_apart("--lok", "--disable-socket", "-v")
    assert {node.rpartition("::")[2]: word for node, word in words(result).items()} == {
        "a": "PASSED",
        "b": "PASSED",
        "c": "FAILED",
        "test_blocked": "PASSED",
        "test_lok": "PASSED",
    }
    result.stdout.fnmatch_lines(["w: failed in *"])


def test_a_judgement_is_failed_in_allure_and_what_could_not_be_judged_is_broken(suite: Suite) -> None:
    pytest.importorskip("allure_pytest")
    suite.shells("w", good="true", bad="exit 1", after_after_bad="true")
    suite.workflow("v", "[[steps]]\nname = 'trouble'\nprompt = 'trouble'\nretries = 0\n")
    suite.run_apart("--lok", "--alluredir=allure")
    told = [json.loads(file.read_text()) for file in (suite.root / "allure").glob("*-result.json")]
    assert {test["name"]: test["status"] for test in told} == {
        "good": "passed",
        "bad": "failed",
        "after": "skipped",
        "trouble": "broken",
    }


@pytest.mark.parametrize("changed", ["test_a.py", ""])
@pytest.mark.parametrize(
    "options",
    [("--lok",), ("--lok", "-n2"), (W,), ("--lok-workflow=w",), ("-o", "lok=true")],
    ids=["--lok", "xdist", "a path", "a name", "the setting"],
)
def test_a_gate_is_not_left_out_because_it_did_not_change(
    suite: Suite, options: tuple[str, ...], changed: str
) -> None:
    pytest.importorskip("pytest_picked")
    suite.shells("w", s="echo s >> ran; false")
    suite.write("test_a.py", "def test_a(): pass")
    for command in ("init", "add .", "-c user.name=a -c user.email=a@example.org commit -m x"):
        subprocess.run(["git", *command.split()], cwd=suite.root, check=True, capture_output=True)
    if changed:
        suite.write(changed, "def test_a(): assert True")
    result = suite.run_apart("--picked=only", *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert suite.ran() == ["s"]


def test_what_is_repeated_is_what_is_parametrized(suite: Suite) -> None:
    pytest.importorskip("pytest_repeat")
    suite.shells("w", s="echo s >> ran")
    suite.write("test_a.py", "def test_a(): pass")
    suite.run_apart("--lok", "--count=3").assert_outcomes(passed=4)
    assert suite.ran() == ["s"]


def test_another_terminal_reporter_tells_the_reports_own_name(suite: Suite) -> None:
    pytest.importorskip("pytest_tldr")
    suite.shells("w", good="true", bad="false")
    suite.write("test_a.py", "def test_a(): pass")
    alone = [word for plugin in ("sugar", "randomly", "rerunfailures") for word in ("-p", f"no:{plugin}")]
    result = run_apart(suite.pytester, "--lok", "--junitxml=r.xml", *alone)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = result.stdout.str()
    assert "Ran 3 tests" in said
    assert f"generated xml file: {suite.root / 'r.xml'} " in said
    assert "w: failed in" in said


def tokens(result: pytest.RunResult) -> int:
    (line,) = [line for line in result.outlines if line.startswith("w: failed")]
    return int(line.split(" · ")[-1].split()[0])


TOGETHER = {
    "pytest.ini": """
        [pytest]
        pythonpath = .
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = session
        asyncio_default_test_loop_scope = session
        DJANGO_SETTINGS_MODULE = settings
        filterwarnings = error
    """,
    "settings.py": "SECRET_KEY = 'x'",
    "conftest.py": """
        import json
        from pathlib import Path

        import pytest_asyncio
        from pytest_lok.backends.scripted import Scripted

        @pytest_asyncio.fixture(scope="session")
        async def lok_backends(lok_backends):
            yield {**lok_backends, "echo": Scripted("echo", "from an async fixture")}

        def pytest_configure(config):
            loaded = [dist.project_name for _, dist in config.pluginmanager.list_plugin_distinfo()]
            Path("loaded.json").write_text(json.dumps(loaded))
    """,
    "test_one.py": """
        import asyncio
        import pytest
        from hypothesis import given, strategies

        def test_plain(lok): assert lok.ask("x").output == "from an async fixture"

        async def test_asyncio(lok):
            await asyncio.sleep(0)
            assert lok.ask("x").passed

        @given(strategies.integers())
        def test_hypothesis(number): pass

        def test_syrupy(snapshot): assert "x" == snapshot

        def test_django(settings): assert settings.SECRET_KEY == "x"
    """,
}


def companions() -> set[str]:
    """What the dependency group of that name holds."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return {requirement.partition(">")[0] for requirement in groups["companions"]}


def installed() -> set[str]:
    return {dist.name.lower() for dist in importlib.metadata.distributions()}


ASYNC = """
import asyncio
{imports}
from pytest_lok.backends.scripted import Scripted

@{fixture}(scope="{scope}")
async def lok_backends(lok_backends{needs}):
    await asyncio.sleep(0)
    yield {{**lok_backends, "echo": Scripted("echo", "mine")}}
    await asyncio.sleep(0)
    assert open("ran").read().split() == ["b"], "the runs have ended before"
    open("ran", "a").write("closed")
"""
ANYIO = 'import pytest\n@pytest.fixture(scope="session")\ndef anyio_backend(): return "asyncio"\n'


@pytest.mark.parametrize("scope", ["session", "package", "module"])
@pytest.mark.parametrize("kind", ["auto", "strict", "anyio"])
def test_async_fixtures_of_every_kind(suite: Suite, kind: str, scope: str) -> None:
    pytest.importorskip("pytest_asyncio")
    if kind == "anyio":
        conftest = ASYNC.format(imports=ANYIO, fixture="pytest.fixture", scope=scope, needs=", anyio_backend")
        mode = ("-p", "anyio", "-p", "no:asyncio")
    else:
        name = "pytest" if kind == "auto" else "pytest_asyncio"
        conftest = ASYNC.format(imports=f"import {name}", fixture=f"{name}.fixture", scope=scope, needs="")
        mode = ("-o", f"asyncio_mode={kind}", "-o", "asyncio_default_fixture_loop_scope=session")
    suite.write("conftest.py", conftest)
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "a"
        prompt = "x"
        assert = ["output == 'mine'"]
        [[steps]]
        name = "b"
        shell = "sleep 0.1; echo b >> ran"
        """,
    )
    suite.write("test_one.py", "def test_one(): pass")
    suite.run_apart("--lok", *mode).assert_outcomes(passed=3)
    assert suite.ran() == ["b", "closed"]


@pytest.mark.parametrize("xdist", [(), ("-n2",)], ids=["alone", "xdist"])
def test_all_of_them_together(suite: Suite, xdist: tuple[str, ...]) -> None:
    needed = companions()
    if len(needed & installed()) < len(needed) // 2:
        pytest.skip("the companions are not installed: make compat")
    for path, text in TOGETHER.items():
        suite.write(path, text)
    suite.shells("w", a="echo a >> ran", b_after_a="echo b >> ran", c="exit 1", d_after_c="true")
    suite.workflow(
        "v", '[[steps]]\nname = "e"\nprompt = "x"\nassert = ["output == \'from an async fixture\'"]\n'
    )
    result = run_apart(
        suite.pytester,
        *("--lok", "--html=report.html", "--alluredir=allure", "--cov=.", "--snapshot-update"),
        *(
            "--timeout=60",
            "--reruns=1",
            "-p",
            "no:tldr",
            *xdist,
        ),  # pytest-tldr and pytest-rerunfailures cannot do together
    )
    plugins = needed - {"django", "pytest-tldr"}
    plugins |= {"pytest-timeout", "pytest-rerunfailures", "pytest-xdist", "hypothesis"}
    assert set(json.loads((suite.root / "loaded.json").read_text())) >= plugins
    outcomes = result.parseoutcomes()
    assert outcomes == {"passed": 8, "failed": 1, "skipped": 1, "rerun": 1}
    assert sorted(suite.ran()) == ["a", "b"]
    assert "the command exited with code 1" in (suite.root / "report.html").read_text()
