"""What was asked for and could not be handed over is no success."""

import subprocess
import sys

import pytest

from tests.cli.projects import Project


@pytest.mark.parametrize(
    ("redirect", "code"), [(">&-", 3), (">/dev/full", 3), ("| head -c 0", 0), (">/dev/null", 0)]
)
@pytest.mark.parametrize("option", ["--json", ""])
def test_results_that_nobody_can_have_got_are_no_success(
    project: Project, option: str, redirect: str, code: int
) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "echo hi"\n')
    command = f'"$0" -m pytest_lok.cli.main run w {option} {redirect}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert ("results are lost" in done.stderr) == (code == 3)
