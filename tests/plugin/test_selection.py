"""pytest's ways to choose and to end early, each with its own idea of what a session is."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite, items, words

W = ".lok/workflows/w.toml"
REMEMBER = ("-p", "cacheprovider", "-v")


def short(result: pytest.RunResult) -> dict[str, str]:
    return {node.rpartition("::")[2]: word for node, word in words(result).items()}


@pytest.fixture
def project(suite: Suite) -> Suite:
    """``b`` fails until there is a file ``fixed``; ``c`` and ``d`` need it."""
    suite.shells(
        "w",
        a="echo a >> ran",
        b_after_a="echo b >> ran; test -e fixed",
        c_after_b="echo c >> ran",
        d_after_c="echo d >> ran",
        other="echo other >> ran",
    )
    suite.write("test_one.py", "def test_one(): pass")
    return suite


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_last_failed_means_what_it_blocked_too(project: Suite, xdist: tuple[str, ...]) -> None:
    cache = ("-o", "cache_dir=.cache")
    project.pytester.runpytest_subprocess("--lok", "-q", *cache, *xdist)
    (project.root / "fixed").touch()
    (project.root / "ran").unlink()
    result = project.pytester.runpytest_subprocess("--lok", "--lf", "-q", *cache, *xdist)
    result.assert_outcomes(passed=3)
    assert project.ran() == ["a", "b", "c", "d"], "a is run again for b, but is not a result"
    (project.root / "ran").unlink()
    result = project.pytester.runpytest_subprocess("--lok", "--lf", "-q", *cache)
    result.assert_outcomes(passed=6)


def test_failed_first_new_first_and_stepwise(project: Suite) -> None:
    def run(*args: str) -> pytest.RunResult:
        return project.pytester.runpytest_inprocess(
            "-p", "no:randomly", "-p", "no:anyio", "-v", "--lok", *args
        )

    run()
    found = short(run("--ff"))
    assert found["b"] == "FAILED"
    assert len(found) == 6
    assert len(short(run("--nf"))) == 6
    result = run("--sw")
    assert short(result)["b"] == "FAILED"
    (project.root / "fixed").touch()
    result = run("--sw")
    assert short(result) == {
        "b": "PASSED",
        "c": "PASSED",
        "d": "PASSED",
        "other": "PASSED",
        "test_one": "PASSED",
    }


def test_nf_does_not_mind_workflows_without_a_file(project: Suite) -> None:
    project.write(
        f"../{project.root.name}-home/.config/lok/workflows/mine.toml",
        "[[steps]]\nname = 'x'\nshell = 'true'\n",
    )
    result = project.pytester.runpytest_inprocess("--nf", "--lok-workflow", "mine", "-p", "no:randomly")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-k", "w.toml and not d"), ["a", "b", "c", "other"]),
        (("-k", "other"), ["other"]),
        (("-m", "quick"), ["a", "b", "c", "d", "other"]),
        (("-m", "not quick"), ["test_one"]),
        (("--deselect", f"{W}::b", "--deselect", f"{W}::c"), ["a", "d", "other", "test_one"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_filters(suite: Suite, args: tuple[str, ...], expected: list[str]) -> None:
    steps = "".join(f"[[steps]]\nname = '{name}'\nshell = 'true'\n" for name in ("a", "b", "c", "d", "other"))
    suite.workflow("w", f"tags = ['quick']\n{steps}")
    suite.write("test_one.py", "def test_one(): pass")
    found = items(suite.run("--lok", "--collect-only", "-q", *args).outlines)
    assert [node.rpartition("::")[2] for node in found] == expected


def test_maxfail_counts_steps_and_tests_alike(suite: Suite) -> None:
    suite.shells("w", a="exit 1", b="sleep 0.3; exit 1", c="sleep 30")
    suite.write("test_one.py", "def test_one(): pass")
    found = short(suite.run("--lok", "--maxfail=2", "-v"))
    assert found == {"a": "FAILED", "b": "FAILED", "c": "ERROR"}, "c was cut, and is told to be"
