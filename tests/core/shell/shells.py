"""Real shells for tests of shell text: every placeholder is ``{{ arg.NAME }}``."""

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_lok.core.shell.compiler import ShellCommand, ShellTemplate
from pytest_lok.core.templates.scope import Scope, VisibleNames

NAMES = VisibleNames(arguments=frozenset("abcdx"))


def _shell(name: str, *command: str) -> object:
    missing = shutil.which(command[0]) is None
    return pytest.param(
        command, id=name, marks=pytest.mark.skipif(missing, reason=f"{command[0]} is missing")
    )


SHELLS = (_shell("dash", "dash"), _shell("bash", "bash"), _shell("bash-posix", "bash", "--posix"))


@functools.cache  # the same text is tried with many values
def compiled(text: str) -> ShellTemplate:
    return ShellTemplate.parse(text, NAMES)


def filled(text: str, **values: str) -> ShellCommand:
    return compiled(text).render(Scope(arguments=values))


def run(
    shell: tuple[str, ...], command: ShellCommand, *, cwd: Path | None = None, path: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as the engine does: ``sh -c`` with the values in the environment."""
    env: Mapping[str, str] = {"PATH": path + os.defpath, "LC_ALL": "C.UTF-8", **command.values}
    return subprocess.run(
        [*shell, "-c", command.text],
        env=env,
        cwd=cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


def output(shell: tuple[str, ...], text: str, **values: str) -> bytes:
    """What the text prints; it must succeed and complain about nothing."""
    done = run(shell, filled(text, **values))
    assert (done.returncode, done.stderr) == (0, b""), (text, values, done)
    return done.stdout


def encoded(value: str) -> bytes:
    return os.fsencode(value)
