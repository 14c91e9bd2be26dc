"""The picture of docs/architecture.md, executed: who may import whom, and what is public."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import measure, rooms

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_lok"


def test_imports_point_inward() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    contracts = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")
    assert contracts >= 4
    assert f"{contracts} kept, 0 broken" in done.stdout


@pytest.mark.parametrize("word", ["utils", "util", "common", "base", "helpers", "manager", "misc"])
def test_every_module_has_a_room(word: str) -> None:
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem == word]


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*.py")
        if (text := path.read_text()).strip() and not text.startswith('"""')
    ]
    assert silent == []


def test_the_page_says_of_every_module_what_its_docstring_says() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert rooms.page(text) == text, "make rooms"


def test_the_house_stays_in_its_measures() -> None:
    """Names once, no circles, walls where a room grows; how many comments there are is for people to judge."""
    missed = [row for row in measure.measure(PACKAGE) if row.met is False and "comments" not in row.what]
    assert missed == []


def test_only_the_doors_read_the_environment_and_write() -> None:
    """``cli`` and ``plugin`` may hand ``os.environ`` on; nobody else touches it, and nobody else prints.

    A place of a fleet is a program of its own, and has an environment of its own.
    """
    wrong, programs = [], {Path("fleet/local.py"), Path("fleet/dask_place.py")}
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE)
        if where.parts[0] in ("cli", "plugin"):
            continue
        text = path.read_text()
        if re.search(r"\bos\.(environ|getenv)\b", text) and where not in programs:
            wrong.append(f"{where} reads the environment")
        if re.search(r"\bprint\(|\bsys\.std(out|err)\b", text):
            wrong.append(f"{where} writes to the terminal")
    assert wrong == []


def test_every_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(r'^    "[a-z][^"]*[>=\d]",?(.*)$', text, re.MULTILINE)
    assert listed
    assert all(reason.strip().startswith("# ") for reason in listed)
