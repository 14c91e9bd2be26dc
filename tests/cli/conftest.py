from pathlib import Path

import pytest

from tests.cli.projects import Project


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "project"
    made = Project(root, capsys)
    made.write("lok.toml", "")
    monkeypatch.chdir(root)
    return made
