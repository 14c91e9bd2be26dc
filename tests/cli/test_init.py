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


def test_nothing_is_overwritten(empty: Project) -> None:
    empty.write("lok.toml", "# mine\n")
    done = empty.lok("init")
    assert done.code == 0
    assert "kept   lok.toml" in done.out
    assert (empty.root / "lok.toml").read_text() == "# mine\n"
    again = empty.lok("init")
    assert "kept   .lok/workflows/first.toml" in again.out


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
