"""Steps at places of a fleet in sessions of pytest: who connects, what is told, and that nothing is left."""

from __future__ import annotations

from pathlib import Path

from tests.plugin.conftest import Suite
from tests.workspace.test_git_state import git

STEPS = """\
[[steps]]
name = "build"
on = "local-1"
shell = "echo $PPID > made; test $(cat made) != 0"
artifacts = ["made"]

[[steps]]
name = "same"
needs = { cores = 1 }
shell = "test $(cat made) = $PPID"
depends_on = ["build"]
artifacts = []

[[steps]]
name = "red"
on = "local-1"
depends_on = ["build"]
shell = "echo said no; exit 1"
artifacts = []

[[steps]]
name = "lost"
on = "local-1"
depends_on = ["same", "red"]
min_deps_success = 1
shell = "kill -9 $PPID; sleep 300"

[[steps]]
name = "gpu"
on = "gpu"
shell = "true"
"""


def repo(suite: Suite, settings: str) -> None:
    suite.write("lok.toml", settings)
    suite.write(".lok/workflows/w.toml", STEPS)
    git(suite.root, "init", "-q")
    git(suite.root, "add", "-A")
    git(suite.root, "commit", "-qm", "x")


def test_the_owner_of_a_workflow_connects_and_nobody_else_does(suite: Suite) -> None:
    repo(suite, '[fleet]\nscheduler = "local"\nworkers = 1\n')
    # one place: whoever connected a second time would have started another
    done = suite.run_apart("--lok", "-n", "2", "-rA")
    done.assert_outcomes(passed=2, failed=1, errors=2)
    done.stdout.fnmatch_lines_random(
        [
            "*lost was started on local-1, and its outcome is unknown*",
            "*no place labelled 'gpu' has 1 core*",
            "*said no*",
        ]
    )
    assert not Path("/proc", (suite.root / "made").read_text().strip()).exists()


def test_without_a_fleet_such_a_workflow_is_not_collected(suite: Suite) -> None:
    repo(suite, "")
    done = suite.run("--lok", "-k", "gpu")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*w.toml:1: step `build` runs at a place of a fleet, and no fleet is set"])


def test_a_session_without_a_fleet_imports_nothing_of_it(suite: Suite) -> None:
    suite.write("lok.toml", "")
    suite.shells("w", a="true", b_after_a="true")
    suite.write(
        "conftest.py",
        """
        import sys

        def pytest_unconfigure():
            foreign = ("pytest_lok.fleet", "pytest_lok.workspace.travel", "dask", "distributed")
            print("of a fleet:", [name for name in sys.modules if name.startswith(foreign)])
        """,
    )
    done = suite.run_cold("--lok")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["of a fleet: []"])
