from pathlib import Path

import pytest

from tests.cli.projects import Project


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one scripted backend, whose answer is the file ``answer``; ``lok`` is called in it."""
    made = Project(tmp_path / "project", capsys)
    made.write(
        "lok.toml",
        '[defaults]\nbackend = "model"\n[backends.model]\ntype = "scripted"\n'
        '[[backends.model.replies]]\nfile = "answer"\n',
    )
    made.write("answer", "")
    monkeypatch.chdir(made.root)
    return made
