"""A fresh sample repository -> two runs of `pytest --lok`: red with the injection, green without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
WORKFLOW = ".lok/workflows/security-review.toml"
SAFE = (
    """rows = db.execute("SELECT item FROM orders WHERE email = ? AND item LIKE ?", (email, f"%{word}%"))"""
)
UNSAFE = """rows = db.execute(f"SELECT item FROM orders WHERE email = '{email}' AND item LIKE '%{word}%'")"""
RED = {"diff": "passed", "injections": "failed", "secrets": "passed", "sign-off": "skipped"}
GREEN = dict.fromkeys(RED, "passed")
NOT_OURS = shutil.ignore_patterns("__pycache__", ".*_cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The sample repository; ``environ`` is what its commands see."""

    root: Path
    environ: Mapping[str, str]

    @classmethod
    def make(cls, root: Path) -> Sample:
        """A repository whose branch ``order-search`` adds a search with an injection to ``main``."""
        shutil.rmtree(root, ignore_errors=True)
        sample = cls(root=root, environ=_environ(root.parent))
        shutil.copytree(HERE / "project", root, ignore=NOT_OURS)
        sample.git("init", "--quiet", "--initial-branch=main")
        sample.git("add", ".")
        sample.git("commit", "--quiet", "--message=Open the shop")
        sample.git("switch", "--quiet", "--create=order-search")
        shutil.copytree(HERE / "branch", root, ignore=NOT_OURS, dirs_exist_ok=True)
        sample.write_query(UNSAFE)
        sample.git("commit", "--quiet", "--all", "--message=Let customers search their orders")
        return sample

    def write_query(self, line: str) -> None:
        """Make ``line`` the one line of the search that asks the database."""
        page = self.root / "web.py"
        text = page.read_text()
        old = UNSAFE if UNSAFE in text else SAFE
        page.write_text(text.replace(old, line))

    def repair(self) -> None:
        """Bind the value in that line, and commit."""
        self.write_query(SAFE)
        self.git("commit", "--quiet", "--all", "--message=Bind the value")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, env=self.environ, check=True)

    def review(
        self, *, page: Path | None = None, output: IO[bytes] | None = None
    ) -> tuple[int, dict[str, str]]:
        """Run ``pytest --lok``: its exit code, and the outcome of each step and test.

        The file ``page`` gets the run as HTML. What pytest prints is for everybody to see, or goes to
        the file ``output``.
        """
        report = self.root / ".pytest_cache" / "demo.xml"
        command = [sys.executable, "-m", "pytest", "--lok", f"--junitxml={report}", "-o", "junit_logging=no"]
        command += [f"--lok-report=html={page}"] if page else []
        done = subprocess.run(
            command, cwd=self.root, env=self.environ, stdout=output, stderr=output, check=False
        )
        return done.returncode, outcomes(report) if report.exists() else {}


def _environ(home: Path) -> dict[str, str]:
    """This process's environment with our tools first, and without settings of the person who watches."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "LOK_", "GIT_"))
    }
    return ours | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test case of a JUnit file, by its name."""
    kinds = {"failure": "failed", "error": "error", "skipped": "skipped"}
    cases = ET.parse(report).iter("testcase")
    return {
        case.get("name", ""): next((kinds[part.tag] for part in case if part.tag in kinds), "passed")
        for case in cases
    }


class Stage:
    """What the audience reads between the commands."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.acts = 0

    def act(self, title: str) -> None:
        self.acts += 1
        print(f"\n{self._paint('1;36', f'{self.acts}. {title}')}\n", flush=True)

    def line(self, text: str, mark: str = "") -> None:
        codes = {"-": "31", "+": "32", "$": "2"}
        print(self._paint(codes[mark], f"  {mark} {text}") if mark else f"  {text}", flush=True)

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text


def check(stage: Stage, got: tuple[int, dict[str, str]], *, code: int, steps: Mapping[str, str]) -> bool:
    """Whether the run ended as it should, the project's own tests being green in any case."""
    exit_code, outcome = got
    # a part of a step is a test case of its own: injections[sql-injection web.py:25]
    tests = {name: kind for name, kind in outcome.items() if name.partition("[")[0] not in steps}
    right = (
        exit_code == code
        and all(outcome.get(name) == kind for name, kind in steps.items())
        and len(tests) > 1
        and set(tests.values()) == {"passed"}
    )
    if not right:
        stage.line(f"This is not what should have happened. Expected exit code {code} and {dict(steps)}.")
    return right


def main() -> int:
    """The play; 1 if a verdict was not as expected."""
    stage = Stage()
    root = Path(".demo").resolve() / "shop"
    red, green = root.with_name("red.html"), root.with_name("green.html")

    stage.act("A shop, and a branch that lets customers search their orders")
    sample = Sample.make(root)
    stage.line("Among other lines, the branch adds this line to web.py. The project's own tests are green:")
    stage.line(UNSAFE, "+")
    stage.line("")
    stage.line("Its workflow reads the diff of the branch, beside those tests:")
    stage.line("pytest --lok", "$")
    if not check(stage, sample.review(page=red), code=1, steps=RED):
        return 1

    stage.act("Red, as it should be. Fix that one line, commit, run again")
    sample.repair()
    stage.line(UNSAFE, "-")
    stage.line(SAFE, "+")
    stage.line("pytest --lok", "$")
    if not check(stage, sample.review(page=green), code=0, steps=GREEN):
        return 1

    stage.act("Green: both reviews are clean, and the attack that `verify` runs gets nothing")
    tools = os.path.relpath(Path(sys.executable).parent)
    stage.line("The repository is yours to play with. Try next:")
    stage.line(f'export PATH="$PWD/{tools}:$PATH" && cd {os.path.relpath(root)}', "$")
    stage.line("lok run security-review", "$")
    stage.line("lok plan security-review", "$")
    stage.line("pytest -k security-review -v", "$")
    stage.line("")
    stage.line("Both runs are pages too, with the prompts and the answers. Open them in a browser:")
    stage.line(f"file://{red}")
    stage.line(f"file://{green}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
