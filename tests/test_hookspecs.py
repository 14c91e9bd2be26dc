"""A package of another author: written into a directory, installed there, and used from processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forks

ROOT = Path(__file__).parents[1]
PACKAGE = (ROOT / "docs" / "backends.md").read_text().split("```python\n")[1].split("```")[0]
CASES = (ROOT / "docs" / "backends.md").read_text().split("```python\n")[2].split("```")[0]


class Site:
    """A directory packages are installed in, and a project beside it."""

    def __init__(self, root: Path) -> None:
        self.packages, self.project = root / "site", root / "project"
        self.project.mkdir()

    def install(self, name: str, text: str) -> None:
        info = self.packages / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pytest_lok]\n{name} = {name}\n")
        (self.packages / f"{name}.py").write_text(text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.project),
            "PYTHONPATH": f"{self.packages}{os.pathsep}{ROOT}",
            "PARROT_KEY": "k-12345678",
            "LOK_TRUST": "1",
        }
        return forks.run([sys.executable, *command], cwd=self.project, env=environ)

    def lok(self, *arguments: str, settings: str) -> subprocess.CompletedProcess[str]:
        (self.project / "lok.toml").write_text(settings)
        return self.run("-m", "pytest_lok.cli.main", *arguments)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


MINE = '[backends.mine]\ntype = "parrot"\nmodel = "grey"\noptions = { voice = "squawk" }\n'


def test_the_package_of_the_documentation_answers(site: Site) -> None:
    site.install("lok_parrot", PACKAGE)
    done = site.lok("ask", "-b", "mine", "hello", settings=MINE)
    assert done.returncode == 0, done.stderr
    assert "squawk: hello" in done.stdout
    done = site.lok("backends", settings="[backends.parrot]\n")
    row = next(line for line in done.stdout.splitlines() if line.startswith("parrot"))
    assert row.split()[1] == "parrot"
    assert "available" in row


def test_its_size_is_what_was_promised() -> None:
    assert len([line for line in PACKAGE.splitlines() if line.strip()]) <= 20


def test_the_contract_is_run_over_it(site: Site) -> None:
    site.install("lok_parrot", PACKAGE + CASES)
    done = site.run("-m", "pytest", "--pyargs", "pytest_lok.testing.contract", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "15 passed" in done.stdout


def test_the_contract_finds_a_backend_that_cuts_answers(site: Site) -> None:
    cutting = CASES.replace("text=self.text,", "text=self.text[:1000],")
    assert cutting != CASES
    site.install("lok_parrot", PACKAGE + cutting)
    done = site.run("-m", "pytest", "--pyargs", "pytest_lok.testing.contract", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert "1 failed, 14 passed" in done.stdout
    assert "test_it_gives_an_answer_of_a_million_characters[parrot]" in done.stdout


def test_nothing_to_test_is_no_success(site: Site) -> None:
    done = site.run("-m", "pytest", "--pyargs", "pytest_lok.testing.contract", "-q", "-p", "no:cacheprovider")
    assert done.returncode != 0
    assert "lok_contract_cases" in done.stdout


def test_without_the_package_the_type_is_unknown(site: Site) -> None:
    done = site.lok("backends", settings=MINE)
    assert done.returncode == 2
    assert 'lok.toml:2:8: `backends.mine.type` must be "claude"' in done.stderr
    assert "is the package that adds it installed here?" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("options = 3", "options` must be a table"),
        ("opions = {}", "did you mean `options`?"),
        ("args = ['x']", '`args` means nothing to a backend of type "parrot"'),
    ],
)
def test_what_is_wrong_about_its_settings_is_told(site: Site, settings: str, message: str) -> None:
    site.install("lok_parrot", PACKAGE)
    done = site.lok("backends", settings=f'[backends.mine]\ntype = "parrot"\n{settings}\n')
    assert done.returncode == 2
    assert message in done.stderr


def test_options_are_for_others(site: Site) -> None:
    done = site.lok("backends", settings="[backends.claude]\noptions = { a = 1 }\n")
    assert done.returncode == 2
    assert 'a backend of type "claude" knows no option `a`' in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError"),
        (PACKAGE.replace('"parrot"', '"claude"'), 'two backends of type "claude"'),
        (PACKAGE.replace("def lok_backends", "def lok_bakends"), "lok_bakends"),
    ],
    ids=["import", "taken", "hook"],
)
def test_a_package_that_is_broken_is_named(site: Site, text: str, message: str) -> None:
    site.install("lok_parrot", text)
    done = site.lok("backends", settings=MINE)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr


def test_a_broken_package_harms_nobody_who_does_not_use_it(site: Site) -> None:
    site.install("lok_parrot", "import no_such_module")
    assert site.lok("backends", settings="").returncode == 0


def test_two_packages_of_one_type(site: Site) -> None:
    site.install("lok_parrot", PACKAGE)
    site.install("lok_budgie", PACKAGE)
    done = site.lok("backends", settings=MINE)
    assert done.returncode == 2
    assert 'two backends of type "parrot"' in done.stderr
