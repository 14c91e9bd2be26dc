"""What becomes of a command where its fleet is set up wrongly: an error of the step, in words for its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import project as project
from tests.cli.projects import Project
from tests.cli.test_places import results
from tests.workspace.test_git_state import git

STEP = '[[steps]]\nname = "x"\non = "big"\nshell = "true"\n'


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "`fleet.ca` cannot be read: {root}/ca.pem: No such file or directory"),
        (("ca", "cert"), "`fleet.key` cannot be read: {root}/key.pem: No such file or directory"),
        (("ca", "cert", "key"), "the files of [fleet] are none that TLS can use: "),
    ],
)
def test_files_of_tls_that_cannot_be_used_are_an_error_of_the_step(
    project: Project, files: tuple[str, ...], said: str
) -> None:
    keys = "".join(f'{key} = "{key}.pem"\n' for key in ("ca", "cert", "key"))
    project.write("lok.toml", f'[fleet]\nscheduler = "tls://127.0.0.1:9"\n{keys}')
    for key in files:
        project.write(f"{key}.pem", "no certificate\n")
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "x")
    step = results(project, "w", STEP)["x"]
    assert step["outcome"] == "error"
    assert said.format(root=Path(project.root)) in step["reason"]
