"""Completion, as shells ask for it."""

import shutil
import subprocess
import sys

import pytest

from tests import forks
from tests.cli.projects import Project

WORKFLOW = """
[args.focus]
choices = ["auth", "speed"]
[[steps]]
name = "diff"
shell = "true"
[[steps]]
name = "review"
shell = "true"
"""


def completed(project: Project, words: str) -> list[str]:
    """What bash would offer for the last of these words."""
    project.environ |= {
        "_LOK_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "pytest_lok.cli.main"]
    done = forks.run(command, cwd=project.root, env=project.environ)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.split()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lok do", ["doctor"]),
        ("lok safe", ["safety"]),
        ("lok run safe", ["safety"]),
        ("lok plan safe", ["safety"]),
        ("lok workflow show safe", ["safety"]),
        ("lok workflow v", ["validate"]),
        ("lok safety --foc", ["--focus"]),
        ("lok safety --focus a", ["auth"]),
        ("lok safety --step re", ["review"]),
        ("lok run safety -s d", ["diff"]),
        ("lok --fail-f", ["--fail-fast"]),
        ("lok completion z", ["zsh"]),
        ("lok nonsense x", []),
    ],
)
def test_words_are_completed(project: Project, words: str, offered: list[str]) -> None:
    project.workflow("safety", WORKFLOW)
    assert completed(project, words) == offered


def test_broken_settings_disturb_nobody_who_types(project: Project) -> None:
    project.write("lok.toml", "broken = = =")
    assert completed(project, "lok run safe") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(project: Project, shell: str) -> None:
    script = project.lok("completion", shell).out
    assert f"_LOK_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program:
        assert subprocess.run([program, "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_for_real(project: Project) -> None:
    project.workflow("safety", WORKFLOW)
    binary = project.write("bin/lok", f'#!/bin/sh\nexec {sys.executable} -m pytest_lok.cli.main "$@"\n')
    binary.chmod(0o755)
    script = project.lok("completion", "bash").out + (
        "\nCOMP_WORDS=(lok run saf); COMP_CWORD=2; _lok_completion lok; echo ${COMPREPLY[*]}\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**project.environ, "PATH": f"{binary.parent}:{project.environ['PATH']}"},
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "safety", done.stderr
