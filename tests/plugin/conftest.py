"""Projects with workflows, and sessions of the real pytest in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

# an inner session in this process forgets what it imported: import it once, here
import pytest_lok.plugin.collection
import pytest_lok.plugin.fixtures
import pytest_lok.plugin.install  # noqa: F401 - see above
from tests import forks

SCRIPTED = """
[defaults]
backend = "echo"
[backends.echo]
type = "scripted"
[[backends.echo.replies]]
match = "who are you"
reply = "I am the configured one"
[[backends.echo.replies]]
match = "trouble"
error = "overload"
[[backends.echo.replies]]
reply = "hello from echo"
"""

QUIET = tuple(
    word
    for plugin in (
        *("randomly", "cacheprovider", "sugar", "tldr", "hypothesispytest", "anyio", "respx"),
        "pytest-retry",  # does one session a process
    )
    for word in ("-p", f"no:{plugin}")
)
"""What every inner session has: an order and a terminal that stay, nothing remembered or slow to load."""


@dataclass
class Suite:
    """A project in a directory of its own."""

    pytester: pytest.Pytester

    @property
    def root(self) -> Path:
        return self.pytester.path

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def workflow(self, name: str, text: str) -> Path:
        return self.write(f".lok/workflows/{name}.toml", text)

    def shells(self, name: str, **steps: str) -> Path:
        """A workflow of shell steps; ``b_after_a`` is step ``b``, which depends on ``a``."""
        blocks = []
        for key, command in steps.items():
            step, _, after = key.partition("_after_")
            needs = f"depends_on = {after.split('_')}\n" if after else ""
            blocks.append(f"[[steps]]\nname = '{step}'\n{needs}shell = '''{command}'''\n")
        return self.write(f".lok/workflows/{name}.toml", "\n".join(blocks))

    def run(self, *args: str | Path) -> pytest.RunResult:
        """A session in this process: quick."""
        return self.pytester.runpytest_inprocess(*QUIET, *args)

    def run_apart(self, *args: str | Path) -> pytest.RunResult:
        """A session in a process of its own, as are its workers; each is forked from one that is warm."""
        return run_apart(self.pytester, *QUIET, *args)

    def run_cold(self, *args: str | Path) -> pytest.RunResult:
        """A session in a process that starts from nothing, for what is about starting."""
        return self.pytester.runpytest_subprocess(*QUIET, *args)

    def ran(self) -> list[str]:
        """What steps have written into the log, in order: ``echo NAME >> ran``."""
        log = self.root / "ran"
        return log.read_text().split() if log.exists() else []


def run_apart(pytester: pytest.Pytester, *args: str | Path) -> pytest.RunResult:
    """Run a session as ``Pytester.runpytest_subprocess`` does, in a process that is forked."""
    with pytest.MonkeyPatch.context() as patch:
        if forks.FORKS:
            patch.setattr(pytester, "popen", forks.popen)
        return pytester.runpytest_subprocess(*args)


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    for name in ("CI", "GITHUB_ACTIONS", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    home = pytester.path.parent / f"{pytester.path.name}-home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOK_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = Suite(pytester)
    made.write("lok.toml", SCRIPTED)
    return made


def words(result: pytest.RunResult) -> dict[str, str]:
    """Each item's outcome, by node id, as ``-v`` prints it."""
    found: dict[str, str] = {}
    for line in result.outlines:
        match = re.match(r"(\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|RERUN)", line)
        if match:
            found[match[1]] = match[2]
    return found


def items(lines: Sequence[str]) -> list[str]:
    """The node ids that ``--collect-only -q`` prints."""
    return [line for line in lines if "::" in line and " " not in line]
