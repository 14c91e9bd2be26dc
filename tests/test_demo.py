"""The demo's verdict follows one line of source, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import GREEN, RED, SAFE, UNSAFE, Sample
from tools.picture import LARGEST, PICTURE, TERMINAL, drawn_text, picture, svg


def test_the_planted_injection_is_real(tmp_path: Path) -> None:
    sample = Sample.make(tmp_path / "shop")
    attack = [sys.executable, "attack.py"]
    assert subprocess.run(attack, cwd=sample.root, check=False, capture_output=True).returncode == 1
    sample.write_query(SAFE)
    assert subprocess.run(attack, cwd=sample.root, check=False, capture_output=True).returncode == 0


def test_one_line_flips_the_verdict_and_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)
    sample = Sample.make(tmp_path / "shop")
    code, outcomes = sample.review()
    red = capfd.readouterr().out
    assert code == 1
    assert RED.items() <= outcomes.items()

    sample.repair()
    code, outcomes = sample.review()
    green = capfd.readouterr().out
    assert code == 0
    assert GREEN.items() <= outcomes.items()
    assert outcomes.keys() > GREEN.keys(), "the sample's own tests ran beside"

    drawing = PICTURE.read_text()
    assert drawn_text(drawing) == drawn_text(svg(picture(red, green))), "docs/demo.svg is stale: make picture"
    assert len(drawing) <= LARGEST

    sample.write_query(UNSAFE)
    sample.git("commit", "--quiet", "--all", "--message=Undo")
    code, outcomes = sample.review()
    assert code == 1
    assert RED.items() <= outcomes.items()
