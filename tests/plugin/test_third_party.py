"""Other people's projects, as they are published: their own suites give the same with the plugin as without."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

IN_CI = bool(os.environ.get("CI"))  # read before the suite's own environment is made
WORKFLOW = {
    "lok.toml": """
[defaults]
backend = "echo"
[backends.echo]
type = "scripted"
[[backends.echo.replies]]
reply = "hello"
""",
    ".lok/workflows/beside.toml": """
[[steps]]
name = "says"
shell = "for i in $(seq 50); do echo out $i; echo err $i >&2; sleep 0.01; done"
[[steps]]
name = "asks"
prompt = "{{ steps.says.output }}"
assert = ["output == 'hello'"]
[[steps]]
name = "each"
for_each = [1, 2, 3]
shell = "sleep 0.2; echo {{ item }}"
""",
}
PARTS = [f"each[item {n}: {n + 1}]" for n in range(3)]
STEPS: dict[str, tuple[str, ...]] = {f"lok.beside.{name}": () for name in ("says", "asks", "each", *PARTS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One whose suite needs nothing but pytest.

    ``code`` is where it is imported from, ``only`` the part of its suite that runs (all of it by default), and
    ``tests`` how many tests that part has at least.
    """

    name: str
    version: str
    code: str
    tests: int
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a session came to: its exit code, and what is not green of each test."""

    code: int
    tests: dict[str, tuple[str, ...]]


# h11's is quick; click's catches output in every way, and has every warning as an error
H11 = Project(name="h11", version="0.16.0", code=".", tests=70)
CLICK = Project(name="click", version="8.5.1", code="src", tests=2000)
CLICK_OUTPUT = replace(CLICK, tests=200, only=("tests/test_testing.py", "tests/test_termui.py"))


def unpacked(project: Project, here: Path) -> Path:
    """The project's source distribution from wherever pip is configured to find it."""
    wanted = f"{project.name}=={project.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", project.name]
    fetched = subprocess.run([*command, wanted], cwd=here, capture_output=True, text=True, timeout=100)
    if fetched.returncode:
        what = f"pip cannot download {wanted}: {fetched.stderr.strip()[-500:]}"
        pytest.fail(what) if IN_CI else pytest.skip(what)
    (archive,) = here.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(here, filter="data")
    return here / archive.name.removesuffix(".tar.gz")


def session(project: Project, root: Path, *args: str) -> Session:
    report = root / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--junitxml={report}", *args]
    environ = os.environ | {"PYTHONPATH": str(root / project.code)}
    ended = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=100)
    assert report.exists(), ended.stdout + ended.stderr
    return Session(code=ended.returncode, tests=dict(_tests(report)))


def _tests(report: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for case in ElementTree.parse(report).iter("testcase"):
        red = [node.tag for node in case if node.tag in ("failure", "error", "skipped")]
        yield f"{case.attrib['classname']}.{case.attrib['name']}", tuple(red)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("project", "xdist"),
    [(H11, ("-n2",)), (CLICK_OUTPUT, ()), pytest.param(CLICK, (), marks=pytest.mark.slow)],
    ids=["h11", "click's output", "click"],
)
def test_the_suite_gives_the_same_as_without(
    project: Project, xdist: tuple[str, ...], tmp_path: Path
) -> None:
    root = unpacked(project, tmp_path)
    without = session(project, root, "-p", "no:lok", *project.only)
    assert len(without.tests) > project.tests
    for path, text in WORKFLOW.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    assert session(project, root, *project.only) == without
    everything = (*project.only, ".lok") if project.only else ()
    for args in {(), xdist}:
        assert session(project, root, "--lok", *args, *everything) == Session(
            code=without.code, tests=without.tests | STEPS
        )
