"""Cases of a step as items of pytest: what is chosen, what runs, what green means."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.plugin.conftest import QUIET, Suite, items, run_apart, words

FILE = ".lok/workflows/w.toml"
REMEMBER = ("-p", "cacheprovider")
ROWS, COLUMNS = ("r-1", "r-2"), ("a", "b")
LABELS = tuple(f"{column}-{row}" for row in ROWS for column in COLUMNS)
SCORE = "lok.score[similar(output, 'yes')]"
FLOW = """
[[steps]]
name = "q"
cases = "w/*.csv"
matrix = { tool = ["a", "b"] }
shell = "echo {{ case.tool }}-{{ case.name }} >> ran; echo yes; test -e ok-{{ case.tool }}-{{ case.name }}"
assert = ["similar(output, 'yes') > 0.5"]
[[steps]]
name = "after"
depends_on = ["q"]
shell = "echo after >> ran"
"""


def lay_out(suite: Suite, green: set[str]) -> None:
    suite.workflow("w", FLOW)
    suite.write(".lok/workflows/w/rows.csv", "name\n" + "\n".join(ROWS) + "\n")
    for file in (*suite.root.glob("ok-*"), *suite.root.glob("ran"), *suite.root.glob("r.xml")):
        file.unlink()
    for label in green:
        suite.write(f"ok-{label}", "")


def node(label: str) -> str:
    return f"{FILE}::q[{label}]"


def test_each_case_is_an_item_with_an_outcome_of_its_own(suite: Suite) -> None:
    lay_out(suite, {*LABELS} - {"b-r-1"})
    done = suite.run("--lok", "-v", "--junitxml=r.xml", "-o", "junit_family=xunit2")
    assert words(done) == {
        **{node(label): "FAILED" if label == "b-r-1" else "PASSED" for label in LABELS},
        f"{FILE}::after": "SKIPPED",
    }
    cases = ElementTree.parse(suite.root / "r.xml").findall(".//testcase")
    assert [case.get("name") for case in cases] == [*(f"q[{label}]" for label in LABELS), "after"]
    scores = [it.get("value") for it in cases[0].iter("property") if it.get("name") == SCORE]
    assert scores == ["1.0"]
    done.stdout.re_match_lines(
        [
            r"q +a +b",
            r"  r-1  ✓ 1.00 \S+ s  ✗ \S+ s",
            r"  r-2  ✓ 1.00 \S+ s  ✓ 1.00 \S+ s",
            "  a: 2 of 2 passed  mean 1.00",
            "  b: 1 of 2 passed",
        ]
    )
    assert Counter(suite.ran()) == Counter(LABELS)


@pytest.mark.parametrize(
    ("args", "chosen"),
    [
        (["--lok", "-k", "q and r-2"], {"a-r-2", "b-r-2"}),
        (["--lok", "-k", "q[a-r-1]"], {"a-r-1"}),
        ([node("b-r-1")], {"b-r-1"}),
        ([f"{FILE}::q"], {*LABELS}),
        (["--lok-workflow", "w::q"], {*LABELS}),
        (["--lok-workflow", "w::q[a-r-2]"], {"a-r-2"}),
        (["--lok", f"--deselect={node('a-r-1')}", f"--deselect={FILE}::after"], {*LABELS} - {"a-r-1"}),
    ],
)
def test_cases_are_chosen_as_tests_are(suite: Suite, args: list[str], chosen: set[str]) -> None:
    lay_out(suite, {*LABELS})
    done = suite.run(*args)
    assert done.ret == pytest.ExitCode.OK
    done.assert_outcomes(passed=len(chosen))
    assert Counter(suite.ran()) == Counter(chosen), "what nobody needs does not run"
    assert (f"not selected: {4 - len(chosen)} case" in done.stdout.str()) is (chosen < {*LABELS})


def test_a_name_that_no_case_has_is_a_mistake(suite: Suite) -> None:
    lay_out(suite, {*LABELS})
    assert suite.run("--lok-workflow", "w::q[c]").ret == pytest.ExitCode.USAGE_ERROR
    assert suite.run(node("c")).ret == pytest.ExitCode.USAGE_ERROR
    assert items(suite.run("--lok", "--collect-only", "-q").outlines) == [
        *map(node, LABELS),
        f"{FILE}::after",
    ]


def test_what_failed_is_asked_again_and_the_rest_is_kept(suite: Suite) -> None:
    lay_out(suite, {*LABELS} - {"b-r-1"})
    suite.run(*REMEMBER, "--lok", "-k", "q")
    lay_out(suite, {*LABELS})
    suite.run(*REMEMBER, "--lok", "--lf").assert_outcomes(passed=1)
    assert suite.ran() == ["b-r-1"]


def test_what_failed_runs_again_and_what_its_dependents_need_is_kept(suite: Suite) -> None:
    suite.write(
        "lok.toml",
        """
        [backends.x]
        type = "scripted"
        [[backends.x.replies]]
        match = "no"
        reply = "no"
        [[backends.x.replies]]
        reply = "yes"
        """,
    )
    suite.workflow(
        "w",
        """
        [[steps]]
        name = "q"
        backend = "x"
        cases = [{ name = "yes" }, { name = "no" }, { name = "sure" }]
        prompt = "{{ case.name }}?"
        assert = ["output == 'yes'"]
        [[steps]]
        name = "after"
        depends_on = ["q"]
        backend = "x"
        prompt = "{{ steps.q.output | length }}"
        """,
    )
    suite.run(*REMEMBER, "--lok").assert_outcomes(passed=2, failed=1, skipped=1)
    again = suite.run(*REMEMBER, "--lok", "--lf", "--lok-resume")
    again.assert_outcomes(failed=1, skipped=1)
    assert "2 kept, 1 run again" in again.stdout.str()


@dataclass(frozen=True)
class Made:
    """Which cases say yes at first and later, and the words of a first session."""

    first: set[str]
    later: set[str]
    args: list[str]
    chosen: set[str]
    after: bool


@st.composite
def sessions(draw: st.DrawFn) -> Made:
    label = st.sampled_from(LABELS)
    picked = draw(st.sets(label, min_size=1))
    args, chosen, after = draw(
        st.sampled_from(
            [
                (["--lok"], {*LABELS}, True),
                (sorted(map(node, picked)), picked, False),
                ([*sorted(map(node, picked)), f"{FILE}::after"], picked, True),
                (["--lok", "-k", "a-r or after"], {"a-r-1", "a-r-2"}, True),
                (["--lok", *sorted(f"--deselect={node(it)}" for it in picked)], {*LABELS} - picked, True),
            ]
        )
    )
    return Made(draw(st.sets(label)), draw(st.sets(label)), [*args], chosen, after)


def judge(suite: Suite, made: Made, green: set[str], chosen: set[str], *args: str, after: bool) -> bool:
    """One session against an oracle that knows what each case says; whether it was green."""
    lay_out(suite, green)
    run = [*QUIET, *REMEMBER, *args, "--junitxml=r.xml"]
    apart = "-n2" in args
    done = run_apart(suite.pytester, *run) if apart else suite.pytester.runpytest_inprocess(*run)
    ran, needed = Counter(suite.ran()), {*LABELS} if after else chosen
    passes = {*LABELS} <= green
    assert ran == Counter([*needed, *(["after"] if after and passes else [])]), "exactly once each"
    said = {
        str(case.get("name")): case.find("failure") is None and case.find("skipped") is None
        for case in ElementTree.parse(suite.root / "r.xml").iter("testcase")
    }
    wanted = {f"q[{label}]": label in green for label in chosen} | ({"after": passes} if after else {})
    assert said == wanted
    is_green = done.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert is_green is all(wanted.values()), done.stdout.str()
    return is_green


def is_true_of_sessions(suite: Suite, made: Made, *more: str) -> None:
    for cache in suite.root.glob(".pytest_cache/v/cache/lastfailed"):
        cache.unlink()
    if judge(suite, made, made.first, made.chosen, *made.args, *more, after=made.after):
        return
    # what failed, and what could not run because of that, and nothing else
    red = made.chosen - made.first
    judge(suite, made, made.later, red, "--lok", "--lf", *more, after=made.after)


of_sessions = settings(
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@settings(of_sessions, max_examples=4)
@given(made=sessions())
def test_each_case_runs_once_and_red_is_never_green(suite: Suite, made: Made) -> None:
    is_true_of_sessions(suite, made)


@settings(of_sessions, max_examples=1)
@given(made=sessions())
def test_so_it_is_with_workers(suite: Suite, made: Made) -> None:
    judge(suite, made, made.first, made.chosen, *made.args, "-n2", after=made.after)
