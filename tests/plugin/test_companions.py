"""Plugins that change how items run: each gets what it means, of the step and not of the wait for it."""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from pathlib import Path

import pytest

from tests.plugin.conftest import Suite, words

ROOT = Path(__file__).parents[2]
W = ".lok/workflows/w.toml"


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
    result = suite.pytester.runpytest_subprocess(
        "--lok", "--html=report.html", "--cov=.", "--snapshot-update", "--timeout=60", "--reruns=1", *xdist
    )
    plugins = needed - {"django"} | {"pytest-timeout", "pytest-rerunfailures", "pytest-xdist", "hypothesis"}
    assert set(json.loads((suite.root / "loaded.json").read_text())) >= plugins
    outcomes = result.parseoutcomes()
    assert outcomes == {"passed": 8, "failed": 1, "skipped": 1, "rerun": 1}
    assert sorted(suite.ran()) == ["a", "b"]
    assert "the command exited with code 1" in (suite.root / "report.html").read_text()
