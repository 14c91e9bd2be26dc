"""A run to its end, and what is closed after it."""

import sys
from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted
from pytest_lok.cli.execute import execute
from pytest_lok.cli.progress_lines import ProgressLines
from pytest_lok.cli.terminal import Terminal
from pytest_lok.cli.views import view
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.verbs.ask import ask_workflow
from tests.engine.worlds import world


class Busy(Scripted):
    """It answers, and has a bug where it is closed."""

    async def aclose(self) -> None:
        raise RuntimeError("still busy")


def test_a_backend_that_cannot_be_closed_changes_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal({}, sys.stdout, sys.stderr)
    shown = view(terminal, ProgressLines(), color=False)
    result, code = execute(Plan.of(ask_workflow("x", ["b"])), world(tmp_path, Busy("b", "yes")), shown)
    assert (code, result.steps["b"].output) == (0, "yes")
    assert "warning: backend b could not be closed: RuntimeError: still busy" in capsys.readouterr().err
