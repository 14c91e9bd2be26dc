"""``lok init``: what it writes is right, and runs."""

from pathlib import Path

import pytest

from tests.cli.projects import Project


@pytest.fixture
def empty(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.root = tmp_path / "empty"
    project.root.mkdir()
    monkeypatch.chdir(project.root)
    return project


def test_the_first_workflow_validates_and_runs_without_any_llm(empty: Project) -> None:
    done = empty.lok("init")
    assert done.code == 0
    assert "lok.toml" in done.out
    assert empty.lok("workflow", "validate", "first").code == 0
    ran = empty.lok("first", "what is this?")
    assert ran.code == 0, ran.err
    assert "lok doctor" in ran.out
    assert empty.lok("ask", "anything else").code == 3, "it answers nothing else"


def test_a_backend_that_is_there_is_asked(empty: Project) -> None:
    tool = empty.write(
        "bin/claude", '#!/bin/sh\necho \'{"type": "result", "subtype": "success", "result": "a real one"}\'\n'
    )
    tool.chmod(0o755)
    empty.environ["PATH"] = f"{tool.parent}:{empty.environ['PATH']}"
    empty.lok("init")
    assert empty.lok("first").out == "a real one\n"
    assert "scripted" not in empty.lok("backends").out


def test_settings_that_are_there_need_no_offline_backend(empty: Project) -> None:
    script = "cat >/dev/null; echo ann"
    empty.write("lok.toml", f'[backends.ann]\ntype = "command"\ncommand = "sh"\nargs = ["-c", "{script}"]\n')
    empty.lok("init")
    assert empty.lok("first").out == "ann\n"


def test_nothing_is_overwritten(empty: Project) -> None:
    empty.write("lok.toml", "# mine\n")
    done = empty.lok("init")
    assert done.code == 0
    assert "kept   lok.toml" in done.out
    assert (empty.root / "lok.toml").read_text() == "# mine\n"
    again = empty.lok("init")
    assert "kept   .lok/workflows/first.toml" in again.out


def test_settings_in_pyproject_are_settings(empty: Project) -> None:
    empty.write("pyproject.toml", "[tool.lok.defaults]\ntimeout = 5\n")
    done = empty.lok("init")
    assert "kept   pyproject.toml" in done.out
    assert not (empty.root / "lok.toml").exists()
    assert empty.lok("workflow", "validate").code == 0


def test_another_directory(empty: Project) -> None:
    (empty.root / "there").mkdir()
    empty.lok("init", "--dir", "there")
    assert (empty.root / "there/.lok/workflows/first.toml").is_file()
    assert not (empty.root / ".lok").exists()


def test_a_place_that_cannot_be_written(empty: Project) -> None:
    empty.write(".lok", "a file where a directory must be")
    done = empty.lok("init")
    assert done.code == 3
    assert "cannot write" in done.err


def test_it_shadows_no_built_in(empty: Project) -> None:
    before = {entry["name"] for entry in empty.lok("workflow", "list", "--json").document}
    empty.lok("init")
    after = {entry["name"] for entry in empty.lok("workflow", "list", "--json").document}
    assert after - before == {"first"}
