"""A run that waits for a person, answered by `lok approve` or at the terminal, and gone on with once."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from pytest_lok.workspace.processes.descendants import MARK
from tests.cli.projects import Done, Project, record

FLOW = """
[args.env]
default = "test"

[[steps]]
name = "build"
shell = "cat version"

[[steps]]
name = "go"
approve = "Deploy {{ steps.build.output }} to {{ arg.env }}?"

[[steps]]
name = "deploy"
depends_on = ["go"]
effects = true
shell = "echo done >> deployed"
"""


@pytest.fixture
def ship(project: Project) -> Project:
    project.write("version", "v1\n")
    project.workflow("ship", FLOW)
    return project


def waiting(project: Project, *args: str) -> str:
    """A run that waits; its id."""
    done = project.lok("run", "ship", *args)
    assert done.code == 4
    found = re.search(r"`lok approve (\S+) go --yes` goes on", done.err)
    assert found is not None
    assert "waiting in" in done.err.splitlines()[-1]
    return found[1]


def deployed(project: Project) -> int:
    file = project.root / "deployed"
    return len(file.read_text().splitlines()) if file.exists() else 0


def step(project: Project, name: str = "go", run: str = "last") -> dict[str, object]:
    document = project.lok("show", run, "--json").document
    found: dict[str, object] = document["workflows"][0]["steps"][name]
    return found


def test_a_yes_goes_on_where_it_waited_and_is_in_the_record(ship: Project) -> None:
    ship.environ |= {"CI": "1", "GITHUB_ACTOR": "ann"}
    run = waiting(ship, "--env", "prod")
    assert (step(ship)["outcome"], step(ship)["waiting"], deployed(ship)) == (
        "error",
        "Deploy v1 to prod?",
        0,
    )
    done = ship.lok("approve", run, "go", "--yes", "--reason", "the tests  are\ngreen", "--json")
    assert (done.code, done.document["exit_code"], deployed(ship)) == (0, 0, 1)
    approval = done.document["steps"]["go"]["approval"]
    assert (approval["yes"], approval["reason"]) == (True, "the tests are green")
    assert approval["who"].startswith("ann (")
    assert step(ship)["approval"] == approval
    # the first run stays as it was, and the new one keeps its answer
    assert step(ship, run=run)["waiting"]
    assert ship.lok("resume").code == 0
    assert deployed(ship) == 1


def test_a_no_fails_and_stays_one(ship: Project) -> None:
    run = waiting(ship)
    done = ship.lok("approve", run, "go", "--no", "--reason", "not on a Friday")
    assert (done.code, deployed(ship)) == (1, 0)
    assert "not on a Friday" in done.err
    assert ship.lok("resume").code == 1
    again = ship.lok("resume", "--again", "go")
    assert (again.code, deployed(ship)) == (4, 0)


def test_without_an_answer_a_resumed_run_waits_again_and_another_text_too(ship: Project) -> None:
    run = waiting(ship)
    assert ship.lok("resume").code == 4
    ship.write("version", "v2\n")
    done = ship.lok("approve", run, "go", "--yes")
    assert (done.code, deployed(ship)) == (4, 0)
    assert "Deploy v2 to test?" in done.err
    found = re.search(r"`lok approve (\S+) go --yes`", done.err)
    assert found is not None
    assert ship.lok("approve", found[1], "go", "--yes").code == 0
    assert deployed(ship) == 1


def test_an_answer_counts_no_more_once_the_step_has_waited_again(ship: Project) -> None:
    run = waiting(ship)
    assert (ship.lok("approve", run, "go", "--yes").code, deployed(ship)) == (0, 1)
    assert ship.lok("resume", "--again", "go").code == 4
    assert ship.lok("resume").code == 4
    assert (ship.lok("resume", "--again", "deploy").code, deployed(ship)) == (4, 1)
    assert ship.lok("approve", "last", "go", "--yes").code == 0
    assert ship.lok("resume").code == 0


def test_the_last_line_says_what_the_exit_code_says(project: Project) -> None:
    asks, no = "[[steps]]\nname = 'go'\napprove = 'Sure?'\n", "[[steps]]\nname = 'no'\nshell = 'exit 1'\n"
    project.workflow("no", asks + no)
    done = project.lok("run", "no", "-q")
    assert (done.code, done.err.split(" in ")[0]) == (1, "no: failed")


def test_a_question_with_a_secret_is_asked_and_answered_without_it(ship: Project) -> None:
    ship.environ["DEPLOY_TOKEN"] = "correct-horse-battery"
    ship.write("version", "v1 correct-horse-battery\n")
    run = waiting(ship)
    assert "correct-horse" not in str(step(ship)["waiting"])
    done = ship.lok("approve", run, "go", "--yes")
    assert (done.code, deployed(ship)) == (0, 1)
    assert "go asks: Deploy v1 " in done.err
    assert "correct-horse" not in done.err


def refused(done: Done) -> str:
    assert done.code == 2
    return done.err


def test_what_cannot_be_answered_is_said(ship: Project) -> None:
    run = waiting(ship)
    assert "an answer is --yes or --no" in refused(ship.lok("approve", run, "go"))
    assert "an answer is --yes or --no" in refused(ship.lok("approve", run, "go", "--yes", "--no"))
    assert "no recorded run 1999" in refused(ship.lok("approve", "1999", "go", "--yes"))
    assert "did you mean `go`?" in refused(ship.lok("approve", run, "goo", "--yes"))
    assert "'build' of" in refused(ship.lok("approve", run, "build", "--yes"))
    assert "it was skipped" in refused(ship.lok("approve", run, "deploy", "--yes"))
    ship.environ[MARK] = "1"
    assert "people answer" in refused(ship.lok("approve", run, "go", "--yes"))
    del ship.environ[MARK]
    assert ship.lok("approve", run, "go", "--yes").code == 0
    assert f"step 'go' of {run} is answered already, in 2" in refused(ship.lok("approve", run, "go", "--yes"))
    assert "does not wait: it passed (yes: " in refused(ship.lok("approve", "last", "go", "--no"))
    assert deployed(ship) == 1


def test_what_has_effects_is_done_once_by_whatever_answers(ship: Project) -> None:
    """Two at the same time, and one to another run that went on from the same."""
    first = waiting(ship)
    assert ship.lok("resume").code == 4
    other = str(ship.lok("show", "last", "--json").document["run_id"])
    words = ("approve", first, "go", "--yes")
    with ship.started(*words) as one, ship.started(*words) as two:
        said = [process.communicate()[1] for process in (one, two)]
    assert sorted([one.returncode, two.returncode]) == [0, 2], said
    assert deployed(ship) == 1
    assert ship.lok("approve", other, "go", "--yes").code == 0
    assert deployed(ship) == 1


def test_a_change_that_nobody_trusts_asks_nobody(ship: Project) -> None:
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "one"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *identity, *words], cwd=ship.root, check=True)
    done = ship.lok("gate", "ship", "--base", "HEAD", "--head", "HEAD")
    assert done.code == 2
    assert "the step `go` waits for a person, and nobody is asked about such a change" in done.err


REPORTS = {
    "junit": "<error",
    "sarif": '"level": "error"',
    "html": "waits for an answer",
    "jsonl": "error: waits for an answer",
}


def test_no_report_is_green_while_it_waits(ship: Project) -> None:
    files = {kind: ship.root / f"report.{kind}" for kind in REPORTS}
    done = ship.lok("run", "ship", *(f"--report={kind}={file}" for kind, file in files.items()))
    assert done.code == 4
    for kind, mark in REPORTS.items():
        text = files[kind].read_text()
        assert mark in text, kind
        assert "Deploy v1 to test?" in text, kind
    assert "People have not answered yet" in files["html"].read_text()
    [invocation] = json.loads(files["sarif"].read_text())["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False


def at_a_terminal(project: Project, *lines: str) -> tuple[int, str]:
    """The run, with these lines typed when it asks; the exit code and what was seen."""
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        environ = {**project.environ, "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-m", "pytest_lok.cli.main", "run", "ship"], environ)
    seen, typed = b"", 0
    while True:
        try:
            piece = os.read(screen, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        if seen.count(b"y or n") > typed and seen.endswith(b": ") and typed < len(lines):
            os.write(screen, lines[typed].encode())
            typed += 1
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("lines", "code", "done"),
    [(("huh\n", "y all green\n"), 0, 1), (("N\n",), 1, 0), (("\x04",), 4, 0)],
    ids=["yes", "no", "later"],
)
def test_the_person_at_the_terminal_is_asked(
    ship: Project, lines: tuple[str, ...], code: int, done: int
) -> None:
    ended, seen = at_a_terminal(ship, *lines)
    assert (ended, deployed(ship)) == (code, done), seen
    assert re.search(r"go asks \S+: Deploy v1 to test\?\n", seen)
    if code == 0:
        assert str(step(ship)["approval"]).count("all green") == 1


def test_no_answer_is_kept_for_a_step_of_which_nobody_knows_what_it_had_read(project: Project) -> None:
    refused = project.lok("approve", record(project, waiting="Go?"), "review", "--yes")
    assert refused.code == 2
    assert "had read is not known" in refused.err
    assert "`lok run review` asks" in refused.err
