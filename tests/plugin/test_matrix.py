"""pytest's options, with and without pytest-xdist: what is executed, how it ends, and the exit code.

What a step executes it writes down itself. A case says what a session is to come to, and in which modes
beside those without xdist that is tried: wherever a mode may make a difference.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from _pytest.mark import ParameterSet  # what pytest.param gives

from tests.plugin.conftest import Suite
from tests.plugin.test_runner import alive, junit

ALONE, WITHOUT, SHUFFLED, FOUR = "alone", "no plugin", "shuffled", "four"
DISTS = ("load", "worksteal", "loadfile", "loadscope", "loadgroup", "each")
MODES = {
    ALONE: (),
    WITHOUT: ("-p", "no:xdist"),
    SHUFFLED: ("-n2", "-p", "randomly", "--randomly-seed=7"),
    FOUR: ("-n4", "--dist=worksteal"),
    **{dist: ("-n2", f"--dist={dist}") for dist in DISTS},
}
REMEMBER = ("-p", "cacheprovider", "-p", "stepwise")
SHELF = ".lok/workflows"
SLEEP = f"sleep 8{os.getpid() % 10_000:04}"
"""Longer than any session; no other process of the machine says the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Options, and what they come to. Items that ``outcomes`` does not name have passed.

    ``told`` are the items that are reported. ``before`` are the options of a session that comes first;
    after it everything is repaired. ``exit_apart`` is the exit code under xdist, if it is another one.
    """

    options: str
    executed: str = ""
    told: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)
    exit: int = 0
    exit_apart: int | None = None
    modes: tuple[str, ...] = ()
    needs: str = ""
    before: str = ""
    executed_by_each: str = ""


EVERY = "base broken soft after each1 each2 quick last"
ITEMS = "base broken blocked soft after each quick last test_python"
ENDS = {"broken": "failure", "blocked": "skipped", "soft": "skipped"}
ALL = Case(options="--lok", executed=EVERY, told=ITEMS, outcomes=ENDS, exit=1)

CASES = (
    Case(options="", told="test_python"),
    replace(ALL, modes=(WITHOUT, SHUFFLED, FOUR, *DISTS)),
    # choosing
    Case(options="--lok -k after", executed="soft after", told="after", modes=("load",)),
    Case(
        options="--lok -k blocked",
        executed="base broken",
        told="blocked",
        outcomes={"blocked": "failure"},
        exit=1,
        modes=("worksteal",),
    ),
    Case(options="--lok -m fast", executed="quick last", told="quick last", modes=("loadscope",)),
    Case(options=f"{SHELF}/w.toml::last", executed="quick last", told="last", modes=("loadgroup",)),
    Case(
        options=f"--lok --deselect {SHELF}/v.toml::broken",
        executed=EVERY,
        told=ITEMS.replace("broken ", ""),
        outcomes={"blocked": "failure", "soft": "skipped"},
        exit=1,
        modes=("loadfile",),
    ),
    Case(
        options=f"--lok --ignore {SHELF}/v.toml",
        executed="quick last",
        told="quick last test_python",
    ),
    Case(options="--lok --lok-workflow w -m fast", executed="quick last", told="quick last"),
    Case(options="--lok-workflow w::last", executed="quick last", told="last", modes=("load",)),
    Case(options="--lok -k nothing", exit=5, modes=("load",)),
    # remembering
    Case(
        before="--lok",
        options="--lok --lf",
        executed="base broken blocked",
        told="broken blocked",
        modes=("load",),
    ),
    Case(
        before="--lok",
        options="--lok --ff",
        executed=EVERY + " blocked",
        told=ITEMS,
        outcomes={"soft": "skipped"},
    ),
    Case(
        before="--lok",
        options="--lok --nf",
        executed=EVERY + " blocked",
        told=ITEMS,
        outcomes={"soft": "skipped"},
    ),
    # looking
    Case(options="--lok --collect-only"),
    Case(options="--lok --setup-plan", told=ITEMS, modes=("load",)),
    Case(options="--lok --setup-only", told=ITEMS),
    # judging
    Case(
        options="--lok --runxfail",
        executed=EVERY,
        told=ITEMS,
        outcomes={**ENDS, "soft": "failure"},
        exit=1,
        modes=("loadgroup",),
    ),
    # trying again
    Case(
        options="--lok --reruns=2 -k broken",
        executed="base broken broken broken",
        executed_by_each="base broken broken broken broken broken",
        told="broken",
        outcomes={"broken": "failure"},
        exit=1,
        modes=("load", "loadfile", "each"),
        needs="pytest_rerunfailures",
    ),
)
STOPPED = Case(
    options="-x",
    executed="long",
    told="first long later",
    outcomes={"first": "failure", "long": "error", "later": "skipped"},
    exit=1,
    exit_apart=2,
    modes=("load", "worksteal", "loadfile"),
)
TIMED_OUT = replace(STOPPED, options="--timeout=1", exit_apart=None, needs="pytest_timeout")
STOPS = (
    STOPPED,
    replace(STOPPED, options="--maxfail=1", modes=("loadscope", "loadgroup", "each")),
    replace(STOPPED, options="--sw", exit=2, modes=("load",)),
    replace(TIMED_OUT, modes=("worksteal",)),
    replace(TIMED_OUT, options="--timeout=1 --timeout-method=thread", modes=("loadfile",)),
)


def cells(cases: tuple[Case, ...]) -> list[ParameterSet]:
    """Every case without xdist, and in its own modes."""
    return [
        pytest.param(case, mode, id=f"{case.options or 'nothing'} | {mode}")
        for case in cases
        for mode in (ALONE, *case.modes)
    ]


def comes_to(suite: Suite, case: Case, mode: str) -> None:
    """Run the case's sessions in that mode, and compare."""
    for module in filter(None, (case.needs, "pytest_randomly" if mode == SHUFFLED else "")):
        pytest.importorskip(module)
    if case.before:
        suite.run_apart(*REMEMBER, *case.before.split(), *MODES[mode])
        (suite.root / "repaired").touch()
        (suite.root / "ran").unlink()
    result = suite.run_apart(*REMEMBER, *case.options.split(), "--junitxml=report.xml", *MODES[mode])
    apart = mode not in (ALONE, WITHOUT) and case.exit_apart is not None
    assert result.ret == (case.exit_apart if apart else case.exit)
    executed = (mode == "each" and case.executed_by_each) or case.executed
    assert Counter(suite.ran()) == Counter(executed.split())
    cases = junit(suite.root / "report.xml").items()
    ends = {name: kind for name, (kind, _) in cases if "[" not in name}  # parts of a step have cases too
    assert ends == {name: case.outcomes.get(name, "") for name in case.told.split()}


@pytest.mark.parametrize(("case", "mode"), cells(CASES))
def test_options(suite: Suite, case: Case, mode: str) -> None:
    """A chain that breaks, a soft step and one over items in ``v``; a chain on its own in ``w``."""
    suite.workflow(
        "v",
        """
        [[steps]]
        name = "base"
        shell = "echo base >> ran"
        [[steps]]
        name = "broken"
        depends_on = ["base"]
        shell = "echo broken >> ran; test -e repaired"
        [[steps]]
        name = "blocked"
        depends_on = ["broken"]
        shell = "echo blocked >> ran"
        [[steps]]
        name = "soft"
        shell = "echo soft >> ran; exit 1"
        continue_on_error = true
        [[steps]]
        name = "after"
        depends_on = ["soft"]
        shell = "echo after >> ran; sleep 0.1"
        [[steps]]
        name = "each"
        depends_on = ["base"]
        for_each = "{{ [1, 2] }}"
        shell = "echo each{{ item }} >> ran"
        """,
    )
    suite.workflow(
        "w",
        """
        tags = ["fast"]
        exclusive = true
        [[steps]]
        name = "quick"
        shell = "echo quick >> ran; sleep 0.1"
        [[steps]]
        name = "last"
        depends_on = ["quick"]
        shell = "echo last >> ran"
        """,
    )
    suite.write("test_some.py", "def test_python(): pass")
    comes_to(suite, case, mode)


@pytest.mark.parametrize(("case", "mode"), cells(STOPS))
def test_sessions_that_end_early(suite: Suite, case: Case, mode: str) -> None:
    """``first`` fails when ``long`` runs, which would run for hours."""
    suite.workflow("v", f"[[steps]]\nname = 'long'\nshell = 'echo long >> ran; {SLEEP}'\n{LATER}")
    suite.shells("u", first="while ! test -e ran; do sleep 0.02; done; exit 1")
    comes_to(suite, replace(case, options=f"--lok {case.options}"), mode)
    assert not alive(SLEEP)


LATER = "[[steps]]\nname = 'later'\ndepends_on = ['long']\nshell = 'echo later >> ran'\n"
