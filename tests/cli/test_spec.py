"""``lok spec`` and ``lok implement``: a plan in files, and its subtasks done one by one."""

from __future__ import annotations

import pytest
import tomli

from tests.cli.projects import Project
from tests.cli.test_composed import backends

PLAN = {
    "specs": [
        {
            "name": "parser",
            "title": "A parser",
            "goal": "numbers are read",
            "subtasks": [
                {"name": "read", "title": "Read it", "file": "a.py", "task": "make x two"},
                {"name": "test", "title": "Test {{ it }}", "file": "tests/test_a.py", "task": "test {{ x }}"},
            ],
        }
    ]
}
EDIT = {"edits": [{"file": "a.py", "old": "x = 1", "new": "x = 2"}], "summary": "s"}
NEW = {"edits": [{"file": "tests/test_a.py", "old": "", "new": "def test(): pass\n"}], "summary": "s"}


def status(project: Project, name: str) -> str:
    document = tomli.loads((project.root / ".arf/specs" / f"{name}.arf").read_text())
    return str(document["status"]) + (f": {document['last_error']}" if "last_error" in document else "")


def planned(project: Project) -> None:
    backends(project, ann=[("Plan this task", PLAN), ("make x two", EDIT), ("test {{ x }}", NEW)])
    project.write("a.py", "x = 1\n")
    assert project.lok("spec", "Write a parser").code == 0


def test_a_plan_becomes_files_which_are_not_overwritten(project: Project) -> None:
    planned(project)
    folder = project.root / ".arf/specs"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.arf")) == [
        "01-parser/01-read.arf",
        "01-parser/02-test.arf",
        "01-parser/spec.arf",
        "roadmap.arf",
    ]
    assert tomli.loads((folder / "01-parser/spec.arf").read_text())["goal"] == "numbers are read"
    again = project.lok("spec", "Another")
    assert (again.code, "holds specs already" in again.err) == (2, True)


@pytest.mark.parametrize("name", ["../../etc", "A", "", "a/b", "x" * 60])
def test_a_name_that_is_none_is_no_plan_and_writes_nothing(project: Project, name: str) -> None:
    spec = {**PLAN["specs"][0], "name": name}
    backends(project, ann=[("Plan this task", {"specs": [spec]})])
    assert project.lok("spec", "Write a parser").code == 3
    assert not (project.root / ".arf").exists()


def test_subtasks_are_done_in_order_and_once(project: Project) -> None:
    planned(project)
    done = project.lok("implement", "--no-verify")
    assert done.code == 0, done.err
    assert (project.root / "a.py").read_text() == "x = 2\n"
    assert (project.root / "tests/test_a.py").exists()
    assert (status(project, "01-parser/01-read"), status(project, "01-parser/02-test")) == ("done", "done")
    assert "every subtask is done" in project.lok("implement").err


def test_one_that_fails_is_undone_ends_it_and_says_why(project: Project) -> None:
    planned(project)
    project.write("pyproject.toml", "[tool.ruff]\n")
    project.write(".venv/bin/ruff", "#!/bin/sh\necho it is wrong; exit 1\n").chmod(0o755)
    done = project.lok("implement")
    assert done.code == 1
    assert (project.root / "a.py").read_text() == "x = 1\n"
    assert "verify failed" in status(project, "01-parser/01-read")
    assert status(project, "01-parser/02-test") == "pending"
    project.write(".venv/bin/ruff", "#!/bin/sh\nexit 0\n").chmod(0o755)
    assert project.lok("implement", "01-parser/01-read").code == 0
    assert status(project, "01-parser/01-read") == "done"


def test_one_can_be_named_and_a_path_out_of_the_project_is_refused(project: Project) -> None:
    planned(project)
    assert project.lok("implement", "01-parser/02-test", "--no-verify").code == 0
    assert status(project, "01-parser/01-read") == "pending"
    missing = project.lok("implement", "nope")
    assert (missing.code, "01-parser/01-read" in missing.err) == (2, True)
    file = project.root / ".arf/specs/01-parser/01-read.arf"
    file.write_text(file.read_text().replace("a.py", "../a.py"))
    refused = project.lok("implement", "--no-verify")
    assert (refused.code, "lies outside the workspace" in refused.err) == (2, True)


def test_without_specs_there_is_nothing_to_do(project: Project) -> None:
    backends(project, ann=[("", "x")])
    done = project.lok("implement")
    assert (done.code, "there are no specs" in done.err) == (2, True)
