"""Two runs in one directory, where one of them runs alone."""

import sys
import time

from tests.cli.projects import Project

SLOW = "exclusive = true\n[[steps]]\nname = 'a'\nshell = 'touch up; until [ -e go ]; do sleep 0.02; done'\n"


def test_a_run_waits_for_one_that_runs_alone_and_says_so(project: Project) -> None:
    project.workflow("slow", SLOW)
    project.workflow("quick", "[[steps]]\nname = 'a'\nshell = 'echo done'\n")
    with project.started("slow") as slow:
        while slow.poll() is None and not (project.root / "up").exists():
            time.sleep(0.01)
        with project.started("quick") as quick:
            assert quick.stderr is not None
            line = quick.stderr.readline()
            assert line == "waiting  for another run in this directory: one of the two runs alone\n"
            assert quick.poll() is None
            project.write("go", "")
            assert quick.communicate()[0] == "done\n"
            assert (slow.wait(), quick.returncode) == (0, 0)


def test_a_step_may_run_another_workflow_of_a_workflow_that_runs_alone(project: Project) -> None:
    project.workflow("inner", "exclusive = true\n[[steps]]\nname = 'a'\nshell = 'echo from inside'\n")
    project.workflow(
        "outer",
        f"exclusive = true\n[[steps]]\nname = 'a'\nargv = ['{sys.executable}', '-m', 'pytest_lok.cli.main', 'inner']\n",
    )
    done = project.lok("outer")
    assert (done.code, done.out) == (0, "from inside\n")
