"""The demo's verdict follows one line of source, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import GREEN, RED, SAFE, UNSAFE, Sample
from tools.page_picture import LARGEST as LARGEST_PAGE
from tools.page_picture import PICTURE as PAGE_PICTURE
from tools.page_picture import WIDTH
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
    code, outcomes = sample.review(page=tmp_path / "red.html")
    red = capfd.readouterr().out
    assert code == 1
    assert RED.items() <= outcomes.items()

    page = (tmp_path / "red.html").read_text()
    assert '<header class="banner failed"' in page
    assert "Whoever sends the request can end the query early" in page
    assert "lok run --step injections security-review" in page
    assert page.count("prompt to ") == 2

    sample.repair()
    code, outcomes = sample.review(page=tmp_path / "green.html")
    green = capfd.readouterr().out
    assert code == 0
    assert GREEN.items() <= outcomes.items()
    assert outcomes.keys() > GREEN.keys(), "the sample's own tests ran beside"
    assert '<header class="banner passed"' in (tmp_path / "green.html").read_text()

    drawing = PICTURE.read_text()
    assert drawn_text(drawing) == drawn_text(svg(picture(red, green))), "docs/demo.svg is stale: make picture"
    assert len(drawing) <= LARGEST

    sample.write_query(UNSAFE)
    sample.git("commit", "--quiet", "--all", "--message=Undo")
    code, outcomes = sample.review()
    assert code == 1
    assert RED.items() <= outcomes.items()


def test_the_picture_of_the_page_is_a_small_png() -> None:
    data = PAGE_PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) <= LARGEST_PAGE
    width = int.from_bytes(data[16:20])
    assert width == WIDTH
