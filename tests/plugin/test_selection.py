"""pytest's ways to choose and to end early, each with its own idea of what a session is."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

import pytest

from tests.plugin.conftest import SCRIPTED, Suite, items, run_apart, words

PLUGIN = os.path.join("pytest_lok", "plugin")  # noqa: PTH118 - a part of a path
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


def test_last_failed_means_what_it_blocked_too(project: Suite) -> None:
    cache = ("-o", "cache_dir=.cache")
    run_apart(project.pytester, "--lok", "-q", *cache)
    (project.root / "fixed").touch()
    (project.root / "ran").unlink()
    result = run_apart(project.pytester, "--lok", "--lf", "-q", *cache)
    result.assert_outcomes(passed=3)
    assert project.ran() == ["a", "b", "c", "d"], "a is run again for b, but is not a result"
    (project.root / "ran").unlink()
    result = run_apart(project.pytester, "--lok", "--lf", "-q", *cache)
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


def run(suite: Suite, *args: str) -> dict[str, str]:
    quiet = ("-p", "no:randomly", "-p", "no:anyio", "-p", "no:hypothesispytest", "-v")
    return short(suite.pytester.runpytest_inprocess(*quiet, *args))


def test_stepwise_goes_on_from_the_first_of_several_failures(suite: Suite) -> None:
    """All three have failed by the time the first is told."""
    suite.shells("w", **{name: f"echo {name} >> ran; test -e fixed-{name}" for name in "abc"})
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 1\n")
    suite.workflow(
        "v", "[[steps]]\nname = 'last'\nshell = 'while [ $(wc -l < ran) -lt 3 ]; do sleep 0.02; done'"
    )
    assert set(run(suite, "--lok", "--sw")) >= {"a"}
    (suite.root / "fixed-a").touch()
    found = run(suite, "--lok", "--sw")
    assert found["a"] == "PASSED", "it is where the session goes on"
    assert found["b"] == "FAILED"


def test_stepwise_leaves_out_nothing_that_has_not_run(suite: Suite) -> None:
    """``late`` stands first in the file, and runs last."""
    needs = "[[steps]]\nname = '{}'\nshell = 'echo {} >> ran; test -e fixed'\n"
    suite.workflow(
        "w", needs.format("late", "late") + "depends_on = ['early']\n" + needs.format("early", "early")
    )
    assert run(suite, "--lok", "--sw") == {"early": "FAILED", "late": "SKIPPED"}
    (suite.root / "fixed").touch()
    assert run(suite, "--lok", "--sw") == {"early": "PASSED", "late": "PASSED"}


@pytest.mark.parametrize("how", [("--lok-workflow", "mine"), ("lok/mine",), ("lok/mine", "test_one.py")])
def test_what_failed_is_remembered_of_workflows_without_a_file(suite: Suite, how: tuple[str, ...]) -> None:
    file = suite.shells("w", a="true", b="test -e fixed", c_after_b="true", d="true")
    home = suite.root.parent / f"{suite.root.name}-home/.config/lok/workflows"
    home.mkdir(parents=True)
    file.rename(home / "mine.toml")
    suite.write("test_one.py", "import pathlib\ndef test_one(): assert pathlib.Path('fixed').exists()")
    python = {"test_one": "FAILED"} if "test_one.py" in how else {}
    everything = {"a": "PASSED", "b": "FAILED", "c": "SKIPPED", "d": "PASSED", **python}
    assert run(suite, *how) == everything
    broken = {"b": "FAILED", "c": "SKIPPED", **python}
    assert run(suite, *how, "--lf") == broken
    assert {*list(run(suite, *how, "--ff"))[: len(broken)]} == {*broken}
    assert run(suite, *how, "--nf") == everything
    assert "FAILED" in run(suite, *how, "--sw").values()
    (suite.root / "fixed").touch()
    left_over = everything if python else ("b", "c", "d")
    assert run(suite, *how, "--sw") == dict.fromkeys(left_over, "PASSED")
    run(suite, *how, "--lf")
    assert run(suite, *how, "--lf") == dict.fromkeys(everything, "PASSED"), "nothing is left"


def test_a_node_id_of_one_step_is_remembered_too(suite: Suite) -> None:
    file = suite.shells("w", a="true", b_after_a="exit 1")
    home = suite.root.parent / f"{suite.root.name}-home/.config/lok/workflows"
    home.mkdir(parents=True)
    file.rename(home / "mine.toml")
    assert run(suite, "lok/mine") == {"a": "PASSED", "b": "FAILED"}
    assert run(suite, "lok/mine::b", "--lf") == {"b": "FAILED"}


def test_the_header_names_what_is_collected(suite: Suite) -> None:
    for name in ("v", "w"):
        suite.shells(name, a="true")
    suite.write("tests/test_one.py", "def test_one(): pass")
    suite.write("pytest.ini", "[pytest]\nlok = true\n")
    for args, header in {
        (): "lok: 2 workflows: v, w",
        (".",): "lok: 2 workflows: v, w",
        (".lok",): "lok: 2 workflows: v, w",
        ("tests",): "lok: 0 workflows",
        ("tests", W): "lok: 1 workflow: w",
        ("--lok", W): "lok: 1 workflow: w",
        ("--lok", "tests"): "lok: 2 workflows: v, w",
        ("--ignore=.lok",): "lok: 0 workflows",
    }.items():
        assert header in suite.run("--collect-only", *args).outlines, args


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


def test_what_a_step_costs_does_not_grow_with_the_number_of_steps(suite: Suite) -> None:
    """Counted in lines of the plugin that are run: a loop over all steps for each of them would show."""
    least, half, most = (lines_run(suite, count) for count in (40, 80, 120))
    assert most - half < 1.1 * (half - least)


def lines_run(suite: Suite, steps: int) -> int:
    suite.write("lok.toml", SCRIPTED)
    suite.workflow("w", "".join(f"[[steps]]\nname = 's{n}'\nprompt = '?'\n" for n in range(steps)))
    count = 0

    def in_plugin(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return in_plugin

    def trace(frame: FrameType, *_: object) -> Any:
        return in_plugin if PLUGIN in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = suite.run("--lok", "-q")
    finally:
        sys.settrace(before)
    result.assert_outcomes(passed=steps)
    return count
