"""Backends that ask the fake agent of ``fake_acp_agent.py``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pytest_lok.backends.acp.conversation import acp_dialect
from pytest_lok.backends.cli.backend import CliConfig, CommandBackend
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.processes.watchdog import Watchdog

AGENT = Path(__file__).with_name("fake_acp_agent.py")
END = {"result": {"stopReason": "end_turn"}}
TOOL = {"toolCallId": "t1", "title": "Edit a.py", "kind": "edit", "rawInput": {"path": "a.py"}}
OPTIONS = [
    {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]
PERMISSION = {
    "ask": {
        "method": "session/request_permission",
        "params": {"sessionId": "s-1", "toolCall": TOOL, "options": OPTIONS},
    }
}


def acp_backend(
    directory: Path, watchdog: Watchdog | None = None, *, script: dict[str, Any], **more: Any
) -> CommandBackend:
    """A backend whose agent follows the script: lists of acts by method; the others are as usual."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "script.json"
    path.write_text(json.dumps(script))
    usual = {"command": sys.executable, "args": ("-S", "-E", str(AGENT), str(path))}
    tool = CliConfig(**{**usual, "dialect": acp_dialect(None), **more})
    run = LocalProcesses(directory, {}, watchdog=watchdog).launch
    return CommandBackend("it", tool, run=run, workspace=directory, environ=dict(os.environ))


def told(directory: Path) -> list[dict[str, Any]]:
    """What the agent was told, in order."""
    lines = (directory / "script.json.told").read_text().splitlines()
    return [json.loads(line) for line in lines]
