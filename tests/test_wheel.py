"""The wheel, in an environment that has nothing else: what it holds, and that both front doors open."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PASSING = """
[[steps]]
name = "hello"
shell = "echo hello"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = into.glob("*.whl")
    return built


def environ(**extra: str) -> dict[str, str]:
    """Nothing of this environment but what pip and a shell need."""
    keep = {"PATH", "HOME", "TMPDIR", "LANG"}
    kept = {name: value for name, value in os.environ.items() if name in keep or name.startswith("PIP_")}
    return kept | extra


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (
            archive.read(name).decode() for name in names if name.endswith("/entry_points.txt")
        )
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pytest_lok"}
    assert "pytest_lok/py.typed" in names
    assert {"pytest_lok/reports/page/style.css", "pytest_lok/reports/page/page.js"} <= {*names}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    shipped = {path.name for path in (ROOT / "pytest_lok" / "workflows").glob("*.toml")}
    assert shipped
    assert {f"pytest_lok/workflows/{name}" for name in shipped} <= set(names)
    recipes = {f"pytest_lok/cli/recipes/{name}" for name in ("github.yml", "gitlab.yml", "Jenkinsfile")}
    assert recipes <= set(names)
    assert "[pytest11]\nlok = pytest_lok.plugin" in entry_points
    assert "lok = pytest_lok.cli" in entry_points


@pytest.mark.timeout(300)
def test_the_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", str(wheel)], check=True, env=environ())

    project = tmp_path / "project"
    (project / ".lok" / "workflows").mkdir(parents=True)
    (project / ".lok" / "workflows" / "greet.toml").write_text(PASSING)

    def run(*command: str) -> str:
        done = subprocess.run(
            [venv / "bin" / command[0], *command[1:]],
            cwd=project,
            env=environ(HOME=str(tmp_path)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    version = wheel.name.split("-")[1]
    assert version in run("lok", "--version")
    listed = run("lok", "workflow", "list")
    for shipped in (ROOT / "pytest_lok" / "workflows").glob("*.toml"):
        assert shipped.stem in listed
    assert "greet" in listed
    assert "hello" in run("lok", "run", "greet")
    assert "1 passed" in run("pytest", "--lok")
