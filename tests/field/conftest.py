from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.plugin.conftest import suite as suite  # sessions of pytest in a project


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project in a directory of its own; ``lok`` is called in it."""
    made = Project(tmp_path / "project", capsys)
    made.write("lok.toml", "")
    monkeypatch.chdir(made.root)
    return made
